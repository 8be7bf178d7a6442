"""The same records in any form, and every kind of network."""

from __future__ import annotations

import copy

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset, TensorDataset

import infounlearn
from infounlearn.data import Records
from infounlearn.experiments.networks import Cnn, Mlp, TokenClassifier
from infounlearn.math import marginal_information, mutual_information
from infounlearn.point import (
    Restart,
    ScoreTransport,
    Utility,
    unlearn,
)

from .worlds import (
    NETWORK,
    OBJECTIVES,
    TRAINED,
    WORLD,
    ByName,
    Named,
    fit,
    go,
    rows,
    same,
)


class Items(torch.utils.data.Dataset):
    """Rows one by one, labels as plain integers."""

    def __init__(self, pair):
        self.pair = pair

    def __len__(self):
        return len(self.pair[0])

    def __getitem__(self, index):
        return self.pair[0][index], int(self.pair[1][index])


def doubled(pair):
    """A set in which only every other row counts."""
    inputs, labels = pair
    return TensorDataset(inputs.repeat_interleave(2, 0), labels.repeat_interleave(2))


FORMS = {
    "TensorDataset": lambda pair: TensorDataset(*pair),
    "list of two": list,
    "Subset": lambda pair: Subset(doubled(pair), range(0, 2 * len(pair[0]), 2)),
    "Dataset": Items,
    "Subset of Dataset": lambda pair: Subset(Items(pair), range(len(pair[0]))),
    "Records": lambda pair: Records(*pair, torch.arange(len(pair[0]))),
    "DataLoader": lambda pair: DataLoader(Items(pair), batch_size=7, shuffle=True),
    "list of pairs": lambda pair: list(zip(*pair, strict=True)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_result_of_two_tensors(form):
    given = {name: FORMS[form](pair) for name, pair in WORLD.given().items()}
    assert same(go(OBJECTIVES["score"], **given).model, go(OBJECTIVES["score"]).model)


def test_a_loaders_collate_function_is_used_in_every_part():
    def collate(items):
        inputs, labels = zip(*items, strict=True)
        return {"x": torch.stack(inputs), "labels": torch.tensor(labels)}

    given = {k: DataLoader(Items(v), collate_fn=collate) for k, v in WORLD.given().items()}
    result = go(OBJECTIVES["score"], ByName(TRAINED), **given)
    assert same(result.model.inner, go(OBJECTIVES["score"]).model)
    shown = next(iter(result.audit_holdout))
    torch.testing.assert_close(shown["x"], go(OBJECTIVES["score"]).audit_holdout[0])
    torch.testing.assert_close(shown["labels"], go(OBJECTIVES["score"]).audit_holdout[1])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_inputs_by_name_and_outputs_with_logits(name):
    given = {k: Named(pair) for k, pair in WORLD.given().items()}
    result = go(OBJECTIVES[name], ByName(copy.deepcopy(TRAINED)), **given)
    assert same(result.model.inner, go(OBJECTIVES[name]).model)


def tokens(pair):
    """Seven tokens out of ten per class."""
    generator = torch.Generator().manual_seed(len(pair[0]))
    return torch.randint(10, (len(pair[0]), 7), generator=generator) + 5 * pair[1][:, None], pair[1]


def images(pair):
    return rows(pair[1], len(pair[0]), 64)[0].view(-1, 1, 8, 8), pair[1]


@pytest.mark.parametrize("name", [None, *OBJECTIVES])
@pytest.mark.parametrize(("form", "factory"), [(tokens, TokenClassifier(20, 8, 3)),
                                               (images, Cnn(width=4, classes=3))])  # fmt: skip
def test_tokens_and_images(form, factory, name):
    given = {k: form(pair) for k, pair in WORLD.given().items()}
    model = fit(factory(0), given["forget"], given["retain"], steps=60)
    result = go(OBJECTIVES.get(name), model, restart=Restart(0.5, 0.5), epochs=4, **given)
    assert not same(result.model, model)
    assert result.history[-1]["retain_accuracy"] > 0.5


@pytest.mark.parametrize("name", ["loss", "score", "transport", None])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_regression(name, shape):
    """The forget rows have targets of their own, learned by heart; the run unlearns them."""

    def real(pair, shift=0.0):
        return pair[0], (pair[0][:, :2].sum(1) + shift).reshape(-1, *shape)

    given = {k: real(v, 3.0 * (k == "forget")) for k, v in WORLD.given().items()}
    model = Mlp((8, 32, 1))(0)
    inputs = torch.cat([given["forget"][0], given["retain"][0]])
    targets = torch.cat([given["forget"][1], given["retain"][1]]).reshape(-1, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        functional.mse_loss(model(inputs), targets).backward()
        optimizer.step()
    result = go(OBJECTIVES.get(name), model, epochs=8, **given)
    assert result.history[-1]["forget_loss"] > 1.5 * result.history[0]["forget_loss"]
    assert "forget_accuracy" not in result.history[-1]


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))


@pytest.mark.parametrize("name", [None, *OBJECTIVES])
def test_tied_weights_stay_tied(name, tmp_path):
    model = fit(Tied(), WORLD.forget, WORLD.retain)
    result = go(OBJECTIVES.get(name), model, restart=Restart(0.9, 0.1), checkpoint=tmp_path)
    assert result.model.second.weight is result.model.first.weight
    assert not torch.equal(result.model.first.weight, model.first.weight)


def normed(seed=0):
    model = nn.Sequential(nn.BatchNorm1d(8), *NETWORK(seed), nn.BatchNorm1d(3))
    return fit(model, WORLD.forget, WORLD.retain)


NORMED = normed()


def statistics(model):
    return {k: v for k, v in model.state_dict().items() if "running" in k or "tracked" in k}


def equal(first, second):
    return all(torch.equal(first[key], second[key]) for key in second)


@pytest.mark.parametrize("name", [None, *OBJECTIVES])
def test_frozen_batch_norm_keeps_its_statistics_and_learns_its_weights(name):
    result = go(OBJECTIVES.get(name), NORMED, batch_norm="frozen", restart=Restart(0.9, 0.1))
    assert equal(statistics(result.model), statistics(NORMED))
    assert not torch.equal(result.model[0].weight, NORMED[0].weight)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_batch_norm_learns_statistics_from_retain_rows_alone(name):
    """With steps too small to move a weight, poisoned forget rows leave no trace at all."""
    poison = (WORLD.forget[0] * 1e3, WORLD.forget[1])
    still = {"batch_norm": "update", "lr": 1e-30, "holdout": WORLD.holdout}
    plain = statistics(go(None, NORMED, **still).model)
    assert not torch.equal(plain["0.running_mean"], NORMED[0].running_mean)
    poisoned = go(OBJECTIVES[name], NORMED, forget=poison, **still).model
    assert equal(statistics(poisoned), plain)
    assert torch.equal(poisoned[2].weight, NORMED[2].weight)


@pytest.mark.parametrize(("restart", "updates"), [(None, False), (Restart(0.9, 0.1), True)])
def test_automatic_batch_norm_updates_where_weights_are_restarted(restart, updates):
    result = go(None, NORMED, restart=restart)
    assert equal(statistics(result.model), statistics(NORMED)) != updates


@pytest.mark.parametrize("name", OBJECTIVES)
def test_automatic_batch_norm_measures_retain_rows_after_a_restart_and_then_stands_still(name):
    """They are those of all retain rows, whatever the length of the run."""
    kept = WORLD.retain[0]
    for epochs in (1, 2):
        result = go(OBJECTIVES[name], NORMED, restart=Restart(0.5, 0.5), epochs=epochs)
        shown = statistics(result.model)
        torch.testing.assert_close(shown["0.running_mean"], kept.mean(0))
        torch.testing.assert_close(shown["0.running_var"], kept.var(0))
        assert shown["0.num_batches_tracked"] == 1
        assert result.model[0].momentum == NORMED[0].momentum


def test_the_default_does_not_lose_a_network_with_batch_norm():
    """Forget rows through running statistics, retain rows through their batch's: both diverged."""

    def build():
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(),
            nn.Linear(256, 10),
        )  # fmt: skip

    table = load_digits()
    images = torch.as_tensor(table.images[:1400], dtype=torch.float32)[:, None] / 16
    labels = torch.as_tensor(table.target[:1400])
    forget, retain, holdout = (
        (images[cut], labels[cut]) for cut in (slice(100), slice(100, 900), slice(900, 1400))
    )
    torch.manual_seed(0)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(20):
        for batch in torch.randperm(900).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    history = unlearn(
        model, forget=forget, retain=retain, holdout=holdout, stop=(), progress=False
    ).history
    assert min(row["retain_accuracy"] for row in history) > 0.98


