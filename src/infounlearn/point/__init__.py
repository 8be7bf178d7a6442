"""Unlearning data points: the verb, objectives, restarts and stops.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_ROOM = {
    "blind_spot": ("Sight", "see_forget_set"),
    "marginal_information": ("MarginalInformation",),
    "membership_information": ("MembershipInformation",),
    "objective": ("Look", "Objective", "Penalty", "Shown", "Step"),
    "restart": ("Restart",),
    "result": ("Unlearned",),
    "schedule": ("Schedule",),
    "score_transport": ("ScoreTransport",),
    "stop": ("Calibrated", "Steps", "Stop", "TargetInformation", "TimeBudget", "UtilityGuard"),
    "utility": ("Utility",),
    "plan": ("BlindSpotWarning",),
    "verb": ("unlearn",),
}
_HOME = {name: f"infounlearn.point.{module}" for module, names in _ROOM.items() for name in names}

OBJECTIVES = ("MarginalInformation", "MembershipInformation", "ScoreTransport")
"""Every objective of this room, by name."""

__all__ = [
    "OBJECTIVES",
    "BlindSpotWarning",
    "Calibrated",
    "Look",
    "MarginalInformation",
    "MembershipInformation",
    "Objective",
    "Penalty",
    "Restart",
    "Schedule",
    "ScoreTransport",
    "Shown",
    "Sight",
    "Step",
    "Steps",
    "Stop",
    "TargetInformation",
    "TimeBudget",
    "Unlearned",
    "Utility",
    "UtilityGuard",
    "see_forget_set",
    "unlearn",
]

if TYPE_CHECKING:
    from infounlearn.point.blind_spot import Sight, see_forget_set
    from infounlearn.point.marginal_information import MarginalInformation
    from infounlearn.point.membership_information import MembershipInformation
    from infounlearn.point.objective import Look, Objective, Penalty, Shown, Step
    from infounlearn.point.plan import BlindSpotWarning
    from infounlearn.point.restart import Restart
    from infounlearn.point.result import Unlearned
    from infounlearn.point.schedule import Schedule
    from infounlearn.point.score_transport import ScoreTransport
    from infounlearn.point.stop import (
        Calibrated,
        Steps,
        Stop,
        TargetInformation,
        TimeBudget,
        UtilityGuard,
    )
    from infounlearn.point.utility import Utility
    from infounlearn.point.verb import unlearn


def __getattr__(name: str) -> object:
    """Import a public name from its module the first time it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'infounlearn.point' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
