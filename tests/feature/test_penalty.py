"""The penalty in a loop: what it is worth, what it leaves alone, what it remembers."""

from __future__ import annotations

import copy
import io
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from infounlearn.errors import DivergenceError, InputError
from infounlearn.feature.penalty import InformationPenalty
from infounlearn.feature.penalty_laws import RunningLaws
from infounlearn.math import mutual_information, score_information, soft_bin_centers


def world(rows: int, seed: int, *, leak: float = 1.0, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Logits that tell two unequal groups apart by ``leak``, and the groups."""
    generator = torch.Generator().manual_seed(seed)
    z = (torch.rand(rows, generator=generator) < 0.3).long()
    logits = torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    logits[:, 0] += leak * z
    return logits, z


def primed(level: str = "label", **settings: object) -> InformationPenalty:
    """A penalty that has seen a large sample of ``world``, in eval mode."""
    penalty = InformationPenalty(1.0, level=level, **settings)
    logits, z = world(50_000, 99)
    penalty(logits, z)
    return penalty.eval()


def gradient(penalty: InformationPenalty, logits: Tensor, z: Tensor, **more: object) -> Tensor:
    shown = logits.clone().requires_grad_()
    penalty(shown, z, **more).backward()
    assert shown.grad is not None
    return shown.grad


# --- worth --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "classes"), [("label", 3), ("score", 2), ("score", 3)])
def test_with_the_laws_of_the_data_value_and_gradient_are_those_of_the_information(
    level: str, classes: int
) -> None:
    logits, z = world(4000, 0, classes=classes)
    penalty = InformationPenalty(1.0, level=level)  # type: ignore[arg-type]
    penalty(logits, z)  # the first batch is compared with itself
    penalty.eval()

    def exact(shown: Tensor) -> Tensor:
        if level == "label":
            return mutual_information(shown, z)
        if classes == 2:
            scores = (shown[:, 1] - shown[:, 0])[:, None]
        else:
            rest = [torch.cat((shown[:, :k], shown[:, k + 1 :]), 1).logsumexp(1) for k in range(3)]
            scores = shown - torch.stack(rest, 1)
        parts = [
            score_information(column, z, centers=soft_bin_centers(column, 16))
            for column in scores.T
        ]
        return torch.stack(parts).mean()

    shown = logits.clone().requires_grad_()
    information = exact(shown)
    information.backward()
    assert float(penalty(logits, z)) == pytest.approx(float(information.detach()), rel=1e-6)
    assert shown.grad is not None
    assert torch.allclose(gradient(penalty, logits, z), shown.grad, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("level", ["label", "score", "output"])
def test_the_gradient_is_the_derivative_of_the_value(level: str) -> None:
    penalty = primed(level)
    logits, z = world(12, 3)
    assert torch.autograd.gradcheck(
        lambda shown: penalty(shown, z), logits.clone().requires_grad_(), atol=1e-7
    )


def test_batches_of_any_size_have_the_expectation_of_the_whole() -> None:
    penalty = primed()
    logits, z = world(40_000, 5)
    whole = float(penalty(logits, z))
    for rows in (1, 8, 64):
        batches = zip(logits[:8000].split(rows), z[:8000].split(rows), strict=True)
        mean = np.mean([float(penalty(*batch)) for batch in batches])
        # Exactly the value of these rows together: the mean of a linear function.
        assert mean == pytest.approx(float(penalty(logits[:8000], z[:8000])), abs=1e-9)
    assert whole == pytest.approx(float(mutual_information(logits, z)), rel=0.05)


def test_doubling_a_batch_changes_nothing() -> None:
    penalty = primed()
    logits, z = world(64, 1)
    twice = penalty(logits.repeat(2, 1), z.repeat(2))
    assert float(twice) == pytest.approx(float(penalty(logits, z)), rel=1e-12)


def test_micro_batches_add_up_to_the_gradient_of_their_batch() -> None:
    penalty = primed()
    logits, z = world(60, 2)
    parts = [gradient(penalty, logits[i : i + 20], z[i : i + 20]) / 3 for i in (0, 20, 40)]
    assert torch.allclose(torch.cat(parts), gradient(penalty, logits, z), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_running_information_is_unbiased_where_a_plug_in_is_not(decay: float) -> None:
    """Fresh noise of 32 rows a step carries nothing: the plug-in of a batch shows .015 nats."""
    penalty = InformationPenalty(1.0, decay=decay)
    seen, plug_in = [], []
    for step in range(800):
        logits, z = world(32, step, leak=0.0, classes=6)
        penalty(2 * logits, z)
        if step > 50:
            seen.append(penalty.information)
            plug_in.append(float(mutual_information(2 * logits, z)))
    assert np.mean(plug_in) > 0.01
    error = 4 * np.std(seen) / math.sqrt(len(seen) * (1 - decay) / (1 + decay))
    assert abs(np.mean(seen)) < max(error, 5e-4)
    assert min(seen) < 0  # no cut at 0


def test_conditional_information_is_zero_where_classes_explain_the_groups() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (20_000,), generator=generator)
    z = (torch.rand(len(y), generator=generator) < 0.2 + 0.6 * y).long()
    logits = torch.randn(len(y), 2, generator=generator)
    logits[:, 1] += 2 * y
    plain, given = InformationPenalty(1.0), InformationPenalty(1.0)
    assert float(plain(logits, z)) > 0.01
    assert abs(float(given(logits, z, given=y))) < 1e-3


def test_a_declared_prior_weighs_the_groups() -> None:
    logits, z = world(3000, 4)
    penalty = InformationPenalty(1.0, prior=(0.5, 0.5), num_groups=2)
    exact = float(mutual_information(logits, z, prior=(0.5, 0.5)))
    assert float(penalty(logits, z)) == pytest.approx(exact, rel=1e-9)


def test_one_column_is_the_logit_of_the_second_class() -> None:
    logits, z = world(500, 6, classes=1)
    both = torch.cat((torch.zeros_like(logits), logits), 1)
    for level in ("label", "score"):
        one = float(InformationPenalty(1.0, level=level)(logits[:, 0], z))  # type: ignore[arg-type]
        two = float(InformationPenalty(1.0, level=level)(both, z))  # type: ignore[arg-type]
        assert one == pytest.approx(two, rel=1e-12)


# --- groups -------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["label", "score"])
def test_batches_without_a_group_or_with_one_row_of_it_are_finite_and_count(level: str) -> None:
    penalty = primed(level)
    logits, z = world(64, 7)
    for groups in (torch.zeros_like(z), torch.ones_like(z), torch.arange(64) == 5):
        slopes = gradient(penalty, logits, groups)
        assert torch.isfinite(slopes).all()
        assert float(slopes.abs().max()) > 0
    penalty.train()
    value = penalty(logits, torch.full_like(z, 4))  # groups 2 and 3 were never met
    assert math.isfinite(float(value))


def test_a_constant_batch_and_a_single_group_are_zero_not_nan() -> None:
    penalty = InformationPenalty(1.0, level="score")
    assert float(penalty(torch.ones(8, 2), torch.arange(8) % 2)) == 0.0
    assert float(InformationPenalty(1.0)(torch.randn(8, 2), torch.zeros(8, dtype=torch.long))) == 0


def test_several_attributes_have_their_own_weights_and_add_up() -> None:
    logits, sex = world(400, 8)
    race = torch.arange(400) % 3
    joint = InformationPenalty({"sex": 2.0, "race": 0.5})
    value = float(joint(logits, {"sex": sex, "race": race}))
    alone = [float(InformationPenalty(1.0)(logits, z)) for z in (sex, race)]
    assert value == pytest.approx(2 * alone[0] + 0.5 * alone[1], rel=1e-6)
    assert joint.weights == {"sex": 2.0, "race": 0.5}


def test_crossed_attributes_show_what_each_alone_hides() -> None:
    a, b = torch.arange(400) % 2, (torch.arange(400) // 2) % 2
    logits = torch.stack((torch.zeros(400), 3.0 * (a ^ b)), 1)
    both = {"a": a, "b": b}
    crossed = InformationPenalty(1.0, crossed=True, num_groups={"a": 2, "b": 2})
    assert float(InformationPenalty(1.0)(logits, both)) == pytest.approx(0.0, abs=1e-9)
    assert float(crossed(logits, both)) > 0.05


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


# --- bad input ----------------------------------------------------------------------------------


def test_settings_are_refused_together() -> None:
    with pytest.raises(InputError) as error:
        InformationPenalty(
            -1.0,
            max_information=0.0,
            level="hard",  # type: ignore[arg-type]
            decay=1.0,
            num_groups=0,
            prior=(0.5, 0.6),
            crossed=True,
        )
    message = str(error.value)
    for word in ("gamma", "max_information", "level", "decay", "groups", "prior", "crossed"):
        assert word in message


@pytest.mark.parametrize(
    ("z", "match"),
    [
        (torch.zeros(7, dtype=torch.long), "shape"),
        (torch.zeros(8), "type"),
        (torch.full((8,), -1), "from -1"),
        (torch.full((8,), 10**9), "runs from"),
        (np.array(["f", "m"] * 4), "encode_sensitive"),
        ({}, "no attribute"),
    ],
)
def test_groups_that_are_none_are_refused(z: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        InformationPenalty(1.0)(torch.randn(8, 2), z)


def test_names_must_agree() -> None:
    z = torch.arange(8) % 2
    with pytest.raises(InputError, match="no setting"):
        InformationPenalty({"sex": 1.0})(torch.randn(8, 2), {"race": z})
    named = InformationPenalty(1.0)
    named(torch.randn(8, 2), {"sex": z})
    with pytest.raises(InputError, match="mapping"):
        named(torch.randn(8, 2), z)


@pytest.mark.parametrize("outputs", [torch.zeros(0, 2), torch.zeros(8, 2, 2), torch.arange(8)])
def test_outputs_that_are_none_are_refused(outputs: Tensor) -> None:
    with pytest.raises(InputError, match="floating-point"):
        InformationPenalty(1.0)(outputs, torch.zeros(8, dtype=torch.long))


@pytest.mark.parametrize("level", ["label", "score"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_outputs_that_diverged_do_not_poison_the_memory(level: str, value: float) -> None:
    penalty = primed(level).train()
    before = penalty.state_dict()["_extra_state"]
    logits, z = world(16, 0)
    logits[3] = value
    with pytest.raises(DivergenceError, match="untouched"):
        penalty(logits, z)
    assert penalty.state_dict()["_extra_state"] == before


def test_another_number_of_classes_is_refused() -> None:
    penalty = InformationPenalty(1.0)
    penalty(*world(16, 0, classes=2))
    with pytest.raises(InputError, match="3 outcomes, earlier batches had 2"):
        penalty(*world(16, 0))
