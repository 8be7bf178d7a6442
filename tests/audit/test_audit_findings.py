"""What an audit holds: complete findings, curves on shared edges, the same for the same seed."""

import numpy as np
import pytest

from infounlearn.audit import QUESTIONS, audit
from infounlearn.audit.verdicts import reach
from tests.audit.worlds import FAST, model, run


def test_every_finding_is_complete_and_every_verdict_rests_on_findings():
    found = run("destroyed")
    names = [finding.name for finding in found.findings]
    assert len(set(names)) == len(names)
    for finding in found.findings:
        assert finding.title
        assert finding.value is not None or finding.bound is not None or finding.note
        if finding.interval is not None and finding.value is not None:
            assert finding.interval[0] <= finding.value + 1e-12, finding.name
            assert finding.value <= finding.interval[1] + 1e-12, finding.name
            assert finding.confidence == 0.95
        if finding.kind == "certified":
            assert finding.bound is not None
            assert finding.assumptions
            if finding.value is not None:
                assert finding.value <= finding.bound
        if finding.null is not None:
            assert 0 < finding.null.p_value <= 1
        if finding.ceiling is not None and finding.value is not None:
            assert finding.value <= finding.ceiling + 1e-12
    for verdict in found.verdicts:
        assert set(verdict.findings) <= set(names)
        assert any(character.isdigit() for character in verdict.reason)
    assert tuple(verdict.question for verdict in found.verdicts) == QUESTIONS


def test_the_same_seed_gives_the_same_audit_and_another_only_other_shuffles():
    first, again = run("memorising"), run("memorising")
    assert first == again
    one, other = audit(model("m"), seed=0, **FAST), audit(model("m"), seed=1, **FAST)
    for a, b in zip(one.findings, other.findings, strict=True):
        if a.name.endswith("debiased"):
            continue
        assert a.value == b.value
    assert one.finding("leakage/score_information").null != (
        other.finding("leakage/score_information").null
    )


def test_curves_share_edges_and_are_shares():
    found = run("memorising")
    panels = {curve.panel for curve in found.curves}
    assert panels == {"scores/before", "scores/after", "scores/retrained", "roc", "per_record_js"}
    for panel in panels:
        drawn = [curve for curve in found.curves if curve.panel == panel]
        if drawn[0].style == "histogram":
            assert len({curve.x for curve in drawn}) == 1
            for curve in drawn:
                assert len(curve.x) == len(curve.y) + 1
                assert sum(curve.y) == pytest.approx(1)
    scores = {c.x for c in found.curves if c.panel.startswith("scores/")}
    assert len(scores) == 1
    for curve in found.curves:
        if curve.panel == "roc":
            assert list(curve.y) == sorted(curve.y)
            assert (curve.x[-1], curve.y[-1]) == (1.0, 1.0)
            assert min(curve.y) > 0
    area = {
        c.label: np.trapezoid((0.0, *c.y), (0.0, *c.x)) for c in found.curves if c.panel == "roc"
    }
    assert area["unlearned"] == pytest.approx(found.finding("leakage/attack_auc").value, abs=0.1)


def test_reach_widens_by_the_range():
    assert reach([1.0, 3.0, 2.0]) == (-1.0, 5.0)
