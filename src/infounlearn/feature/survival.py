"""How much of what a table tells of its target survives a transform: three utilities, measured.

For any probe q the out-of-fold scores bound the theory's utilities from one side, whatever the law:

    I(Y; X)                ≥  E log q(Y|X) − E log q(Y)          (Barber & Agakov 2003)
    H(Y | X)               ≤  −E log q(Y|X)
    E‖P(Y ∈ ·|X)‖²         ≥  E[2 q(Y|X) − ‖q(·|X)‖²]            (one minus the Brier score)

with equality for the true conditional law, the first up to KL(P_Y‖q_Y): the shares q(Y) come from
the training folds too, some (K-1)/2n nats off for K classes. A weak probe therefore shows less than
is there, before and after alike: the figures are measured, they are no certificates. X̂ = f(X) alone
cannot gain, by data processing; X̂ = f(X, Z) can, because Z may tell of the target what X does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from infounlearn.errors import Problems, is_number
from infounlearn.feature.sensitive import encode_sensitive
from infounlearn.feature.survival_probe import Scored, probe_matrix, scored

__all__ = ["Survival", "Surviving", "survival"]

TARGET_BINS = 8
"""Bins of equal mass of a numeric target: its utilities are those of the bin."""
RESAMPLES = 999
NOT_PROVED = (
    "Every figure is measured by a probe out of fold: a stronger probe may find more.",
    "Intervals resample rows and hold the fitted probes fixed.",
)


@dataclass(frozen=True)
class Surviving:
    """One utility before and after.

    Attributes:
        name: "information", "conditional_entropy" or "energy".
        title: what a person reads.
        unit: "nats" or "".
        before: measured on the table as it was.
        after: measured on the transformed table.
        share: of what Y's own law does not give already, (after − prior)/(before − prior): 1 where
            nothing is lost, 0 where all is; NaN where there was nothing to lose.
        prior: the utility of knowing no X: 0, H(Y), or Σ P(y)².
        before_interval: of ``before``, over rows.
        after_interval: of ``after``.
        share_interval: of ``share``, from paired rows.
        floor: the same measured with the target shuffled, mean over shuffles: what shows when
            nothing is there, below the prior by what the probe overfits.
        kind: always "measured".
    """

    name: str
    title: str
    unit: str
    before: float
    after: float
    share: float
    prior: float
    before_interval: tuple[float, float]
    after_interval: tuple[float, float]
    share_interval: tuple[float, float]
    floor: float
    kind: str = "measured"


@dataclass(frozen=True)
class Survival:
    """What of the target survives; see :func:`survival`.

    Attributes:
        utilities: information, conditional entropy and energy, in this order.
        rows: number of rows scored, each once, by a probe that did not see it.
        classes: labels of the target, or of its bins.
        confidence: of the intervals.
        not_proved: sentences to be read with the figures.
    """

    utilities: tuple[Surviving, ...]
    rows: int
    classes: tuple[Any, ...]
    confidence: float
    not_proved: tuple[str, ...] = NOT_PROVED

    def __getitem__(self, name: str) -> Surviving:
        for utility in self.utilities:
            if utility.name == name:
                return utility
        raise KeyError(f"no utility {name!r}: {[utility.name for utility in self.utilities]}")

    def __str__(self) -> str:
        lines = [f"Measured on {self.rows} rows, {self.confidence:.0%} intervals."]
        for one in self.utilities:
            unit = f" {one.unit}" if one.unit else ""
            low, high = one.share_interval
            lines.append(
                f"{one.title}: {one.before:.4f} before, {one.after:.4f} after{unit}; "
                f"{one.share:.1%} survives [{low:.1%}, {high:.1%}]; shuffled {one.floor:.4f}"
            )
        return "\n".join((*lines, *self.not_proved))


def survival(
    before: Any,
    after: Any,
    y: Any,
    *,
    probe: Any = None,
    folds: int = 5,
    shuffles: int = 2,
    confidence: float = 0.95,
    seed: int = 0,
) -> Survival:
    """Measure how much of I(Y; X), H(Y|X) and the energy of P(Y|X) survives a transform.

    Args:
        before: (n, d) table, any kind a transformer takes.
        after: (n, d') the same rows transformed, by a transform fitted on other rows or on these.
        y: (n,) target: classes, or numbers, which are cut into bins of equal mass.
        probe: classifier with ``predict_proba``, cloned for each fold; None: histogram gradient
            boosting.
        folds: of the cross-fitting, stratified by class, the same for all tables.
        shuffles: of the target, for the floor.
        confidence: of the intervals.
        seed: of folds, shuffles, resampling, and the probe by default.

    Raises:
        InputError: tables of unlike length, a target that is missing, constant or has a class of
            fewer rows than folds, or settings out of range.
    """
    problems = Problems("survival")
    for name, value, least in (("folds", folds, 2), ("shuffles", shuffles, 1), ("seed", seed, 0)):
        problems.require(
            is_number(value, whole=True) and value >= least,
            f"{name} is {value!r}",
            fix=f"pass a whole number of at least {least}",
        )
    sure = is_number(confidence) and 0 < confidence < 1
    problems.require(sure, f"confidence is {confidence!r}", fix="pass a level such as 0.95")
    problems.raise_if_any()
    classes = encode_sensitive(y, where="survival", what="y", bins="auto", min_count=1)
    if classes.edges[0] is not None:
        classes = encode_sensitive(y, where="survival", what="y", bins=TARGET_BINS, min_count=1)
    codes = classes.codes
    tables = [
        probe_matrix(table, name, problems)
        for table, name in ((before, "before"), (after, "after"))
    ]
    for table, name in zip(tables, ("before", "after"), strict=True):
        problems.require(
            len(table.values) == len(codes),
            f"{name} has {len(table.values)} rows, y has {len(codes)}",
            fix="pass the same rows, in the same order",
        )
    problems.require(len(classes) > 1, "y has one value", fix="pass a target that varies")
    few = int(classes.counts.min())
    problems.require(
        few >= folds,
        f"a class of y has {few} rows for {folds} folds",
        fix="merge rare classes, or use fewer folds",
    )
    problems.raise_if_any()
    pair = [scored(table, codes, probe, folds, seed) for table in tables]
    rng = np.random.default_rng(seed)
    shuffled = [
        scored(tables[0], rng.permutation(codes), probe, folds, seed) for _ in range(shuffles)
    ]
    utilities = tuple(
        _utility(name, title, unit, pair, shuffled, confidence, seed)
        for name, title, unit in (
            ("information", "Information I(Y; X)", "nats"),
            ("conditional_entropy", "Conditional entropy H(Y | X)", "nats"),
            ("energy", "Energy of conditional probability", ""),
        )
    )
    return Survival(utilities, len(codes), classes.labels, confidence)


def _utility(
    name: str,
    title: str,
    unit: str,
    pair: list[Scored],
    shuffled: list[Scored],
    confidence: float,
    seed: int,
) -> Surviving:
    rows = np.stack([pair[0].rows(name), pair[1].rows(name), pair[0].prior_rows(name)], axis=1)
    before, after, prior = rows.mean(axis=0)
    rng = np.random.default_rng(seed)
    drawn = np.empty((RESAMPLES, 3))
    for at in range(RESAMPLES):
        # Counts of a resample, not its rows: one matrix product and no copy.
        drawn[at] = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows)) @ rows
    drawn /= len(rows)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    lows, highs = np.quantile(drawn, tails, axis=0)
    shares = _share(drawn[:, 0], drawn[:, 1], drawn[:, 2])
    known = bool(np.isfinite(shares).all())
    share_ends = np.quantile(shares, tails) if known else np.full(2, np.nan)
    return Surviving(
        name,
        title,
        unit,
        float(before),
        float(after),
        float(_share(rows[:, 0].mean(), rows[:, 1].mean(), rows[:, 2].mean())),
        float(prior),
        (float(lows[0]), float(highs[0])),
        (float(lows[1]), float(highs[1])),
        (float(share_ends[0]), float(share_ends[1])),
        float(np.mean([one.rows(name).mean() for one in shuffled])),
    )


def _share(before: Any, after: Any, prior: Any) -> Any:
    """Surviving share of what is beyond the prior; NaN where nothing is."""
    total = np.asarray(before - prior)
    kept = np.asarray(after - prior)
    return np.divide(kept, total, out=np.full(total.shape, np.nan), where=total != 0)