def test_masks_of_minus_infinity_are_no_divergence():
    model = copy.deepcopy(TRAINED)
    model.register_buffer("mask", torch.full((3,), -torch.inf))
    assert go(ScoreTransport(1.0), model).history[-1]["step"] == 12


def test_a_loss_of_ones_own_is_used():
    def smooth(outputs, targets):
        return functional.cross_entropy(outputs, targets, reduction="none", label_smoothing=0.3)

    assert not same(go(None, loss=smooth).model, go(None).model)


def test_float64_and_bfloat16_networks():
    double = copy.deepcopy(TRAINED).double()
    given = {k: (v[0].double(), v[1]) for k, v in WORLD.given().items()}
    for name in OBJECTIVES:
        result = go(OBJECTIVES[name], double, utility=Utility(0.5, 0.5), **given)
        assert result.model[1].weight.dtype == torch.float64
    half = {k: (v[0].bfloat16(), v[1]) for k, v in WORLD.given().items()}
    result = go(ScoreTransport(1.0), copy.deepcopy(TRAINED).bfloat16(), **half)
    assert result.model[1].weight.dtype == torch.bfloat16


def test_the_package_opens_the_door():
    assert infounlearn.unlearn is unlearn


@pytest.mark.parametrize("information", ["marginal", "membership"])
def test_information_is_one_term_of_a_loop_of_ones_own(information):
    """task + gamma * information, in plain torch: the same idea without any of the room."""
    model = copy.deepcopy(TRAINED)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    inputs = torch.cat([WORLD.retain[0], WORLD.forget[0]])
    member = torch.arange(len(inputs)) >= len(WORLD.retain[0])
    held = WORLD.holdout[0][WORLD.holdout[1] == 0]

    def term():
        if information == "marginal":
            return marginal_information(model(inputs), member)
        both = torch.cat([model(WORLD.forget[0]), model(held)])
        return mutual_information(both, torch.arange(len(both)) < len(WORLD.forget[0]))

    before = term().item()
    for _ in range(40):
        optimizer.zero_grad()
        task = functional.cross_entropy(model(WORLD.retain[0]), WORLD.retain[1])
        loss = task + 20.0 * term()
        loss.backward()
        optimizer.step()
    assert term().item() < 0.7 * before
    assert (model(WORLD.retain[0]).argmax(1) == WORLD.retain[1]).double().mean() > 0.9
