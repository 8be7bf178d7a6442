"""Distance to an ensemble: what it equals, when it is one floor, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from scipy.special import logsumexp

from infounlearn.errors import InputError
from infounlearn.math import distance_to_ensemble, jensen_shannon, kl, leave_one_out

LN2 = math.log(2.0)
DIVERGENCES = ("js", "kl", "reverse-kl")


def networks(count, rows=5, classes=4, seed=0, scale=2.0):
    """Logits of independent networks, of a law with a mean of its own on each record."""
    rng = torch.Generator().manual_seed(seed)
    centre = torch.randn(rows, classes, generator=rng, dtype=torch.float64)
    noise = torch.randn(count, rows, classes, generator=rng, dtype=torch.float64)
    return scale * (centre + noise)


def turns(outputs, **how):
    """Each network in turn is the model, the others are the ensemble."""
    rest = [torch.cat([outputs[:i], outputs[i + 1 :]]) for i in range(len(outputs))]
    return [distance_to_ensemble(*pair, **how) for pair in zip(outputs, rest, strict=True)]


@given(st.integers(2, 6), st.integers(0, 999), st.sampled_from([0.1, 2.0, 30.0]))
def test_leave_one_out_equals_the_mean_of_the_others(count, seed, scale):
    ensemble = networks(count, seed=seed, scale=scale)
    found = leave_one_out(ensemble)
    laws = torch.log_softmax(ensemble, -1).numpy()
    for k in range(count):
        others = np.delete(laws, k, axis=0)
        expected = torch.from_numpy(logsumexp(others, axis=0) - math.log(count - 1))
        torch.testing.assert_close(found[k], expected, rtol=1e-13, atol=1e-13)
    assert (found.logsumexp(-1).abs() < 1e-14).all()


def test_leave_one_out_keeps_what_a_confident_network_would_drown():
    # The sum of all less one's own is 1 + e^-60 - 1 = 0 here, and its logarithm -inf.
    sure = torch.tensor([[0.0, -80.0]], dtype=torch.float64)
    unsure = torch.tensor([[-60.0, 0.0]], dtype=torch.float64)
    found = leave_one_out(torch.stack([sure, unsure]))
    torch.testing.assert_close(found[0], torch.log_softmax(unsure, -1), rtol=1e-15, atol=0)
    torch.testing.assert_close(found[1], torch.log_softmax(sure, -1), rtol=1e-15, atol=0)
    assert found[0, 0, 0].item() == pytest.approx(-60.0, rel=1e-15)


@given(st.integers(2, 6), st.integers(0, 999), st.sampled_from(DIVERGENCES))
def test_classification_equals_the_definition(count, seed, divergence):
    *ensemble, own = networks(count + 1, seed=seed)
    ensemble = torch.stack(ensemble)
    measure = {"js": jensen_shannon, "kl": kl, "reverse-kl": lambda a, b: kl(b, a)}[divergence]
    found = distance_to_ensemble(own, ensemble, divergence=divergence)
    p = torch.softmax(ensemble, -1)
    means = [torch.cat([p[:k], p[k + 1 :]]).mean(0).log() for k in range(count)]
    distances = torch.stack([measure(own, mean) for mean in means])
    floors = torch.stack([measure(ensemble[k], means[k]) for k in range(count)])
    torch.testing.assert_close(found.per_record, distances.mean(0))
    torch.testing.assert_close(found.floor_per_record, floors.mean(0))
    torch.testing.assert_close(found.floor_per_network, floors.mean(1))
    assert found.value == pytest.approx(float(distances.mean()), rel=1e-12)
    assert found.floor == pytest.approx(float(floors.mean()), rel=1e-12)
    assert found.ratio == found.value / found.floor
    assert found.unit == "nats"


def test_value_against_a_high_precision_oracle():
    own, *ensemble = networks(4, rows=1, classes=3, seed=8)
    with mp.workdps(50):

        def law(row):
            e = [mp.exp(mpf(v)) for v in row]
            return [v / sum(e) for v in e]

        def js(a, b):
            pairs = list(zip(a, b, strict=True))
            return sum(x * mp.log(2 * x / (x + y)) + y * mp.log(2 * y / (x + y)) for x, y in pairs)

        p, *laws = (law(one[0].tolist()) for one in (own, *ensemble))
        rest = [[q for q in laws if q is not left] for left in laws]
        means = [[(a + b) / 2 for a, b in zip(*pair, strict=True)] for pair in rest]
        distance = sum(js(p, mean) for mean in means) / 6
        floor = sum(js(q, mean) for q, mean in zip(laws, means, strict=True)) / 6
    found = distance_to_ensemble(own, torch.stack(ensemble))
    assert found.value == pytest.approx(float(distance), rel=1e-13)
    assert found.ratio == pytest.approx(float(distance / floor), rel=1e-13)


@given(st.integers(2, 6), st.integers(0, 999), st.sampled_from(DIVERGENCES))
def test_one_more_network_of_the_same_law_is_one_floor_away(count, seed, divergence):
    """The theorem of the module, without its expectation: an identity, record by record."""
    found = turns(networks(count + 1, seed=seed), divergence=divergence)
    torch.testing.assert_close(
        sum(one.per_record for one in found), sum(one.floor_per_record for one in found)
    )
    assert sum(one.value for one in found) == pytest.approx(sum(one.floor for one in found))


def test_the_identity_holds_for_a_regression_and_fails_for_another_law():
    outputs = networks(6, classes=3, seed=3)
    found = turns(outputs, kind="regression")
    distances, floors = (sum(getattr(one, name) for one in found) for name in ("value", "floor"))
    assert distances == pytest.approx(floors, rel=1e-12)
    # The mean of all K contains the network it is compared with; it is no floor for a model.
    everyone = sum(
        float((own - torch.cat([outputs[:i], outputs[i + 1 :]]).mean(0)).square().mean())
        for i, own in enumerate(outputs)
    )
    assert everyone < 0.99 * floors
    moved = outputs[0] + 3.0
    assert distance_to_ensemble(moved, outputs[1:], "regression").ratio > 2.0


def test_regression_equals_the_closed_form():
    ensemble = torch.tensor([[0.0], [3.0], [6.0]])
    found = distance_to_ensemble(torch.tensor([10.0]), ensemble, "regression")
    # Means of two: 4.5, 3, 1.5.
    assert found.value == pytest.approx((5.5**2 + 7.0**2 + 8.5**2) / 3)
    assert found.floor_per_network.tolist() == [4.5**2, 0.0, 4.5**2]
    assert found.unit == "squared target"
    # Two outputs per record: the mean over them, as in squared_error.
    twice = distance_to_ensemble(
        torch.tensor([[10.0, 10.0]]), ensemble[..., None].expand(3, 1, 2), "regression"
    )
    assert (twice.value, twice.ratio) == (found.value, found.ratio)


def test_normal_regression_floor_is_the_variance_times_k_over_k_minus_1():
    """θ - q̄ of K - 1 others has variance σ²(1 + 1/(K-1)); 4 standard errors of 40,000 rows."""
    rng = torch.Generator().manual_seed(0)
    outputs = 2.0 * torch.randn(5, 40_000, generator=rng, dtype=torch.float64)
    found = distance_to_ensemble(outputs[0], outputs[1:], "regression")
    expected = 4.0 * 4 / 3
    sd = expected * math.sqrt(2.0)
    assert found.value == pytest.approx(expected, abs=4 * sd / 200)
    assert found.floor == pytest.approx(expected, abs=4 * sd / 200)


def test_trap_7_js_is_symmetric_at_most_ln2_and_0_at_equality():
    certain = torch.tensor([[0.0, -math.inf, -math.inf]])
    other = torch.tensor([[-math.inf, 0.0, 0.0]])
    apart = distance_to_ensemble(certain, torch.stack([other, other]))
    assert apart.value == pytest.approx(LN2, rel=1e-15)
    assert apart.value <= LN2 * (1 + 1e-15)
    assert (apart.floor, apart.ratio) == (0.0, math.inf)
    # With equal networks every mean is that network: the two may change places.
    one, two = networks(2, seed=5)
    forth, back = (
        distance_to_ensemble(a, torch.stack([b, b])).per_record for a, b in ((one, two), (two, one))
    )
    torch.testing.assert_close(forth, back, rtol=1e-13, atol=0)
    same = distance_to_ensemble(certain, torch.stack([certain, certain]))
    assert (same.value, same.floor, same.ratio) == (0.0, 0.0, 1.0)


def test_an_outcome_excluded_by_some_is_no_nan():
    ensemble = networks(3)
    ensemble[:, :, 0] = -math.inf
    ensemble[0, :, 1] = -math.inf
    own = networks(1, seed=2)[0]
    own[:, 0] = -math.inf
    found = distance_to_ensemble(own, ensemble)
    assert 0 < found.value < LN2
    assert distance_to_ensemble(own, ensemble, divergence="kl").value < math.inf
    own[:, 0] = 0.0
    assert distance_to_ensemble(own, ensemble, divergence="kl").value == math.inf
    assert distance_to_ensemble(own, ensemble, divergence="reverse-kl").value < math.inf


def test_logits_and_log_probabilities_in_any_precision_are_the_same():
    ensemble, own = networks(3), networks(1, seed=2)[0]
    found = distance_to_ensemble(own, ensemble)
    laws = distance_to_ensemble(torch.log_softmax(own + 7, -1), torch.log_softmax(ensemble - 3, -1))
    assert laws.value == pytest.approx(found.value, rel=1e-12)
    narrow = distance_to_ensemble(own.float().requires_grad_(), ensemble.float())
    assert narrow.value == pytest.approx(found.value, rel=1e-5)
    assert narrow.per_record.dtype == torch.float64
    assert not narrow.per_record.requires_grad


NAN = torch.full((2, 3), math.nan)


@pytest.mark.parametrize(
    ("outputs", "ensemble", "how", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(1, 2, 3), {}, "one network"),
        (torch.zeros(2, 3), torch.zeros(4, 2, 5), {}, "same records"),
        (torch.zeros(2, 3), torch.zeros(2, 3), {}, "ensemble has shape"),
        (torch.zeros(2), torch.zeros(2, 2), {}, "outputs have shape"),
        (torch.zeros(0, 3), torch.zeros(2, 0, 3), {}, "at least one record"),
        (torch.zeros(2, 3).long(), torch.zeros(2, 2, 3), {}, "floating-point"),
        (NAN, torch.zeros(2, 2, 3), {}, "outputs hold 2 rows.*diverged"),
        (torch.full((2, 3), math.inf), torch.zeros(2, 2, 3), {}, "outputs hold 2 rows"),
        (torch.full((2, 3), -math.inf), torch.zeros(2, 2, 3), {}, "outputs hold 2 rows"),
        (NAN, torch.zeros(2, 2, 3), {"kind": "regression"}, "6 predictions"),
        (torch.zeros(2, 3), torch.stack([NAN, NAN]), {}, "ensemble hold 4 rows"),
        (torch.zeros(2, 3), torch.zeros(2, 2, 3), {"kind": "ranking"}, "choose classification"),
        (torch.zeros(2, 3), torch.zeros(2, 2, 3), {"divergence": "tv"}, "choose js"),
    ],
)
def test_bad_input(outputs, ensemble, how, message):
    with pytest.raises(InputError, match=message):
        distance_to_ensemble(outputs, ensemble, **how)


def test_bad_input_of_leave_one_out():
    for wrong in (torch.zeros(1, 2, 3), torch.zeros(2, 3), torch.stack([NAN, NAN])):
        with pytest.raises(InputError, match="leave_one_out"):
            leave_one_out(wrong)
