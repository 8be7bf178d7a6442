"""What objectives compute, against closed forms and the mathematics room."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.math import (
    bin_width,
    marginal_information,
    mutual_information,
    quantile_targets,
    soft_bin_centers,
    soft_bins,
)
from infounlearn.point import (
    Look,
    MarginalInformation,
    MembershipInformation,
    Restart,
    ScoreTransport,
    Shown,
    Step,
    TargetInformation,
    see_forget_set,
)
from infounlearn.point.objective import DualAscent, loss_score, score

from .worlds import TRAINED, WORLD, go


def shown(rows, *, shift=0.0, seed=0, labels=None, classes=3):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % classes if labels is None else labels
    logits = torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    logits[torch.arange(rows), labels] += shift
    return Shown(logits, labels, torch.arange(rows))


def look(forget, retain=None, targets=None, alpha=None):
    retain = shown(90, seed=1) if retain is None else retain
    alpha = len(forget) / (len(forget) + len(retain)) if alpha is None else alpha
    return Look(forget, retain, targets, None, alpha)


def step(forget, retain, holdout=None, alpha=0.1):
    return Step(retain, forget, holdout, alpha, 1, len(forget))


def cut(part, index):
    return Shown(part.outputs[index], part.targets[index], part.index[index])


@given(
    retain=st.integers(1, 40),
    forget=st.integers(1, 40),
    alpha=st.floats(0.001, 0.5),
    conditional=st.booleans(),
)
def test_marginal_information_of_a_step_has_the_natural_share_whatever_the_batches(
    retain, forget, alpha, conditional
):
    ours, kept = shown(forget, shift=2.0), shown(retain, seed=1)
    penalty = MarginalInformation(conditional=conditional).start(look(ours, kept, alpha=alpha))
    logits = torch.cat([kept.outputs, ours.outputs])
    labels = torch.cat([kept.targets, ours.targets]) if conditional else None
    member = torch.arange(len(logits)) >= retain
    expected = marginal_information(logits, member, alpha=alpha, given=labels)
    assert torch.equal(penalty(step(ours, kept)), expected)


def test_doubling_a_batch_leaves_marginal_information_alone():
    ours, kept = shown(12, shift=2.0), shown(60, seed=1)
    penalty = MarginalInformation().start(look(ours, kept, alpha=0.05))
    twice = torch.arange(24) % 12
    torch.testing.assert_close(
        penalty(step(cut(ours, twice), kept)), penalty(step(ours, kept)), rtol=1e-12, atol=0
    )


def test_a_declared_share_and_prior_replace_the_natural_ones():
    ours, kept = shown(12, shift=2.0), shown(60, seed=1)
    penalty = MarginalInformation(alpha=0.3, prior=(0.2, 0.8)).start(look(ours, kept))
    logits = torch.cat([kept.outputs, ours.outputs])
    expected = marginal_information(logits, torch.arange(72) >= 60, alpha=0.3, prior=(0.2, 0.8))
    assert torch.equal(penalty(step(ours, kept)), expected)
    assert penalty.information(look(ours, kept)) == float(expected)


@pytest.mark.parametrize("level", ["label", "score", "loss"])
def test_membership_information_of_equal_laws_is_zero_and_of_others_is_not(level):
    one = torch.zeros(60, dtype=torch.long)
    ours, other = shown(60, seed=4, labels=one), shown(60, seed=4, shift=3.0, labels=one)
    penalty = MembershipInformation(level=level).start(look(ours, targets=other))
    assert abs(float(penalty(step(ours, ours, ours)))) < 1e-15
    # In another order too: information knows laws, not rows.
    again = cut(ours, torch.randperm(60, generator=torch.Generator().manual_seed(0)))
    assert abs(float(penalty(step(ours, ours, again)))) < 1e-15
    assert float(penalty(step(ours, ours, other))) > 0.01


@pytest.mark.parametrize("level", ["score", "loss"])
def test_membership_information_has_bins_of_the_start(level):
    ours, held = shown(40, shift=2.0), shown(50, seed=3)
    penalty = MembershipInformation(level=level, bins=8).start(look(ours, targets=held))
    measure = score if level == "score" else loss_score
    values = [measure(ours), measure(held)]
    centers = soft_bin_centers(torch.cat(values), 8)
    moved = cut(shown(40, shift=0.5, seed=9), torch.arange(16))
    outcomes = soft_bins(torch.cat([measure(moved), values[1]]), centers, bin_width(centers))
    z = (torch.arange(66) >= 16).long()
    expected = mutual_information(outcomes, z, prior=(0.5, 0.5))
    torch.testing.assert_close(penalty(step(moved, moved, held)), expected, rtol=1e-12, atol=0)


def test_membership_labels_are_sampled_labels():
    ours, held = shown(40, shift=2.0), shown(50, seed=3)
    penalty = MembershipInformation(level="label").start(look(ours, targets=held))
    z = (torch.arange(90) >= 40).long()
    expected = mutual_information(torch.cat([ours.outputs, held.outputs]), z, prior=(0.5, 0.5))
    assert torch.equal(penalty(step(ours, ours, held)), expected)


def test_scores_are_margins_losses_and_errors():
    part = shown(7, shift=1.0)
    logits, rows = part.outputs, torch.arange(7)
    true = logits[rows, part.targets]
    rest = torch.stack([logits[i][torch.arange(3) != part.targets[i]] for i in rows])
    torch.testing.assert_close(score(part), true - rest.logsumexp(1))
    torch.testing.assert_close(loss_score(part), logits.logsumexp(1) - true)
    real = Shown(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 2.0]]), torch.arange(1))
    assert float(score(real, 4.0)) == -0.5
    assert float(loss_score(real)) == 2.0


@pytest.mark.parametrize(("held", "by_class"), [(60, True), (59, False)])
def test_transport_targets_are_the_quantile_map_within_classes_that_have_enough(held, by_class):
    """Twenty held-out records of each of three classes are enough."""
    ours, targets = shown(45, shift=4.0), shown(held, seed=2)
    penalty = ScoreTransport().start(look(ours, targets=targets))
    labels = {}
    if by_class:
        labels = {"labels": ours.targets, "target_labels": targets.targets}
    goals = quantile_targets(score(ours), score(targets), **labels)
    part = cut(ours, torch.tensor([3, 44, 7, 20]))
    excess = (score(part) - goals[part.index]).clamp_min(0)
    rows = torch.where(excess < 1, excess.square() / 2, excess - 0.5)
    torch.testing.assert_close(penalty(step(part, part)), rows.mean(), rtol=1e-12, atol=0)
    # Ranks are kept: records that were easiest stay easiest.
    if not by_class:
        assert torch.equal(goals.argsort(), score(ours).argsort())


def test_the_gradient_of_transport_is_bounded_and_never_teaches():
    """d/dscore is min(excess, 1)/n above the goal and 0 below: no record is trained on."""
    held, ours = shown(60, seed=2), shown(60, shift=1.0, seed=5)
    penalty = ScoreTransport().start(look(ours, targets=held))
    shift = torch.linspace(-5, 5, 60, dtype=torch.float64)
    moved = ours.outputs.clone()
    moved[torch.arange(60), ours.targets] += shift
    moved.requires_grad_()
    part = Shown(moved, ours.targets, ours.index)
    penalty(step(part, part)).backward()
    # The margin has slope 1 in the true logit.
    slope = moved.grad[torch.arange(60), ours.targets]
    labels = {"labels": ours.targets, "target_labels": held.targets}
    goals = quantile_targets(score(ours), score(held), **labels)
    expected = (score(part) - goals).detach().clamp(0, 1) / 60
    torch.testing.assert_close(slope, expected, rtol=1e-9, atol=1e-12)
    assert bool((slope == 0).any())
    assert bool((slope > 0).any())


def test_transport_of_errors_has_no_unit():
    def real(scale, rows, seed):
        generator = torch.Generator().manual_seed(seed)
        outputs = torch.randn(rows, 1, generator=generator, dtype=torch.float64)
        return Shown(scale * outputs, torch.zeros(rows, 1, dtype=torch.float64), torch.arange(rows))

    values = []
    for scale in (1.0, 1000.0):
        ours, held = real(0.1 * scale, 30, 0), real(scale, 40, 1)
        penalty = ScoreTransport().start(look(ours, held, held))
        values.append(float(penalty(step(ours, ours))))
    assert values[0] > 0.01
    assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_dual_ascent_reaches_a_budget_where_it_can():
    """A toy whose information falls as 1/(1 + gamma): the budget asks for one gamma."""
    ascent = DualAscent(0.0, budget=0.2, rate=0.5)
    for _ in range(200):
        ascent.update(1.0 / (1.0 + ascent.gamma))
    assert ascent.gamma == pytest.approx(4.0, rel=1e-6)


def test_dual_ascent_rests_at_zero_where_the_budget_is_loose_and_without_one():
    ascent = DualAscent(1.0, budget=2.0, rate=0.5)
    for _ in range(10):
        ascent.update(1.0 / (1.0 + ascent.gamma))
    assert ascent.gamma == 0.0
    fixed = DualAscent(1.5, None, 0.5)
    assert [fixed.update(value) for value in (9.0, 0.0)] == [1.5, 1.5]


def test_a_budget_is_kept_by_a_run():
    start = go(MarginalInformation(gamma=0.0)).history[0]["marginal_information"]
    options = {
        "epochs": 30, "evaluations_per_epoch": 2, "holdout": None, "final_lr": 1.0, "lr": 3e-3,
    }  # fmt: skip
    loose = go(None, **options)
    tight = go(MarginalInformation(gamma=0.0, budget=0.7 * start, rate=3.0), **options)
    assert loose.history[-1]["marginal_information"] > 0.9 * start
    assert tight.history[-1]["information"] <= 0.7 * start
    assert tight.history[-1]["gamma"] > 0
    assert [row["gamma"] for row in tight.history[1:3]] == [
        0.0,
        pytest.approx(3.0 * (tight.history[1]["information"] / (0.7 * start) - 1)),
    ]


@pytest.mark.parametrize("level", ["label", "score", "loss"])
def test_membership_information_counts_held_out_classes_as_the_forget_set_has_them(level):
    """A forget set of class 0 alone, equal to the held-out records of class 0: nothing to see."""
    held = shown(60, seed=4, shift=4.0)
    ours = cut(held, held.targets == 0)
    penalty = MembershipInformation(level=level).start(look(ours, targets=held))
    assert abs(penalty.information(look(ours, targets=held))) < 1e-15
    # As many copies of one class as one likes change nothing either.
    more = cut(held, torch.cat([torch.arange(60), torch.nonzero(held.targets == 1).flatten()]))
    mixed = cut(held, torch.arange(60))
    assert abs(penalty.information(look(mixed, targets=more))) < 1e-15
    other = shown(20, seed=9, shift=1.0, labels=torch.zeros(20, dtype=torch.long))
    assert penalty.information(look(other, targets=held)) > 0.01


def test_a_target_is_met_by_the_state_that_is_returned():
    start = go(MarginalInformation()).history[0]["marginal_information"]
    result = go(
        MarginalInformation(gamma=30.0), stop=TargetInformation(0.8 * start), epochs=20,
        evaluations_per_epoch=3,
    )  # fmt: skip
    assert result.stopped.startswith("information ")
    assert f"state of step {result.history[-1]['step']:.0f} kept" in result.stopped
    logits = result.model(torch.cat([WORLD.retain[0], WORLD.forget[0]]))
    member = torch.arange(len(logits)) >= 192
    assert float(marginal_information(logits, member).detach()) <= 0.8 * start
    assert result.history[1]["information"] > 0.8 * start


@pytest.mark.parametrize("seed", range(2))
def test_random_forget_sets_are_invisible_and_classes_visible(seed):
    """40 random forget sets of a sharp classifier: visibility asks for p <= 0.01 *and* 2 %."""
    rng = torch.Generator().manual_seed(seed)
    seen = []
    for trial in range(40):
        labels = torch.randint(3, (200,), generator=rng)
        every = shown(200, shift=6.0, seed=100 * seed + trial, labels=labels)
        order = torch.randperm(200, generator=rng)
        found = see_forget_set(
            look(cut(every, order[:40]), cut(every, order[40:])), seed=trial, permutations=199
        )
        seen.append(found.visible)
    assert sum(seen) <= 3  # 1 % each, were the 2 % no hurdle: P(more than 3 of 40) < 1e-3
    one = shown(40, shift=6.0, labels=torch.zeros(40, dtype=torch.long))
    found = see_forget_set(look(one, shown(160, shift=6.0, seed=7)))
    assert found.visible
    assert 0 < found.normalized <= 1
    assert "sees this forget set" in found.sentence


def test_a_look_changes_nothing_in_training_mode_or_seed():
    model = TRAINED
    assert not model.training
    first = go(None, restart=Restart(1.0, 0.0)).history[0]
    assert first["forget_accuracy"] == pytest.approx(
        float((model(WORLD.forget[0]).argmax(1) == 0).double().mean())
    )
