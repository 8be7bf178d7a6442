"""What the default does: look at the forget set first, then choose.

Two kinds of requests need two kinds of work. Where marginal information sees the forget set, its
classes are not those of the rest: a retrained model would know less of a *class*, so knowledge must
go, and no comparison with held-out records of that class can tell, for those are known too. A
strong restart does it. Where it does not, only the memory of single *records* must go, and a strong
restart would also lose what the model memorised of the retain set, which a retrained model has: a
mild restart and transport of forget scores do it. docs/method.md has the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infounlearn.errors import Problems
from infounlearn.point.batches import stream_seed
from infounlearn.point.blind_spot import Sight, see_forget_set
from infounlearn.point.marginal_information import MarginalInformation
from infounlearn.point.objective import Look, Objective
from infounlearn.point.restart import Restart, shortness
from infounlearn.point.score_transport import ScoreTransport

STRONG_KEEP = 0.15
"""Share of the weights kept in a strong restart of a run with many steps."""
LARGEST_KEEP = 0.5
MILD = Restart(keep=0.97, noise=0.03)
"""For forget sets like the rest: enough to loosen the memory of single records."""


class BlindSpotWarning(UserWarning):
    """The chosen objective cannot see this forget set."""


@dataclass(frozen=True)
class Plan:
    """What will be done, and what must be said about it.

    Attributes:
        objective: the information term; None heals on the retain set alone.
        restart: of the weights; None starts from the trained ones.
        warnings: to be raised before the run.
        remarks: to be written into the report.
    """

    objective: Objective | None
    restart: Restart | None
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """The method as a report names it."""
        parts = [repr(part) for part in (self.restart, self.objective) if part is not None]
        return " + ".join(parts) if parts else "fine-tuning on the retain set"


def make_plan(
    look: Look,
    objective: Objective | Literal["auto"] | None,
    restart: Restart | Literal["auto"] | None,
    steps: int,
    has_holdout: bool,
    seed: int,
    problems: Problems,
) -> Plan:
    """Choose what the caller left open, after looking whether marginal information sees F.

    Args:
        look: the original model's outputs.
        objective, restart: of the caller.
        steps: length of the run; with few steps a restart keeps more.
        has_holdout: whether held-out records are there.
        seed: of the permutation null.
        problems: collects why "auto" cannot choose.
    """
    sight: Sight | None = None
    if look.forget.is_classification:
        sight = see_forget_set(look, seed=stream_seed(seed, "sight") % 2**32)
    remarks = (sight.sentence,) if sight is not None else ()
    if objective == "auto":
        if sight is not None and sight.visible:
            return _chosen(None, strong(steps) if restart == "auto" else restart, remarks)
        problems.require(
            has_holdout,
            "objective='auto' needs holdout for this forget set"
            + (f": {sight.sentence}" if sight is not None else ""),
            fix="pass held-out records, or name an objective",
        )
        return _chosen(ScoreTransport(), MILD if restart == "auto" else restart, remarks)
    kept = None if restart == "auto" else restart
    blind = isinstance(objective, MarginalInformation) and sight is not None and not sight.visible
    if blind and sight is not None:
        return Plan(objective, kept, warnings=(sight.sentence,))
    return Plan(objective, kept, remarks=remarks)


def strong(steps: int) -> Restart:
    """A restart as strong as ``steps`` training steps can heal."""
    return Restart(keep=round(min(LARGEST_KEEP, STRONG_KEEP * shortness(steps)), 3), noise=1.0)


def _chosen(objective: Objective | None, restart: Restart | None, remarks: tuple[str, ...]) -> Plan:
    """A plan that says what was chosen for the caller."""
    plan = Plan(objective, restart)
    return Plan(objective, restart, remarks=(*remarks, f"chosen: {plan.in_words}"))
