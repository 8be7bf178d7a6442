"""COMPAS (ProPublica 2016; no explicit licence): who was charged again within two years?

The file names real people. Names, dates of birth, case numbers and every date are never read into
memory beyond the line they stand on, and no loader option returns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infounlearn.data.assemble import assemble, numbers, read_fields, words
from infounlearn.data.sources import Source, fetch
from infounlearn.data.tabular import TableData

SOURCE = Source(
    "compas",
    "compas-scores-two-years.csv",
    "c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d",
    (
        "https://raw.githubusercontent.com/propublica/compas-analysis/master/"
        "compas-scores-two-years.csv",
    ),
)

_NUMERIC = ("age", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count")
_WORDS = ("sex", "race", "age_cat", "c_charge_degree", "c_charge_desc")
_FILTER = ("days_b_screening_arrest", "is_recid", "score_text")
_AGES = ("Less than 25", "25 - 45", "Greater than 45")


def load_compas(
    data_home: str | Path | None = None,
    *,
    sensitive: str | Sequence[str] = ("sex", "race", "race_raw"),
) -> TableData:
    """6,172 rows; label 1 was charged with a new crime within two years (2,809 rows).

    ProPublica's own filter: screened within 30 days of the arrest, recidivism known, no ordinary
    traffic offence, a score given. The score itself is no column: it is a model's opinion. Five
    missing descriptions of a charge read "missing". Ids are positions in the file.

    Args:
        data_home: see :func:`~infounlearn.data.sources.data_folder`.
        sensitive: "race" is Caucasian against all others (2,103 and 4,069 rows), "race_raw" the
            six recorded ones; or "sex", or any column; what is not named stays a column. For
            African-American against Caucasian (5,278 rows), take the subset on ``race_raw``.

    Raises:
        InputError: the file is absent and cannot be downloaded or is not the published one, or
            ``sensitive`` is unknown.
    """
    path = fetch(SOURCE, data_home)
    texts = read_fields(path, (*_NUMERIC, *_WORDS, *_FILTER, "two_year_recid"))
    screened = zip(*(texts[name] for name in (*_FILTER, "c_charge_degree")), strict=True)
    kept = [
        row
        for row, (days, recid, score, degree) in enumerate(screened)
        if days and abs(float(days)) <= 30 and recid != "-1" and score != "N/A" and degree != "O"
    ]
    fields = {name: words(texts[name][row] or "missing" for row in kept) for name in _WORDS}
    fields |= {name: numbers(texts[name][row] for row in kept) for name in _NUMERIC}
    white = fields["race"] == "Caucasian"
    return assemble(
        "compas",
        fields,
        target=np.array([texts["two_year_recid"][row] == "1" for row in kept], dtype=np.int64),
        target_name="charged again within two years",
        task="classification",
        ids=np.array(kept, dtype=np.int64),
        sensitive=sensitive,
        forms={
            "race": np.where(white, "Caucasian", "other").astype(object),
            "race_raw": fields["race"],
        },
        states=(("race", "race_raw"), ("age", "age_cat")),
        ordinal=("age_cat",),
        categories={"age_cat": _AGES},
    )
