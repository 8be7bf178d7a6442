"""Numbers, the short table and the card as people read them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infounlearn.interface import Finding, Record
from infounlearn.report import numbers, summary_rows
from infounlearn.report.card import escape_markdown, render_card
from infounlearn.report.drawing import LogTicks, Ticks
from infounlearn.report.plots import legend, legend_lines
from infounlearn.report.trajectories import tolerance


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (8.19e-5, "nats", "8.19×10⁻⁵ nats"),
        (1e-13, "nats", "1.00×10⁻¹³ nats"),
        (0.0113, "nats", "0.0113 nats"),
        (0.69999, "nats", "0.700 nats"),
        (0.0, "nats", "0 nats"),
        (-0.0213, "nats", "−0.0213 nats"),
        (math.inf, "nats", "∞ nats"),
        (None, "nats", "—"),
        (0.99984, "accuracy", "99.98 %"),
        (0.001, "rate", "0.100 %"),
        (1, "rate", "100 %"),
        (0.5121, "AUC", "0.512"),
        (12.44, "ratio", "12.4"),
        (55402, "rows", "55 402 rows"),
        (1234567.0, "", "1.23×10⁶"),
        (9999.6, "", "10 000"),
    ],
)
def test_quantities(value: float | None, unit: str, text: str) -> None:
    assert numbers.quantity(value, unit).replace("\u202f", " ") == text


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_three_digits_are_within_half_a_percent(value: float) -> None:
    text = numbers.significant(value).replace("\u202f", "").replace("−", "-")
    back = text.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")).replace("×10", "e")
    assert float(back) == pytest.approx(value, rel=5.0001e-3, abs=0)


def test_a_gap_is_in_points_with_its_sign() -> None:
    assert numbers.quantity(-0.0213, "accuracy", gap=True) == "−2.13\u202fpoints"
    assert numbers.quantity(0.0213, "accuracy", gap=True) == "+2.13\u202fpoints"


def test_rounding_leaves_no_negative_zero() -> None:
    assert numbers.quantity(-1e-9, "accuracy", gap=True) == "0.00\u202fpoints"
    assert numbers.quantity(-1e-9, "AUC") == "0.000"


def test_spread_names_mean_and_range() -> None:
    assert numbers.spread((0.1, 0.2, 0.3), "nats") == "0.200\u202fnats (0.100 to 0.300)"
    assert numbers.spread((0.1,), "nats") == "0.100\u202fnats"
    assert numbers.spread((), "nats") == "—"


def test_cost_without_a_reference_is_no_share() -> None:
    assert numbers.share(1.83, 22.7) == "8.06\u202f%"
    assert numbers.share(1.83, None) == numbers.share(None, 1.0) == numbers.share(1.0, 0.0) == "—"
    assert [numbers.duration(s).replace("\u202f", " ") for s in (1.83, 200, 7500, None)] == [
        "1.83 s", "3 min 20 s", "2 h 05 min", "—"]  # fmt: skip


def test_ticks_tell_neighbours_apart() -> None:
    assert Ticks().format_ticks([0.998, 0.9985, 0.999]) == ["0.9980", "0.9985", "0.9990"]
    assert Ticks(percent=True).format_ticks([0.7, 0.8]) == ["70%", "80%"]
    assert Ticks().format_ticks([0.0, 5e-5, 1e-4]) == ["0", "5×10⁻⁵", "10⁻⁴"]
    assert [LogTicks(percent=True)(x) for x in (0.001, 0.002, 1)] == ["0.1%", "", "100%"]


def test_a_word_has_one_colour_in_every_figure() -> None:
    roles = {label: e.role for label, e in legend(
        ["forget", "held-out", "Holdout accuracy", "retain", "retrained 0", "floor", "before",
         "mine", "yours", "unlearned"]).items()}  # fmt: skip
    assert list(roles.values()) == [
        "forget",
        "holdout",
        "holdout",
        "retain",
        "retrained",
        "retrained",
        "before",
        "extra-0",
        "extra-1",
        "after",
    ]
    lines = legend_lines(legend(["after", "retrained 0", "retrained 1"]))
    assert [line.label for line in lines] == ["after", "retrained (2 models)"]


def test_short_table_holds_what_the_verdicts_rest_on(record: Record) -> None:
    cited = {name for verdict in record.audit.verdicts for name in verdict.findings}
    rows = summary_rows(record)
    assert [row.name for row in rows] == [f.name for f in record.audit.findings if f.name in cited]
    assert rows[0].retrained == "0.00993\u202fnats (0.00870 to 0.0118)"
    gap = next(row for row in rows if row.name.endswith("gap"))
    assert (gap.after, gap.floor) == ("−2.13\u202fpoints", "0.61\u202fpoints")
    uncited = replace(record, audit=replace(record.audit, verdicts=()))
    assert len(summary_rows(uncited)) == len(record.audit.findings)


def test_stop_tolerance_comes_from_history_before_settings(record: Record) -> None:
    assert record.run is not None
    assert tolerance(record.run) == 0.041
    history = ({"step": 0, "auc_tolerance": 0.02}, {"step": 1, "auc_tolerance": 0.03})
    assert tolerance(replace(record.run, history=history)) == 0.03
    assert tolerance(replace(record.run, settings={})) is None


def test_card_keeps_its_tables_whole(record: Record) -> None:
    hostile = "a | b\n<b>*c* `d` [e](f) \\"
    finding = Finding("x/y", hostile, 0.1, "nats")
    record = replace(
        record, title=hostile, audit=replace(record.audit, verdicts=(), findings=(finding,))
    )
    card = render_card(record, "ab" * 32)
    assert "<b>" not in card
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert all(
        len(line.replace("\\\\", "").replace("\\|", "").split("|")) in (5, 8) for line in rows
    )
    assert escape_markdown("a|b\nc") == "a\\|b c"


def test_card_tells_the_main_things(record: Record, bare_record: Record) -> None:
    card = render_card(record, "ab" * 32)
    for part in (
        "## What the audit answers",
        "## What was measured",
        "## What was not proved",
        "**over-forgotten**",
        "−2.13 points",
        "8.06 % of retraining",
        "ab" * 32,
    ):
        assert part in card
    assert len(card.splitlines()) < 80
    assert "No retrained model was given" in render_card(bare_record, "ab" * 32)
