"""What the head and the score barycenter share: whose row it is, and scores no row had a hand in.

Thresholds fitted on scores of rows that the scorer was trained on are thresholds of another law:
training scores are too sure. So the scorer is fitted on each part of the rows less one fold, and
scores the fold. New rows get the mean over these scorers, or a scorer refitted on all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from infounlearn.errors import InputError, Problems, is_number
from infounlearn.feature.columns import Layout, MixedTable
from infounlearn.feature.frames import Frame, check_fitted_columns, read_frame, resolve
from infounlearn.feature.keys import content_keys, joined_keys
from infounlearn.feature.sensitive import SensitiveGroups, encode_sensitive
from infounlearn.math import row_noise

Score = Callable[[Any, Any], np.ndarray]
"""(fitted estimator, X) → (n,) or (n, K) scores."""


def check_scorer(problems: Problems, estimator: object, cv: object, random_state: object) -> None:
    """Add what is wrong with the settings that every method here has."""
    problems.require(
        hasattr(estimator, "fit") and hasattr(estimator, "predict"),
        f"estimator is {type(estimator).__name__}",
        fix="pass a classifier or regressor of scikit-learn's shape",
    )
    folds = (isinstance(cv, str) and cv == "prefit") or (is_number(cv, whole=True) and cv >= 2)  # type: ignore[operator]
    problems.require(folds, f"cv is {cv!r}", fix="pass a number of folds from 2, or 'prefit'")
    problems.require(
        random_state is None or is_number(random_state, whole=True),
        f"random_state is {random_state!r}",
        fix="pass an integer, or None for fresh randomness",
    )


def fresh_seed(random_state: int | None) -> int:
    """The seed itself, or one from the system where none is given."""
    return int(np.random.SeedSequence().entropy) if random_state is None else int(random_state)  # type: ignore[arg-type]


def as_table(X: Any, where: str) -> Any:
    """X itself, or an array of what can only be made one; an error where it is no table."""
    if not hasattr(X, "shape") and hasattr(X, "__array__"):
        X = np.asarray(X)
    shape = np.shape(X)
    problems = Problems(where)
    problems.require(
        len(shape) == 2,
        f"Expected 2D array, X has shape {shape}",
        fix="Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row",
    )
    problems.require(
        len(shape) != 2 or shape[1] > 0,
        f"X has 0 feature(s) (shape={shape}) while a minimum of 1 is required.",
        fix="pass a table with columns",
    )
    problems.raise_if_any()
    return X


def split_table(
    X: Any, columns: object, sensitive: object, drop: bool, where: str, width: int | None = None
) -> tuple[Any, Any]:
    """X as the scorer sees it, and the sensitive values; None where there are none.

    Args:
        X: the table.
        columns: sensitive columns of X, or None.
        sensitive: values passed beside X, or None.
        drop: whether the scorer must not see the columns.
        where: who asks.
        width: columns of the table in fit; one narrower by the sensitive ones has them left out.
    """
    problems = Problems(where)
    if columns is None:
        return X, sensitive
    problems.require(
        sensitive is None,
        "sensitive is a column of X and is passed as well",
        fix="pass one of them",
    )
    frame = read_frame(X, problems)
    problems.raise_if_any()
    if frame is None:
        raise InputError(f"{where}: X is no table: pass sensitive= beside it")
    if drop and width is not None and len(frame.names) == width - how_many(columns):
        return X, None
    places = resolve(frame, columns, "sensitive", problems)
    problems.raise_if_any()
    values = [frame.column(at) for at in places]
    z = values[0] if len(values) == 1 else np.column_stack([v.astype(object) for v in values])
    return (_without(X, frame, places) if drop else X), z


def how_many(columns: object) -> int:
    """Number of columns named."""
    if columns is None:
        return 0
    return len(columns) if isinstance(columns, list | tuple) else 1


def group_rows(
    z: object, size: int, where: str, *, missing: str, min_count: int, bins: Any
) -> SensitiveGroups:
    """Groups of fitted rows; an error where there are no values or too few."""
    if z is None:
        raise InputError(
            f"{where}: there is no sensitive attribute: pass sensitive=values to fit (with "
            ".set_fit_request(sensitive=True) inside a pipeline), or name its columns of X"
        )
    groups = encode_sensitive(z, where=where, missing=missing, min_count=min_count, bins=bins)  # type: ignore[arg-type]
    if len(groups.codes) != size:
        raise InputError(
            f"{where}: sensitive has {len(groups.codes)} rows, X {size}: pass one value per row"
        )
    return groups


def encode_rows(groups: SensitiveGroups, z: object, size: int, where: str) -> np.ndarray:
    """Groups of new rows."""
    if z is None:
        raise InputError(
            f"{where}: this method was fitted to know the group of each row, and there is none: "
            "pass sensitive= (by metadata routing inside a pipeline)"
            + (", or fit with mode='blind'" if where == "ParityHead" else "")
        )
    codes = groups.encode(z, where=where)
    if len(codes) != size:
        raise InputError(f"{where}: sensitive has {len(codes)} rows, X {size}: pass one per row")
    return codes


def row_uniforms(X: Any, keys: object, seed: int, where: str) -> np.ndarray:
    """(n,) ξ in [0, 1): a function of the seed, the content of the row and its key or index."""
    problems = Problems(where)
    frame = read_frame(as_table(X, where), problems)
    problems.raise_if_any()
    if frame is None:
        raise InputError(f"{where}: X is no table: its rows cannot be named")
    numeric = [at for at in range(len(frame.names)) if frame.is_number(at)]
    columns = [np.asarray(frame.column(at), dtype=np.float64) for at in numeric]
    block = np.column_stack(columns) if columns else np.zeros((len(frame), 0))
    empty = np.zeros((len(frame), 0), dtype=np.int64)
    names = content_keys(MixedTable(block, empty, Layout(frame.names, ())))
    for at in sorted(set(range(len(frame.names))) - set(numeric)):
        names = joined_keys(names, np.asarray(frame.column(at), dtype=object))
    given = frame.index if keys is None else np.asarray(keys)
    if given is not None:
        problems.require(
            given.shape == names.shape,
            f"keys have shape {given.shape} for {len(names)} rows",
            fix="pass one key per row, such as its index",
        )
        problems.raise_if_any()
        names = joined_keys(names, given)
    return row_noise(seed, names)


def folds_of(cells: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(n,) fold of each row: every cell is spread evenly over the folds, at random."""
    shuffled = np.random.default_rng(seed).permutation(len(cells))
    order = shuffled[np.argsort(cells[shuffled], kind="stable")]
    folds = np.empty(len(cells), dtype=np.int64)
    folds[order] = np.arange(len(cells)) % count
    return folds


