"""What each part of the default is worth: every variant is another run at no higher cost."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from infounlearn.experiments.cases import case
from infounlearn.experiments.defaults import method_for
from infounlearn.experiments.ensemble import trained
from infounlearn.experiments.figures.default_parts import Design, run
from infounlearn.experiments.figures.default_parts_table import (
    as_markdown,
    mean_se,
    summary,
    table,
    times,
)
from infounlearn.experiments.figures.default_parts_variants import (
    DEFAULT,
    FORMER,
    TEACHER,
    VARIANTS,
    former_schedule,
    options_of,
    run_variant,
    share_spent,
)
from infounlearn.point.methods import RestartTeacher, WarmRestart

BUDGET = 0.05


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where networks are trained once for all tests."""
    return tmp_path_factory.mktemp("default-parts")


def rows(worst: dict[tuple[str, int], float], **fixed: Any) -> list[dict[str, Any]]:
    """Runs of one case and budget: variant and seed to the worst distance."""
    same = {"data": "digits", "case": "a", "budget": 0.05, "row_share": 0.05, **fixed}
    return [
        {**same, "variant": variant, "seed": seed, "worst": value,
         "forget": value, "retain": 1.0, "test": 2.0}
        for (variant, seed), value in worst.items()
    ]  # fmt: skip


def test_every_variant_ends_elsewhere_and_keeps_to_the_budget(folder: Path) -> None:
    built = case("digits", forget_class=3, forget_fraction=0.75)
    networks = folder / "default-parts-networks"
    original = trained(built, "original", (0,), cache_dir=networks)[0].model
    ends: dict[str, torch.Tensor] = {}
    for variant in VARIANTS:
        done = run_variant(variant, built, original, BUDGET, 0)
        assert 0.8 * BUDGET < share_spent(done, built) <= BUDGET, variant
        ends[variant] = torch.cat([one.detach().flatten() for one in done.model.parameters()])
        for other in list(ends)[:-1]:
            assert not torch.allclose(ends[variant], ends[other], atol=1e-4), (variant, other)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_the_teacher_alone_is_the_restart_of_as_many_steps(share: float) -> None:
    built = case("digits", forget_random=0.1)
    alone = options_of(TEACHER, built, share)["method"]
    assert isinstance(alone, WarmRestart)
    steps = round(alone.epochs * len(built.retain) / alone.batch_size)
    default = method_for(built, share)
    wanted = default.restart(steps)
    # Rounding to whole batches leaves a step or two to argue about.
    assert alone.keep == pytest.approx(wanted.keep, abs=0.01)
    assert alone.noise == pytest.approx(wanted.noise, abs=0.02)
    assert alone.lr == default.lr


def test_a_variant_changes_its_part_alone() -> None:
    built = case("digits", forget_class=3)
    default = method_for(built, BUDGET)
    assert options_of(DEFAULT, built, BUDGET) == {"method": default}
    for variant in VARIANTS:
        method = options_of(variant, built, BUDGET)["method"]
        if isinstance(method, RestartTeacher):
            changed = {
                name for name, value in vars(method).items() if value != getattr(default, name)
            }
            assert len(changed) == {"fresh teacher": 2, "mild teacher": 2}.get(
                variant, int(variant not in (DEFAULT, "no held-out records"))
            )
        else:
            assert variant in (TEACHER, FORMER)


def test_the_former_default_takes_a_longer_run_for_a_larger_budget() -> None:
    built = case("digits", forget_class=3)
    short, long = former_schedule(built, 0.05), former_schedule(built, 0.2)
    assert 0 < short.epochs < 0.05 * built.recipe.epochs
    assert 3 * short.epochs < long.epochs < 0.2 * built.recipe.epochs


def test_quick_design_leaves_every_file(folder: Path) -> None:
    design = Design(
        data=("digits",),
        cases=("75% of class 3",),
        budgets=(0.02, BUDGET),
        originals=1,
        references=2,
        variants=(DEFAULT, "no damping", FORMER),
    )
    steps: list[tuple[int, int]] = []
    found = run(
        True, folder, 0, lambda done, total, what: steps.append((done, total)),
        design=design, workers=1,
    )  # fmt: skip
    names = {path.name for path in found.files}
    assert names == {f"default-parts-quick.{kind}" for kind in ("svg", "png", "csv", "json", "md")}
    assert all(path.stat().st_size > 0 for path in found.files)
    assert steps == [(done, 6) for done in range(7)]
    header, *lines = found.table
    assert [line[3] for line in lines] == list(design.variants) * 2
    for line in lines:
        shown = dict(zip(header, line, strict=True))
        assert float(shown["worst"]) == max(float(shown[part]) for part in header[5:8])
        assert float(shown["times"]) == 1.0 or shown["variant"] != DEFAULT


def test_times_is_the_geometric_mean_of_pairs() -> None:
    found = rows({("default", 0): 2.0, ("default", 1): 8.0, ("other", 0): 8.0, ("other", 1): 8.0})
    assert times(found, "other") == pytest.approx(2.0)
    assert times(found, "default") == 1.0
    more = found + rows({("default", 0): 1.0, ("other", 0): 1.0}, budget=0.2)
    assert times(more, "other") == pytest.approx(4 ** (1 / 3))
    assert times(more, "other", budget=0.2) == 1.0


def test_means_have_their_standard_error() -> None:
    assert mean_se([1.0, 2.0, 3.0]) == f"2.00 ± {1 / math.sqrt(3):.2f}"
    assert (mean_se([123.4]), mean_se([12.34])) == ("123", "12.3")


def test_the_table_as_markdown_has_one_line_per_variant_and_budget() -> None:
    found = rows({("default", 0): 2.0, ("no damping", 0): 6.0})
    assert table(found)[2][3:] == ("no damping", "6.00", "6.00", "1.00", "2.00", "3.00", "5.0")
    head, _, other = summary(found, 0.05)
    assert (head[2], other) == ("digits, a", ("no damping", "3.00", "6.00"))
    text = as_markdown(found, VARIANTS, ["a note"])
    assert "| no damping | 3.00 | 6.00 |" in text
    assert text.endswith("* a note\n")
