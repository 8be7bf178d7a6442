"""What runs in ``figure tabular-frontiers``: tables, base models, methods and their dials.

Every method has one dial with six settings, its published default among them; nothing else is
tuned. Bounds on a gap are shares of the plain model's gap on training rows, so that the same six
cover every table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infounlearn.data import adult, communities, compas, german, law_school
from infounlearn.data.tabular import TableData
from infounlearn.experiments.rivals.adversarial import AdversarialRival
from infounlearn.experiments.rivals.barycenter_table import BarycenterTable
from infounlearn.experiments.rivals.base import Base, Kind, Task
from infounlearn.experiments.rivals.concept_erasure import LeaceRival
from infounlearn.experiments.rivals.correlation_remover import CorrelationRemoverRival
from infounlearn.experiments.rivals.equipy import EquiPyRival
from infounlearn.experiments.rivals.exponentiated_gradient import ExponentiatedGradientRival
from infounlearn.experiments.rivals.hsic import HsicRival
from infounlearn.experiments.rivals.information_net import InformationNet
from infounlearn.experiments.rivals.linear_post import LinearPostRival
from infounlearn.experiments.rivals.mean_gap import MeanGapRival
from infounlearn.experiments.rivals.ours import ParityHeadCurve, ScoreBarycenterCurve
from infounlearn.experiments.rivals.quadratic_eraser import QuadraticRival
from infounlearn.experiments.rivals.threshold_optimizer import ThresholdOptimizerRival
from infounlearn.feature.frontiers import Dial

PLAIN = "plain"
OURS = (
    "ParityHead",
    "ParityHead, order kept",
    "ScoreBarycenter",
    "ScoreBarycenter, tolerance",
    "WassersteinBarycenter",
    "InformationRegularized, label",
    "InformationRegularized, score",
)

SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
AMOUNTS = (1.0, 0.9, 0.7, 0.5, 0.3, 0.1)
MEAN_GAPS = (0.1, 0.3, 1.0, 2.0, 4.0, 10.0)
HSIC = (1.0, 5.0, 20.0, 50.0, 100.0, 300.0)
ALPHAS = (0.1, 0.3, 1.0, 2.0, 4.0, 10.0)
GAMMAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True)
class Case:
    """One table and the attribute to be removed from it."""

    data: str
    attribute: str
    load: Callable[[], TableData]

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"{self.data}, {self.attribute}"


CASES = (
    Case("Adult", "sex", lambda: adult.load_adult(sensitive="sex")),
    Case("Adult", "race", lambda: adult.load_adult(sensitive="race", two_races=True)),
    Case("COMPAS", "sex", lambda: compas.load_compas(sensitive=("sex", "race_raw"))),
    Case("COMPAS", "race", lambda: compas.load_compas(sensitive=("race", "race_raw"))),
    Case("German credit", "sex", lambda: german.load_german(sensitive="sex")),
    Case("German credit", "age", lambda: german.load_german(sensitive="age")),
    Case("Law school", "race", lambda: law_school.load_law_school(sensitive="race")),
    Case("Law school", "sex", lambda: law_school.load_law_school(sensitive="sex")),
    Case("Communities", "race", communities.load_communities),
)
BASES: tuple[Kind, ...] = ("linear", "trees", "net")


def methods(
    kind: Kind, task: Task, levels: tuple[int, ...], *, dear: bool = True
) -> dict[str, Any]:
    """Name and dial of everything that runs over one base model; the plain model first.

    ``dear`` includes ExponentiatedGradient over boosted trees, with 5 iterations: its default of 50
    refits them up to a hundred times for each setting and fold.
    """
    base = Base(kind, task, levels)
    found: dict[str, Any] = {PLAIN: base}
    sorts = task == "classification"
    if sorts:
        found["ThresholdOptimizer"] = Dial(ThresholdOptimizerRival(base), "share", SHARES)
        found["LinearPost"] = Dial(LinearPostRival(base), "share", SHARES)
    found["EquiPy"] = Dial(EquiPyRival(base), "epsilon", SHARES)
    if kind != "net":
        common: dict[str, Any] = {"kind": kind, "task": task, "levels": levels}
        for name, rival in (
            ("CorrelationRemover", CorrelationRemoverRival),
            ("LEACE", LeaceRival),
            ("QuadraticEraser", QuadraticRival),
        ):
            found[name] = Dial(rival(**common), "amount", AMOUNTS)
        found["WassersteinBarycenter"] = Dial(BarycenterTable(**common), "amount", AMOUNTS)
    if sorts and kind == "linear":
        settings = ("default", *SHARES[1:])
        found["ExponentiatedGradient"] = Dial(ExponentiatedGradientRival(base), "share", settings)
    if sorts and kind == "trees" and dear:
        settings = ("default", *SHARES[1:])
        short = ExponentiatedGradientRival(base, max_iter=5)
        found["ExponentiatedGradient, 5 iterations"] = Dial(short, "share", settings)
    if kind == "net":
        found["adversarial"] = Dial(AdversarialRival(task, levels), "weight", ALPHAS)
        found["HSIC"] = Dial(HsicRival(task, levels), "weight", HSIC)
        found["mean gap"] = Dial(MeanGapRival(task, levels), "weight", MEAN_GAPS)
        for level in ("label", "score") if sorts else ("score",):
            net = InformationNet(task, levels, level=level)
            found[f"InformationRegularized, {level}"] = Dial(net, "gamma", GAMMAS)
    if sorts:
        found["ParityHead"] = Dial(ParityHeadCurve(base), "share", SHARES)
        found["ParityHead, order kept"] = Dial(
            ParityHeadCurve(base, ranking="kept"), "share", SHARES
        )
    found["ScoreBarycenter"] = Dial(ScoreBarycenterCurve(base), "amount", AMOUNTS)
    found["ScoreBarycenter, tolerance"] = Dial(ScoreBarycenterCurve(base), "share", SHARES)
    return found
