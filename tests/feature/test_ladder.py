"""The laws of a chain: what a variable may see, and the same laws whatever the batch."""

from __future__ import annotations

import logging
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from infounlearn.feature.ladder import Ladder, Training, batch_size, fit_ladder
from infounlearn.feature.ladder_net import LadderNet, one_hot
from infounlearn.feature.ladder_walk import frozen

SIZES = (3, 1, 4, 2)
SMALL = Training(networks=2, hidden=12, steps=60, patience=60)


def network(seed: int = 0, hidden: int = 11, sizes: tuple[int, ...] = SIZES) -> LadderNet:
    """A network with all weights away from zero."""
    generator = torch.Generator().manual_seed(seed)
    made = LadderNet(sizes, 3, hidden=hidden, dropout=0.0, generator=generator)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    return made


def chain(rows: int, seed: int = 0, sizes: tuple[int, ...] = SIZES) -> tuple:
    """(levels, codes) with a dependence that differs between three groups."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, rows)
    columns = [rng.integers(0, sizes[0], rows)]
    for size in sizes[1:]:
        kept = rng.random(rows) < 0.3 + 0.2 * codes
        columns.append(np.where(kept, columns[-1] % size, rng.integers(0, size, rows)))
    return np.stack(columns, axis=1), codes


def laws(ladder: Ladder, levels: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
    """Law of each variable along the chain."""
    walk, found = ladder.walk(codes), []
    for variable in range(levels.shape[1]):
        found.append(walk.law(variable))
        walk.tell(variable, levels[:, variable])
    return found


def ladder_of(*networks: LadderNet, sizes: tuple[int, ...] = SIZES) -> Ladder:
    return Ladder(sizes, 3, frozen(networks), (0.0,) * len(networks))


def in_one_pass(net: LadderNet, levels: np.ndarray, codes: np.ndarray, sizes: tuple) -> list:
    """Laws by the network itself, in double precision."""
    net = net.double()
    groups = functional.one_hot(torch.from_numpy(codes), 3).double()
    with torch.no_grad():
        logits = net(one_hot(levels, sizes).double(), groups)
    parts = logits.split(list(sizes), dim=1)
    return [torch.softmax(part, dim=1).numpy() for part in parts]


@pytest.mark.parametrize("hidden", [1, 3, 4, 23])
def test_a_variable_sees_those_before_it_and_no_other(hidden: int) -> None:
    net = network(hidden=hidden)
    levels, codes = chain(200)
    before = in_one_pass(net, levels, codes, SIZES)
    for changed, size in enumerate(SIZES):
        other = levels.copy()
        other[:, changed] = (other[:, changed] + 1) % size
        after = in_one_pass(net, other, codes, SIZES)
        for variable in range(len(SIZES)):
            same = np.array_equal(before[variable], after[variable])
            alone = size == 1 or SIZES[variable] == 1
            assert same if variable <= changed or alone else not same


@pytest.mark.parametrize("hidden", [2, 4, 23])
def test_the_walk_gives_the_laws_of_one_pass_averaged_over_the_ensemble(hidden: int) -> None:
    nets = [network(seed, hidden) for seed in (0, 1, 2)]
    levels, codes = chain(300)
    passes = [in_one_pass(net, levels, codes, SIZES) for net in nets]
    for variable, law in enumerate(laws(ladder_of(*nets), levels, codes)):
        # What levels add is summed in single precision.
        assert law == pytest.approx(np.mean([one[variable] for one in passes], axis=0), abs=2e-6)
        assert np.abs(law.sum(1) - 1).max() < 1e-14


def test_laws_are_those_of_the_group() -> None:
    levels, _ = chain(50)
    groups = [laws(ladder_of(network()), levels, np.full(50, code)) for code in range(3)]
    for variable in (0, 2, 3):
        assert np.abs(groups[0][variable] - groups[1][variable]).max() > 1e-3


def test_batches_of_any_size_have_the_same_laws() -> None:
    sizes = (16,) * 8
    ladder = ladder_of(*(network(seed, 64, sizes) for seed in (0, 1)), sizes=sizes)
    levels, codes = chain(1000, sizes=sizes)
    whole = laws(ladder, levels, codes)
    for batch in (1, 3, 64, 333):
        rows = np.arange(0, 1000 if batch > 1 else 40)
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            for law, part in zip(whole, laws(ladder, levels[some], codes[some]), strict=True):
                assert np.abs(law[some] - part).max() < 1e-14


def test_learned_laws_are_near_the_true_ones() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 6000)
    first = rng.integers(0, 2, 6000)
    truth = np.array([[0.2, 0.7], [0.6, 0.1]])
    second = (rng.random(6000) < truth[codes, first]).astype(int)
    training = Training(networks=1, hidden=16, steps=500, dropout=0.0, lr=1e-2)
    levels = np.stack((first, second), axis=1)
    ladder = fit_ladder(levels, codes, (2, 2), 2, training=training, seed=0)
    law = laws(ladder, levels, codes)[1][:, 1]
    assert np.abs(law - truth[codes, first]).max() < 0.06
    entropy = np.log(2) - np.mean(truth * np.log(truth) + (1 - truth) * np.log(1 - truth))
    assert np.mean(ladder.likelihoods) == pytest.approx(-entropy, abs=0.05)


def test_a_seed_gives_one_ladder_and_leaves_the_global_draws_alone() -> None:
    levels, codes = chain(200)
    drawn = np.random.mtrand._rand.get_state()[1].copy()
    state = torch.get_rng_state()
    made = [fit_ladder(levels, codes, SIZES, 3, training=SMALL, seed=seed) for seed in (5, 5, 6)]
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(drawn, np.random.mtrand._rand.get_state()[1])
    first, again, other = (np.concatenate(laws(one, levels, codes), axis=1) for one in made)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    thawed = pickle.loads(pickle.dumps(made[0]))
    assert np.array_equal(np.concatenate(laws(thawed, levels, codes), axis=1), first)


def test_dropout_hides_units_in_training_alone() -> None:
    net = network()
    net.dropout = 0.5
    levels, codes = chain(50)
    inputs, groups = one_hot(levels, SIZES), functional.one_hot(torch.from_numpy(codes), 3).float()
    with torch.no_grad():
        plain = net(inputs, groups)
        hidden = net(inputs, groups, generator=torch.Generator().manual_seed(0))
        assert torch.equal(plain, net(inputs, groups))
    assert not torch.equal(plain, hidden)


@pytest.mark.parametrize("rows", [2, 3, 20])
def test_a_few_rows_are_enough_to_fit(rows: int) -> None:
    levels, codes = chain(rows)
    ladder = fit_ladder(levels, codes, SIZES, 3, training=SMALL, seed=0)
    assert all(np.isfinite(law).all() for law in laws(ladder, levels, codes))


def test_a_fit_is_silent_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    levels, codes = chain(50)
    fit_ladder(levels, codes, SIZES, 3, training=SMALL, seed=0)
    assert not caplog.records
    with caplog.at_level(logging.INFO, logger="infounlearn"):
        fit_ladder(levels, codes, SIZES, 3, training=SMALL, seed=0)
    assert "network 2 of 2" in caplog.text


def test_one_hot_has_one_place_for_each_variable() -> None:
    levels, _ = chain(40)
    inputs = one_hot(levels, SIZES).numpy()
    starts = np.concatenate(([0], np.cumsum(SIZES)))
    for variable, (start, end) in enumerate(pairwise(starts)):
        assert np.array_equal(inputs[:, start:end], np.eye(end - start)[levels[:, variable]])


def test_batches_grow_with_the_table() -> None:
    sizes = [batch_size(rows) for rows in (1, 100, 10_000, 50_000, 10**7)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 32
    assert sizes[-1] == 512


@pytest.mark.parametrize("rows", [2, 40, 400])
def test_no_more_steps_are_taken_than_asked(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    step = torch.optim.AdamW.step

    def counted(self: torch.optim.AdamW, *args: object, **options: object) -> object:
        taken.append(1)
        return step(self, *args, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    levels, codes = chain(rows)
    training = Training(networks=1, hidden=12, steps=60, patience=60)
    fit_ladder(levels, codes, SIZES, 3, training=training, seed=0)
    assert 40 <= len(taken) <= 60
