"""A table without its sensitive variable, as a scikit-learn transformer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from infounlearn.errors import Problems
from infounlearn.feature.engine import KEEP, Settings
from infounlearn.feature.frames import Frame
from infounlearn.feature.history import History
from infounlearn.feature.keys import duplicate_share, noise_source
from infounlearn.feature.policies import FeatureWarning, duplicates_message
from infounlearn.feature.reading import read_batch
from infounlearn.feature.rows import Rows, cells_of, kept_names, read_rows

__all__ = ["WassersteinBarycenter"]

MANY_COPIES = 0.01
"""Share of copied rows beyond which rows need a name of their own."""


class WassersteinBarycenter(TransformerMixin, BaseEstimator):
    """Move the rows of a table as little as possible so that they no longer tell of Z.

    The release X̂ of least mean squared change that is independent of Z has the law of the
    Wasserstein-2 barycenter of the groups. ``method`` says how it is found: "line" for one column
    of numbers (exact), "gaussian" for two moments of many (a boosted tree may still read Z), and
    "common-support" for tables of any kind, where a released row is a fitted row's cells, drawn
    with known probabilities. "auto" takes "line" for a single column of numbers and
    "common-support" otherwise.

    What a row becomes depends on its own cells, group and key, never on the rest of its batch.

    Args:
        sensitive: name or position of the sensitive column of X, or a list of them, which are
            crossed. None: pass ``sensitive=`` to each call, by metadata routing in a pipeline.
        amount: the dial t in [0, 1]. 0 returns the table bit for bit. Numbers move the share t of
            their way (mean squared change t²V); a row of "common-support" is replaced with
            probability t, so that I(X̂; Z) ≤ (1 − t) I(X; Z).
        method: "auto", "line", "gaussian" or "common-support".
        mode: "aware" needs Z when rows are released; "blind" does not ("common-support" only): one
            kernel for all groups, which removes no more of Z than its law allows at a greater
            change. A frame may then lack the sensitive column.
        numeric: columns that are numbers whatever they hold.
        categorical: columns that are categories whatever they hold.
        ordinal: columns of ordered levels, or a mapping from each to its levels in order.
        given: column or columns to condition on (legitimate covariates), left unchanged: X̂ ⊥ Z
            within each of their values, or bins.
        given_target: condition on the target: X̂ ⊥ Z | Y. ``fit`` needs y, ``transform`` given=y.
        use_target: let "common-support" keep y predictable; ``fit`` needs y, ``transform`` not.
        bins: of continuous Z or given: "auto" (about n^⅓, 2 to 16), a number, or None. With "auto"
            and method "gaussian" a continuous Z is removed as a number, by its joint Gaussian
            residual; otherwise the value inside a bin stays visible.
        missing: of Z: "error", or "group".
        unseen: rows of groups that were not fitted: "error", or "keep" (they stay as they are, and
            show it).
        missing_features: of X: "error", or "level" (a category, or a mark beside a number).
        unseen_categories: of X: "error", or "other" (unlike every level).
        small_groups: fewer rows than ``min_group``: "error", or "pool" into one group, within which
            Z stays visible.
        min_group: least number of rows of a group, in each stratum.
        drop_sensitive: leave the sensitive columns out of the result.
        keys: "auto": a row is named by its content and the index of its pandas frame, or the keys
            passed to ``transform``; "content": by its content alone.
        max_rows: most rows of a group that "common-support" keeps.
        jitter: variance of Gaussian noise for groups that lack variance ("gaussian").
        engine_options: more settings of the engine.
        random_state: seed of the noise, which readers of the release must not know (it undoes the
            draws); None: a fresh one in each fit.

    Attributes:
        method_: engine in use.
        groups_: labels of the groups, in their order.
        facts_: figures of the fit: ``value`` is V, the least mean squared change.
        limits_: what this engine does not do, in sentences.
        layout_: variables of the table as they were recognised.
        seed_: seed in use.

    References:
        Xu & Strohmer (2023), JMLR 24, on fair data representation; (2025), arXiv:2502.05684.
    """

    def __init__(
        self,
        sensitive: Any = None,
        amount: float = 1.0,
        method: Literal["auto", "line", "gaussian", "common-support"] = "auto",
        *,
        mode: Literal["aware", "blind"] = "aware",
        numeric: Any = (),
        categorical: Any = (),
        ordinal: Any = (),
        given: Any = None,
        given_target: bool = False,
        use_target: bool = False,
        bins: int | Literal["auto"] | None = "auto",
        missing: Literal["error", "group"] = "error",
        unseen: Literal["error", "keep"] = "error",
        missing_features: Literal["error", "level"] = "error",
        unseen_categories: Literal["error", "other"] = "error",
        small_groups: Literal["error", "pool"] = "error",
        min_group: int = 2,
        drop_sensitive: bool = True,
        keys: Literal["auto", "content"] = "auto",
        max_rows: int = 20_000,
        jitter: float = 0.0,
        engine_options: Mapping[str, Any] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.sensitive = sensitive
        self.amount = amount
        self.method = method
        self.mode = mode
        self.numeric = numeric
        self.categorical = categorical
        self.ordinal = ordinal
        self.given = given
        self.given_target = given_target
        self.use_target = use_target
        self.bins = bins
        self.missing = missing
        self.unseen = unseen
        self.missing_features = missing_features
        self.unseen_categories = unseen_categories
        self.small_groups = small_groups
        self.min_group = min_group
        self.drop_sensitive = drop_sensitive
        self.keys = keys
        self.max_rows = max_rows
        self.jitter = jitter
        self.engine_options = engine_options
        self.random_state = random_state

    def fit(
        self, X: Any, y: Any = None, *, sensitive: Any = None, given: Any = None
    ) -> WassersteinBarycenter:
        """Learn the barycenter of the groups.

        Args:
            X: (n, d) table: an array, or a frame of pandas, polars or pyarrow.
            y: (n,) target, where ``use_target`` or ``given_target`` is set.
            sensitive: (n,) or (n, k) sensitive values, where no column is named.
            given: (n,) or (n, k) values to condition on, where no column is named.

        Raises:
            InputError: everything that cannot be used, in one message.
        """
        self._learn(X, y, sensitive, given, None, few=2)
        self._finish()
        return self

    def partial_fit(
        self, X: Any, y: Any = None, *, sensitive: Any = None, given: Any = None
    ) -> WassersteinBarycenter:
        """Take in one more batch of a stream; batches are as one fit of all rows.

        Kinds of columns, levels of ordinal columns and bins are those of the first batch. "line"
        keeps every distinct value, "gaussian" moments only, "common-support" a uniform sample of
        at most ``max_rows`` rows per group. Engines are fitted at the next ``transform``.

        Args:
            X, y, sensitive, given: as in :meth:`fit`.

        Raises:
            InputError: as :meth:`fit`; that groups are too few or too small is said at transform.
        """
        self._learn(X, y, sensitive, given, getattr(self, "_history", None), few=1)
        return self

    def transform(
        self, X: Any, *, sensitive: Any = None, given: Any = None, keys: Any = None
    ) -> Any:
        """Release rows.

        Args:
            X: (n, d) table with the columns of the fitted one.
            sensitive, given: as in :meth:`fit`; ``given_target`` takes y for given.
            keys: (n,) name of each row, so that copies of a row draw noise of their own.

        Returns:
            The table in the form it came, without the sensitive columns.

        Raises:
            InputError: rows that cannot be released; NotFittedError before a fit.
        """
        rows = self._read(X, sensitive, given, Problems(_WHERE))
        if self.amount == 0:
            return rows.unchanged()
        problems = Problems(_WHERE)
        names = self._index(rows.call.frame) if keys is None else keys
        noise = noise_source(self.seed_, rows.table, names, problems)
        problems.raise_if_any()
        released = self._engines.release(rows.table, rows.codes, rows.strata, noise)
        moved = ~rows.stays
        if released.numbers is not None:
            return rows.with_numbers(released.numbers, moved, float(self.amount))
        if self.amount < 1:
            moved &= noise(-1) < self.amount
        if released.table is not None:
            return rows.with_table(released.table, moved)
        moved &= released.rows != KEEP
        return rows.with_cells(self._cells, np.asarray(released.rows), moved)

    def fit_transform(
        self, X: Any, y: Any = None, *, sensitive: Any = None, given: Any = None, keys: Any = None
    ) -> Any:
        """:meth:`fit`, then :meth:`transform` of the same rows.

        Args:
            X, y, sensitive, given, keys: as in those; ``given_target`` takes y for given.

        Raises:
            InputError: as both.
        """
        self.fit(X, y, sensitive=sensitive, given=given)
        known = y if self.given_target else given
        return self.transform(X, sensitive=sensitive, given=known, keys=keys)

    def release_kernels(self, X: Any, *, sensitive: Any = None, given: Any = None) -> Any:
        """(n, J) probabilities with which each row of the bank is released for each row of X.

        At full strength: the dial mixes them with the row itself. A certificate of I(X̂; Z) on
        fresh rows needs them. None for a method that moves numbers.

        Args:
            X, sensitive, given: as in :meth:`transform`.

        Raises:
            InputError: as :meth:`transform`.
        """
        rows = self._read(X, sensitive, given, Problems(_WHERE))
        return self._engines.kernels(rows.table, rows.codes, rows.strata)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of the result."""
        check_is_fitted(self, "_history")
        return kept_names(self, input_features)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = self.missing_features == "level"
        tags.target_tags.required = bool(self.use_target or self.given_target)
        return tags

    def _learn(
        self, X: Any, y: Any, sensitive: Any, given: Any, history: History | None, *, few: int
    ) -> None:
        whole = history is None
        batch = read_batch(self, X, y, sensitive, given, history, Problems(_WHERE), few=few)
        batch.history.add(batch.table, batch.groups, batch.strata, batch.values, batch.target)
        self._history = batch.history
        self._stale = True
        self.method_ = self._history.method
        self.seed_ = self._history.seed
        self.layout_ = self._history.layout
        if whole and self.method_ != "gaussian":
            share = duplicate_share(batch.table, self._index(batch.call.frame))
            if share > MANY_COPIES:
                warnings.warn(duplicates_message(share), FeatureWarning, stacklevel=3)

    def _index(self, frame: Frame) -> np.ndarray | None:
        """Row labels that name rows beside their content."""
        return frame.index if self.keys == "auto" else None

    def _finish(self) -> None:
        """Fit the engines on what was seen."""
        settings = Settings(self.mode, self.max_rows, self.jitter, dict(self.engine_options or {}))
        pool = self.small_groups == "pool"
        groups, engines = self._history.fit(settings, self.min_group, pool=pool, where=_WHERE)
        self._groups, self._engines = groups, engines
        self.groups_ = groups.labels
        self.facts_ = engines.facts
        self.limits_ = engines.limits
        bank = engines.bank
        self._cells = {} if bank is None else cells_of(bank)
        self._stale = False

    def _read(self, X: Any, sensitive: Any, given: Any, problems: Problems) -> Rows:
        check_is_fitted(self, "_history")
        if self._stale:
            self._finish()
        return read_rows(self, X, sensitive, given, self._groups, self._engines, problems)


_WHERE = "WassersteinBarycenter"
