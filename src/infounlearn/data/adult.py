"""Adult, also called Census Income (Becker & Kohavi, UCI; CC BY 4.0): who earns above 50,000?

Rows with a missing value and the sampling weight ``fnlwgt`` are left out, as the published
comparisons do; both files count as one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infounlearn.data.assemble import assemble, numbers, words
from infounlearn.data.sources import Source, fetch
from infounlearn.data.tabular import TableData

_HOST = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
_SHA256 = {
    "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
}
SOURCES = {file: Source("adult", file, digest, (_HOST + file,)) for file, digest in _SHA256.items()}

FIELDS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
)
_NUMERIC = {"age", "education-num", "capital-gain", "capital-loss", "hours-per-week"}


def load_adult(
    data_home: str | Path | None = None,
    *,
    sensitive: str | Sequence[str] = ("sex", "race"),
    two_races: bool = False,
) -> TableData:
    """45,222 rows; label 1 earns more than 50,000 dollars a year (11,208 rows).

    Ids are positions in adult.data (0..32560) and then in adult.test (32561..48841). Education is
    held twice, as words and as the years that order them.

    Args:
        data_home: see :func:`~infounlearn.data.sources.data_folder`.
        sensitive: names of any columns; what is not named stays a column. With "sex" alone, race
            stays one, and the matrix has the 101 columns of the published protocol.
        two_races: keep the 43,131 rows whose race is White or Black only.

    Raises:
        InputError: a file is absent and cannot be downloaded or is not the published one, or
            ``sensitive`` is unknown.
    """
    rows: list[list[str]] = []
    for source in SOURCES.values():
        text = fetch(source, data_home).read_text(encoding="ascii")
        # adult.test begins with a comment, and its labels end in a full stop.
        lines = [line for line in text.splitlines() if line and not line.startswith("|")]
        rows += [line.rstrip(".").split(", ") for line in lines]
    kept = [
        row
        for row in range(len(rows))
        if "?" not in rows[row] and (not two_races or rows[row][8] in ("White", "Black"))
    ]
    texts = {name: [rows[row][place] for row in kept] for place, name in enumerate(FIELDS)}
    fields = {
        name: numbers(texts[name]) if name in _NUMERIC else words(texts[name])
        for name in FIELDS
        if name != "fnlwgt"
    }
    return assemble(
        "adult",
        fields,
        target=np.array([rows[row][-1] == ">50K" for row in kept], dtype=np.int64),
        target_name="income >50K",
        task="classification",
        ids=np.array(kept, dtype=np.int64),
        sensitive=sensitive,
    )
