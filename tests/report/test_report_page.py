"""report.html: self-contained, escaped, readable by people and by their tools."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from infounlearn.interface import Audit, Curve, Finding, Record, RunSummary, Verdict
from infounlearn.report import summary_rows
from infounlearn.report.page import render_page
from tests.report.report_example import example

DIGEST = "0123456789abcdef" * 4
VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = "<script>alert('x')</script> & \"$x_1$\" ]]> {{ 7*7 }} | `a` \x00"


class Page(HTMLParser):
    """Elements, their nesting and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


@pytest.fixture(scope="module")
def html() -> str:
    return render_page(example(), DIGEST)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_sections_stand_in_order_and_verdicts_first(page: Page, html: str) -> None:
    sections = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert sections == [
        "verdicts", "summary", "run", "figures", "findings", "not-proved", "provenance",
    ]  # fmt: skip
    record = example()
    places = [html.index(verdict.question) for verdict in record.audit.verdicts]
    assert places == sorted(places)
    assert max(places) < html.index("In plain words")
    for verdict in record.audit.verdicts:
        assert verdict.reason.replace("'", "&#39;") in html


def test_every_number_and_every_limit_is_there(page: Page) -> None:
    text = re.sub(r"[ \n]+", " ", " ".join(page.text))
    record = example()
    for row in summary_rows(record):
        for part in (row.title, row.before, row.after, row.floor):
            assert part in text
    for finding in record.audit.findings:
        assert finding.name in text
        assert all(sentence in text for sentence in (*finding.assumptions, finding.note))
    for sentence in (*record.audit.not_proved, record.run.stopped, *record.run.warnings):
        assert sentence in text
    for digest in (DIGEST, *record.audit.hashes.values()):
        assert digest in text
    assert "8.06\u202f%" in text  # 1.83 s of 22.7 s
    assert "certified ≤ 0.118\u202fnats at\u00a095\u202f%" in text
    assert "p = 0.410" in text


