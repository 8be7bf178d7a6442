"""Settings of the table barycenter, checked before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from infounlearn.errors import Problems, is_number

__all__ = ["FeatureWarning", "check_settings"]

CHOICES = {
    "method": ("auto", "line", "gaussian", "common-support"),
    "mode": ("aware", "blind"),
    "missing": ("error", "group"),
    "unseen": ("error", "keep"),
    "missing_features": ("error", "level"),
    "unseen_categories": ("error", "other"),
    "small_groups": ("error", "pool"),
    "keys": ("auto", "content"),
}
AFFINE_OR_LINE = ("line", "gaussian")


class FeatureWarning(UserWarning):
    """Something about the table weakens what was asked for; the message says what and why."""


def check_settings(settings: Mapping[str, Any], problems: Problems) -> None:
    """Add every setting that is out of range, or that contradicts another."""
    # A grid of numpy is as good as a list.
    settings = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in settings.items()
    }
    for name, allowed in CHOICES.items():
        problems.require(
            isinstance(settings[name], str) and settings[name] in allowed,
            f"{name} is {settings[name]!r}",
            fix=f"pass one of {', '.join(map(repr, allowed))}",
        )
    amount = settings["amount"]
    problems.require(
        is_number(amount) and 0.0 <= amount <= 1.0,
        f"amount is {amount!r}",
        fix="pass a number in [0, 1]: 0 leaves the table, 1 removes the sensitive variable",
    )
    for name in ("min_group", "max_rows"):
        value = settings[name]
        problems.require(
            is_number(value, whole=True) and value >= 1,
            f"{name} is {value!r}",
            fix="pass a whole number of at least 1",
        )
    jitter, bins = settings["jitter"], settings["bins"]
    problems.require(
        is_number(jitter) and jitter >= 0.0, f"jitter is {jitter!r}", fix="pass a variance, or 0"
    )
    problems.require(
        bins is None or bins == "auto" or (is_number(bins, whole=True) and bins >= 2),
        f"bins is {bins!r}",
        fix="pass 'auto', None or a whole number of at least 2",
    )
    seed = settings["random_state"]
    problems.require(
        seed is None or is_number(seed, whole=True),
        f"random_state is {seed!r}",
        fix="pass a whole number, or None for fresh noise in every fit",
    )
    given, given_target = settings["given"], settings["given_target"]
    problems.require(
        given is None or not given_target,
        "given and given_target are both set",
        fix="set one; cross a column with the target yourself where both are meant",
    )
    method = settings["method"]
    if method in AFFINE_OR_LINE:
        problems.require(
            settings["mode"] != "blind",
            f"mode is 'blind' and method is {method!r}",
            why="these maps are one per group; guessing the group guarantees nothing",
            fix="use method='common-support', whose kernels can do without the group",
        )
        problems.require(
            not settings["use_target"],
            f"use_target is set and method is {method!r}",
            why="its change is measured in X alone",
            fix="use method='common-support'",
        )
        problems.require(
            settings["missing_features"] == "error",
            f"missing_features is 'level' and method is {method!r}",
            why="it moves numbers only",
            fix="impute, or use method='common-support'",
        )


def duplicates_message(share: float) -> str:
    """What to say of a table many rows of which are copies."""
    return (
        f"{share:.1%} of the rows are copies of another row: equal rows draw equal noise and are "
        "released alike, which may tell of their group: pass keys (one per row) to transform, or "
        "a pandas frame with a unique index"
    )


def atoms_message(columns: list[str]) -> str:
    """What to say of discrete columns under affine maps."""
    return (
        f"columns {columns[:5]} hold few distinct values: affine maps send equal values of two "
        "groups to different places, which names the group to a nonlinear probe: use "
        "method='common-support', and audit"
    )
