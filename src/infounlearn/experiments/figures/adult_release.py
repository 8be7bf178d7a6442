"""``figure adult-release``: the Adult table without sex, released in several ways, probed afresh.

The protocol of our reference table: 101 one-hot columns without sex, rows fitted and rows held out
at random. A boosted-tree probe for sex is trained *inside* the held-out released rows by
cross-validation, beside the same probe with shuffled sexes (its floor), and a boosted-tree model of
the income is trained on the fitted rows as released and tested on the held-out ones. Where the
release kernels are known, the information is bounded on the held-out rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed

from infounlearn.data import TableData, load_adult
from infounlearn.experiments.figures import adult_release_drawing
from infounlearn.experiments.figures.result import (
    FigureResult,
    Progress,
    Story,
    check_folder,
    write,
)
from infounlearn.math import certify_information

NAME = "adult-release"
SENSITIVE = "sex"

RELEASES: dict[str, Any] = {
    "as it is": None,
    "affine barycenter": {"method": "gaussian"},
    "rows": {"engine_options": {"release": "rows"}},
    "atoms": {"engine_options": {"release": "atoms"}},
    "atoms, target known": {"use_target": True},
}
"""Settings of WassersteinBarycenter by what the figure calls the release; None: no transform."""

AFFINE_JITTER = 1e-6
"""Variance, in units of that of each column, that an affine map needs where a group has none."""


@dataclass(frozen=True)
class Design:
    """Size of the comparison: (fitted, held out, splits) of each protocol."""

    sizes: tuple[tuple[int, int, int], ...] = ((6_000, 6_000, 3), (36_000, 9_222, 1))
    shuffles: int = 5
    releases: tuple[str, ...] = tuple(RELEASES)
    options: Mapping[str, Any] | None = None


FULL = Design()
QUICK = Design(
    sizes=((1_500, 1_500, 1),),
    shuffles=1,
    releases=("as it is", "rows"),
    options={"networks": 1, "hidden": 64, "steps": 300},
)


def run(
    quick: bool, out: Path, seed: int, progress: Progress | None = None, workers: int | None = None
) -> FigureResult:
    """Release, probe and write the figure to ``out``.

    Args:
        quick: one small split and two releases; not the reference protocol.
        out: folder of the files.
        seed: of splits, releases and shuffles.
        progress: called after every release.
        workers: processes; None: one per core.

    Raises:
        InputError: the folder cannot be written, or Adult is neither here nor to be downloaded.
    """
    check_folder(out, seed)
    design = QUICK if quick else FULL
    data = load_adult(sensitive=SENSITIVE)
    jobs = [
        (name, size, split)
        for size in design.sizes
        for split in range(size[2])
        for name in design.releases
    ]
    calls = (delayed(_cell)(data, *job, design, seed) for job in jobs)
    rows: list[dict[str, Any]] = []
    processes = min(workers or cpu_count(), len(jobs))
    found = Parallel(n_jobs=processes, return_as="generator")(calls)
    for done, row in enumerate(found, 1):
        rows.append(row)
        if progress is not None:
            progress(
                done, len(jobs), f"{row['release']}, {row['fitted']} rows, split {row['split']}"
            )
    story = Story(
        NAME,
        quick,
        seed,
        rows,
        _table(rows),
        _notes(rows),
        {
            "sizes": [list(size) for size in design.sizes],
            "shuffles": design.shuffles,
            "releases": {name: RELEASES[name] for name in design.releases},
            "options": dict(design.options or {}),
        },
        {data.name: data.sha256()},
    )
    with adult_release_drawing.draw(rows, quick) as drawing:
        return write(story, drawing, out)


def _cell(
    data: TableData,
    name: str,
    size: tuple[int, int, int],
    split: int,
    design: Design,
    seed: int,
) -> dict[str, Any]:
    """One release of one split, with everything measured on it."""
    from sklearn.metrics import roc_auc_score

    fitted, held, _ = size
    order = np.random.default_rng([seed, split]).permutation(len(data.target))
    inside, outside = order[:fitted], order[fitted : fitted + held]
    matrix, _ = data.matrix()
    z, y = data.sensitive[SENSITIVE], data.target
    shown, new, kernels, facts = _released(matrix, y, z, inside, outside, name, design, seed)
    model = _trees().fit(shown, y[inside])
    score = model.predict_proba(new)[:, 1]
    accepted = score > 0.5
    groups = (z[outside] == np.unique(z)[1]).astype(np.int64)
    bits, area = _probe(new, groups)
    shuffle = np.random.default_rng([seed, split, 1])
    nulls = [_probe(new, shuffle.permutation(groups))[0] for _ in range(design.shuffles)]
    bound = None
    if kernels is not None:
        bound = certify_information(kernels, groups, kind="kernels").upper
    return {
        "release": name,
        "fitted": fitted,
        "held_out": held,
        "split": split,
        "bits": bits,
        "null_mean": float(np.mean(nulls)),
        "null_largest": float(np.max(nulls)),
        "probe_auroc": area,
        "certified_bits": "" if bound is None else bound / np.log(2.0),
        "accuracy": float(np.mean(accepted == y[outside])),
        "auroc": float(roc_auc_score(y[outside], score)),
        "parity_gap": float(abs(accepted[groups == 1].mean() - accepted[groups == 0].mean())),
        "facts": " ".join(f"{key}={value:.4g}" for key, value in facts.items()),
    }


def _released(
    matrix: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    name: str,
    design: Design,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, Mapping[str, float]]:
    """Fitted and held-out rows as released, the kernels of the held-out ones, and the facts."""
    import warnings

    from infounlearn.feature.barycenter import WassersteinBarycenter
    from infounlearn.feature.policies import FeatureWarning

    if RELEASES[name] is None:
        return matrix[inside], matrix[outside], None, {}
    settings: dict[str, Any] = dict(RELEASES[name])
    if settings.get("method") == "gaussian":
        spread = matrix[inside].std(0)
        matrix = (matrix - matrix[inside].mean(0)) / np.where(spread > 0, spread, 1.0)
        settings["jitter"] = AFFINE_JITTER
    if design.options:
        settings["engine_options"] = {**settings.get("engine_options", {}), **design.options}
    with warnings.catch_warnings():
        # Known here, and part of what the figure shows: copies of rows, moments of categories.
        warnings.simplefilter("ignore", FeatureWarning)
        transformer = WassersteinBarycenter(
            max_rows=len(inside), unseen_categories="other", random_state=seed, **settings
        )
        known = y[inside] if settings.get("use_target") else None
        transformer.fit(matrix[inside], known, sensitive=z[inside])
    # Rows are named: copies of a row draw noise of their own.
    shown = transformer.transform(matrix[inside], sensitive=z[inside], keys=inside)
    new = transformer.transform(matrix[outside], sensitive=z[outside], keys=outside)
    kernels = transformer.release_kernels(matrix[outside], sensitive=z[outside])
    return shown, new, kernels, transformer.facts_


def _trees() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0)


def _probe(x: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Bits about the group and its AUROC, by trees cross-validated inside these rows."""
    from sklearn.metrics import log_loss, roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    belief = cross_val_predict(_trees(), x, groups, cv=folds, method="predict_proba")[:, 1]
    share = groups.mean()
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    bits = (entropy - log_loss(groups, belief)) / np.log(2.0)
    return float(bits), float(roc_auc_score(groups, belief))


