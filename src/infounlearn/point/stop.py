"""When to stop. Zero information is the wrong place: a retrained model has some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from infounlearn.errors import Problems, is_number

Row = Mapping[str, float]
"""One evaluation; see :class:`infounlearn.interface.RunSummary`."""

Keeps = Literal["best", "this", "before"]
"""Which state a stop leaves: the best so far, the one that fired it, or the one before."""


class Stop(Protocol):
    """Ends a run early; the schedule's length ends it in any case."""

    @property
    def needs_holdout(self) -> bool:
        """Whether it reads figures of held-out records."""
        ...

    @property
    def keeps(self) -> Keeps:
        """Which state it leaves.

        "this" where the state that fires is the wanted one; "before" where it is one too many;
        "best" where it only ends the run. With held-out records "best" is the state nearest to what
        :class:`Calibrated` asks; without, the last.
        """
        ...

    def check(self, problems: Problems) -> None:
        """Collect settings that cannot be used."""
        ...

    def reason(self, history: Sequence[Row]) -> str | None:
        """Why to stop now, judged by the evaluations so far; None to go on.

        The first row was taken before the first step, of the original model.
        """
        ...


@dataclass(frozen=True)
class Calibrated:
    """The default: stop where forget records look like held-out ones and utility is back.

    Judged on the validation part of the held-out set, which neither trains nor enters the final
    audit.

    Attributes:
        tolerance: allowed distance of the membership AUC from 1/2; None takes the noise floor:
            1.645 standard errors of the AUC of two equal laws at these sample sizes.
        utility_slack: accuracy on retain records that may be lost against the original model.
        loss_slack: retain loss that may be added (nats for a classifier; a share of the original
            loss for a regressor). Accuracy comes back before confidence does.
        patience: evaluations in a row that must agree.
    """

    tolerance: float | None = None
    utility_slack: float = 0.001
    loss_slack: float = 0.01
    patience: int = 2
    needs_holdout = True
    keeps: ClassVar[Keeps] = "this"

    def check(self, problems: Problems) -> None:
        """See :class:`Stop`."""
        problems.require(
            self.tolerance is None or (is_number(self.tolerance) and 0 < self.tolerance < 0.5),
            f"Calibrated.tolerance is {self.tolerance!r}",
            fix="pass a distance from 1/2 between 0 and 0.5, or None",
        )
        problems.require(
            is_number(self.patience, whole=True)
            and self.patience >= 1
            and all(is_number(s) and s > 0 for s in (self.utility_slack, self.loss_slack)),
            f"Calibrated has patience {self.patience}, utility_slack {self.utility_slack}, "
            f"loss_slack {self.loss_slack}",
            fix="pass patience of 1 or more and slacks above 0",
        )

    def reason(self, history: Sequence[Row]) -> str | None:
        """See :class:`Stop`."""
        recent = history[1:][-self.patience :]
        if len(recent) < self.patience or any(
            self.shortfall(row, history[0]) > 0 for row in recent
        ):
            return None
        row = recent[-1]
        return (
            f"calibrated: membership AUC {row['validation_auc']:.3f} is within "
            f"{self.allowed(row):.3f} of 1/2 on held-out validation records and the retain set is "
            "kept"
        )

    def allowed(self, row: Row) -> float:
        """Largest distance of the AUC from 1/2."""
        return self.tolerance if self.tolerance is not None else row["auc_tolerance"]

    def shortfall(self, row: Row, original: Row) -> float:
        """How far an evaluation is from what is asked, 0 where it is met; smaller is better."""
        missing = 0.0
        if "validation_auc" in row:
            missing += max(0.0, abs(row["validation_auc"] - 0.5) / self.allowed(row) - 1.0)
        added = row["retain_loss"] - original["retain_loss"]
        if "retain_accuracy" in row:
            lost = original["retain_accuracy"] - row["retain_accuracy"]
            missing += max(0.0, lost / self.utility_slack - 1.0)
        else:
            added /= max(original["retain_loss"], 1e-12)
        return missing + max(0.0, added / self.loss_slack - 1.0)


@dataclass(frozen=True)
class Steps:
    """Stop after a fixed number of training steps (at the next evaluation)."""

    steps: int
    needs_holdout = False
    keeps: ClassVar[Keeps] = "best"

    def check(self, problems: Problems) -> None:
        """See :class:`Stop`."""
        problems.require(
            is_number(self.steps, whole=True) and self.steps >= 1,
            f"Steps is {self.steps!r}",
            fix="pass a whole number of 1 or more",
        )

    def reason(self, history: Sequence[Row]) -> str | None:
        """See :class:`Stop`."""
        return f"{self.steps} steps done" if history[-1]["step"] >= self.steps else None


@dataclass(frozen=True)
class TargetInformation:
    """Stop once the objective's information is at most this many nats."""

    nats: float
    needs_holdout = False
    keeps: ClassVar[Keeps] = "this"

    def check(self, problems: Problems) -> None:
        """See :class:`Stop`."""
        problems.require(
            is_number(self.nats) and self.nats >= 0,
            f"TargetInformation is {self.nats!r} nats",
            fix="pass 0 or more",
        )

    def reason(self, history: Sequence[Row]) -> str | None:
        """See :class:`Stop`."""
        row = history[-1]
        value = row.get("information", row.get("marginal_information"))
        if value is None or len(history) < 2 or value > self.nats:
            return None
        return f"information {value:.3g} nats is at most {self.nats:.3g}"


@dataclass(frozen=True)
class TimeBudget:
    """Stop after this many seconds of wall time (a resumed run counts all its parts)."""

    seconds: float
    needs_holdout = False
    keeps: ClassVar[Keeps] = "best"

    def check(self, problems: Problems) -> None:
        """See :class:`Stop`."""
        problems.require(
            is_number(self.seconds) and self.seconds > 0,
            f"TimeBudget is {self.seconds!r} s",
            fix="pass seconds above 0",
        )

    def reason(self, history: Sequence[Row]) -> str | None:
        """See :class:`Stop`."""
        spent = history[-1]["seconds"]
        return f"{spent:.0f} s are spent" if spent >= self.seconds else None


@dataclass(frozen=True)
class UtilityGuard:
    """Stop when the retain set has lost more than this accuracy, once it was there.

    A warm restart begins with a network that knows little; so the guard watches from the moment
    the accuracy was first inside it.
    """

    loss_of_accuracy: float = 0.02
    needs_holdout = False
    keeps: ClassVar[Keeps] = "before"

    def check(self, problems: Problems) -> None:
        """See :class:`Stop`."""
        problems.require(
            is_number(self.loss_of_accuracy) and 0 < self.loss_of_accuracy < 1,
            f"UtilityGuard is {self.loss_of_accuracy!r}",
            fix="pass a share between 0 and 1, such as 0.02",
        )

    def reason(self, history: Sequence[Row]) -> str | None:
        """See :class:`Stop`."""
        if "retain_accuracy" not in history[-1]:
            return None
        floor = history[0]["retain_accuracy"] - self.loss_of_accuracy
        inside = [row["retain_accuracy"] >= floor for row in history[1:]]
        if inside and any(inside) and not inside[-1]:
            return f"retain accuracy {history[-1]['retain_accuracy']:.3f} fell below {floor:.3f}"
        return None
