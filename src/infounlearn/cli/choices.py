"""How the information engine is set up on a command line, of the point room's own dataclasses.

Nothing here is a subcommand: every option may stand anywhere. Whoever names one of them, at
whatever value, asks for the information engine; without any the default method runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from infounlearn.cli.parsing import option_of
from infounlearn.errors import Problems
from infounlearn.point import (
    Calibrated,
    MarginalInformation,
    MembershipInformation,
    Restart,
    Schedule,
    ScoreTransport,
    Steps,
    TargetInformation,
    TimeBudget,
    Utility,
    UtilityGuard,
)


@dataclass(frozen=True)
class ScheduleOptions(Schedule):
    """Information engine: length, batches and step size; a built-in data set brings its own.

    Attributes:
        epochs: passes over the retain set, at most; need not be whole.
        batch_size: retain rows per step.
        forget_batch_size: forget rows per step.
        lr: first step size; it falls linearly.
        final_lr: last step size as a share of lr.
        optimizer: which one.
        weight_decay: of the optimizer.
        evaluations_per_epoch: how often the run is looked at, steered and saved.
        batch_norm: frozen keeps running statistics, update learns them from retain rows; auto
            updates them only where weights are restarted.
        max_grad_norm: clip the gradient to this norm.
    """

    optimizer: Literal["adam", "adamw", "sgd"] = "adam"


@dataclass(frozen=True)
class Limits:
    """Further reasons to end the run; the first to hold ends it.

    Attributes:
        steps: at most this many steps.
        seconds: at most this long.
        nats: once the objective's information is at most this.
        accuracy_loss: once the retain set has lost this accuracy, such as 0.02.
    """

    steps: int | None = None
    seconds: float | None = None
    nats: float | None = None
    accuracy_loss: float | None = None

    def stops(self) -> tuple[Any, ...]:
        """The stops that were asked for."""
        stops: list[Any] = []
        if self.steps is not None:
            stops.append(Steps(self.steps))
        if self.seconds is not None:
            stops.append(TimeBudget(self.seconds))
        if self.nats is not None:
            stops.append(TargetInformation(self.nats))
        if self.accuracy_loss is not None:
            stops.append(UtilityGuard(self.accuracy_loss))
        return tuple(stops)


@dataclass(frozen=True)
class Choices:
    """Which objective, restart and stop.

    Attributes:
        objective: information engine: what it minimises. auto looks at the forget set first and
            takes what can see it; none only heals on the retain set. The options of each, and of
            the engine, are shown beside --help.
        restart: information engine: auto restarts only with objective auto; mix as mix.keep and
            mix.noise say.
        stop: information engine: calibrated ends where forget records look like held-out ones;
            limits only at --limits or at the end of the schedule.
        marginal: with --objective marginal, the paper's: information between the sampled label and
            the retain set with or without the forget set.
        membership: with --objective membership: information between what the model shows and
            forget or held-out.
        transport: with --objective transport: forget scores are moved onto held-out ones.
        mix: with --restart mix: weights are shrunk and a fresh initialisation is added.
        utility: the loss on the retain set.
        calibrated: with --stop calibrated.
        limits: further reasons to end the run; the first to hold ends it.
        audit_share: share of the held-out records that only the audit sees.
    """

    objective: Literal["auto", "marginal", "membership", "transport", "none"] = "auto"
    restart: Literal["auto", "mix", "none"] = "auto"
    stop: Literal["calibrated", "limits"] = "calibrated"
    marginal: MarginalInformation = field(default_factory=MarginalInformation)
    membership: MembershipInformation = field(default_factory=MembershipInformation)
    transport: ScoreTransport = field(default_factory=ScoreTransport)
    mix: Restart = field(default_factory=Restart)
    utility: Utility = field(default_factory=Utility)
    calibrated: Calibrated = field(default_factory=Calibrated)
    limits: Limits = field(default_factory=Limits)
    audit_share: float = 0.5

    def arguments(self) -> dict[str, Any]:
        """Arguments of :func:`infounlearn.unlearn` for the information engine.

        Raises:
            InputError: an option of something that was not chosen.
        """
        self._require_chosen()
        chosen: dict[str, Any] = {
            "auto": "auto",
            "none": None,
            "marginal": self.marginal,
            "membership": self.membership,
            "transport": self.transport,
            "mix": self.mix,
        }
        judged = (self.calibrated,) if self.stop == "calibrated" else ()
        return {
            "method": None,
            "objective": chosen[self.objective],
            "restart": chosen[self.restart],
            "stop": (*judged, *self.limits.stops()),
            "utility": self.utility,
            "audit_share": self.audit_share,
        }

    def _require_chosen(self) -> None:
        """Refuse settings without effect: they would be mistaken for settings that had one."""
        problems, usual = Problems("points"), Choices()
        for kind, names in (
            ("objective", ("marginal", "membership", "transport")),
            ("restart", ("mix",)),
            ("stop", ("calibrated",)),
        ):
            for name in names:
                given, plain = getattr(self, name), getattr(usual, name)
                changed = [
                    f.name
                    for f in fields(given)
                    if getattr(given, f.name) != getattr(plain, f.name)
                ]
                problems.require(
                    not changed or getattr(self, kind) == name,
                    f"--{name}.{(changed or [''])[0].replace('_', '-')} has no effect with "
                    f"--{kind} {getattr(self, kind)}",
                    fix=f"add --{kind} {name}, or leave it out",
                )
        problems.raise_if_any()


ENGINE = (*(one.name for one in fields(Choices) if one.name != "audit_share"), "schedule")
"""Options of the information engine, or what stands before the dot of theirs."""


def engine_words(words: Sequence[str]) -> list[str]:
    """Those of ``words`` that ask for the information engine."""
    return [word for word in words if option_of(word) in ENGINE]
