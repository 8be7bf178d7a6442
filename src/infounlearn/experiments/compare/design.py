"""How large a comparison is, checked at once before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from infounlearn.errors import Problems, is_number
from infounlearn.experiments.compare import ours
from infounlearn.point.methods import METHODS

ALL = (ours.NAME, *(name for name in METHODS if name != ours.METHOD))
"""Everything that can be compared: ours first."""


@dataclass(frozen=True)
class Design:
    """Size of a comparison.

    Attributes:
        methods: names; "ours" is this project's default.
        budgets: shares of the cost of retraining.
        seeds: original networks, each unlearned once by every method.
        references: retrained networks that judge.
        tuning_references: retrained networks that the tuner sees.
        trials: settings tried for each method, case and budget.
        seconds: wall time after which no further trial starts.
        relearn: whether every result is trained anew on the forget records, for relearn time.
    """

    methods: tuple[str, ...] = ALL
    budgets: tuple[float, ...] = (0.01, 0.05, 0.2)
    seeds: int = 5
    references: int = 8
    tuning_references: int = 3
    trials: int = 12
    seconds: float = 60.0
    relearn: bool = False

    def check(self, problems: Problems) -> None:
        """Collect what makes no sense."""
        problems.require(len(self.methods) > 0, "methods is empty", fix="name at least one")
        unknown = [name for name in self.methods if name not in ALL]
        problems.require(
            not unknown,
            f"methods hold {', '.join(map(repr, unknown))}",
            fix=f"choose from {', '.join(ALL)}",
            why=f"the default takes part as {ours.NAME}" if ours.METHOD in unknown else "",
        )
        self._no_twice("methods", self.methods, problems)
        problems.require(
            len(self.budgets) > 0 and all(is_number(one) and 0 < one <= 1 for one in self.budgets),
            f"budgets are {list(self.budgets)}",
            why="they are shares of the cost of retraining",
            fix="pass numbers above 0 and up to 1",
        )
        self._no_twice("budgets", self.budgets, problems)
        for name, least in (
            ("seeds", 1), ("references", 2), ("tuning_references", 2), ("trials", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            problems.require(
                is_number(value, whole=True) and value >= least,
                f"{name} is {value!r}",
                fix=f"pass a whole number of {least} or more",
            )
        problems.require(
            self.methods == (ours.NAME,) or find_spec("optuna") is not None,
            "optuna is not installed",
            why="it tunes the published methods",
            fix="pip install 'infounlearn[compare]'",
        )
        problems.require(
            is_number(self.seconds) and self.seconds > 0,
            f"seconds is {self.seconds!r}",
            fix="pass a number above 0",
        )

    @staticmethod
    def _no_twice(name: str, values: Sequence[object], problems: Problems) -> None:
        problems.require(
            len(set(values)) == len(values), f"{name} hold one twice", fix="name each once"
        )


FULL = Design()
QUICK = Design(budgets=(0.05,), seeds=2, references=3, tuning_references=2, trials=3, seconds=5.0)
QUICK_CASES = 2
"""The first so many cases of a data set."""
