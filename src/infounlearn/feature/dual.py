"""The weight of an information term: fixed, or as large as a budget of nats requires.

    minimise task loss  subject to  I ≤ ε

has points that no fixed weight reaches (wherever the frontier is not concave), so the weight climbs
while the information is over its budget and falls while it is under it:

    γ ← max(0, γ + η (Î - ε)/max(Î, ε)),   weight in force = γ + (ρ/ε) max(0, Î - ε).

Î is de-biased and may be negative. Dividing by max(Î, ε) changes no fixed point: far above the
budget the weight climbs by η a step, however small ε is. The second term is the gradient of the
quadratic (ρ/2ε) max(0, Î - ε)², which damps the climb and holds points off the hull.
"""

from __future__ import annotations

from infounlearn.errors import Problems, is_number


class Multiplier:
    """γ of one attribute."""

    def __init__(
        self, gamma: float, budget: float | None, *, rate: float, augmentation: float
    ) -> None:
        """Start.

        Args:
            gamma: weight, or where it starts under a budget.
            budget: ε in nats; None keeps ``gamma``.
            rate: η, the largest climb in one step.
            augmentation: ρ.
        """
        self.gamma, self.budget = float(gamma), budget
        self.rate, self.augmentation = rate, augmentation
        self.weight = self.gamma

    @property
    def is_off(self) -> bool:
        """Whether the weight is and stays 0."""
        return self.budget is None and self.gamma == 0.0

    def update(self, information: float) -> None:
        """Move after a step that shows ``information`` (nats, de-biased)."""
        if self.budget is None:
            return
        excess = information - self.budget
        self.gamma = max(0.0, self.gamma + self.rate * excess / max(information, self.budget))
        self.weight = self.gamma + self.augmentation * max(0.0, excess) / self.budget


def check_dial(
    problems: Problems, gamma: object, budget: object, rate: object, augmentation: object
) -> None:
    """Collect weights, budgets and rates that cannot be used."""
    problems.require(
        gamma is None or (is_number(gamma) and gamma >= 0),  # type: ignore[operator]
        f"gamma is {gamma!r}",
        fix="pass a number of 0 or more",
    )
    problems.require(
        budget is None or (is_number(budget) and budget > 0),  # type: ignore[operator]
        f"max_information is {budget!r}",
        fix="pass nats above 0, or None and a large gamma",
    )
    for name, value in (("rate", rate), ("augmentation", augmentation)):
        problems.require(
            is_number(value) and value >= 0,  # type: ignore[operator]
            f"{name} is {value!r}",
            fix="pass a number of 0 or more",
        )
