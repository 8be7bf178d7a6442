"""The audit answers rightly where the truth is known, over seeds, and says when it cannot."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from infounlearn.audit import QUESTIONS, audit
from infounlearn.audit.verdicts import BLIND_SPOT, reach
from infounlearn.errors import InputError
from infounlearn.interface import OutputSet
from tests.audit.worlds import SIZES, model, retrained

LEAKAGE, BEHAVIOUR, MARGINAL, UTILITY = QUESTIONS
FAST = {"permutations": 199}


def run(kind, seed=0, references=3, **options):
    """Audit of a model of known truth beside a memorising original."""
    return audit(
        model("unlearned", kind, records=seed, model_seed=1, **options),
        original=model("original", "memorising", records=seed, model_seed=2, **options),
        reference=retrained(references, records=seed, **options),
        **FAST,
    )


def answers(kind, seeds, **options):
    """How often each answer was given to each question."""
    found = {question: Counter() for question in QUESTIONS}
    for seed in range(seeds):
        for verdict in run(kind, seed, **options).verdicts:
            found[verdict.question][verdict.answer] += 1
    return found


def test_a_retrained_model_is_forgotten_over_seeds():
    found = answers("retrained", 16)
    assert found[LEAKAGE]["forgotten"] >= 15
    assert found[BEHAVIOUR]["forgotten"] >= 15
    assert found[MARGINAL]["inconclusive"] >= 13, "a random forget set is a blind spot"
    assert found[UTILITY]["lost"] == 0


def test_a_memorising_model_is_not_forgotten_over_seeds():
    found = answers("memorising", 6)
    assert found[LEAKAGE] == {"not forgotten": 6}
    assert found[BEHAVIOUR] == {"not forgotten": 6}


def test_a_destroyed_forget_set_is_over_forgotten_over_seeds():
    found = answers("destroyed", 6)
    assert found[LEAKAGE] == {"over-forgotten": 6}
    assert found[BEHAVIOUR] == {"over-forgotten": 6}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("retrained", "forgotten"), ("memorising", "not forgotten"), ("destroyed", "over-forgotten")],
)
def test_a_skewed_forget_set_is_judged_on_its_marginal_information(kind, answer):
    found = answers(kind, 5, forget_classes=[2], references=5)
    assert found[MARGINAL][answer] >= 4
    assert found[LEAKAGE][answer] >= 4


def test_false_alarms_without_references_keep_their_level():
    """Held-out and forget alike by construction; 40 audits at 90 % may alarm about four times."""
    alarms = 0
    for seed in range(40):
        one = model("m", records=500 + seed, model_seed=seed)
        verdict = audit(one, confidence=0.9, permutations=99).verdict(LEAKAGE)
        alarms += verdict.answer != "forgotten"
    assert alarms <= 9


def harder(one):
    """The same model where the forget records happen to be harder than the held-out ones."""
    part = one["forget"]
    logits = part.outputs.copy()
    logits[np.arange(len(part)), part.targets] -= 1
    return dataclasses.replace(one, sets={**one.sets, "forget": OutputSet(logits, part.targets)})


def test_what_retrained_models_show_too_is_no_memory():
    one, references = harder(model("m", model_seed=1)), [harder(r) for r in retrained(4)]
    beside = audit(one, reference=references, **FAST).verdict(LEAKAGE)
    assert beside.answer == "forgotten"
    assert "differ, but no more than for retrained models" in beside.reason
    assert audit(one, **FAST).verdict(LEAKAGE).answer == "over-forgotten"
    # The easier forget records of a memorising model hide behind that shift from a bare audit.
    leaky = harder(model("m", "memorising", model_seed=1))
    assert audit(leaky, reference=references, **FAST).verdict(LEAKAGE).answer == "not forgotten"


def test_without_references_nothing_is_said_about_retraining():
    found = audit(model("m"), **FAST)
    assert found.verdict(BEHAVIOUR).answer == "inconclusive"
    assert found.verdict(MARGINAL).answer == "inconclusive"
    assert found.verdict(UTILITY).answer == "inconclusive"
    assert found.finding("retrain_gap/js_forget").value is None
    assert any("retrained reference" in sentence for sentence in found.not_proved)
    one = audit(model("m"), reference=retrained(1), **FAST)
    assert one.verdict(BEHAVIOUR).answer == "inconclusive"
    assert "1 retrained reference given" in one.verdict(BEHAVIOUR).reason


def test_the_blind_spot_is_said_and_only_where_it_is():
    blind = run("memorising").verdict(MARGINAL)
    assert BLIND_SPOT in blind.reason
    seeing = run("memorising", forget_classes=[2]).verdict(MARGINAL)
    assert BLIND_SPOT not in seeing.reason
    assert seeing.answer == "not forgotten"


def test_utility_lost_and_kept():
    one, references = model("m", model_seed=1), retrained(3)
    kept = audit(one, reference=references, **FAST).verdict(UTILITY)
    assert kept.answer != "lost"
    spoiled = np.random.default_rng(0).random(SIZES["retain"]) < 0.05
    logits = one["retain"].outputs.copy()
    logits[spoiled] *= -1
    sets = {**one.sets, "retain": OutputSet(logits, one["retain"].targets)}
    worse = dataclasses.replace(one, sets=sets)
    lost = audit(worse, reference=references, **FAST).verdict(UTILITY)
    assert lost.answer == "lost"
    assert "retain" in lost.reason
    alone = audit(worse, original=one, **FAST).verdict(UTILITY)
    assert alone.answer == "lost"
    assert "the original (no reference given)" in alone.reason
    assert audit(one, original=one, **FAST).verdict(UTILITY).answer == "kept"


def test_missing_classes_make_leakage_inconclusive():
    def without(one, cls):
        keep = one["holdout"].targets != cls
        part = OutputSet(one["holdout"].outputs[keep], one["holdout"].targets[keep])
        return dataclasses.replace(one, sets={**one.sets, "holdout": part})

    partly = audit(without(model("m"), 3), **FAST)
    assert partly.verdict(LEAKAGE).answer == "inconclusive"
    assert partly.finding("leakage/covered_share").value < 0.95
    wholly = audit(without(model("m", forget_classes=[3]), 3), **FAST)
    assert wholly.verdict(LEAKAGE).answer == "inconclusive"
    assert wholly.finding("leakage/attack_auc").value is None
    assert any("100.0%" in sentence for sentence in wholly.not_proved)


@pytest.mark.parametrize("forget", [1, 2, 5])
def test_few_records_are_not_called_forgotten(forget):
    sizes = {**SIZES, "forget": forget}
    found = audit(model("m", sizes=sizes), reference=retrained(3, sizes=sizes), **FAST)
    verdict = found.verdict(LEAKAGE)
    assert verdict.answer == "inconclusive"
    assert "Too few records" in verdict.reason


def test_one_record_everywhere_is_audited_without_a_crash():
    sizes = dict.fromkeys(SIZES, 1)
    one = model("m", sizes=sizes, classes=2)
    same = {n: OutputSet(p.outputs, np.zeros(1, dtype=int)) for n, p in one.sets.items()}
    one = dataclasses.replace(one, sets=same)
    others = [
        dataclasses.replace(
            one, sets={n: OutputSet(p.outputs + k, p.targets) for n, p in same.items()}
        )
        for k in (1, 2)
    ]
    found = audit(one, original=one, reference=others, **FAST)
    assert found.verdict(LEAKAGE).answer == "inconclusive"
    assert found.verdict(BEHAVIOUR).answer == "inconclusive"


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


def test_settings_and_kinds_of_model_are_checked_together():
    with pytest.raises(InputError, match="4 problems"):
        audit(model("m"), confidence=1.0, permutations=0, bins=1, prior=(0.7, 0.7))
    with pytest.raises(InputError, match="reference is a single model"):
        audit(model("m"), reference=model("r"))
    with pytest.raises(InputError, match="unlearned is a dict"):
        audit({"logits": 1})
    with pytest.raises(InputError, match="no live model"):
        audit(model("m"), forget=[1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.pop("holdout"), "has no holdout outputs"),
        (lambda s: s.update(forget=OutputSet(np.zeros((0, 5)), np.zeros(0, int))), "no records"),
        (lambda s: s.update(forget=OutputSet(np.zeros((3, 5)), np.zeros(2, int))), "2 targets"),
        (lambda s: s.update(forget=OutputSet(np.zeros((3, 4)), np.zeros(3, int))), "different sh"),
        (lambda s: s.update(forget=OutputSet(np.zeros((3, 5)), np.full(3, 5))), "outside 0..4"),
        (lambda s: s.update(forget=OutputSet(np.zeros((3, 5)), np.zeros(3))), "integer class"),
        (lambda s: s.update(extra=s["forget"]), "unknown record set 'extra'"),
        (
            lambda s: s.update(
                forget=OutputSet(np.zeros((3, 5)), np.zeros(3, int), np.zeros(2, int))
            ),
            "groups have shape",
        ),
    ],
)
def test_outputs_that_cannot_be_audited(spoil, message):
    one = model("m")
    sets = dict(one.sets)
    spoil(sets)
    with pytest.raises(InputError, match=message):
        audit(dataclasses.replace(one, sets=sets))


def test_models_must_have_been_shown_the_same_records():
    with pytest.raises(InputError, match="not shown the same forget records"):
        audit(model("m"), original=model("o", records=1))
    a = dataclasses.replace(model("m"), hashes={"test": "aa"})
    b = dataclasses.replace(model("o", model_seed=1), hashes={"test": "bb"})
    with pytest.raises(InputError, match="not shown the same test records"):
        audit(a, original=b)
    same = dataclasses.replace(model("m"), hashes={"forget": "aa", "holdout": "aa"})
    with pytest.raises(InputError, match="forget and holdout are the same records"):
        audit(same)
    short = model("o", sizes={k: v for k, v in SIZES.items() if k != "test"})
    with pytest.raises(InputError, match="only one of"):
        audit(model("m"), original=short)
    other = model("o")
    real = {n: OutputSet(p.outputs, p.outputs + 1) for n, p in other.sets.items()}
    with pytest.raises(InputError, match="different tasks"):
        audit(model("m"), original=dataclasses.replace(other, task="regression", sets=real))


def test_declared_groups_replace_classes_as_strata():
    """One coarse group: the class skew of the forget set then counts as leakage."""

    def grouped(one):
        sets = {
            n: OutputSet(p.outputs, p.targets, np.zeros(len(p), dtype=int))
            for n, p in one.sets.items()
        }
        return dataclasses.replace(one, sets=sets)

    one = model("m", forget_classes=[2])
    by_class = audit(one, **FAST).finding("leakage/label_information")
    pooled = audit(grouped(one), **FAST).finding("leakage/label_information")
    assert pooled.null.p_value < 0.01 < by_class.null.p_value
    assert pooled.value > by_class.value
