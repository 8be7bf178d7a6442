"""No method spends more than its budget, and none stops the comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from infounlearn.experiments.compare import runs
from infounlearn.experiments.compare.design import ALL
from infounlearn.experiments.compare.gold import Gold, build_gold, show, steps_of
from infounlearn.experiments.compare.runs import build, fit, run, sizes_of
from infounlearn.point import Unlearned

from .conftest import make_case


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("budget", [0.05, 0.3])
def test_a_run_costs_no_more_than_its_budget(gold: Gold, name: str, budget: float) -> None:
    rows = gold.rows(budget)
    done = run(name, None, gold.case, gold.originals[0], rows, 0)
    assert done.status in ("done", "over budget"), done.reason
    if done.status == "done":
        assert 0 < done.rows <= rows
        assert done.history[-1]["rows"] == done.rows
        assert {"forget", "retain"} <= set(done.history[-1])
    # Nothing that costs a tenth of this is over budget.
    if name in ("fine-tune", "gradient-ascent", "scrub", "warm-restart", "retrain"):
        assert done.status == "done"
        assert done.rows > 0.5 * rows or name == "gradient-ascent"


def test_the_original_is_left_alone(gold: Gold) -> None:
    before = show(gold.originals[0], gold.case.test)
    done = run("fine-tune", {"lr": 0.1}, gold.case, gold.originals[0], gold.rows(0.2), 0)
    assert done.model is not None
    assert torch.equal(before, show(gold.originals[0], gold.case.test))
    assert not torch.equal(before, show(done.model, gold.case.test))


def test_a_sequence_spends_one_budget_on_all_requests(gold: Gold, networks: Path) -> None:
    case = replace(make_case(forget=24, requests=4), holdout=gold.case.holdout)
    rows = gold.rows(0.4)
    done = run("fine-tune", {"batch_size": 4}, case, gold.originals[0], rows, 0)
    assert done.status == "done"
    assert 0.5 * rows < done.rows <= rows
    single = run("fine-tune", {"batch_size": 4}, case, gold.originals[0], rows / 4, 0)
    assert single.rows < done.rows / 2
    # Each request starts its trajectory where the one before it ended.
    spent = [row["rows"] for row in done.history]
    assert spent == sorted(spent)
    assert spent[-1] == done.rows


def test_each_request_of_a_sequence_starts_from_the_last_result(
    gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = runs.unlearn

    def watch(model, **given) -> Unlearned:
        done = real(model, **given)
        seen.append((model, done.model, given["forget"].ids.tolist(), len(given["retain"])))
        return done

    monkeypatch.setattr(runs, "unlearn", watch)
    case = replace(make_case(forget=6, requests=2), holdout=gold.case.holdout)
    done = run("fine-tune", None, case, gold.originals[0], gold.rows(0.2), 0)
    assert [one[2] for one in seen] == [[0, 1, 2], [3, 4, 5]]
    assert [one[3] for one in seen] == [177, 174]
    assert seen[0][0] is gold.originals[0]
    assert seen[1][0] is seen[0][1]
    assert done.model is seen[1][1]


def test_batches_leave_ten_steps(gold: Gold) -> None:
    sizes = sizes_of(gold.case, 0)
    small = fit(build("fine-tune", {}), 600, sizes)
    assert small is not None
    assert small.batch_size == 20
    assert fit(build("fine-tune", {}), 60_000, sizes).batch_size == 64
    # Selective dampening has no epochs: its batch size is part of its definition.
    assert fit(build("ssd", {}), 60_000, sizes).batch_size == build("ssd", {}).batch_size


def test_a_method_that_chooses_its_own_batches_keeps_its_choice(gold: Gold) -> None:
    usual = build("restart-teacher", {"epochs": 5.0})
    cut = fit(usual, 800, sizes_of(gold.case, 0))
    assert cut is not None
    assert cut.batch_size is None
    assert cut.cost(sizes_of(gold.case, 0)) <= 800


def test_measuring_batch_norm_is_in_the_budget(gold: Gold) -> None:
    case = replace(gold.case, factory=normed)
    assert sizes_of(case, 0).batch_norm
    assert not sizes_of(gold.case, 0).batch_norm
    # 156 of these rows are forwarded for the statistics.
    done = run("warm-restart", {"epochs": 5.0}, case, normed(7), 1000.0, 0)
    assert done.status == "done", done.reason
    assert 800 < done.rows <= 1000


def normed(seed: int) -> nn.Module:
    """A factory of a network with batch-norm."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))


def test_a_run_that_diverges_is_said_to(gold: Gold) -> None:
    done = run("fine-tune", {"lr": 1e30}, gold.case, gold.originals[0], gold.rows(0.5), 0)
    assert done.status == "diverged"
    assert done.model is None
    assert done.reason


def test_a_method_that_lacks_what_it_needs_is_not_applicable(networks: Path) -> None:
    case = make_case(reals=True)
    gold = build_gold(case, seeds=1, references=2, tuning_references=2, cache_dir=networks)
    done = run("random-label", None, gold.case, gold.originals[0], gold.rows(0.5), 0)
    assert done.status == "not applicable"
    assert "class labels" in done.reason


def test_a_budget_below_one_step_is_over_budget(gold: Gold) -> None:
    done = run("fine-tune", None, gold.case, gold.originals[0], 2, 0)
    assert done.status == "over budget"


def test_an_account_that_is_too_low_is_found_out(
    gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "within", lambda method, rows, sizes: method)
    done = run("fine-tune", None, gold.case, gold.originals[0], gold.rows(0.01), 0)
    assert done.status == "over budget"
    assert "counted" in done.reason


def test_our_default_spends_the_budget_and_no_more(gold: Gold) -> None:
    for budget in (0.05, 0.2, 0.6):
        done = run("ours", None, gold.case, gold.originals[0], gold.rows(budget), 0)
        assert done.status == "done"
        assert 0.8 * gold.rows(budget) < done.rows <= gold.rows(budget)


def test_one_record_can_be_forgotten_by_every_method(networks: Path) -> None:
    gold = build_gold(
        make_case(forget=1), seeds=1, references=2, tuning_references=2, cache_dir=networks
    )
    assert len(next(steps_of(gold.case)).forget) == 1
    for name in ALL:
        done = run(name, None, gold.case, gold.originals[0], gold.rows(1.0), 0)
        assert done.status in ("done", "over budget", "not applicable"), (name, done.reason)
