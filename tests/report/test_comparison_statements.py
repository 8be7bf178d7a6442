"""The verdict in words: never more than the paired intervals carry, and no failure unsaid."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from infounlearn.report.comparison import ComparedMethod, Yardstick
from infounlearn.report.comparison_limits import limits
from infounlearn.report.comparison_ranking import Results
from infounlearn.report.comparison_statements import failures, names, ordinal, statements
from tests.report.comparison_example import example
from tests.report.comparison_small import small

NOISE = (0.0, 0.1, -0.1, 0.05, -0.05)


def around(value: float, *, turned: bool = False) -> list[float]:
    return [value + noise for noise in (reversed(NOISE) if turned else NOISE)]


def said(worst, **more):
    (statement,) = statements(Results(small(worst, **more)))
    return statement


def test_a_clear_lead_is_said_with_its_size() -> None:
    found = said({"ours": [around(1.2)] * 2, "rival": [around(2.0)] * 2})
    assert found.question == "At 5\u202f% of the cost of retraining"
    assert found.answer == "Ours is nearest"
    assert "Ours is 1.20 floors (median over 2 cases) away; Rival follows with 2.00 floors" in (
        found.text
    )
    assert "0.800 farther (95\u202f% paired interval over 5 seeds: 0.800 to 0.800)" in found.text
    assert "In no case is Ours farther than the best rival there" in found.text
    assert found.tone == "good"


def test_nothing_separates_is_said_when_the_interval_holds_zero() -> None:
    found = said({"ours": [around(1.2)], "rival": [around(1.21, turned=True)]})
    assert found.answer == "nothing separates the methods"
    assert "within the noise of the seeds Rival cannot be told from it" in found.text
    assert "is nearest" not in found.text
    assert found.tone == "warn"


def test_a_tie_of_some_names_them_all() -> None:
    found = said(
        {
            "rival": [around(1.2)],
            "ours": [around(1.21, turned=True)],
            "third": [around(1.22, turned=True)],
            "far": [around(5.0)],
        }
    )
    assert found.answer == "nothing separates the first"
    assert "Ours and Third cannot be told from it" in found.text
    assert "Ours is 0.0100 farther" in found.text
    assert found.tone == "warn"


def test_a_rival_in_front_is_said_and_in_which_cases() -> None:
    found = said({"ours": [around(2.0), around(1.0)], "rival": [around(1.0), around(1.5)]})
    assert found.answer == "Rival is nearest"
    assert "Ours follows with 1.50 floors" in found.text
    assert "2nd of" not in found.text
    assert "In 1 of 2 cases Ours is farther" in found.text
    assert "Case 0 (1.00 behind Rival)" in found.text
    assert found.tone == "bad"


def test_ours_far_behind_is_said_with_its_rank() -> None:
    found = said({"a": [around(1.0)], "b": [around(2.0)], "ours": [around(3.0)]})
    assert "Ours is 3rd of 3 with 3.00 floors, 2.00 farther" in found.text


def test_a_method_whose_own_runs_scatter_is_no_tie_but_is_named() -> None:
    """The second is surely farther, the third so noisy that it may not be."""
    found = said({"ours": [[1.0, 1.0]], "b": [[1.1, 1.1]], "noisy": [[0.8, 1.8]]})
    assert found.answer == "Ours is nearer than 1 of 2 others"
    assert "B follows with 1.10 floors, 0.100 farther" in found.text
    assert "Noisy, on average farther still, varies so much with the seed that it" in found.text
    assert "Noisy is 0.300 farther" in found.text
    assert found.tone == "good"
    # Nobody is between: a tie like any other.
    found = said({"ours": [[1.0, 1.0]], "noisy": [[0.8, 1.8]], "b": [[1.9, 1.9]]})
    assert found.answer == "nothing separates the first"
    assert "on average farther still" not in found.text


def test_within_one_standard_error_is_not_farther() -> None:
    """Differences 0.1, -0.04: mean 0.03, error 0.07. Differences 0.2, 0.04: 0.12, error 0.08."""
    shifts = {"within": (0.1, -0.04), "beyond": (0.2, 0.04)}
    texts = {
        name: said({"ours": [[2 + a, 2 + b]], "rival": [[2.0, 2.0]]}).text
        for name, (a, b) in shifts.items()
    }
    assert "In the one case compared, Ours is not farther than the best rival by" in texts["within"]
    assert "In the one case compared, Ours is farther than the best rival by" in texts["beyond"]


def test_who_is_nearer_than_a_model_left_alone_is_counted() -> None:
    """The original of every small case is at 4 floors."""
    found = said({"ours": [around(1.2)], "rival": [around(3.9)], "worse": [around(4.2)]})
    assert "Doing nothing is at 4.00 floors: 2 of 3 methods are nearer." in found.text
    found = said({"ours": [around(5.0)], "worse": [around(5.2)]})
    assert "Doing nothing is at 4.00 floors: none of 2 methods is nearer." in found.text


def test_one_seed_gives_no_winner() -> None:
    found = said({"ours": [[1.0]], "rival": [[3.0]]})
    assert found.answer == "nothing separates the methods"
    assert "with a single seed there is no interval" in found.text
    assert "standard error" not in found.text
    assert found.tone != "good"


def test_no_result_and_one_result() -> None:
    found = said({"ours": [[]], "rival": [[]]})
    assert (found.answer, found.tone) == ("no result", "open")
    found = said({"ours": [around(1.0)], "rival": [[]]})
    assert found.answer == "only Ours has a result"
    assert "No rival of Ours gave a complete result." in found.text
    found = said({"ours": [[]], "rival": [around(1.0)]})
    assert "Ours gave no complete result" in found.text
    assert found.tone == "bad"


def test_without_any_of_ours_nothing_is_claimed_for_it() -> None:
    found = said({"a": [around(1.0)], "b": [around(2.0)]})
    assert found.tone == "open"
    assert found.answer == "A is nearest"
    assert "rival" not in found.text


def test_one_verdict_per_budget_smallest_first() -> None:
    comparison = small({"ours": [[1.0, 1.1]], "r": [[2.0, 2.1]]}, budgets=(0.2, 0.01))
    questions = [one.question for one in statements(Results(comparison))]
    assert [q.split("\u202f")[0] for q in questions] == ["At 1", "At 20"]


def test_every_failure_is_said_with_its_reason() -> None:
    worst = {"ours": [[1.0, 1.0]], "wild": [[2.0, math.inf]], "gone": [[]]}
    assert failures(Results(small(worst))) == (
        "Wild diverged in 1 of 2 seeds: Case 0 at 5\u202f%.",
        "Gone diverged (the loss was not finite): Case 0 at 5\u202f%.",
    )
    # Three cases and two budgets make one sentence, not six.
    worst = {"ours": [[1.0]] * 3, "gone": [[], [], []], "once": [[1.0], [], []]}
    assert failures(Results(small(worst, budgets=(0.2, 0.01)))) == (
        "Gone diverged (the loss was not finite): all 3 cases at 1\u202f% and 20\u202f%.",
        "Once diverged (the loss was not finite): Case 1 and Case 2 at 1\u202f% and 20\u202f%.",
    )
    told = " ".join(failures(Results(example())))
    for method in ("Gradient ascent", "Bad teacher", "Retraining", "EU-k", "NegGrad+"):
        assert method in told
    assert "needs a freshly initialised network: Adult, tail at 1\u202f%" in told
    assert "Ours" not in told


def test_reasons_that_differ_in_a_number_are_one() -> None:
    comparison = small({"ours": [[1.0]] * 3, "dear": [[], [], []]})
    rows = iter(("3,978", "990", "3,870"))
    entries = tuple(
        replace(entry, status="over budget", reason=f"it costs more than {next(rows)} rows")
        if entry.method == "dear"
        else entry
        for entry in comparison.entries
    )
    assert failures(Results(replace(comparison, entries=entries))) == (
        "Dear over budget (it costs more than 990 to 3,978 rows): all 3 cases at 5\u202f%.",
    )


def test_limits_follow_from_what_was_done() -> None:
    comparison = example()
    told = " ".join(limits(Results(comparison)))
    for part in (
        "the same 8 retrained networks",
        "5 seeds per case",
        "tuned with 12 trials",
        "other held-out records, another original network and other retrained networks",
        "MNIST, class 3: 12,000 of 60,000 rows, a lossy subset.",
        "One data split",
        "Retraining had no trial at all.",
        "combinations of case, method and budget have no result",
    ):
        assert part in told
    untuned = replace(
        small({"ours": [[1.0]]}),
        entries=tuple(replace(entry, trials=0) for entry in small({"ours": [[1.0]]}).entries),
    )
    told = " ".join(limits(Results(untuned)))
    assert "Nothing was tuned" in told
    assert "One seed per case" in told
    assert "no result" not in told
    bare = replace(
        untuned, cases=tuple(replace(case, tuning_references=0) for case in untuned.cases)
    )
    assert "no retrained networks were kept apart for tuning" in " ".join(limits(Results(bare)))


def test_what_still_tells_the_nearest_from_retrained_networks_is_a_limit() -> None:
    comparison = small({"ours": [[1.0, 1.1]], "rival": [[2.0, 2.1]]})
    yardstick = Yardstick("attack/auc", "AUC of the attack", "AUC", (0.49, 0.5, 0.51))
    cases = tuple(replace(case, yardsticks=(yardstick,)) for case in comparison.cases)

    def told(ours: float, rival: float) -> str:
        values = {"ours": ours, "rival": rival}
        runs = tuple(
            replace(run, measures={"attack/auc": values[run.method]}) for run in comparison.runs
        )
        return " ".join(limits(Results(replace(comparison, cases=cases, runs=runs))))

    assert "Case 0 at 5\u202f% (AUC of the attack: Ours 0.900, retrained 0.490 to 0.510)" in told(
        0.9, 0.5
    )
    assert "can be the nearest" not in told(0.5, 0.9)
    # Three spreads beyond the range: within noise of three networks.
    assert "can be the nearest" not in told(0.535, 0.9)


def test_a_tiny_floor_is_a_limit() -> None:
    comparison = small({"ours": [[1.0], [1.0]]})
    floors = ({"retain": 5.4e-6, "test": 2e-3}, {"retain": 2e-4})
    cases = tuple(
        replace(case, floors=own) for case, own in zip(comparison.cases, floors, strict=True)
    )
    told = [one for one in limits(Results(replace(comparison, cases=cases))) if "On " in one]
    assert len(told) == 1
    assert "On retain records the floor is below 1×10⁻⁴ nats in 1 of 2 cases" in told[0]


def test_a_run_slower_than_retraining_is_a_limit() -> None:
    comparison = small({"ours": [[1.0, 1.1]], "slow": [[2.0, 2.1]]})
    runs = tuple(
        replace(run, seconds=2.13 if run.method == "slow" and run.seed else 0.5)
        for run in comparison.runs
    )
    told = " ".join(limits(Results(replace(comparison, runs=runs))))
    assert "took longer than retraining itself of Slow (up to 2.1 times)." in told
    assert "took longer" not in " ".join(limits(Results(comparison)))


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(number, text) -> None:
    assert ordinal(number) == text


def test_long_lists_are_counted() -> None:
    assert names(["a"]) == "a"
    assert names(["a", "b", "c", "d"]) == "a, b, c and d"
    assert names(list("abcdef")) == "a, b, c and 3 more"


def test_two_of_ours_each_get_a_sentence() -> None:
    comparison = small({"ours": [[1.0, 1.1]], "also": [[1.5, 1.4]], "r": [[2.0, 2.1]]})
    methods = tuple(ComparedMethod(m.name, m.title, ours=m.name != "r") for m in comparison.methods)
    (found,) = statements(Results(replace(comparison, methods=methods)))
    assert "Ours is not farther" in found.text
    assert "Also is not farther" in found.text
