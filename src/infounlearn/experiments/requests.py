"""The named requests on which unlearning methods are compared, for each built-in data set."""

from __future__ import annotations

from typing import Any

from infounlearn.errors import Problems
from infounlearn.experiments.case_data import SOURCES

_ANY: dict[str, dict[str, Any]] = {
    "random 10%": {"forget_random": 0.1},
    "tail 5%": {"forget_tail": 0.05},
    "one record": {"forget_count": 1},
    "10 requests": {"forget_random": 0.1, "requests": 10},
}
_LABELS: dict[str, dict[str, Any]] = {
    "random 10%, 20% noise": {"forget_random": 0.1, "label_noise": 0.2},
}
_PICTURES: dict[str, dict[str, Any]] = {
    "75% of class 3": {"forget_class": 3, "forget_fraction": 0.75},
    "whole class 3": {"forget_class": 3},
    "confusion 3/5": {"confuse": (3, 5), "forget_fraction": 0.3},
    "trigger": {"trigger": 0, "forget_fraction": 0.05},
}
# Forgetting one of two classes as a whole would leave nothing to tell apart.
_TWO_CLASSES: dict[str, dict[str, Any]] = {
    "75% of class 1": {"forget_class": 1, "forget_fraction": 0.75},
    "confusion 0/1": {"confuse": (0, 1), "forget_fraction": 0.1},
}
ORDER = (
    "75% of class 3",
    "75% of class 1",
    "whole class 3",
    "random 10%",
    "random 10%, 20% noise",
    "confusion 3/5",
    "confusion 0/1",
    "trigger",
    "tail 5%",
    "one record",
    "10 requests",
)
"""All names, in the order of every table."""


def comparison_cases(data: str, quick: bool = False) -> dict[str, dict[str, Any]]:
    """The comparison cases of a data set that make sense for it, by name.

    Pictures of ten classes have all but the two of class 1; 3 and 5 are, in turn, digits that look
    alike, and cat and dog. "adult", of two classes, has subset and confusion of its own.
    Regressions have those that need no label.

    Args:
        data: a name of :func:`.cases.case`.
        quick: the small form of the data set.

    Returns:
        Arguments of ``case(data, **arguments, seed=...)``, a new dictionary of each.

    Raises:
        InputError: an unknown data set.
    """
    problems = Problems("comparison_cases")
    problems.require(
        data in SOURCES, f"data is {data!r}", fix=f"choose {', '.join(map(repr, SOURCES))}"
    )
    problems.raise_if_any()
    source = SOURCES[data]
    known = dict(_ANY)
    if source.num_classes is not None:
        known |= _LABELS | (_TWO_CLASSES if source.num_classes == 2 else _PICTURES)
    return {name: {**known[name], "quick": quick} for name in ORDER if name in known}