def test_nothing_is_fetched_and_nothing_runs(page: Page, html: str) -> None:
    assert not {"script", "iframe", "object", "embed", "link", "img", "base"} & {
        tag for tag, _ in page.tags
    }
    for name in ("href", "src", "xlink:href", "action", "data", "srcset"):
        assert all(value.startswith("#") for value in page.attributes(name))
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    policy = [attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_ids_are_unique_and_every_reference_has_its_target(page: Page, html: str) -> None:
    counts = Counter(page.attributes("id"))
    assert [name for name, count in counts.items() if count > 1] == []
    targets = {value[1:] for value in page.attributes("href")}
    targets |= set(re.findall(r"url\(#([^)]+)\)", html))
    for value in (*page.attributes("aria-labelledby"),):
        targets |= set(value.split())
    assert targets <= set(counts)


def test_page_works_in_light_and_dark(html: str) -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in html
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", html, flags=re.S)
    defined = set(re.findall(r"(--[\w-]+):", light))
    colours = {name for name, _ in re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", light)}
    assert colours <= set(re.findall(r"(--[\w-]+):", dark))
    used = set(re.findall(r"var\((--[\w-]+)", html))
    assert used - defined <= {"--tone", "--soft"}  # set by the verdict's own class
    # No drawing brings a colour of its own, in which it would vanish on one of the two.
    drawings = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.S))
    assert not re.findall(r"#[0-9a-fA-F]{6}\b(?![^<]*\))", drawings)
    assert "var(--forget)" in drawings


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_and_lines_stand_out_from_the_page(html: str, scheme: int) -> None:
    palette = dict(
        re.findall(
            r"--([\w-]+): (#[0-9a-f]{6})",
            re.findall(r":root \{(.*?)\n\s*\}", html, flags=re.S)[scheme],
        )
    )

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        high, low = sorted((luminance(palette[one]), luminance(palette[other])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for text in ("ink", "muted", "link"):
        assert min(contrast(text, "page"), contrast(text, "sheet")) >= 4.5
    for tone in ("good", "bad", "warn", "open"):
        assert contrast(tone, f"{tone}-soft") >= 4.5
    for line in (
        "forget",
        "holdout",
        "retain",
        "test",
        "before",
        "after",
        "retrained",
        *(f"extra-{i}" for i in range(5)),
    ):
        assert contrast(line, "page") >= 3


def test_tables_and_drawings_speak_to_screen_readers(page: Page) -> None:
    headers = [attrs for tag, attrs in page.tags if tag == "th"]
    assert headers
    assert all(attrs["scope"] in ("col", "row") for attrs in headers)
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert all(
        "aria-labelledby" in attrs or attrs.get("aria-hidden") == "true" for attrs in drawings
    )
    assert sum("aria-labelledby" in attrs for attrs in drawings) == 11
    assert page.tags[0] == ("html", {"lang": "en"})


def test_missing_reference_is_inconclusive_and_not_a_number() -> None:
    record = example(references=0)
    text = " ".join(" ".join(Page(render_page(record, DIGEST)).text).split())
    assert "No retrained model was given." in text
    assert "inconclusive" in text
    row = next(row for row in summary_rows(record) if row.name == "retrain_gap/js")
    assert (row.before, row.after, row.retrained, row.floor) == ("—",) * 4
    assert row.missing["after"] == "Needs a reference."
    assert row.missing["retrained"] == "no retrained model"


def test_reason_of_a_gap_is_true_to_the_record() -> None:
    """A quantity of the audited model alone does not claim that there were no other models."""
    record = example()
    record = replace(record, audit=replace(record.audit, verdicts=()))
    row = next(row for row in summary_rows(record) if row.name == "bounds/drift")
    assert row.missing["before"] == row.missing["retrained"] == "not measured"


def test_every_word_of_the_record_is_escaped() -> None:
    x = HOSTILE
    finding = Finding(f"{x}/{x}", x, 0.1, x, n={x: 3}, assumptions=(x,), note=x, retrained=(1.0,))
    curves = (
        Curve(x, x, (0.0, 1.0), (0.0, 1.0)),
        Curve("scores/" + x, x, (0.0, 1.0), (1.0,), "histogram"),
    )
    record = Record(
        x,
        Audit(
            x,
            (Verdict(x, "inconclusive", x, (f"{x}/{x}", x)),),
            (finding,),
            curves,
            (x,),
            {x: x, "score": x},
            {x: x},
        ),
        RunSummary(x, {x: (x, x)}, ({x: 1.0, "step": 0}, {x: 2.0, "step": 1}), x, (x,), {x: 1.0}),
        {x: {x: x}},
    )
    html = render_page(record, DIGEST)
    page = Page(html)
    assert "<script" not in html
    assert "script" not in {tag for tag, _ in page.tags}
    assert "{{ 7*7 }}" in html
    assert html.count("&lt;script&gt;") > 20
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


@pytest.mark.parametrize(
    "record",
    [
        Record("", Audit("m", (), ())),
        Record("t", Audit("m", (), (), (Curve("roc", "a", (), ()),)), RunSummary("m", {}, (), "")),
        Record("t", Audit("m", (), (Finding("a", "t", float("nan"), "nats",
                                            retrained=(float("inf"),)),),
                          (Curve("scores/after", "forget", (0.0, 1.0, 2.0), (0.0, 0.0),
                                 "histogram"), Curve("x", "y", (float("nan"), 1.0),
                                                     (1.0, float("inf"))))),
               RunSummary("m", {}, ({"a": 1.0}, {"a": float("nan"), "b": 1e-9, "step": 3},
                                    {"b": 1.0}), "")),
    ],
)  # fmt: skip
def test_poor_records_still_make_a_page(record: Record) -> None:
    Page(render_page(record, DIGEST))


def test_unknown_panels_are_drawn_plainly() -> None:
    record = example()
    curve = Curve("mystery_panel", "line of mine", (0.0, 1.0, 2.0), (1.0, 0.5, 0.25))
    html = render_page(replace(record, audit=replace(record.audit, curves=(curve,))), DIGEST)
    assert "<h3>Mystery panel</h3>" in html
    assert "line of mine: from 1.00 to 0.250." in html
