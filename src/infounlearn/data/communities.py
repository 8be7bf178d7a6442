"""Communities and Crime (Redmond, UCI; CC BY 4.0): violent crimes per head in 1,994 communities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infounlearn.data.assemble import assemble
from infounlearn.data.sources import Source, fetch
from infounlearn.data.tabular import TableData

_HOST = "https://archive.ics.uci.edu/ml/machine-learning-databases/communities/"
_SHA256 = {
    "communities.data": "d90d85bd66bad9a00fa0ed6c15ac017b5966d528e55ba2940ad028d071353f95",
    "communities.names": "5357bb07e8931646b889db85ecda2cbdbcfd2e6460f24055beceb1afbf842095",
}
SOURCES = {
    file: Source("communities", file, digest, (_HOST + file,)) for file, digest in _SHA256.items()
}

_NAMED = {"state", "county", "community", "communityname", "fold"}
_RACES = {"racepctblack", "racePctWhite", "racePctAsian", "racePctHisp"}
_TARGET = "ViolentCrimesPerPop"
_SHARE = 0.3


def load_communities(
    data_home: str | Path | None = None, *, sensitive: str | Sequence[str] = ("race",)
) -> TableData:
    """1,994 rows and 96 columns, all scaled to [0, 1] at the source; a regression.

    As in Xu & Strohmer (JMLR 2023): the five columns that name a community, the four of its races
    and the 22 with gaps are left out, and the one missing value of ``OtherPerCap`` is the mean of
    the others. Ids are positions in the file.

    Args:
        data_home: see :func:`~infounlearn.data.sources.data_folder`.
        sensitive: "race" is whether ``racepctblack`` is 0.3 or more (419 rows), "racepctblack"
            the scaled share itself; or any column; what is not named stays a column.

    Raises:
        InputError: a file is absent and cannot be downloaded or is not the published one, or
            ``sensitive`` is unknown.
    """
    paths = {file: fetch(source, data_home) for file, source in SOURCES.items()}
    # Lines above this heading begin with dashes too, and name people.
    _, _, described = paths["communities.names"].read_text("utf-8").partition("Attribute Info")
    names = [
        line.split(":")[0].removeprefix("-- ")
        for line in described.splitlines()
        if line.startswith("-- ")
    ]
    rows = [line.split(",") for line in paths["communities.data"].read_text("utf-8").splitlines()]
    values = {
        name: np.array([np.nan if row[place] == "?" else float(row[place]) for row in rows])
        for place, name in enumerate(names)
        if name not in _NAMED
    }
    other = values["OtherPerCap"]
    other[np.isnan(other)] = np.nanmean(other)
    share, target = values["racepctblack"], values.pop(_TARGET)
    return assemble(
        "communities",
        {
            name: column
            for name, column in values.items()
            if name not in _RACES and not np.isnan(column).any()
        },
        target=target,
        target_name=_TARGET,
        task="regression",
        ids=np.arange(len(rows)),
        sensitive=sensitive,
        forms={
            "race": np.where(share >= _SHARE, "black share high", "other").astype(object),
            "racepctblack": share,
        },
    )
