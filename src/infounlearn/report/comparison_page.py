"""``report.html`` and ``card.md`` of a comparison: no script, no network, every word escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from markupsafe import Markup

from infounlearn.report import card, page
from infounlearn.report.comparison import ComparedCase, Comparison
from infounlearn.report.comparison_frontier import frontiers
from infounlearn.report.comparison_limits import limits
from infounlearn.report.comparison_ranking import Results
from infounlearn.report.comparison_statements import failures, percent, statements
from infounlearn.report.comparison_tables import (
    Table,
    case_tables,
    rank_tables,
    settings_table,
)
from infounlearn.report.comparison_trajectories import Trajectory, trajectories
from infounlearn.report.tables import flatten

MARKS = {"good": "✓", "warn": "≈", "bad": "✕", "open": "?"}


@dataclass(frozen=True)
class CasePart:
    """All that the page shows of one case beside its frontier."""

    case: ComparedCase
    budgets: tuple[tuple[str, tuple[Table, ...]], ...]
    settings: Table
    trajectories: tuple[Trajectory, ...]


def render_page(comparison: Comparison, digest: str) -> str:
    """The page of ``comparison``; ``digest`` is the content hash of its ``record.json``."""
    results = Results(comparison)
    parts = [
        CasePart(
            case,
            tuple(
                (percent(budget), case_tables(results, case, budget))
                for budget in sorted(comparison.budgets)
            ),
            settings_table(results, case),
            trajectories(results, index, case),
        )
        for index, case in enumerate(comparison.cases)
    ]
    return (
        page.environment()
        .get_template("comparison.html.jinja")
        .render(
            comparison=comparison,
            digest=digest,
            style=Markup(_style()),  # ours, from the package
            marks=MARKS,
            statements=statements(results),
            failures=failures(results),
            limits=limits(results),
            frontiers=frontiers(results),
            tables=rank_tables(results),
            parts=parts,
            percent=percent,
            tuning=dict(flatten(comparison.tuning)),
            provenance=dict(flatten(comparison.provenance)),
        )
    )


def render_card(comparison: Comparison, digest: str) -> str:
    """The card of ``comparison``; ``digest`` is the content hash of its ``record.json``."""
    results = Results(comparison)
    return (
        card.environment()
        .get_template("comparison-card.md.jinja")
        .render(
            comparison=comparison,
            digest=digest,
            statements=statements(results),
            failures=failures(results),
            limits=limits(results),
            tables=rank_tables(results),
            percent=percent,
            provenance=dict(flatten(comparison.provenance)),
        )
    )


@cache
def _style() -> str:
    loader = page.environment().loader
    names = ("report.css", "comparison.css")
    return "\n".join(loader.get_source(page.environment(), name)[0] for name in names)  # type: ignore[union-attr]
