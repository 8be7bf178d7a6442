"""report.html and card.md of a comparison: complete, self-contained, escaped."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from infounlearn.report.comparison import Comparison, Yardstick
from infounlearn.report.comparison_check import check
from infounlearn.report.comparison_limits import limits
from infounlearn.report.comparison_page import render_card, render_page
from infounlearn.report.comparison_ranking import Results
from infounlearn.report.comparison_statements import failures, statements
from tests.report.comparison_example import example
from tests.report.comparison_small import small
from tests.report.test_report_page import DIGEST, HOSTILE, Page


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return example()


@pytest.fixture(scope="module")
def html(comparison: Comparison) -> str:
    return render_page(comparison, DIGEST)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_verdicts_come_first_then_everything_in_order(page: Page, comparison: Comparison) -> None:
    sections = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert sections == [
        "verdicts", "frontier", "ranks", "cases", "methods", "not-shown", "provenance",
    ]  # fmt: skip
    text = flat(" ".join(page.text))
    results = Results(comparison)
    for statement in statements(results):
        for part in (statement.question, statement.answer, statement.text):
            assert flat(part) in text
    for sentence in (*failures(results), *limits(results)):
        assert flat(sentence) in text


def test_every_method_case_and_measure_is_shown(page: Page, comparison: Comparison) -> None:
    text = flat(" ".join(page.text))
    for method in comparison.methods:
        # In three rank tables, five frontiers or their remarks, and every case's tables.
        assert text.count(method.title) > 10
        assert method.paper in text
    for case in comparison.cases:
        assert case.description in text
        assert all(yardstick.title in text for yardstick in case.yardsticks)
    for reason in {entry.reason for entry in comparison.entries}:
        assert reason in text


def test_frontier_draws_floor_band_original_and_every_ranked_method(html: str) -> None:
    plots = re.findall(r'<svg class="plot"[^>]*aria-labelledby="frontier[^>]*>.*?</svg>', html)
    assert len(plots) == 5
    for plot in plots:
        for part in ("floor-band", 'class="floor"', 'class="original"', "method ours"):
            assert part in plot
        assert plot.count('class="name"') >= 12
        assert plot.count('class="whisker"') >= 30
    digits = next(plot for plot in plots if "Digits, random" in plot)
    assert "Gradient ascent:" in digits
    assert "Gradient ascent:" not in plots[0]
    assert "Not drawn: Gradient ascent (no complete result in 3 of 4 cases)" in html


def test_ours_is_marked_and_three_rivals_differ_without_colour(html: str) -> None:
    plot = re.findall(r'<svg class="plot".*?</svg>', html)[0]
    groups = dict(re.findall(r'<g class="method (\w+)">(.*?)</g>', plot))
    shapes = {role: Counter(re.findall(r"[MLZ]", groups[role].split("mark-of")[0])) for role in
              ("second", "third", "fourth")}  # fmt: skip
    assert "<circle" in groups["ours"]
    assert all("<circle" not in groups[role] for role in shapes)
    assert len({re.search(r'<path d="[^"]* Z"', groups[r])[0].count("L") for r in shapes}) == 2
    css = re.findall(r"\.plot \.(third|fourth) \.trace \{ stroke-dasharray: ([^;]+)", html)
    assert len({dash for _, dash in css}) == 2


def test_nothing_is_fetched_and_nothing_runs(page: Page, html: str) -> None:
    assert not {"script", "iframe", "object", "embed", "link", "img", "base"} & {
        tag for tag, _ in page.tags
    }
    for name in ("href", "src", "xlink:href", "action", "data", "srcset"):
        assert all(value.startswith("#") for value in page.attributes(name))
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert not re.findall(r"https?://|@import|url\(", html)
    policy = [attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_ids_are_unique_and_every_reference_has_its_target(page: Page) -> None:
    counts = Counter(page.attributes("id"))
    assert [name for name, count in counts.items() if count > 1] == []
    targets = {value[1:] for value in page.attributes("href")}
    for value in page.attributes("aria-labelledby"):
        targets |= set(value.split())
    assert targets <= set(counts)


def test_no_drawing_brings_a_colour_of_its_own(html: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.S))
    assert not re.findall(r"#[0-9a-fA-F]{6}\b|rgb\(", drawings)
    defined = set(re.findall(r"(--[\w-]+):", html))
    assert set(re.findall(r"var\((--[\w-]+)", html)) <= defined


def test_numbers_of_the_drawings_are_finite(html: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.S))
    places = re.findall(r' (?:d|x|y|x1|x2|y1|y2|cx|cy|width|height)="([^"]*)"', drawings)
    assert places
    assert not [place for place in places if "nan" in place or "inf" in place]


def test_every_word_is_escaped(comparison: Comparison) -> None:
    x = HOSTILE
    case = comparison.cases[0]
    hostile_case = replace(
        case, name=x, title=x, description=x, limits=(x,), sizes={x: 1}, followed=x,
        yardsticks=(Yardstick(x, x, x, (1.0, 2.0), 0.1, 0.2, note=x),),
    )  # fmt: skip
    methods = tuple(replace(m, title=x, paper=x, note=x, name=m.name) for m in comparison.methods)
    entries = tuple(
        replace(e, case=x, reason=x, settings={x: x}, pooled={x: 1.0})
        for e in comparison.entries
        if e.case == case.name
    )
    runs = tuple(
        replace(r, case=x, measures={x: 1.0}) for r in comparison.runs if r.case == case.name
    )
    hostile = Comparison(
        x, (hostile_case,), methods, comparison.budgets, entries, runs, x, 0.95, {x: x}, (x,),
        {x: {x: x}},
    )  # fmt: skip
    html = render_page(hostile, DIGEST)
    page = Page(html)
    assert "<script" not in html
    assert "script" not in {tag for tag, _ in page.tags}
    assert html.count("&lt;script&gt;") > 50
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    drawings = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.S))
    assert "\x00" not in drawings
    card = render_card(hostile, DIGEST)
    assert "<script" not in card
    tables = [line for line in card.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in tables}) == 1


POOR = {
    "one method, one case, one seed": small({"ours": [[1.3]]}),
    "nothing ended": small({"ours": [[]], "rival": [[]]}),
    "all the same": small({"ours": [[1.0, 1.0]], "rival": [[1.0, 1.0]]}),
    "far beyond the original": small({"ours": [[1.0, 1.1]], "rival": [[9e6, 9.1e6]]}),
    "zero": small({"ours": [[0.0, 0.0]], "rival": [[1.0, 1.1]]}),
}


@pytest.mark.parametrize("name", POOR)
def test_poor_comparisons_still_make_a_page(name: str) -> None:
    html = render_page(POOR[name], DIGEST)
    Page(html)
    assert not re.findall(r"\b(?:nan|inf)\b", html)
    assert "Ours" in render_card(POOR[name], DIGEST)


def test_what_lies_beyond_the_drawing_is_said() -> None:
    assert "Rival ↑ 9.05×10⁶" in render_page(POOR["far beyond the original"], DIGEST)


def test_histories_of_another_measure_and_gaps_are_drawn() -> None:
    comparison = small({"ours": [[1.0, 1.1]], "rival": [[2.0, 2.1]]})
    history = ({"cost": 0.0, "forget": 3.0}, {"cost": 0.01, "forget": 2.0, "retain": 1.0}, {})
    followed = replace(
        comparison,
        cases=tuple(
            replace(c, followed="rmse", yardsticks=(Yardstick("rmse/forget", "R", "", (2.5,)),))
            for c in comparison.cases
        ),
        runs=tuple(replace(r, history=history) for r in comparison.runs if r.method == "ours")
        + tuple(r for r in comparison.runs if r.method != "ours"),
    )
    html = render_page(followed, DIGEST)
    assert "Trajectories: rmse as the cost grows" in html
    assert html.count('class="course forget"') == 2
    assert html.count('class="aim forget"') == 1
    assert "not followed" in html


def test_a_measure_of_all_seeds_and_one_that_some_lack(html: str) -> None:
    assert "all seeds at once" in html
    assert "4 of 5 seeds" in html


def test_card_says_the_same(comparison: Comparison) -> None:
    card = render_card(comparison, DIGEST)
    assert card.startswith("<!-- infounlearn-card")
    assert DIGEST in card
    for statement in statements(Results(comparison)):
        assert statement.answer in card
    for method in comparison.methods:
        assert card.count(method.title.replace("|", "")) >= 3
    assert "lossy subset" in card


def test_the_example_keeps_the_contract(comparison: Comparison) -> None:
    from infounlearn.errors import Problems

    problems = Problems("example")
    check(comparison, problems)
    assert problems.found == []
