"""What goes wrong, said once and completely.

Every public door checks its input before any work starts. Problems are collected, not thrown one by
one, so that a caller repairs everything in one go:

    problems = Problems("unlearn")
    problems.require(len(forget) > 0, "forget is empty", fix="pass at least one record to forget")
    problems.raise_if_any()
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


class InfounlearnError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(InfounlearnError, ValueError):
    """The caller's input cannot be used. The message names each argument, problem and remedy."""


class DivergenceError(InfounlearnError, RuntimeError):
    """A run left the finite numbers. Carries no model: the caller's own is untouched."""


@dataclass
class Problems:
    """Collects input problems of one call and raises them together."""

    where: str
    found: list[str] = field(default_factory=list)

    def require(self, condition: bool, problem: str, *, fix: str, why: str = "") -> bool:
        """Record ``problem`` unless ``condition`` holds; return ``condition``."""
        if not condition:
            self.add(problem, fix=fix, why=why)
        return condition

    def add(self, problem: str, *, fix: str, why: str = "") -> None:
        """Record one problem with its reason and remedy."""
        reason = f" ({why})" if why else ""
        self.found.append(f"{problem}{reason}: {fix}")

    def raise_if_any(self) -> None:
        """Raise one :class:`InputError` that lists every problem found so far."""
        if not self.found:
            return
        if len(self.found) == 1:
            raise InputError(f"{self.where}: {self.found[0]}")
        lines = "\n".join(f"  - {line}" for line in self.found)
        raise InputError(f"{self.where}: {len(self.found)} problems\n{lines}")


def is_number(value: object, *, whole: bool = False) -> bool:
    """Whether ``value`` is a finite real number (an integer where ``whole``); truth values are not.

    Checks of a setting ask this before they compare, so that a text or NaN is reported like any
    other problem.
    """
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return math.isfinite(value)
