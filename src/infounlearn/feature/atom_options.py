"""Options of the release by atoms: read, checked and completed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from infounlearn.errors import Problems, is_number

__all__ = ["AtomOptions", "checked_options"]

ROWS_PER_ATOM = 192
"""Fitted rows for each atom: what fresh rows leak is about half its inverse, in nats."""
FEWEST, MOST = 16, 128
CAP = 0.01
"""Nats about Z that a blind release may keep where nothing is asked."""


@dataclass(frozen=True)
class AtomOptions:
    """Options of the release by atoms (``engine_options``).

    Attributes:
        atoms: J; by default one for 192 rows, between 16 and 128.
        reg: strength of the entropy, in units of the mean cost between two rows; by default
            .02, or with a target 25/√n up to .5. More lowers what fresh rows leak, and blurs.
        score_weight: λ, how much the scores of a target count beside the whole row.
        folds: folds of the models of target and group.
        rounds: times that the folds are dealt anew.
        max_information: blind mode: most nats about Z on the fitted rows.
        gamma: blind mode, instead: cost of a nat, in units of the mean cost between two rows.
    """

    atoms: int | None = None
    reg: float | None = None
    score_weight: float = 100.0
    folds: int = 10
    rounds: int = 2
    max_information: float | None = None
    gamma: float | None = None


def checked_options(options: Mapping[str, object], rows: int) -> AtomOptions:
    """Options with the defaults that depend on the number of fitted rows.

    Raises:
        InputError: an option that is unknown or out of range; all of them in one message.
    """
    problems = Problems("WassersteinBarycenter")
    known = [field.name for field in fields(AtomOptions)]
    unknown = [name for name in options if name not in known]
    problems.require(
        not unknown, f"engine_options holds {unknown}", fix=f"pass some of {known} or release"
    )
    whole = {"atoms": 1, "folds": 2, "rounds": 1}
    for name, value in options.items():
        if name in unknown or (
            value is None and name in ("atoms", "reg", "max_information", "gamma")
        ):
            continue
        least = whole.get(name)
        fine = is_number(value, whole=least is not None)
        if least is not None:
            problems.require(
                fine and value >= least,  # type: ignore[operator]
                f"{name} is {value!r}",
                fix=f"pass a whole number of at least {least}",
            )
        else:
            zero = name in ("gamma", "score_weight")
            problems.require(
                fine and (value > 0 or (zero and value == 0)),  # type: ignore[operator]
                f"{name} is {value!r}",
                fix="pass a number above 0",
            )
    both = options.get("gamma") is not None and options.get("max_information") is not None
    problems.require(not both, "gamma and max_information are passed", fix="pass one of them")
    problems.raise_if_any()
    found = AtomOptions(**options)  # type: ignore[arg-type]
    atoms = found.atoms or int(np.clip(rows // ROWS_PER_ATOM, FEWEST, MOST))
    cap = found.max_information
    if found.gamma is None and cap is None:
        cap = CAP
    return replace(found, atoms=atoms, max_information=cap)
