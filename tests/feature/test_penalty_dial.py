"""The penalty in a run: what it leaves alone, what it remembers, how it is dialled."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from infounlearn.feature.penalty import InformationPenalty
from infounlearn.feature.penalty_laws import RunningLaws
from infounlearn.math import mutual_information
from tests.feature.penalty_world import primed, world

# --- what is left alone -------------------------------------------------------------------------


def trained(penalty: InformationPenalty | None, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Weights after a few steps with the penalty in the loss."""
    generator = torch.Generator().manual_seed(0)
    net = nn.Linear(4, 2).to(dtype)
    with torch.no_grad():
        net.weight.normal_(generator=generator)
        net.bias.zero_()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(5):
        x = torch.randn(16, 4, generator=generator, dtype=dtype)
        logits = net(x)
        loss = nn.functional.cross_entropy(logits, (x[:, 0] > 0).long())
        if penalty is not None:
            loss = loss + penalty(logits, (x[:, 1] > 0).long())
        assert loss.dtype is torch.promote_types(dtype, torch.float32) or penalty is None
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [p.detach() for p in net.parameters()]


def test_gamma_zero_is_the_plain_objective_bit_for_bit() -> None:
    plain, off, on = (trained(p) for p in (None, InformationPenalty(0.0), InformationPenalty(1.0)))
    assert all(torch.equal(a, b) for a, b in zip(plain, off, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(plain, on, strict=True))


def test_half_precision_outputs_give_a_loss_in_single() -> None:
    trained(InformationPenalty(1.0), torch.bfloat16)


def test_no_global_generator_is_touched() -> None:
    before = torch.random.get_rng_state()
    primed()
    assert torch.equal(before, torch.random.get_rng_state())


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["label", "score"])
def test_a_resumed_run_goes_on_to_the_same_digits(level: str) -> None:
    penalty = InformationPenalty(max_information=1e-3, level=level)  # type: ignore[arg-type]
    for step in range(6):
        penalty(*world(32, step))
    other = InformationPenalty(max_information=1e-3, level=level)  # type: ignore[arg-type]
    file = io.BytesIO()
    torch.save(penalty.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    copied = copy.deepcopy(penalty)
    for one in (other, copied):
        assert float(one(*world(32, 9))) == float(copy.deepcopy(penalty)(*world(32, 9)))
        assert one.weights != 0


def test_eval_mode_remembers_nothing() -> None:
    penalty = primed()
    before = penalty.information
    penalty(*world(64, 1))
    assert penalty.information == before


def test_laws_grow_with_groups_and_keep_what_they_had() -> None:
    laws = RunningLaws(0.9)
    laws.grow(1, 2, 2)
    sums, counts = np.array([[[3.0, 1.0], [1.0, 3.0]]]), np.array([[4.0, 4.0]])
    laws.weights(sums, counts)
    laws.take(sums, counts, 0.1)
    laws.grow(2, 3, 2)
    assert laws.sums.shape == (2, 3, 2)
    assert (laws.sums[:1, :2] == sums).all()
    assert np.isfinite(laws.weights(np.zeros((2, 3, 2)), np.zeros((2, 3)))).all()


# --- the dial -----------------------------------------------------------------------------------


def trade_off(penalty: InformationPenalty, steps: int = 900) -> float:
    """True label information of a logistic model after training on a task that shares Z."""
    generator = torch.Generator().manual_seed(1)
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.zero_(), net.bias.zero_()
    optimizer = torch.optim.Adam(net.parameters(), 0.02)

    def draw(rows: int) -> tuple[Tensor, Tensor, Tensor]:
        z = torch.randint(2, (rows,), generator=generator)
        x = torch.randn(rows, 2, generator=generator)
        x[:, 0] += 1.5 * z
        y = (x.sum(1) + 0.5 * torch.randn(rows, generator=generator) > 0.75).long()
        return x, y, z

    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / steps)
        x, y, z = draw(128)
        logits = net(x)
        loss = nn.functional.cross_entropy(logits, y) + penalty(logits, z)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, _, z = draw(20_000)
    return float(mutual_information(net(x).detach(), z))


def test_the_dial_traces_a_frontier_down_to_nothing() -> None:
    left = [trade_off(InformationPenalty(gamma)) for gamma in (0.0, 4.0, 30.0)]
    assert left[0] > 0.07
    assert left[0] > 1.4 * left[1] > 5 * left[2]
    assert left[2] < 0.005


@pytest.mark.parametrize("budget", [0.03, 0.005])
def test_a_budget_finds_its_weight(budget: float) -> None:
    penalty = InformationPenalty(max_information=budget)
    assert 0.5 * budget < trade_off(penalty) < 1.5 * budget
    assert penalty.weights > 0  # type: ignore[operator]


def test_a_budget_that_is_never_reached_costs_nothing() -> None:
    penalty = InformationPenalty(max_information=0.5)
    assert trade_off(penalty, 100) == trade_off(InformationPenalty(0.0), 100)
    assert penalty.weights == 0.0
