"""Networks that learn to predict without telling Z, as scikit-learn estimators."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from infounlearn.errors import InputError, Problems
from infounlearn.feature.estimators_fit import Fitted, check_settings, fit_network
from infounlearn.feature.estimators_inputs import (
    Scale,
    prediction_inputs,
    training_inputs,
)
from infounlearn.feature.sensitive import SensitiveGroups


class _InformationRegularized(BaseEstimator, ABC):
    """What both estimators share; see there."""

    level: str = "output"

    def __init__(
        self,
        sensitive: Any = None,
        *,
        gamma: float = 0.0,
        max_information: float | None = None,
        given: Literal["target"] | None = None,
        hidden: tuple[int, ...] = (64,),
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        missing: Literal["error", "group"] = "error",
        sensitive_bins: int | Literal["auto"] | None = "auto",
        random_state: Any = None,
        progress: bool = False,
    ) -> None:
        self.sensitive = sensitive
        self.gamma = gamma
        self.max_information = max_information
        self.given = given
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.missing = missing
        self.sensitive_bins = sensitive_bins
        self.random_state = random_state
        self.progress = progress

    def _read(self, X: Any, y: Any, sensitive: Any) -> tuple[Any, ...]:
        """Inputs, targets and groups, or one error that says all that is wrong."""
        name = type(self).__name__
        problems = Problems(name)
        check_settings(self, problems)
        inputs, groups = training_inputs(self, X, sensitive, problems)
        targets = None
        if y is None:
            problems.add("requires y to be passed, but the target y is None", fix="pass y")
        else:
            try:
                targets = self._targets(y)
            except ValueError as error:
                problems.add(f"y: {error}", fix="pass one target per row")
        if targets is not None and inputs is not None and len(targets) != len(inputs):
            problems.add(
                f"X and y have inconsistent numbers of samples: {len(inputs)} and {len(targets)}",
                fix="pass one target per row",
            )
        self._check_groups(groups, problems)
        problems.raise_if_any()
        return inputs, targets, groups

    def _check_groups(self, groups: SensitiveGroups | None, problems: Problems) -> None:
        asked = self.gamma != 0 or self.max_information is not None
        missing = groups is None and self.sensitive is None and not problems.found
        problems.require(
            not (asked and missing),
            "sensitive is missing, and the penalty is on",
            fix="name columns of X as sensitive=, pass fit(..., sensitive=values), or set gamma=0",
        )
        if groups is not None:
            problems.require(
                len(groups) > 1,
                f"sensitive has one group, {groups.labels[0]!r}",
                why="nothing can be told from it, so nothing could be unlearned",
                fix="pass an attribute with two or more values",
            )

    @abstractmethod
    def _targets(self, y: Any) -> np.ndarray:
        """Targets as the loop takes them; sets what prediction needs."""

    def _keep(self, fitted: Fitted) -> None:
        self.layers_ = fitted.trained.layers
        self.scale_ = fitted.scale
        self.history_ = list(fitted.trained.history)
        self.stopped_ = fitted.trained.stopped
        self.n_iter_ = len(self.history_)
        self.information_ = fitted.information
        self.weight_ = fitted.weight
        budget = self.max_information
        if budget is not None and fitted.information["train"] > 2.0 * budget:
            warnings.warn(
                f"{type(self).__name__}: {fitted.information['train']:.2g} nats are left of a "
                f"budget of {budget:.2g}: train for more epochs",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.layers_(self.scale_(prediction_inputs(self, X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.random_state is None
        return tags


class InformationRegularizedClassifier(ClassifierMixin, _InformationRegularized):
    """A multi-layer perceptron that minimises cross-entropy + γ·I(Ŷ; Z); Z only in ``fit``.

    Args:
        sensitive: column name(s) or position(s) of Z in X; several are crossed. They are no inputs
            of the network; X at prediction may hold them or not. Or pass the values themselves to
            ``fit(..., sensitive=)``, by metadata routing inside a pipeline.
        gamma: weight of a nat of information; 0 is the plain network.
        max_information: budget in nats: the weight then rises until training batches show less.
        level: "label": a label sampled from the predicted probabilities; equal mean probabilities
            are then enough. "score": the margin through 16 soft bins, so that decisions at every
            threshold agree; costs more accuracy at the same gap at one half.
        given: None, or "target": information given the class (equalized odds).
        hidden: widths of the hidden layers; () is a linear model.
        epochs: passes over the rows, or "auto" (about 3,000 steps).
        batch_size: rows of a step, at most.
        learning_rate: of AdamW at the start; falls to 0 as a half cosine.
        weight_decay: decoupled, of weights only.
        validation_fraction: share of rows held out for ``history_``, ``information_`` and
            ``patience``.
        patience: stop after so many epochs without a better validation objective (loss + weight x
            information), and go back to the best.
        missing: what missing values of Z are: an "error", or a "group".
        sensitive_bins: how a continuous Z is cut (:func:`~infounlearn.feature.encode_sensitive`).
        random_state: integer, generator or None (fresh entropy).
        progress: whether to draw a bar on standard error.

    Attributes:
        classes_: class labels, sorted.
        information_: de-biased nats of the final network on "train" (and "validation") rows;
            empty where Z was not given.
        history_: one line per epoch.
        weight_: final weight of the information.
        sensitive_groups_: labels of the groups; empty where Z was not given.

    What is penalised is what training rows show. Claims about new rows need an audit on fresh ones.

    References:
        Xu & Strohmer (2025), arXiv:2502.05684, for information as a regulariser.
    """

    def __init__(
        self,
        sensitive: Any = None,
        *,
        gamma: float = 0.0,
        max_information: float | None = None,
        level: Literal["label", "score"] = "label",
        given: Literal["target"] | None = None,
        hidden: tuple[int, ...] = (64,),
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        missing: Literal["error", "group"] = "error",
        sensitive_bins: int | Literal["auto"] | None = "auto",
        random_state: Any = None,
        progress: bool = False,
    ) -> None:
        super().__init__(
            sensitive,
            gamma=gamma,
            max_information=max_information,
            given=given,
            hidden=hidden,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            validation_fraction=validation_fraction,
            patience=patience,
            missing=missing,
            sensitive_bins=sensitive_bins,
            random_state=random_state,
            progress=progress,
        )
        self.level = level

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> InformationRegularizedClassifier:
        """Train on (n, d) rows, (n,) labels of any type and, if not columns of X, (n,) groups.

        Raises:
            InputError: input or settings cannot be used; all problems in one message.
            DivergenceError: training left the finite numbers.
        """
        inputs, labels, groups = self._read(X, y, sensitive)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"{type(self).__name__}: y has one class, {self.classes_[0]!r}: pass rows of two "
                "or more classes"
            )
        self.sensitive_groups_ = () if groups is None else groups.labels
        self._keep(fit_network(self, inputs, codes, groups, classes=len(self.classes_)))
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """(n,) margin of the second of two classes, or (n, c) logits of more."""
        logits = self._outputs(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, c) probabilities of ``classes_``."""
        logits = self._outputs(X)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        probabilities: np.ndarray = powers / powers.sum(1, keepdims=True)
        return probabilities

    def predict(self, X: Any) -> np.ndarray:
        """(n,) most likely labels."""
        best = self._outputs(X).argmax(1)
        predicted: np.ndarray = self.classes_[best]
        return predicted

    def _targets(self, y: Any) -> np.ndarray:
        labels: np.ndarray = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        return labels


