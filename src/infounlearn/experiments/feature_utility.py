"""What the released table is still good for: a boosted-tree model of the target, before and after.

Both tables are read by the same folds of the audited rows, so that every row is predicted by a
model that never saw it, and differences are those of the rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from infounlearn.audit.feature.columns import Table, read_table
from infounlearn.errors import Problems
from infounlearn.interface import Finding, Verdict
from infounlearn.math import auc, bootstrap_interval, information_null

__all__ = ["USEFUL", "target_finding", "utility_findings", "utility_verdict"]

RESAMPLES = 499
USEFUL = "Can the target still be predicted from what is released?"
BINS = 8
"""Quantile bins of a numeric target for what it tells of the feature by itself."""
Statistic = Callable[[np.ndarray, np.ndarray], float]
Measure = tuple[str, str, str, Statistic, float, str]
"""Name, title, unit, statistic, what chance gives, and that in words."""


def utility_findings(
    before: Any,
    after: Any,
    y: np.ndarray,
    *,
    task: str,
    categorical: Sequence[str] = (),
    folds: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Finding]:
    """Accuracy and, of two classes, AUROC; or R² and mean squared error. All measured.

    Args:
        before, after: the same rows as frames.
        y: (n,) target without missing cells.
        task: "classification" or "regression".
        categorical: numeric columns that are categories.
        folds: of the cross-validation.
        confidence: of the intervals, which resample rows and hold the models fixed.
        seed: of folds, models and resampling.
    """
    problems = Problems("utility")
    chosen = list(categorical)
    tables = [read_table(problems, "the table", data, chosen) for data in (before, after)]
    problems.raise_if_any()
    classes = np.unique(y) if task == "classification" else None
    codes = y.astype(np.float64) if classes is None else np.searchsorted(classes, y)
    dealt = _deal(codes, classes, folds, seed)
    old, new = (_predict(table, codes, classes, dealt, seed) for table in tables)
    found = []
    for name, title, unit, statistic, chance, base in _measures(codes, classes):

        def at(rows: np.ndarray, scores: np.ndarray, how: Statistic = statistic) -> float:
            return how(codes[rows], scores[rows])

        rows = np.arange(len(codes))
        options: dict[str, Any] = {
            "confidence": confidence,
            "resamples": RESAMPLES,
            "seed": np.random.default_rng([seed, 31]),
        }
        interval = bootstrap_interval(lambda r, at=at: at(r, new), rows, **options)
        change = bootstrap_interval(lambda r, at=at: at(r, new) - at(r, old), rows, **options)
        found.append(
            Finding(
                name=f"utility/{name}",
                title=f"{title} of a boosted-tree model of the target",
                value=at(rows, new),
                unit=unit,
                interval=interval,
                confidence=confidence,
                n={"audited": len(codes)},
                original=at(rows, old),
                floor=chance,
                note=f"Change {at(rows, new) - at(rows, old):+.4f} "
                f"[{change[0]:+.4f}, {change[1]:+.4f}]. {base} Models are trained in {folds} folds "
                "of the audited rows; intervals resample rows.",
            )
        )
    return found


def utility_verdict(findings: Sequence[Finding]) -> Verdict:
    """Kept where the model is better than chance beyond doubt, lost where it is not.

    Args:
        findings: those of :func:`utility_findings`; the last but "mse" decides, which is AUROC
            where there are two classes.
    """
    one = [finding for finding in findings if finding.name != "utility/mse"][-1]
    value, old, chance = one.value or 0.0, one.original or 0.0, one.floor or 0.0
    low, high = one.interval or (value, value)
    what = one.title.split(" of ")[0]
    told = (
        f"{what} {value:.4f} [{low:.4f}, {high:.4f}] after, {old:.4f} before; chance {chance:.4f}"
    )
    names = tuple(finding.name for finding in findings)
    if low > chance:
        return Verdict(USEFUL, "kept", f"Better than chance: {told}.", names)
    if old <= chance:
        reason = f"The model did not predict it before either: {told}."
        return Verdict(USEFUL, "inconclusive", reason, names)
    if high <= chance or value <= chance:
        return Verdict(USEFUL, "lost", f"No better than chance: {told}.", names)
    return Verdict(USEFUL, "inconclusive", f"Not clearly better than chance: {told}.", names)


def target_finding(
    y: np.ndarray, z: np.ndarray, *, task: str, name: str, permutations: int, seed: int
) -> Finding:
    """What the target, which is released as it is, tells of the feature by itself.

    Args:
        y: (n,) target without missing cells.
        z: (n,) groups 0..m-1.
        task: a regression's target is cut into quantile bins.
        name: of the target.
        permutations, seed: of the null.
    """
    from infounlearn.audit.feature.information import plug_in

    if task == "regression":
        edges = np.unique(np.quantile(y.astype(np.float64), np.arange(1, BINS) / BINS))
        codes = np.searchsorted(edges, y.astype(np.float64), side="right")
    else:
        codes = np.unique(y, return_inverse=True)[1].reshape(-1)
    null = information_null(codes, z, permutations=permutations, seed=seed)
    return Finding(
        name="kept/target",
        title=f"Information between the unchanged column {name} and the feature",
        value=plug_in(codes, z, None, None),
        unit="nats",
        n={"audited": len(codes)},
        null=null,
        floor=null.mean,
        original=plug_in(codes, z, None, None),
        note="The target is released as it is: this stays, whatever becomes of the features. "
        "Plug-in value: read it against its null.",
    )


def _measures(codes: np.ndarray, classes: np.ndarray | None) -> list[Measure]:
    """What is measured of a target."""
    if classes is None:
        spread = float(codes.var())
        return [
            ("r2", "R²", "", _r2, 0.0, "Predicting the mean gives 0."),
            ("mse", "Mean squared error", "", _mse, spread, f"The mean gives {spread:.4g}."),
        ]
    most = float(np.bincount(codes).max() / len(codes))
    told = f"Always the commonest class gives {most:.4f}."
    found: list[Measure] = [("accuracy", "Accuracy", "accuracy", _accuracy, most, told)]
    if len(classes) == 2:
        found.append(("auroc", "AUROC", "AUC", _auroc, 0.5, "One half is guessing."))
    return found


def _accuracy(codes: np.ndarray, scores: np.ndarray) -> float:
    return float((scores.argmax(axis=1) == codes).mean())


def _auroc(codes: np.ndarray, scores: np.ndarray) -> float:
    odds = scores[:, 1] - scores[:, 0]
    # A resample may lack a class only where one is all but absent.
    return float(auc(odds[codes == 1], odds[codes == 0])) if 0 < codes.sum() < len(codes) else 0.5


def _mse(codes: np.ndarray, scores: np.ndarray) -> float:
    return float(((codes - scores[:, 0]) ** 2).mean())


def _r2(codes: np.ndarray, scores: np.ndarray) -> float:
    return 1.0 - _mse(codes, scores) / float(codes.var())


def _deal(codes: np.ndarray, classes: np.ndarray | None, folds: int, seed: int) -> np.ndarray:
    """(n,) fold of each row: classes are dealt out evenly, numbers by their rank."""
    rng = np.random.default_rng([seed, 30])
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    dealt = np.empty(len(codes), dtype=np.int64)
    for start in range(0, len(order), folds):
        part = order[start : start + folds]
        dealt[part] = rng.permutation(folds)[: len(part)]
    return dealt


def _predict(
    table: Table, codes: np.ndarray, classes: np.ndarray | None, dealt: np.ndarray, seed: int
) -> np.ndarray:
    """(n, classes or 1) out-of-fold probabilities, or predicted numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    matrix, native = table.for_trees()
    scores = np.zeros((len(codes), 1 if classes is None else len(classes)))
    for fold in np.unique(dealt):
        train, held = dealt != fold, dealt == fold
        kind = HistGradientBoostingRegressor if classes is None else HistGradientBoostingClassifier
        # Sklearn's own settings, but for a class of one row, which early stopping cannot split.
        model = kind(
            categorical_features=native if native.any() else None,
            early_stopping=False,
            random_state=seed,
        )
        model.fit(matrix[train], codes[train])
        if classes is None:
            scores[held, 0] = model.predict(matrix[held])
        else:
            scores[np.ix_(held, model.classes_)] = model.predict_proba(matrix[held])
    return scores
