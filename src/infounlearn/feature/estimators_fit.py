"""From checked arrays to a fitted network: split, scale, penalise, train, measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.errors import Problems, is_number
from infounlearn.feature.dual import check_dial
from infounlearn.feature.estimators_information import debiased_information, outcome_logits
from infounlearn.feature.estimators_inputs import Scale, seed_of, validation_rows
from infounlearn.feature.estimators_loop import Recipe, Rows, Trained, train
from infounlearn.feature.penalty import InformationPenalty
from infounlearn.feature.sensitive import SensitiveGroups

TARGET_BINS = 8


@dataclass(frozen=True)
class Fitted:
    """A trained network with its input scale, and what it still tells of Z."""

    trained: Trained
    scale: Scale
    information: dict[str, float]
    weight: float


def check_settings(estimator: Any, problems: Problems) -> None:
    """Collect settings that cannot be used."""
    require = problems.require
    check_dial(problems, estimator.gamma, estimator.max_information, 0.0, 0.0)
    if type(estimator).level != estimator.level:
        levels = ("label", "score")
        require(estimator.level in levels, f"level is {estimator.level!r}", fix=f"one of {levels}")
    given = estimator.given
    require(given in (None, "target"), f"given is {given!r}", fix="None or 'target'")
    hidden = estimator.hidden
    widths = list(hidden) if isinstance(hidden, list | tuple | np.ndarray) else [None]
    fine = all(_is_whole(width) for width in widths)
    require(fine, f"hidden is {hidden!r}", fix="a tuple of widths of 1 or more")
    epochs, patience = estimator.epochs, estimator.patience
    fine = (isinstance(epochs, str) and epochs == "auto") or _is_whole(epochs)
    require(fine, f"epochs is {epochs!r}", fix="1 or more, or 'auto'")
    size = estimator.batch_size
    require(_is_whole(size), f"batch_size is {size!r}", fix="pass 1 or more")
    rate, decay = estimator.learning_rate, estimator.weight_decay
    require(is_number(rate) and rate > 0, f"learning_rate is {rate!r}", fix="a positive number")
    require(is_number(decay) and decay >= 0, f"weight_decay is {decay!r}", fix="0 or more")
    share = estimator.validation_fraction
    usable = is_number(share) and 0 <= share < 1
    require(usable, f"validation_fraction is {share!r}", fix="a share in [0, 1)")
    require(patience is None or _is_whole(patience), f"patience is {patience!r}", fix="1 or more")
    require(
        patience is None or not usable or share > 0,
        "patience is set without validation rows",
        fix="set validation_fraction, for example 0.1",
    )


def fit_network(
    estimator: Any,
    inputs: np.ndarray,
    targets: np.ndarray,
    groups: SensitiveGroups | None,
    *,
    classes: int | None,
) -> Fitted:
    """Train the estimator's network.

    Args:
        estimator: settings.
        inputs: (n, d) finite numbers without Z.
        targets: (n,) class codes, or standardised targets where ``classes`` is None.
        groups: of the rows, or None.
        classes: number of classes.
    """
    seed = seed_of(estimator.random_state)
    level, given = estimator.level, _strata(targets, classes, estimator.given)
    cells = np.zeros(len(inputs), dtype=np.int64) if groups is None else groups.codes
    labels = np.zeros_like(cells) if classes is None else targets
    held = validation_rows(
        cells * (labels.max() + 1) + labels,
        estimator.validation_fraction,
        np.random.default_rng(seed),
    )
    scale = Scale.of(inputs[~held])
    kind = torch.float32 if classes is None else torch.int64

    def rows(chosen: np.ndarray) -> Rows:
        return Rows(
            torch.from_numpy(scale(inputs[chosen])).float(),
            torch.from_numpy(targets[chosen]).to(kind),
            None if groups is None else groups.codes[chosen],
            None if given is None else given[chosen],
        )

    learn, judge = rows(~held), rows(held) if held.any() else None

    def measure(outputs: np.ndarray, shown: Rows) -> float:
        assert shown.z is not None  # asked only where Z is known
        found = outcome_logits(outputs, level, outputs)
        parts = [debiased_information(logits, shown.z, shown.given) for logits in found]
        return float(np.mean(parts))

    penalty = None
    if groups is not None:
        penalty = InformationPenalty(
            gamma=float(estimator.gamma),
            max_information=estimator.max_information,
            level=level,
            num_groups=len(groups),
        )
    trained = train(
        learn,
        judge,
        outputs=classes or 1,
        loss=_squared_error if classes is None else nn.functional.cross_entropy,
        penalty=penalty,
        measure=measure,
        recipe=Recipe(
            tuple(int(width) for width in estimator.hidden),
            estimator.epochs,
            int(estimator.batch_size),
            float(estimator.learning_rate),
            float(estimator.weight_decay),
            estimator.patience,
            bool(estimator.progress),
        ),
        seed=seed,
    )
    information = {}
    if groups is not None:
        for name, shown in (("train", learn), ("validation", judge)):
            if shown is not None:
                outputs = trained.layers(shown.inputs.double().numpy())
                information[name] = measure(outputs, shown)
    weight = 0.0 if penalty is None else penalty.weights
    return Fitted(trained, scale, information, float(weight))  # type: ignore[arg-type]


def _strata(targets: np.ndarray, classes: int | None, given: str | None) -> np.ndarray | None:
    """Classes, or bins of equal mass of a real target."""
    if given is None:
        return None
    if classes is not None:
        return targets
    edges = np.unique(np.quantile(targets, np.arange(1, TARGET_BINS) / TARGET_BINS))
    return np.searchsorted(edges, targets, side="right").astype(np.int64)


def _squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.mse_loss(predictions[:, 0], targets)


def _is_whole(value: Any) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and int(value) >= 1