def cross_fit(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    cells: np.ndarray,
    score: Score,
    *,
    cv: int | Literal["prefit"],
    ensemble: bool,
    seed: int,
    n_jobs: int | None,
    where: str,
) -> tuple[np.ndarray, list[Any]]:
    """Scores of the fitted rows by scorers that did not see them, and the scorers of new rows.

    Args:
        estimator: cloned for each fold; used as it is where ``cv`` is "prefit".
        X: table.
        y: (n,) targets.
        cells: (n,) strata of the folds.
        score: how a fitted estimator scores rows.
        cv: number of folds, or "prefit".
        ensemble: keep the scorers of the folds; else one is refitted on all rows.
        seed: of the folds.
        n_jobs: as in joblib.
        where: who asks.
    """
    from joblib import Parallel, delayed
    from sklearn.base import clone
    from sklearn.utils import _safe_indexing
    from sklearn.utils.validation import check_is_fitted

    if cv == "prefit":
        check_is_fitted(estimator)
        return score(estimator, X), [estimator]
    if len(y) < cv:
        raise InputError(f"{where}: n_samples={len(y)} rows for {cv} folds: pass more, or fewer cv")
    folds = folds_of(cells, cv, seed)

    def run(fold: int) -> tuple[np.ndarray, Any]:
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        fitted = clone(estimator).fit(_safe_indexing(X, inside), y[inside])
        return score(fitted, _safe_indexing(X, outside)), fitted

    done = Parallel(n_jobs=n_jobs)(delayed(run)(fold) for fold in range(cv))
    scores = np.empty((len(y), *done[0][0].shape[1:]))
    for fold, (part, _) in enumerate(done):
        scores[folds == fold] = part
    models = [model for _, model in done] if ensemble else [clone(estimator).fit(X, y)]
    return scores, models


def mean_score(models: Sequence[Any], X: Any, score: Score) -> np.ndarray:
    """Mean score over the scorers; that of one scorer is its own, to the last bit."""
    total = score(models[0], X)
    for model in models[1:]:
        total = total + score(model, X)
    return total / len(models) if len(models) > 1 else total


def note_features(head: Any, X: Any, *, reset: bool, narrower: int = 0) -> None:
    """Remember the columns of X, or check that they are those of fit (or ``narrower`` fewer)."""
    from sklearn.utils.validation import validate_data

    if not reset and narrower and np.shape(X)[1:] == (head.n_features_in_ - narrower,):
        return
    if not reset:
        check_fitted_columns(head, X, type(head).__name__)
        return
    validate_data(head, X, skip_check_array=True)


def _without(X: Any, frame: Frame, places: tuple[int, ...]) -> Any:
    kept = [at for at in range(len(frame.names)) if at not in places]
    if frame.matrix is not None:
        return frame.matrix[:, kept]
    return frame.native.select([frame.names[at] for at in kept]).to_native()