COLUMNS = (
    ("bits", "bits on sex"),
    ("null_mean", "shuffled"),
    ("null_largest", "largest shuffled"),
    ("probe_auroc", "probe AUROC"),
    ("certified_bits", "certified bits"),
    ("accuracy", "accuracy"),
    ("auroc", "AUROC"),
    ("parity_gap", "parity gap"),
)


def _table(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Mean over splits, and ± one sd where there are several."""
    table = [["release", "rows fitted", *(title for _, title in COLUMNS)]]
    for fitted, name in dict.fromkeys((row["fitted"], row["release"]) for row in rows):
        mine = [row for row in rows if (row["fitted"], row["release"]) == (fitted, name)]
        table.append([name, f"{fitted:,}", *(_spread(mine, key) for key, _ in COLUMNS)])
    return table


def _spread(rows: list[dict[str, Any]], key: str) -> str:
    values = [row[key] for row in rows if row[key] != ""]
    if not values:
        return "–"
    middle = f"{np.mean(values):.3f}"
    return f"{middle} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else middle


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    held = ", ".join(f"{count:,}" for count in dict.fromkeys(row["held_out"] for row in rows))
    return [
        f"Held out: {held} rows. Bits: entropy of sex less the cross-entropy of a boosted-tree "
        "probe trained inside the held-out released rows; below zero it is worse than knowing "
        "nothing. 'Shuffled' is the same probe with shuffled sexes: its floor.",
        "Certified: with confidence 95 %, at most this many bits in any released row, however it "
        "is read (fresh rows, release kernels known). No bound exists for the other releases.",
        "Accuracy and AUROC: boosted trees for the income, trained on fitted rows as released.",
    ]
