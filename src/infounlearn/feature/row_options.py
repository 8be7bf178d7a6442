"""Options of the release of whole rows: read, checked and completed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from infounlearn.errors import Problems, is_number
from infounlearn.feature.ladder import Training

__all__ = ["RowOptions", "checked_options"]


@dataclass(frozen=True)
class RowOptions:
    """Options of the release of whole rows (``engine_options``).

    Attributes:
        intervals: levels of a number.
        rare: rows below which categories share a level; None: 1/50 of the rows, from 2 to 30.
        training: of the networks; its fields are options by their own names.
    """

    intervals: int = 16
    rare: int | None = None
    training: Training = field(default_factory=Training)


LEAST = {"intervals": 2, "rare": 1, "networks": 1, "hidden": 1, "steps": 1, "patience": 1}
"""Least value of the options that are whole numbers."""


def checked_options(options: Mapping[str, object]) -> RowOptions:
    """Options with the defaults of those that are not given.

    Raises:
        InputError: an option that is unknown or out of range; all of them in one message.
    """
    problems = Problems("WassersteinBarycenter")
    known = ["intervals", "rare", *(one.name for one in fields(Training))]
    unknown = [name for name in options if name not in known]
    problems.require(
        not unknown, f"engine_options holds {unknown}", fix=f"pass some of {known} or release"
    )
    for name, value in options.items():
        if name in unknown or (name == "rare" and value is None):
            continue
        if name in LEAST:
            fine = is_number(value, whole=True) and value >= LEAST[name]  # type: ignore[operator]
            fix = f"pass a whole number of at least {LEAST[name]}"
        elif name == "dropout":
            fine = is_number(value) and 0 <= value < 1  # type: ignore[operator]
            fix = "pass a share in [0, 1)"
        elif name == "validation":
            fine = is_number(value) and 0 < value <= 0.5  # type: ignore[operator]
            fix = "pass a share in (0, 0.5]"
        elif name == "weight_decay":
            fine, fix = is_number(value) and value >= 0, "pass a number of at least 0"  # type: ignore[operator]
        else:
            fine, fix = is_number(value) and value > 0, "pass a number above 0"  # type: ignore[operator]
        problems.require(fine, f"{name} is {value!r}", fix=fix)
    problems.raise_if_any()
    own = {name: options[name] for name in ("intervals", "rare") if name in options}
    rest = {name: value for name, value in options.items() if name not in own}
    return RowOptions(**own, training=Training(**rest))  # type: ignore[arg-type]
