"""``card.md``: the record on one page of Markdown."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from infounlearn.interface import Record
from infounlearn.report import numbers, summary
from infounlearn.report.tables import cost_rows, finding_row, flatten


def escape_markdown(text: object) -> str:
    """``text`` as one line that Markdown, tables and embedded HTML leave as it is."""
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|`*_\[\]~$#!])", r"\\\1", line)


@cache
def environment() -> Environment:
    """The template environment: every word is to pass the filter ``md``."""
    # Autoescape would escape for HTML; here every word passes escape_markdown instead.
    made = Environment(
        loader=PackageLoader("infounlearn.report", "templates"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["md"] = escape_markdown
    made.globals["numbers"] = numbers
    return made


def render_card(record: Record, digest: str) -> str:
    """The card of ``record``; ``digest`` is the content hash of its ``record.json``."""
    return (
        environment()
        .get_template("card.md.jinja")
        .render(
            record=record,
            audit=record.audit,
            run=record.run,
            digest=digest,
            items=[finding_row(one, record) for one in summary.main_findings(record)],
            feature=summary.feature(record),
            retrained=summary.retrained_models(record),
            cost=cost_rows(record.run),
            provenance=dict(flatten(record.provenance)),
        )
    )
