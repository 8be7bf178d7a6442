"""The penalty of a batch: what it is worth, its gradient, absent groups, several attributes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from infounlearn.feature.penalty import InformationPenalty
from infounlearn.math import mutual_information, score_information, soft_bin_centers
from tests.feature.penalty_world import gradient, primed, world

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
