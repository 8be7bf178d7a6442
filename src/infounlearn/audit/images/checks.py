"""Arguments of an image audit as arrays, and everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from infounlearn.audit.feature.checks import LEAST, LEAST_GROUP
from infounlearn.audit.feature.groups import Groups, read_groups
from infounlearn.audit.images.case import Settings
from infounlearn.errors import Problems, is_number
from infounlearn.math.intervals import as_array

SIDE = 8
"""Pixels of the shorter side below which a network has nothing to convolve."""
FAR = 16.0
"""Beyond this a value is no brightness between 0 and 1, however far a map overshoots."""


def read_pixels(problems: Problems, name: str, images: Any) -> np.ndarray:
    """(n, c, h, w) float32; bytes are divided by 255. An object with ``pixels`` lends these."""
    array = as_array(getattr(images, "pixels", images))
    nothing = np.zeros((0, 1, SIDE, SIDE), dtype=np.float32)
    if not problems.require(
        array.ndim == 4 and array.shape[1] in (1, 3) and array.dtype.kind in "fu",
        f"{name} has shape {array.shape} and type {array.dtype}",
        fix="pass (n, c, h, w) images, c 1 or 3, as float in [0, 1] or uint8",
    ):
        return nothing
    if not problems.require(
        min(array.shape[2:]) >= SIDE,
        f"{name} is {array.shape[2]} x {array.shape[3]} pixels",
        fix=f"pass images of at least {SIDE} x {SIDE}",
    ):
        return nothing
    if array.dtype.kind == "u":
        problems.require(
            array.dtype == np.uint8, f"{name} has type {array.dtype}", fix="pass float or uint8"
        )
        return np.asarray(array, dtype=np.float32) / np.float32(255)
    pixels = np.ascontiguousarray(array, dtype=np.float32)
    bad = int(np.count_nonzero(~np.isfinite(pixels)))
    if not problems.require(
        bad == 0, f"{name} has {bad} values that are not finite", fix="repair or leave them out"
    ):
        return nothing
    largest = float(np.abs(pixels).max(initial=0.0))
    problems.require(
        largest <= FAR, f"{name} has values up to {largest:.4g}", fix="divide them: pass [0, 1]"
    )
    return pixels


def is_rounded(images: Any) -> bool:
    """Whether float32 loses digits of these images."""
    array = as_array(getattr(images, "pixels", images))
    return array.dtype.itemsize > 4 and not np.array_equal(array, array.astype(np.float32))


def read_others(problems: Problems, others: Any, rows: int, folds: int) -> dict[str, Groups]:
    """Other attributes by name, each with groups large enough to be read."""
    if others is None:
        return {}
    if not problems.require(
        isinstance(others, Mapping),
        f"others is {type(others).__name__}",
        fix="pass a mapping of names to (n,) labels",
    ):
        return {}
    found = {str(name): read_groups(problems, str(name), labels) for name, labels in others.items()}
    for name, groups in found.items():
        check_group_sizes(problems, f"others[{name!r}]", groups, rows, folds)
    return found


def check_group_sizes(problems: Problems, name: str, groups: Groups, rows: int, folds: int) -> None:
    """As many labels as images, two groups or more, and enough images of each."""
    if not problems.require(
        len(groups.codes) == rows,
        f"{name} has {len(groups.codes)} labels for {rows} images",
        fix="pass one label per image",
    ):
        return
    problems.require(
        len(groups) >= 2,
        f"{name} has one value only, {groups.names[0] if groups.names else 'none'}",
        fix="audit images of at least two groups",
    )
    least = max(LEAST_GROUP, 2 * folds)
    pairs = zip(groups.names, groups.counts.tolist(), strict=True)
    small = [f"{group} ({count})" for group, count in pairs if count < least]
    problems.require(
        not small,
        f"{name} has groups of fewer than {least} images: {', '.join(small[:9])}",
        fix="merge them with others, leave their images out, or audit more",
    )


def check_rows(problems: Problems, rows: int) -> None:
    """Enough images at all."""
    problems.require(rows >= LEAST, f"there are {rows} images", fix=f"pass at least {LEAST}")


def check_settings(problems: Problems, s: Settings) -> None:
    """Ranges of the settings."""
    for name, value, fits, fix in (
        ("confidence", s.confidence, is_number(s.confidence) and 0 < s.confidence < 1, "0.95"),
        ("limit", s.limit, is_number(s.limit) and s.limit > 0, "nats above 0, such as 0.02"),
        ("margin", s.margin, is_number(s.margin) and 0 < s.margin < 1, "a share such as 0.05"),
        ("refits", s.refits, _whole(s.refits, 1), "5 or more"),
        (
            "folds",
            s.folds,
            _whole(s.folds, 3),
            "5, or 3 at least: of two folds no interval of use is known",
        ),
        ("epochs", s.epochs, _whole(s.epochs, 1), "12"),
        ("splits", s.splits, _whole(s.splits, 1), "19"),
        ("dimensions", s.dimensions, _whole(s.dimensions, 1), "64"),
        ("seed", s.seed, _whole(s.seed, 0), "0 or more"),
        ("jobs", s.jobs, is_number(s.jobs, whole=True) and s.jobs != 0, "1, or -1 for all cores"),
    ):
        problems.require(fits, f"{name} is {value!r}", fix=f"pass {fix}")
    try:
        kind = torch.device(s.device).type
    except (RuntimeError, TypeError):
        problems.add(f"device is {s.device!r}", fix="pass 'cpu' or 'cuda'")
        return
    problems.require(
        kind == "cpu" or (kind == "cuda" and torch.cuda.is_available()),
        f"device is {s.device!r}, which is not there",
        fix="pass 'cpu'",
    )
    problems.require(
        kind == "cpu" or s.jobs == 1,
        f"jobs is {s.jobs} on {s.device!r}",
        fix="pass jobs=1: one process trains on a device",
    )


def _whole(value: object, least: int) -> bool:
    return is_number(value, whole=True) and int(value) >= least  # type: ignore[call-overload]
