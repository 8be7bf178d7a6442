"""A head over any classifier: the most useful decisions within a bound on parity."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, _num_samples, check_is_fitted

from infounlearn.errors import Problems
from infounlearn.feature.decision_rules import (
    blind_law,
    check_choices,
    cut_of,
    draw,
    extremes,
    fit_rule,
    joint_law,
    kept_scores,
    positive_class,
    probabilities,
    worth_of,
)
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
from infounlearn.math.barycenter_1d import fit_line_barycenter
from infounlearn.math.decision_curve import check_tolerance
from infounlearn.math.decision_lp import Constraint
from infounlearn.math.kolmogorov_barycenter import KolmogorovBarycenter

__all__ = ["ParityHead"]


class ParityHead(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Randomised decisions of largest expected utility among those within a parity bound.

    The scorer's probabilities are taken as P(Y | x), and the rule is the exact optimum for them: by
    one sort for two classes and demographic parity, else a linear program over the fitted rows.
    Thresholds are fitted on out-of-fold scores. Only rows at a threshold are decided by chance.

    *Of fitted rows* the expected rates are within the tolerance exactly (equalized odds and
    opportunity: if the probabilities are calibrated in each group; else as far as they are). New
    rows miss it by sampling error, about sqrt(p(1-p)/n_z): take intervals on fresh rows. With
    ``mode="blind"`` the rule sees X alone and is optimal for estimated P(Z | x); where that is
    wrong, so is the parity.

    Args:
        estimator: classifier with ``predict_proba``. In aware mode let it see Z, as a column.
        constraint: "demographic-parity", "equalized-odds" (rates within each true class) or
            "equal-opportunity" (within the positive class).
        tolerance: largest gap of a rate between groups, in [0, 1]; for more than two classes of
            each decision's rate.
        mode: "aware": the group of each row is known when it is decided, "blind": it is not.
        ranking: what ``predict_proba`` ranks by; its largest is the decision in every case.
            "fair": two classes, aware, demographic parity: every threshold of the score is within
            the tolerance, by :class:`infounlearn.math.kolmogorov_barycenter.KolmogorovBarycenter`.
            "kept": rows decided alike are ranked as the scorer ranks them. AUROC stays near the
            scorer's, but *only the decision is fair*: the ranking tells the group as before, and
            any other threshold has the gap it had. "auto": fair where there is one, else kept.
        utility: None for accuracy, or (K, K): worth of decision k (column) in true class y (row).
        positive: label of the opportunity; by default the last of two.
        group_estimator: blind mode: classifier of Z, or of (Y, Z) where odds are bound; by default
            a clone of the estimator.
        sensitive: column(s) of X that are Z; or None, and Z is passed as ``sensitive=``. In blind
            mode the scorer does not see them, and new tables may lack them.
        cv: folds of the out-of-fold scores, or "prefit": the estimator is fitted, on other rows.
        ensemble: predict by the mean of the folds' scorers; else by one refitted on all rows.
        missing: "error", or "group": missing Z are a group.
        min_group: least rows per group.
        bins: as in :func:`infounlearn.feature.encode_sensitive`, for continuous Z.
        random_state: integer, or None for fresh randomness.
        n_jobs: folds in parallel, as in joblib.

    Attributes:
        classes_: (K,) labels.
        groups_: the fitted groups.
        rule_: thresholds of the groups, or prices of the rates.
        utility_: expected utility of the fitted rows, for probabilities as they are.
        free_utility_: the same without the bound: the price of parity is the difference.
        models_: the scorers whose mean scores new rows.
        seed_: of the noise.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        constraint: Constraint = "demographic-parity",
        tolerance: float = 0.0,
        mode: Literal["aware", "blind"] = "aware",
        ranking: Literal["auto", "fair", "kept"] = "auto",
        utility: ArrayLike | None = None,
        positive: Any = None,
        group_estimator: Any = None,
        sensitive: Any = None,
        cv: int | Literal["prefit"] = 5,
        ensemble: bool = True,
        missing: Literal["error", "group"] = "error",
        min_group: int = 2,
        bins: int | Literal["auto"] | None = None,
        random_state: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.constraint = constraint
        self.tolerance = tolerance
        self.mode = mode
        self.ranking = ranking
        self.utility = utility
        self.positive = positive
        self.group_estimator = group_estimator
        self.sensitive = sensitive
        self.cv = cv
        self.ensemble = ensemble
        self.missing = missing
        self.min_group = min_group
        self.bins = bins
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> ParityHead:
        """Fit the scorer, its out-of-fold scores and the rule.

        Args:
            X: (n, d) table that the estimator takes.
            y: (n,) labels.
            sensitive: (n,) or (n, k) values of Z; several columns are crossed.

        Raises:
            InputError: settings out of range, one class, no Z, a group too small, lengths that
                differ, or probabilities that are none.
        """
        where = type(self).__name__
        problems = Problems(where)
        check_scorer(problems, self.estimator, self.cv, self.random_state)
        check_tolerance(problems, self.tolerance)
        check_choices(problems, self.estimator, self.constraint, self.mode, self.ranking)
        X = as_table(X, where)
        seen, z = split_table(X, self.sensitive, sensitive, self.mode == "blind", where)
        target = _check_y(y, estimator=self)
        check_classification_targets(target)
        size = _num_samples(X)
        problems.require(
            len(target) == size, f"y has {len(target)} rows, X {size}", fix="pass one per row"
        )
        self.classes_, codes = np.unique(target, return_inverse=True)
        problems.require(
            len(self.classes_) > 1, "y has one class", fix="pass rows of at least two classes"
        )
        utility = worth_of(problems, self.utility, max(len(self.classes_), 2))
        positive = positive_class(problems, self.constraint, self.positive, self.classes_)
        problems.raise_if_any()
        groups = group_rows(
            z, size, where, missing=self.missing, min_count=self.min_group, bins=self.bins
        )
        group = groups.codes
        self.groups_ = groups.without_rows()
        note_features(self, X, reset=True)
        self.seed_ = fresh_seed(self.random_state)
        cells = group * len(self.classes_) + codes
        common: dict[str, Any] = {"ensemble": self.ensemble, "seed": self.seed_}
        common |= {"n_jobs": self.n_jobs, "where": where}
        p, self.models_ = cross_fit(
            self.estimator, seen, target, cells, self._score, cv=self.cv, **common
        )
        aware = self.mode == "aware"
        if aware:
            joint = joint_law(p, group, len(groups))
        else:
            # A prefit scorer knows nothing of Z: a classifier of it is fitted all the same.
            folds = 5 if self.cv == "prefit" else self.cv
            named = group if self.constraint == "demographic-parity" else cells
            model = self.estimator if self.group_estimator is None else self.group_estimator
            q, self.group_models_ = cross_fit(
                clone(model), seen, named, cells, self._group_score, cv=folds, **common
            )
            joint = blind_law(p, q)
        self.rule_, self.utility_ = fit_rule(
            p,
            joint,
            group if aware else None,
            utility,
            constraint=self.constraint,
            positive=positive,
            tolerance=float(self.tolerance),
        )
        self.free_utility_ = float((p @ utility).max(axis=1).mean())
        self.extremes_ = extremes(p[:, 1], self.rule_.policy(p, joint))
        fair = aware and self.constraint == "demographic-parity" and len(self.classes_) == 2
        fair = fair and self.ranking != "kept"
        self.line_ = fit_line_barycenter(p[:, 1], group) if fair else None
        self.cut_ = cut_of(utility) if fair else 0.5
        return self

    def decision_proba(self, X: Any, sensitive: Any = None) -> np.ndarray:
        """(n, K) probability of each decision of ``predict``, over its random draws.

        Args:
            X: (n, d) table.
            sensitive: (n,) or (n, k) values of Z in aware mode, unless they are columns of X.

        Raises:
            InputError: no Z, groups that were not fitted, or lengths that differ.
        """
        p, joint, _ = self._laws(X, sensitive)
        return self.rule_.policy(p, joint)

    def predict(self, X: Any, sensitive: Any = None, keys: Any = None) -> np.ndarray:
        """(n,) labels, drawn from :meth:`decision_proba`.

        Args:
            X: (n, d) table.
            sensitive: as in :meth:`decision_proba`.
            keys: (n,) names of the rows. A row's draw is a hash of its content, its name (by
                default its index in a pandas frame) and the seed: never of its batch. Rows of
                equal content and no other name are decided alike.

        Raises:
            InputError: as :meth:`decision_proba`.
        """
        p, joint, _ = self._laws(X, sensitive)
        noise = row_uniforms(X, keys, self.seed_, type(self).__name__)
        return self.classes_[draw(self.rule_.policy(p, joint), noise)]

    def predict_proba(self, X: Any, sensitive: Any = None, keys: Any = None) -> np.ndarray:
        """(n, K) scores whose largest is the decision; see ``ranking``. Not calibrated.

        Args:
            X: (n, d) table.
            sensitive: as in :meth:`decision_proba`.
            keys: as in :meth:`predict`.

        Raises:
            InputError: as :meth:`decision_proba`.
        """
        p, joint, group = self._laws(X, sensitive)
        noise = row_uniforms(X, keys, self.seed_, type(self).__name__)
        decided = draw(self.rule_.policy(p, joint), noise)
        if self.line_ is None or group is None:
            return kept_scores(p, decided, *self.extremes_)
        relaxed = KolmogorovBarycenter(self.line_, float(self.tolerance))
        score = relaxed.transport(p[:, 1], group, noise=noise)
        return kept_scores(np.column_stack((1 - score, score)), decided, self.cut_, self.cut_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _score(self, fitted: Any, X: Any) -> np.ndarray:
        return probabilities(fitted, X, self.classes_, type(self).__name__)

    def _group_score(self, fitted: Any, X: Any) -> np.ndarray:
        """(n, m) P(Z | x), or (n, m, K) P(Z, Y | x) where odds are bound."""
        classes = 1 if self.constraint == "demographic-parity" else len(self.classes_)
        known = np.arange(len(self.groups_) * classes)
        table = probabilities(fitted, X, known, type(self).__name__)
        return table if classes == 1 else table.reshape(len(table), -1, classes)

    def _laws(self, X: Any, sensitive: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Probabilities of the classes, of classes and groups, and the group where it is known."""
        check_is_fitted(self, "rule_")
        where, blind = type(self).__name__, self.mode == "blind"
        X = as_table(X, where)
        note_features(self, X, reset=False, narrower=how_many(self.sensitive) * blind)
        seen, z = split_table(X, self.sensitive, sensitive, blind, where, self.n_features_in_)
        p = mean_score(self.models_, seen, self._score)
        if blind:
            return p, blind_law(p, mean_score(self.group_models_, seen, self._group_score)), None
        group = encode_rows(self.groups_, z, len(p), where)
        return p, joint_law(p, group, len(self.groups_)), group
