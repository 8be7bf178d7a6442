"""Columns of 0 and 1 that are one categorical variable: found by their sums, then by names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Block", "one_hot_blocks"]

SEPARATORS = "_=.: "
"""What may stand between the name of a variable and its level: sex_Male, marital=Widowed."""


@dataclass(frozen=True)
class Block:
    """One categorical variable in columns of 0 and 1.

    Attributes:
        name: common part of the names.
        members: positions of the columns.
        levels: level of each column; one more, None, where some rows have no 1 at all.
    """

    name: str
    members: tuple[int, ...]
    levels: tuple[Any, ...]


def one_hot_blocks(values: np.ndarray, names: list[str]) -> list[Block]:
    """Blocks among the columns of ``values`` (n, d); a lone column of 0 and 1 is a block of one.

    Neighbours of which every row has exactly one 1 are a block; so are columns whose names share
    the part before a separator and of which every row has at most one 1 (a level was dropped).
    """
    if not len(values):
        return []
    # Most columns of numbers are told from the first rows.
    binary = [
        at for at in range(values.shape[1]) if _binary(values[:64, at]) and _binary(values[:, at])
    ]
    # A level that no row has belongs to its neighbours; alone, a constant is a number.
    constant = {at for at in binary if values[:, at].min() == values[:, at].max()}
    blocks: list[Block] = []
    used: set[int] = set()
    for start, at in enumerate(binary):
        if at in used or _astray(binary[start:], constant, names):
            continue
        run = _run(values, binary[start:])
        if len(set(run) - constant) > 1 and not used.intersection(run):
            after = (next_at for next_at in binary[start + len(run) :] if next_at in constant)
            stem = _stem(names[at])
            run += [end for end in after if stem and _stem(names[end]) == stem]
            used.update(run)
            blocks.append(_block(run, names, full=True))
    rest = [at for at in binary if at not in used and at not in constant]
    stems: dict[str, list[int]] = {}
    for at in rest:
        stems.setdefault(_stem(names[at]), []).append(at)
    for stem, members in stems.items():
        sums = values[:, members].sum(axis=1)
        if stem and len(members) > 1 and (sums <= 1).all():
            used.update(members)
            blocks.append(_block(members, names, full=bool((sums == 1).all())))
    lone = [at for at in rest if at not in used]
    blocks += [Block(names[at], (at,), (0, 1)) for at in lone]
    return sorted(blocks, key=lambda block: block.members)


def _astray(columns: list[int], constant: set[int], names: list[str]) -> bool:
    """Whether the first column has one value, and no name that says which block it belongs to.

    It may be the last level of the block before as well as the first of the block after.
    """
    if columns[0] not in constant:
        return False
    following = next((at for at in columns if at not in constant), None)
    stem = _stem(names[columns[0]])
    return following is None or not stem or _stem(names[following]) != stem


def _run(values: np.ndarray, columns: list[int]) -> list[int]:
    """The first neighbours of which every row has exactly one 1; empty if there are none."""
    sums = np.zeros(len(values))
    for count, at in enumerate(columns):
        if at != columns[0] + count:
            return []
        sums += values[:, at]
        if sums.max() > 1:
            return []
        if sums.min() == 1:
            return columns[: count + 1]
    return []


def _binary(column: np.ndarray) -> bool:
    return bool(((column == 0) | (column == 1)).all())


def _stem(name: str) -> str:
    cut = max(name.rfind(separator) for separator in SEPARATORS)
    return name[:cut] if cut > 0 else ""


def _shared(first: str, last: str) -> str:
    length = next(
        (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    return first[:length]


def _block(members: list[int], names: list[str], *, full: bool) -> Block:
    own = [names[at] for at in members]
    shared = _shared(own[0], own[-1])
    cut = max((shared.rfind(separator) for separator in SEPARATORS), default=-1) + 1
    name = shared[: cut - 1] if cut > 1 else "+".join((own[0], own[-1]))
    levels = tuple(text[cut:] for text in own) + (() if full else (None,))
    return Block(name, tuple(members), levels)
