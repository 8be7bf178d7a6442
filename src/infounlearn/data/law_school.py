"""Law school (LSAC National Longitudinal Bar Passage Study, Wightman 1998; no explicit licence)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from infounlearn.data.assemble import assemble, numbers, read_fields, words
from infounlearn.data.sources import Source, fetch
from infounlearn.data.tabular import TableData
from infounlearn.errors import Problems

SOURCE = Source(
    "law_school",
    "bar_pass_prediction.csv",
    "76ebfdb0427ce8db038d53fa5943180ac77096bffb8264f000ed21e9f0ec82f2",
    ("https://storage.googleapis.com/lawschool_dataset/bar_pass_prediction.csv",),
)

_NUMERIC = ("lsat", "zfygpa", "zgpa", "fam_inc", "age", "gpa")
_WORDS = ("gender", "cluster", "pass_bar", "race1")


def load_law_school(
    data_home: str | Path | None = None,
    *,
    target: Literal["gpa", "pass_bar"] = "gpa",
    sensitive: str | Sequence[str] = ("race", "sex"),
) -> TableData:
    """20,454 complete rows: predict the grade point average, or who passed the bar.

    Columns are those of Xu & Strohmer (JMLR 2023): LSAT, grades within the school (first year and
    final), family income, age, cluster of schools, sex, and of grade point average and bar
    passage the one that is not the target. ``age`` is the file's own, the year of birth counted
    down. Ids are positions in the file.

    Args:
        data_home: see :func:`~infounlearn.data.sources.data_folder`.
        target: "gpa" for the regression, "pass_bar" for the classification (1: passed).
        sensitive: "race" is white or non-white (3,292 rows), "race_raw" the five recorded ones,
            "sex"; or any column. What is not named stays a column, except for race, which the
            published protocol never uses as one.

    Raises:
        InputError: the file is absent and cannot be downloaded or is not the published one, or
            ``target`` or ``sensitive`` is unknown.
    """
    problems = Problems("load_law_school")
    problems.require(
        target in ("gpa", "pass_bar"), f"target is {target!r}", fix="choose 'gpa' or 'pass_bar'"
    )
    problems.raise_if_any()
    texts = read_fields(fetch(SOURCE, data_home), (*_NUMERIC, *_WORDS))
    kept = [row for row, cells in enumerate(zip(*texts.values(), strict=True)) if all(cells)]
    fields = {name: numbers(texts[name][row] for row in kept) for name in _NUMERIC}
    race = words(texts["race1"][row] for row in kept)
    passed = np.array([texts["pass_bar"][row] == "1" for row in kept])
    fields["sex"] = words(texts["gender"][row] for row in kept)
    fields["cluster"] = words(texts["cluster"][row].removesuffix(".0") for row in kept)
    fields["pass_bar"] = np.where(passed, "passed", "failed").astype(object)
    gpa = fields["gpa"]
    del fields[target]
    return assemble(
        "law_school",
        fields,
        target=gpa if target == "gpa" else passed.astype(np.int64),
        target_name="gpa" if target == "gpa" else "passed the bar",
        task="regression" if target == "gpa" else "classification",
        ids=np.array(kept, dtype=np.int64),
        sensitive=sensitive,
        forms={
            "race": np.where(race == "white", "white", "non-white").astype(object),
            "race_raw": race,
        },
        ordinal=("fam_inc",),
    )
