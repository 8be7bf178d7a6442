"""Distance to retraining: fair to one more retrained model, blind to nothing it promises."""

import numpy as np
import pytest

from infounlearn.audit.case import Case, Settings
from infounlearn.audit.retrain_gap import measure_gap, retrain_gap_findings
from infounlearn.audit.utility import flip_spread, hits
from infounlearn.interface import Outputs, OutputSet
from tests.audit.worlds import SIZES, model, retrained


def findings(audited, references, original=None):
    case = Case(audited, original, tuple(references), Settings())
    gaps = {n: measure_gap(case, n) for n in ("forget", "retain", "test")} if references else {}
    return {f.name: f for f in retrain_gap_findings(case, gaps)}


@pytest.mark.parametrize("count", [2, 3, 6])
def test_one_more_retrained_model_is_at_the_floor(count):
    """Fair at every K: comparing with the mean of all K would put it above 1 for K = 2."""
    ratios = []
    for seed in range(12):
        *references, audited = retrained(count + 1, records=seed)
        ratios.append(findings(audited, references)["retrain_gap/ratio_forget"].value)
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def test_the_naive_comparison_is_unfair():
    """What the leave-one-out rule is for: against the mean of both, a third model looks closer."""
    first, second, third = retrained(3)
    case = Case(third, None, (first, second), Settings())
    fair = measure_gap(case, "forget").models[0].mean()
    mixed = np.logaddexp(*(np.log(_softmax(m["forget"].outputs)) for m in (first, second)))
    both = Outputs("mean", "classification", {"forget": OutputSet(mixed, third["forget"].targets)})
    naive = measure_gap(Case(third, None, (both, both), Settings()), "forget").models[0].mean()
    assert naive < 0.9 * fair


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_jensen_shannon_in_closed_form():
    """Disjoint answers are ln 2 apart; a fair coin and certainty 3/4 ln(4/3)."""

    def constant(name, logits):
        sets = {
            n: OutputSet(np.tile(logits, (size, 1)), np.zeros(size, dtype=int))
            for n, size in SIZES.items()
        }
        return Outputs(name, "classification", sets)

    sure, other, coin = (constant("m", x) for x in ([400.0, 0], [0, 400.0], [0.0, 0]))
    found = findings(sure, [other, other], original=coin)
    gap = found["retrain_gap/js_forget"]
    assert gap.value == pytest.approx(np.log(2))
    assert gap.original == pytest.approx(0.75 * np.log(4 / 3))
    assert found["retrain_gap/tow"].value == 0.0
    ratio = found["retrain_gap/ratio_forget"]
    assert ratio.value is None
    assert "identical" in ratio.note


def test_ratio_interval_holds_the_ratio_over_fresh_records():
    """Truth from many records; 95 % intervals from 300 should hold it nearly always."""
    big = {**SIZES, "forget": 30000}
    *references, audited = retrained(4, sizes=big, records=77)
    truth = findings(audited, references)["retrain_gap/ratio_forget"].value
    held = []
    for start in range(0, 30000, 600):
        part = [
            Outputs(
                m.name,
                m.task,
                {
                    **m.sets,
                    "forget": OutputSet(
                        m["forget"].outputs[start : start + 300],
                        m["forget"].targets[start : start + 300],
                    ),
                },
            )
            for m in (audited, *references)
        ]
        low, high = findings(part[0], part[1:])["retrain_gap/ratio_forget"].interval
        held.append(low <= truth <= high)
    assert np.mean(held) >= 0.85


def test_shares_gaps_and_tow():
    references = retrained(5)
    one_more = findings(model("m", model_seed=1), references)
    leaky = findings(model("m", "memorising", model_seed=1), references)
    assert one_more["retrain_gap/exceeding_forget"].value == pytest.approx(0.05, abs=0.03)
    assert leaky["retrain_gap/exceeding_forget"].value > 0.5
    gap = leaky["retrain_gap/accuracy_gap_forget"]
    assert gap.interval[0] > 0.1, "memorised records are answered right more often"
    assert sum(gap.retrained) == pytest.approx(0, abs=1e-12)
    assert gap.floor == pytest.approx(max(map(abs, gap.retrained)))
    assert leaky["retrain_gap/tow"].value < one_more["retrain_gap/tow"].value <= 1


def test_a_single_reference_tells_no_spread():
    case = Case(model("m"), None, tuple(retrained(1)), Settings())
    found = {f.name: f for f in retrain_gap_findings(case, {})}
    assert found["retrain_gap/js_forget"].value is None
    assert "at least two" in found["retrain_gap/js_forget"].note
    assert found["retrain_gap/accuracy_gap_forget"].floor is None
    assert found["retrain_gap/tow"].retrained == ()


def test_efficiency_needs_both_times():
    def timed(outputs, seconds):
        return Outputs(outputs.name, outputs.task, outputs.sets, {}, seconds)

    references = [timed(m, 30.0) for m in retrained(2)]
    found = findings(timed(model("m"), 3.0), references)
    assert found["retrain_gap/efficiency"].value == pytest.approx(10)
    assert "retrain_gap/efficiency" not in findings(model("m"), references)


def test_flip_spread_is_the_spread_of_one_more_model():
    """Against the spread of forty further models on the same eighty records."""
    options = {"records": 3, "sizes": {**SIZES, "forget": 80}}
    references = tuple(retrained(3, **options))
    more = [model("m", model_seed=1000 + seed, **options) for seed in range(40)]
    told = flip_spread(Case(more[0], None, references, Settings()), "forget")
    seen = np.std([hits(one, "forget").mean() for one in more], ddof=1)
    # The references' mean is one fixed number here; its own variance, a third, is told on top.
    assert seen == pytest.approx(told / (1 + 1 / 3) ** 0.5, rel=0.3)
    assert flip_spread(Case(more[0], None, references[:1], Settings()), "forget") == 0
