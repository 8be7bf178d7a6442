"""``report.html``: one file, no script, no network, every word of the record escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from infounlearn import __version__
from infounlearn.interface import Record
from infounlearn.report import numbers, summary, tables
from infounlearn.report.figures import audit_figures
from infounlearn.report.strips import strip
from infounlearn.report.summary import words
from infounlearn.report.trajectories import run_figure, tolerance

TONES = {
    "forgotten": ("good", "✓"),
    "kept": ("good", "✓"),
    "not forgotten": ("bad", "✕"),
    "lost": ("bad", "✕"),
    "over-forgotten": ("warn", "↧"),
    "removed": ("good", "✓"),
    "no fingerprint": ("good", "✓"),
    "still visible": ("bad", "✕"),
    "fingerprint": ("bad", "✕"),
    "inconclusive": ("open", "?"),
}
KINDS = {
    "exact": "computed over all records in question: no sampling error, and nothing said beyond "
    "these records",
    "certified": "a proven bound, which holds at the stated confidence under the stated "
    "assumptions",
    "measured": "a statistic of these records and models; no proof attached",
}


@cache
def environment() -> Environment:
    """The template environment: escapes everywhere, and refuses names that do not exist."""
    made = Environment(
        loader=PackageLoader("infounlearn.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(numbers=numbers, words=words, version=__version__)
    return made


def render_page(record: Record, digest: str) -> str:
    """The page of ``record``; ``digest`` is the content hash of its ``record.json``."""
    style, _, _ = environment().loader.get_source(environment(), "report.css")  # type: ignore[union-attr]
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            record=record,
            audit=record.audit,
            run=record.run,
            digest=digest,
            style=Markup(style),  # ours, from the package
            tones=TONES,
            kinds=KINDS,
            main=[(tables.finding_row(f, record), strip(f)) for f in summary.main_findings(record)],
            rooms=tables.rooms(record),
            known={finding.name for finding in record.audit.findings},
            retrained=summary.retrained_models(record),
            feature=summary.feature(record),
            sizes=tables.set_sizes(record),
            trajectories=run_figure(record.run),
            tolerance=None if record.run is None else tolerance(record.run),
            cost=tables.cost_rows(record.run),
            figures=audit_figures(record),
            settings=dict(tables.flatten(record.audit.settings)),
            run_settings={} if record.run is None else dict(tables.flatten(record.run.settings)),
            provenance=dict(tables.flatten(record.provenance)),
        )
    )