class InformationRegularizedRegressor(RegressorMixin, _InformationRegularized):
    """A multi-layer perceptron that minimises squared error + γ·I(prediction; Z); Z only in fit.

    The target is standardised inside, so that gamma weighs nats against shares of its variance. The
    information is that of the prediction seen through 16 soft bins. With ``given="target"`` it is
    conditional on the target, cut into 8 bins of equal mass. Everything else is as in
    :class:`InformationRegularizedClassifier`.
    """

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> InformationRegularizedRegressor:
        """Train on (n, d) rows, (n,) targets and, if not columns of X, (n,) groups.

        Raises:
            InputError: input or settings cannot be used; all problems in one message.
            DivergenceError: training left the finite numbers.
        """
        inputs, targets, groups = self._read(X, y, sensitive)
        self.target_scale_ = Scale.of(targets[:, None])
        standard = self.target_scale_(targets[:, None])[:, 0]
        self.sensitive_groups_ = () if groups is None else groups.labels
        self._keep(fit_network(self, inputs, standard, groups, classes=None))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(n,) predictions."""
        standard = self._outputs(X)[:, 0]
        predicted: np.ndarray = standard * self.target_scale_.sd[0] + self.target_scale_.mean[0]
        return predicted

    def _targets(self, y: Any) -> np.ndarray:
        targets = check_array(
            column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64, input_name="y"
        )
        return np.asarray(targets)
