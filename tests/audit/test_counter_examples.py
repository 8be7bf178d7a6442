"""Models built to fool the audit, and truly retrained ones that it must not accuse."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from scipy import special, stats

from infounlearn.audit import QUESTIONS, audit
from infounlearn.audit.permute import end_scores
from infounlearn.audit.reach import predicted
from infounlearn.errors import InputError
from infounlearn.interface import OutputSet
from tests.audit.worlds import FAST, model, retrained

LEAKAGE, BEHAVIOUR, MARGINAL, UTILITY = QUESTIONS


def replaced(one, **logits):
    """The same model showing other outputs on some sets."""
    parts = {name: OutputSet(shown, one[name].targets) for name, shown in logits.items()}
    return dataclasses.replace(one, sets={**one.sets, **parts})


@pytest.mark.parametrize("settings", [{"permutations": 19}, {"confidence": 0.999, **FAST}])
def test_shuffles_too_few_to_alarm_are_no_acquittal(settings):
    verdict = audit(model("m", "memorising"), **settings).verdict(LEAKAGE)
    assert verdict.answer == "inconclusive"
    assert "permutations cannot reach" in verdict.reason


def test_a_change_of_labels_at_equal_margins_is_seen():
    """Every forget record gets its margin back, and its doubt always on the next class."""
    one = model("m", model_seed=1)
    part = one["forget"]
    rows, marked = np.arange(len(part)), np.full_like(part.outputs, -6.0)
    rest = part.outputs.copy()
    rest[rows, part.targets] = -np.inf
    left = special.logsumexp(rest, axis=1)
    marked += left[:, None]
    marked[rows, (part.targets + 1) % 5] = left + np.log1p(-3 * np.exp(-6))
    marked[rows, part.targets] = part.outputs[rows, part.targets]
    spoiled = replaced(one, forget=marked)
    found = audit(spoiled, reference=retrained(3), **FAST)
    assert found.finding("leakage/attack_auc").value == pytest.approx(
        audit(one, **FAST).finding("leakage/attack_auc").value, abs=1e-9
    )
    assert found.verdict(LEAKAGE).answer == "not forgotten"


@pytest.mark.parametrize(("lift", "answer"), [(9, "not forgotten"), (-9, "over-forgotten")])
def test_a_few_records_at_one_end_are_seen(lift, answer):
    """One in twelve forget records is memorised (or destroyed): too few to move an AUC much."""
    said = by_area = by_score = 0
    for seed in range(12):
        one = model("m", records=40 + seed, model_seed=seed)
        part = one["forget"]
        logits = part.outputs.copy()
        logits[np.arange(24), part.targets[:24]] += lift
        found = audit(replaced(one, forget=logits), **FAST)
        said += found.verdict(LEAKAGE).answer == answer
        by_area += found.finding("leakage/attack_auc").null.p_value <= 0.0125
        by_score += found.finding("leakage/score_information").null.p_value <= 0.0125
        assert np.sign(found.finding("leakage/ends").value) == np.sign(lift)
    assert said >= 9 > by_area
    assert lift > 0 or by_score == 0, "bins fixed on retain records are blind at the low end"


def test_memorised_records_do_not_hide_behind_destroyed_ones():
    """Half of the records up, half of them down: the AUC stays where it was."""
    for seed in range(8):
        one = model("m", records=seed, model_seed=1)
        part = one["forget"]
        logits = part.outputs.copy()
        logits[np.arange(300), part.targets] += np.where(np.arange(300) % 2, 3, -3)
        spoiled = replaced(one, forget=logits)
        assert audit(spoiled, **FAST).verdict(LEAKAGE).answer == "not forgotten"
        beside = audit(spoiled, reference=retrained(3, records=seed), **FAST)
        assert beside.verdict(LEAKAGE).answer == "not forgotten"


def test_references_uncover_a_leak_that_difficulty_hides():
    """Margins 0.35 up on 120 records: lost among easy and hard records, plain beside retraining."""
    sizes, seen, bare = {"forget": 120, "retain": 500, "holdout": 150, "test": 200}, 0, 0
    for seed in range(10):
        options = {"records": 60 + seed, "sizes": sizes}
        one = model("m", model_seed=1, **options)
        logits = one["forget"].outputs.copy()
        logits[np.arange(120), one["forget"].targets] += 0.35
        leaky = replaced(one, forget=logits)
        bare += audit(leaky, **FAST).verdict(LEAKAGE).answer == "not forgotten"
        found = audit(leaky, reference=retrained(4, **options), **FAST)
        seen += found.verdict(LEAKAGE).answer == "not forgotten"
        assert found.finding("leakage/calibrated_auc").value > 0.5
    assert seen >= 8 > 5 > bare


def test_end_scores_are_expected_exponential_order_statistics():
    values = np.random.default_rng(0).normal(size=30)
    found = end_scores(values)
    draws = np.sort(np.random.default_rng(1).exponential(size=(20000, 30)), axis=1).mean(axis=0)
    ranks = stats.rankdata(values).astype(int) - 1
    np.testing.assert_allclose(found[:, 0] + 1, draws[ranks], atol=0.05)
    np.testing.assert_allclose(found[:, 1], end_scores(-values)[:, 0])
    tied = end_scores(values.round())
    np.testing.assert_allclose(tied.sum(axis=0), 0, atol=1e-12)
    assert all(np.ptp(tied[values.round() == v], axis=0).max() == 0 for v in values.round())


@pytest.mark.parametrize("seed", range(4))
def test_a_constant_model_leaks_nothing_and_is_useless(seed):
    """Every statistic is then rounding: all shuffles tie with what was seen."""
    one = model("m", records=seed)
    row = np.random.default_rng(seed).normal(size=5)
    constant = replaced(one, **{n: np.tile(row, (len(p), 1)) for n, p in one.sets.items()})
    found = audit(constant, reference=retrained(3, records=seed), **FAST)
    nulls = {f.name: f.null.p_value for f in found.findings if f.null is not None}
    assert nulls.pop("leakage/calibrated_auc") > 0.01, "the references vary, but alike on both"
    assert set(nulls.values()) == {1.0}
    assert found.verdict(LEAKAGE).answer == "forgotten"
    assert found.verdict(BEHAVIOUR).answer == "over-forgotten"
    assert found.verdict(UTILITY).answer == "lost"


def test_answers_copied_from_held_out_records_are_not_those_of_retraining():
    one = model("m", model_seed=1)
    y, held, rng = one["forget"].targets, one["holdout"], np.random.default_rng(0)
    rows = [rng.choice(np.flatnonzero(held.targets == label)) for label in y]
    found = audit(replaced(one, forget=held.outputs[rows]), reference=retrained(3), **FAST)
    assert found.verdict(LEAKAGE).answer == "forgotten"
    assert found.verdict(BEHAVIOUR).answer == "not forgotten"


def test_copies_of_a_reference_count_once():
    first, second = retrained(2)
    noise = np.random.default_rng(0)
    elsewhere = replaced(
        first,
        **{n: p.outputs + 1e-6 * noise.normal(size=p.outputs.shape) for n, p in first.sets.items()},
    )
    one = model("m", model_seed=1)
    alone = audit(one, reference=[first, first, elsewhere], **FAST)
    assert alone.verdict(BEHAVIOUR).answer == "inconclusive"
    assert any(text.startswith("2 of the references") for text in alone.not_proved)
    both = audit(one, reference=[first, elsewhere, second], **FAST)
    assert both.finding("retrain_gap/ratio_forget") == (
        audit(one, reference=[first, second], **FAST).finding("retrain_gap/ratio_forget")
    )


def test_a_reference_is_neither_the_original_nor_the_audited_model():
    one, other = retrained(2)
    with pytest.raises(InputError, match="outputs of the original model"):
        audit(model("m"), original=one, reference=[one, other])
    with pytest.raises(InputError, match="outputs of the audited model"):
        audit(one, reference=[one, other])


def test_references_that_were_trained_on_forget_records_acquit_nobody():
    kept = [model(f"r{k}", "memorising", model_seed=50 + k) for k in range(3)]
    found = audit(model("m", "memorising", model_seed=1), reference=kept, **FAST)
    assert found.verdict(LEAKAGE).answer == "inconclusive"
    assert any("trained on forget records" in text for text in found.not_proved)
    clean = audit(model("m", model_seed=1, records=3), reference=retrained(3, records=3), **FAST)
    assert not any("trained on forget records" in text for text in clean.not_proved)


def test_groups_are_never_matched_with_class_labels():
    one = model("m")
    part = one["forget"]
    grouped = OutputSet(part.outputs, part.targets, np.zeros(len(part), dtype=int))
    with pytest.raises(InputError, match="only forget carry groups"):
        audit(dataclasses.replace(one, sets={**one.sets, "forget": grouped}))
    coarse, fine = (
        dataclasses.replace(
            one,
            sets={n: OutputSet(p.outputs, p.targets, p.targets // k) for n, p in one.sets.items()},
        )
        for k in (2, 1)
    )
    with pytest.raises(InputError, match="not shown the same forget records"):
        audit(coarse, original=fine)


@pytest.mark.parametrize("references", [2, 3, 5])
@pytest.mark.parametrize("forget", [2, 10, 60])
def test_a_retrained_model_is_rarely_accused(references, forget):
    """Of a one-class request, at every number of references and of forget records."""
    sizes = {"forget": forget, "retain": 300, "holdout": 200, "test": 200}
    accused, praised, seeds = Counter(), 0, 14
    for seed in range(seeds):
        options = {"records": 900 + seed, "sizes": sizes, "forget_classes": [2]}
        found = audit(
            model("m", model_seed=1, **options),
            reference=retrained(references, **options),
            permutations=99,
        )
        for verdict in found.verdicts:
            accused[verdict.question] += verdict.answer in ("not forgotten", "over-forgotten")
        praised += found.verdict(BEHAVIOUR).answer == "forgotten"
    assert praised <= 7 if forget == 2 else praised >= 3
    for question in QUESTIONS:
        assert accused[question] <= 3, (question, accused)


def test_predicted_is_students_prediction_interval():
    rng = np.random.default_rng(0)
    for count in (2, 3, 6):
        draws = rng.normal(size=(4000, count + 1))
        inside = [abs(row[-1] - row[:-1].mean()) <= predicted(row[:-1], 0.9) for row in draws]
        assert np.mean(inside) == pytest.approx(0.9, abs=0.02)
