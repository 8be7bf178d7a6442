"""Figures, stops and the cut of the held-out set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.errors import Problems
from infounlearn.experiments.networks import Mlp
from infounlearn.point import (
    Calibrated,
    Restart,
    Schedule,
    Shown,
    Steps,
    TargetInformation,
    TimeBudget,
    UtilityGuard,
)
from infounlearn.point.batches import ClassPools, RecordSet, Stream
from infounlearn.point.evaluation import NOISE_QUANTILE, membership_auc
from infounlearn.point.holdout import cut_holdout
from infounlearn.point.objective import score
from infounlearn.point.schedule import FEWEST_STEPS, default_schedule

from .worlds import OBJECTIVES, WORLD, fit, go, rows


def shown(labels, seed, shift=0.0):
    labels = torch.as_tensor(labels)
    generator = torch.Generator().manual_seed(seed)
    # Rounded, so that some scores tie.
    logits = (torch.randn(len(labels), 3, generator=generator) * 4).round() / 4
    logits[torch.arange(len(labels)), labels] += shift
    return Shown(logits.double(), labels, torch.arange(len(labels)))


@given(
    ours=st.lists(st.integers(0, 2), min_size=1, max_size=12),
    seed=st.integers(0, 1000),
    shift=st.floats(-2, 2),
)
def test_membership_auc_is_the_share_of_pairs_within_classes(ours, seed, shift):
    forget, held = shown(ours, seed, shift), shown([0, 1, 2] * 4, seed + 1)
    a, b = score(forget), score(held)
    brute = 0.0
    for label in set(ours):
        mine, theirs = a[forget.targets == label], b[held.targets == label]
        wins = (mine[:, None] > theirs).double() + 0.5 * (mine[:, None] == theirs).double()
        brute += ours.count(label) / len(ours) * float(wins.mean())
    assert membership_auc(forget, held)[0] == pytest.approx(brute, abs=1e-12)


def test_the_tolerance_is_the_spread_of_the_auc_of_equal_laws():
    """Simulated: 2,000 pairs of samples of one law, with classes of unequal sizes."""
    ours, theirs = torch.tensor([0] * 20 + [1] * 5), torch.tensor([0] * 15 + [1] * 30)
    rng = torch.Generator().manual_seed(0)
    values = []
    for _ in range(2000):
        parts = [
            Shown(torch.randn(len(y), 3, generator=rng, dtype=torch.float64), y, y)
            for y in (ours, theirs)
        ]
        values.append(membership_auc(*parts))
    spread = np.std([value for value, _ in values])
    assert np.mean([value for value, _ in values]) == pytest.approx(0.5, abs=0.006)
    # The standard error of a standard deviation of 2,000 values is 1.6 %.
    assert values[0][1] / NOISE_QUANTILE == pytest.approx(spread, rel=0.06)


def row(step=1, auc=0.5, accuracy=1.0, loss=0.1, **more):
    return {
        "step": step, "seconds": float(step), "validation_auc": auc, "auc_tolerance": 0.04,
        "retain_accuracy": accuracy, "retain_loss": loss, **more,
    }  # fmt: skip


FIRST = row(0, auc=0.8)


@pytest.mark.parametrize(
    ("after", "shortfall"),
    [
        (row(auc=0.54), 0.0),
        (row(auc=0.46), 0.0),
        (row(auc=0.58), 1.0),
        (row(auc=0.42), 1.0),
        (row(accuracy=0.9975), 0.0),
        (row(accuracy=0.995), 1.0),
        (row(loss=0.11), 0.0),
        (row(loss=0.13), 2.0),
        (row(loss=0.0), 0.0),
        (row(auc=0.58, accuracy=0.995, loss=0.13), 4.0),
    ],
)
def test_shortfall_counts_what_is_missing_in_units_of_what_is_allowed(after, shortfall):
    judge = Calibrated(utility_slack=0.0025, loss_slack=0.01)
    assert judge.shortfall(after, FIRST) == pytest.approx(shortfall, abs=1e-9)


def test_shortfall_of_a_regressor_is_relative_and_without_holdout_is_utility_alone():
    judge = Calibrated(loss_slack=0.01)
    first, after = {"retain_loss": 50.0}, {"retain_loss": 51.0}
    assert judge.shortfall(after, first) == pytest.approx(1.0)
    assert judge.shortfall({"retain_loss": 50.4}, first) == 0.0


def test_a_tolerance_of_ones_own_replaces_the_noise_floor():
    assert Calibrated(tolerance=0.1).allowed(FIRST) == 0.1
    assert Calibrated().allowed(FIRST) == 0.04
    assert Calibrated(tolerance=0.1).shortfall(row(auc=0.6), FIRST) == pytest.approx(0.0, abs=1e-9)


def test_calibration_stops_after_enough_good_evaluations_in_a_row():
    stop = Calibrated(patience=2)
    good, bad = row(auc=0.51), row(auc=0.7)
    # The original model itself does not count, however calibrated it was.
    assert stop.reason([good]) is None
    assert stop.reason([good, good]) is None
    assert stop.reason([good, good, bad]) is None
    assert stop.reason([good, good, bad, good]) is None
    assert "membership AUC 0.510 is within 0.040" in stop.reason([bad, bad, good, good])
    assert Calibrated(patience=1).reason([bad, good])


def test_plain_stops():
    assert Steps(5).reason([row(4)]) is None
    assert Steps(5).reason([row(5)]) == "5 steps done"
    assert TimeBudget(5).reason([row(4)]) is None
    assert TimeBudget(5).reason([row(6)]) == "6 s are spent"


def test_a_target_reads_the_objectives_information_or_the_marginal_one():
    stop = TargetInformation(0.01)
    low, high = {"information": 0.01}, {"information": 0.02, "marginal_information": 0.0}
    assert stop.reason([low]) is None  # before the first step
    assert stop.reason([high, high]) is None
    assert stop.reason([high, low])
    assert stop.reason([high, {"marginal_information": 0.005}])
    assert stop.reason([high, {}]) is None


def test_the_guard_watches_from_when_the_accuracy_was_first_inside():
    guard, first = UtilityGuard(0.02), row(accuracy=0.9)
    lost, kept = row(accuracy=0.85), row(accuracy=0.89)
    assert guard.reason([first]) is None
    assert guard.reason([first, lost, lost]) is None  # a restart that is still healing
    assert guard.reason([first, lost, kept]) is None
    assert "0.850 fell below 0.880" in guard.reason([first, lost, kept, lost])
    assert guard.reason([{}, {}]) is None  # regressors have no accuracy


@pytest.mark.parametrize("holdout", [None, WORLD.holdout])
def test_a_guard_returns_a_state_from_before_the_fall(holdout):
    """A step size that grows destroys the network sooner or later."""
    result = go(
        None, stop=UtilityGuard(0.1), lr=3.0, optimizer="sgd", epochs=40, final_lr=1.0,
        evaluations_per_epoch=6, holdout=holdout, retain=WORLD.retain, restart=None,
        schedule=Schedule(
            epochs=40, batch_size=32, optimizer=growing, evaluations_per_epoch=6, lr=1e-3
        ),
    )  # fmt: skip
    assert "fell below" in result.stopped
    floor = result.history[0]["retain_accuracy"] - 0.1
    accuracy = (result.model(WORLD.retain[0]).argmax(1) == WORLD.retain[1]).double().mean()
    assert float(accuracy) >= floor


class growing(torch.optim.SGD):
    """Steps that double."""

    def __init__(self, parameters, lr):
        super().__init__(list(parameters), lr=lr)
        self.factor = 1e-3

    def step(self, closure=None):
        self.factor *= 1.5
        for group in self.param_groups:
            group["lr"] = self.factor
        return super().step(closure)


def test_without_holdout_the_last_state_is_kept_and_with_it_the_nearest_to_calibration():
    options = {"evaluations_per_epoch": 6, "restart": Restart(0.9, 0.1)}
    blind = go(OBJECTIVES["marginal"], holdout=None, **options)
    assert blind.stopped == "the schedule ended; state of step 12 kept"
    seen = go(OBJECTIVES["score"], **options)
    judge = Calibrated()
    misses = [judge.shortfall(row, seen.history[0]) for row in seen.history[1:]]
    best = max(i for i, value in enumerate(misses) if value == min(misses))
    assert seen.stopped.endswith(f"state of step {seen.history[1:][best]['step']} kept")


def noisy(count, seed):
    """Three of ten labels are drawn anew: they can only be learned by heart."""
    generator = torch.Generator().manual_seed(seed)
    inputs, labels = rows(torch.arange(count) % 3, seed)
    drawn = torch.randint(3, (count,), generator=generator)
    return inputs, torch.where(torch.rand(count, generator=generator) < 0.3, drawn, labels)


def test_a_run_that_forgets_stops_calibrated_and_one_that_stands_still_does_not():
    given = {"forget": noisy(120, 1), "retain": noisy(600, 2), "holdout": noisy(900, 3)}
    model = fit(Mlp((8, 64, 64, 3))(0), given["forget"], given["retain"], steps=400)
    stop = Calibrated(utility_slack=0.3, loss_slack=2.0)
    options = {"stop": stop, "epochs": 10, "evaluations_per_epoch": 2, "lr": 1e-3, **given}
    result = go(None, model, restart=Restart(0.15, 1.0), **options)
    first, last = result.history[0], result.history[-1]
    assert first["validation_auc"] - 0.5 > 2 * first["auc_tolerance"]  # it remembers
    assert abs(last["validation_auc"] - 0.5) <= last["auc_tolerance"]  # and now it does not
    assert result.stopped.startswith("calibrated: membership AUC")
    assert f"state of step {last['step']} kept" in result.stopped
    assert last["epoch"] < 10
    assert go(None, model, **{**options, "lr": 1e-9}).stopped.startswith("the schedule ended")


@given(rows=st.integers(6, 300), share=st.floats(0.0, 0.6), seed=st.integers(0, 99))
def test_the_cut_is_a_partition_with_each_class_in_proportion(rows, share, seed):
    labels = (torch.arange(rows) ** 2) % 3  # classes of unequal sizes
    records = RecordSet((torch.arange(rows)[:, None].float(), labels), "holdout")
    problems = Problems("cut")
    parts = cut_holdout(records, share, seed, problems)
    places = [part.take(torch.arange(len(part)))[0].flatten() for part in parts.values()]
    assert torch.cat(places).sort().values.tolist() == list(range(rows))
    wanted = {"targets": (1 - share) / 2, "validation": (1 - share) / 2, "audit": share}
    for name, part in parts.items():
        for label in labels.unique():
            count = int((labels == label).sum())
            got = int((part.targets == label).sum())
            assert abs(got - wanted[name] * count) <= 3


def test_large_cuts_keep_their_proportions():
    rows = 400_000
    labels = torch.arange(rows) % 2
    records = RecordSet((torch.zeros(rows, 0), labels), "holdout")
    records._targets, records._hashes = labels, [b""] * rows  # no need to read them
    parts = cut_holdout(records, 0.3, 0, Problems("cut"))
    sizes = [len(parts[name]) / rows for name in ("targets", "validation", "audit")]
    assert sizes == pytest.approx([0.35, 0.35, 0.3], abs=1e-4)


@given(rows=st.integers(1, 30), size=st.integers(1, 30), passes=st.integers(1, 4))
def test_a_stream_visits_every_row_once_per_pass(rows, size, passes):
    size = min(size, rows)
    stream = Stream(rows, 3, "retain")
    count = -(-rows * passes // size)
    order = torch.cat([stream.batch(number, size) for number in range(count)])[: rows * passes]
    for turn in order.split(rows):
        assert turn.sort().values.tolist() == list(range(rows))
    # Any batch can be asked for on its own.
    assert torch.equal(Stream(rows, 3, "retain").batch(count - 1, size),
                       stream.batch(count - 1, size))  # fmt: skip
    assert torch.equal(Stream(rows, 3, "retain").batch(0, size), stream.batch(0, size))


def test_streams_differ_by_purpose_seed_and_pass():
    orders = [
        Stream(50, *which).batch(number, 50).tolist()
        for *which, number in [(0, "a", 0), (0, "b", 0), (1, "a", 0), (0, "a", 1)]
    ]
    assert len({tuple(order) for order in orders}) == 4


def test_partners_are_of_the_class_asked_for_and_every_one_is_drawn():
    labels = torch.tensor([2, 0, 0, 2, 5, 2])
    pools = ClassPools(labels)
    wanted = torch.tensor([2] * 300 + [0] * 200 + [5] * 3)
    drawn = pools.draw(wanted, seed=1)
    assert torch.equal(labels[drawn], wanted)
    counts = torch.bincount(drawn[:300], minlength=6)
    assert counts[[0, 3, 5]].min() > 60
    assert torch.equal(drawn, pools.draw(wanted, seed=1))
    assert not torch.equal(drawn, pools.draw(wanted, seed=2))
    real = ClassPools(torch.rand(10)).draw(torch.rand(500), seed=0)
    assert torch.bincount(real, minlength=10).min() > 20


@pytest.mark.parametrize("rows", [1, 40, 270, 1_000, 4_000, 4_600, 60_000])
def test_the_default_schedule_is_long_enough_for_small_sets(rows):
    schedule = default_schedule(rows)
    assert schedule.steps(rows) >= FEWEST_STEPS - 1
    looks = schedule.steps(rows) / schedule.evaluate_every(rows)
    assert looks <= 21
    if Schedule().steps(rows) >= FEWEST_STEPS:
        assert schedule == Schedule()
