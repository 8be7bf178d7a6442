"""Scores without Z: the barycenter of a model's own predictions, for regression and ranking."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_y, _num_samples, check_is_fitted

from infounlearn.errors import Problems
from infounlearn.feature.scoring import (
    as_table,
    check_scorer,
    cross_fit,
    encode_rows,
    fresh_seed,
    group_rows,
    how_many,
    mean_score,
    note_features,
    row_uniforms,
    split_table,
)
from infounlearn.math.barycenter_1d import LineBarycenter, fit_line_barycenter
from infounlearn.math.decision_curve import check_tolerance
from infounlearn.math.kolmogorov_barycenter import KolmogorovBarycenter
from infounlearn.math.line_laws import check_amount

__all__ = ["ScoreBarycenter"]


class ScoreBarycenter(MetaEstimatorMixin, BaseEstimator):
    """Predictions of any model, moved as little as possible until groups share one law.

    The score f(x) of each group is carried to the Wasserstein-2 barycenter of the groups' laws by
    its randomised rank. Of all scores that are functions of (f, Z) and independent of Z none is
    nearer to f in mean square; where f = E(Y|X,Z), none has a smaller mean squared error (Chzhen et
    al. 2020; Le Gouic et al. 2020). Two dials to less than that:

    ``tolerance``: the nearest score whose groups are within that Kolmogorov distance of each other:
    demographic parity within it *at every threshold*. Exact at every value
    (:class:`infounlearn.math.kolmogorov_barycenter.KolmogorovBarycenter`).
    ``amount``: McCann's interpolation (1-t)f + t f̄, the nearest for a bound on Wasserstein-2
    distance from the barycenter, to which it is proportional.

    A regressor has ``predict``. A classifier has ``predict_proba``, the moved probabilities, and
    ``predict``, their largest. With more than two classes the probability of each is moved on its
    own and rows are scaled to sum to one: each moved column alone is independent of Z, which is
    *not claimed* of the scaled rows, nor of the largest. Use :class:`ParityHead` for decisions.

    Independence holds in the fitted rows (out of fold) exactly over the random ranks, and for new
    rows up to the error of the estimated laws, about sqrt(1/n_z): audit on fresh rows. Law of one
    score: a model that uses both the score and X may still tell Z.

    Args:
        estimator: regressor or classifier; the scorer.
        amount: t in [0, 1]; 0 returns the model's own predictions bit for bit.
        tolerance: None, or the Kolmogorov bound in [0, 1] instead of ``amount``, left at 1.
        sensitive: column(s) of X that are Z, by name or position; or None, and Z is passed to
            ``fit`` and ``predict`` as ``sensitive=``.
        drop_sensitive: whether these columns are hidden from the scorer. A scorer that sees them
            is nearer to E(Y|X,Z), which is what makes the result optimal.
        cv: folds of the out-of-fold scores, or "prefit": the estimator is fitted, on other rows.
        ensemble: predict by the mean of the folds' models; else by one refitted on all rows.
        missing: "error", or "group": missing Z are a group.
        min_group: least rows per group.
        bins: as in :func:`infounlearn.feature.encode_sensitive`, for continuous Z.
        random_state: integer, or None for fresh randomness.
        n_jobs: folds in parallel, as in joblib.

    Attributes:
        groups_: the fitted groups.
        lines_: per moved score (one, or one per class of several) its fitted barycenter.
        models_: the scorers whose mean scores new rows.
        value_: least mean squared change at amount 1, summed over moved scores.
        seed_: of the noise.
    """

    def __init__(
        self,
        estimator: Any,
        amount: float = 1.0,
        *,
        tolerance: float | None = None,
        sensitive: Any = None,
        drop_sensitive: bool = False,
        cv: int | Literal["prefit"] = 5,
        ensemble: bool = True,
        missing: Literal["error", "group"] = "error",
        min_group: int = 2,
        bins: int | Literal["auto"] | None = None,
        random_state: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.amount = amount
        self.tolerance = tolerance
        self.sensitive = sensitive
        self.drop_sensitive = drop_sensitive
        self.cv = cv
        self.ensemble = ensemble
        self.missing = missing
        self.min_group = min_group
        self.bins = bins
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> ScoreBarycenter:
        """Fit the scorer and the law of its out-of-fold scores in each group.

        Args:
            X: (n, d) table that the estimator takes.
            y: (n,) target.
            sensitive: (n,) or (n, k) values of Z; several columns are crossed.

        Raises:
            InputError: settings out of range, no Z, a group too small, or lengths that differ.
        """
        where = type(self).__name__
        problems = Problems(where)
        check_scorer(problems, self.estimator, self.cv, self.random_state)
        check_amount(problems, self.amount)
        if self.tolerance is not None:
            check_tolerance(problems, self.tolerance)
            problems.require(
                self.amount == 1.0, "amount and tolerance are both set", fix="set one of the dials"
            )
        problems.raise_if_any()
        X = as_table(X, where)
        seen, z = split_table(X, self.sensitive, sensitive, self.drop_sensitive, where)
        target = _check_y(y, estimator=self)
        size = _num_samples(X)
        problems.require(
            len(target) == size, f"y has {len(target)} rows, X {size}", fix="pass one per row"
        )
        problems.raise_if_any()
        groups = group_rows(
            z, size, where, missing=self.missing, min_count=self.min_group, bins=self.bins
        )
        note_features(self, X, reset=True)
        self.seed_ = fresh_seed(self.random_state)
        cells = groups.codes
        if is_classifier(self.estimator):
            self.classes_, codes = np.unique(target, return_inverse=True)
            cells = cells * len(self.classes_) + codes
        scores, self.models_ = cross_fit(
            self.estimator,
            seen,
            target,
            cells,
            self._score,
            cv=self.cv,
            ensemble=self.ensemble,
            seed=self.seed_,
            n_jobs=self.n_jobs,
            where=where,
        )
        self.lines_: list[LineBarycenter] = [
            fit_line_barycenter(column, groups.codes) for column in scores.T
        ]
        self.value_ = float(sum(line.value for line in self.lines_))
        self.groups_ = groups.without_rows()
        return self

    def predict(self, X: Any, sensitive: Any = None, keys: Any = None) -> np.ndarray:
        """Moved predictions of a regressor; of a classifier the class of largest moved score.

        Args:
            X: (n, d) table.
            sensitive: (n,) or (n, k) values of Z, unless they are columns of X.
            keys: (n,) names of the rows. A row's random rank is a hash of its content, its name (by
                default its index in a pandas frame) and the seed: never of its batch. Rows of equal
                content and no other name share it.

        Returns:
            (n,) numbers or labels.

        Raises:
            InputError: no Z, groups that were not fitted, or lengths that differ.
        """
        moved = self._moved(X, sensitive, keys)
        if not is_classifier(self.estimator):
            return moved[:, 0]
        return self.classes_[_proba(moved).argmax(axis=1)]

    @available_if(lambda self: is_classifier(self.estimator))
    def predict_proba(self, X: Any, sensitive: Any = None, keys: Any = None) -> np.ndarray:
        """(n, K) moved probabilities of a classifier; arguments as :meth:`predict`."""
        return _proba(self._moved(X, sensitive, keys))

    def score(self, X: Any, y: Any, sensitive: Any = None, keys: Any = None) -> float:
        """R² of a regressor, accuracy of a classifier; arguments as :meth:`predict`."""
        from sklearn.metrics import accuracy_score, r2_score

        measure = accuracy_score if is_classifier(self.estimator) else r2_score
        return float(measure(y, self.predict(X, sensitive=sensitive, keys=keys)))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import get_tags

        tags = super().__sklearn_tags__()
        own = get_tags(self.estimator)
        tags.estimator_type = own.estimator_type
        tags.classifier_tags = own.classifier_tags
        tags.regressor_tags = own.regressor_tags
        tags.target_tags.required = True
        # Moved scores of separable classes err on purpose: parity has a price.
        for kind in (tags.classifier_tags, tags.regressor_tags):
            if kind is not None:
                kind.poor_score = True
        return tags

    def _score(self, fitted: Any, X: Any) -> np.ndarray:
        """(n, 1) score, or (n, K) of more than two classes."""
        if not is_classifier(self.estimator):
            return np.asarray(fitted.predict(X), dtype=np.float64).reshape(-1, 1)
        table = np.asarray(fitted.predict_proba(X), dtype=np.float64)
        return table[:, 1:] if table.shape[1] == 2 else table

    def _moved(self, X: Any, sensitive: Any, keys: Any) -> np.ndarray:
        check_is_fitted(self, "lines_")
        where = type(self).__name__
        hidden = how_many(self.sensitive) * self.drop_sensitive
        X = as_table(X, where)
        note_features(self, X, reset=False, narrower=hidden)
        seen, z = split_table(
            X, self.sensitive, sensitive, self.drop_sensitive, where, self.n_features_in_
        )
        scores = mean_score(self.models_, seen, self._score)
        if self.tolerance is None and self.amount == 0.0:
            return scores
        codes = encode_rows(self.groups_, z, len(scores), where)
        columns = []
        for stream, (line, column) in enumerate(zip(self.lines_, scores.T, strict=True)):
            noise = row_uniforms(X, keys, self.seed_ + stream, where)
            if self.tolerance is None:
                moved = line.transport(column, codes, amount=self.amount, noise=noise)
            else:
                relaxed = KolmogorovBarycenter(line, self.tolerance)
                moved = relaxed.transport(column, codes, noise=noise)
            columns.append(moved)
        return np.column_stack(columns)


def _proba(moved: np.ndarray) -> np.ndarray:
    if moved.shape[1] == 1:
        return np.column_stack((1.0 - moved[:, 0], moved[:, 0]))
    total = moved.sum(axis=1, keepdims=True)
    # A row whose every moved probability is 0 says nothing about its class.
    return np.where(total > 0, moved / np.where(total > 0, total, 1.0), 1.0 / moved.shape[1])
