"""Which rows are forgotten, held out or mislabelled, decided by a seed and nothing else."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infounlearn.data.records import Records
from infounlearn.errors import Problems


def stratified_parts(targets: Tensor, sizes: Sequence[int], seed: int) -> list[Tensor]:
    """Cut rows at random into parts of exactly ``sizes`` rows with nearly equal class shares.

    Each row gets the key (rank + u) / count within its class, rank random and u uniform on (0, 1):
    rows sorted by key mix the classes evenly, so cutting them anywhere keeps the shares.

    Args:
        targets: (n,) integer labels.
        sizes: rows of each part, n in total.
        seed: of the shuffle.

    Returns:
        One ascending int64 tensor of positions per part: a partition of 0..n-1.

    Raises:
        InputError: sizes are negative or do not sum to n.
    """
    problems = Problems("stratified_parts")
    problems.require(
        min(sizes, default=0) >= 0 and sum(sizes) == len(targets),
        f"sizes {list(sizes)} do not add up to the {len(targets)} rows",
        fix="pass non-negative sizes whose sum is the number of rows",
    )
    problems.raise_if_any()
    rng = np.random.default_rng(seed)
    labels = targets.numpy()
    keys = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        keys[rows] = (rng.permutation(len(rows)) + rng.random(len(rows))) / len(rows)
    order = torch.from_numpy(np.argsort(keys, kind="stable"))
    return [part.sort().values for part in order.split(list(sizes))]


def split_records(
    records: Records, sizes: Sequence[int], seed: int, names: Sequence[str] | None = None
) -> list[Records]:
    """:func:`stratified_parts` of classification records, as records.

    A held-out set is cut into validation and audit parts by, for example,
    ``split_records(holdout, [len(holdout) // 2, len(holdout) - len(holdout) // 2], seed=0)``.
    """
    parts = stratified_parts(records.targets, sizes, seed)
    labels = names or [records.name] * len(parts)
    return [records.subset(part, name) for part, name in zip(parts, labels, strict=True)]


def label_noise(targets: Tensor, share: float, num_classes: int, seed: int) -> Tensor:
    """Mislabel each row with probability ``share``, on its own, as one of the other classes.

    Rows are independent, so a noisy training row and a noisy held-out row follow one law; fixing
    the number of wrong labels instead would tie the rows of a set together.

    Args:
        targets: (n,) integer labels in 0..num_classes-1.
        share: probability in [0, 1) that a label is wrong.
        num_classes: at least 2.
        seed: of the noise.

    Returns:
        (n,) int64 labels, a new tensor.

    Raises:
        InputError: share, num_classes or a label is out of range.
    """
    problems = Problems("label_noise")
    problems.require(
        0 <= share < 1, f"share is {share}", fix="pass the probability of a wrong label, in [0, 1)"
    )
    problems.require(num_classes >= 2, f"num_classes is {num_classes}", fix="pass 2 or more")
    problems.require(
        not targets.dtype.is_floating_point and targets.ndim == 1,
        f"targets are {targets.dtype} of shape {tuple(targets.shape)}",
        fix="pass (n,) integer class labels",
    )
    problems.raise_if_any()
    outside = int(((targets < 0) | (targets >= num_classes)).sum())
    problems.require(
        outside == 0,
        f"{outside} labels lie outside 0..{num_classes - 1}",
        fix="raise num_classes or mend the labels",
    )
    problems.raise_if_any()
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(targets)) < share
    # Adding 1..K-1 modulo K reaches every other class equally often and never the own one.
    shift = rng.integers(1, num_classes, size=len(targets))
    return (targets.long() + torch.from_numpy(wrong * shift)) % num_classes


def choose_forget(
    targets: Tensor,
    *,
    forget_class: int | None = None,
    forget_fraction: float = 1.0,
    forget_random: float | None = None,
    forget_count: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Positions of the rows to forget: a share of one class, or a share or number of all rows.

    Args:
        targets: (n,) integer labels, or the (n, d) targets of a regression, which has no classes.
        forget_class: the class of which ``forget_fraction`` is forgotten.
        forget_fraction: in (0, 1]; only with ``forget_class``.
        forget_random: in (0, 1): this share of all rows, whatever their class.
        forget_count: this number of all rows, whatever their class.
        seed: of the choice.

    Returns:
        Ascending int64 positions; ``forget_count`` or round(share · rows) of them.

    Raises:
        InputError: not exactly one of ``forget_class``, ``forget_random`` and ``forget_count``, a
            share out of range, an unknown class, or nothing or everything chosen.
    """
    problems = Problems("choose_forget")
    ways = (forget_class, forget_random, forget_count)
    problems.require(
        sum(way is not None for way in ways) == 1,
        f"forget_class is {forget_class}, forget_random {forget_random}, "
        f"forget_count {forget_count}",
        fix="pass exactly one of them",
    )
    problems.require(
        0 < forget_fraction <= 1,
        f"forget_fraction is {forget_fraction}",
        fix="pass a share of the class, in (0, 1]",
    )
    problems.require(
        forget_random is None or 0 < forget_random < 1,
        f"forget_random is {forget_random}",
        fix="pass a share of all rows, in (0, 1)",
    )
    problems.require(
        forget_fraction == 1 or forget_class is not None,
        "forget_fraction is given without forget_class",
        fix="it is a share of forget_class; leave it out",
    )
    candidates = torch.arange(len(targets))
    if forget_class is not None and targets.ndim > 1:
        problems.add(
            f"forget_class is {forget_class}, and targets have shape {tuple(targets.shape)}",
            why="a regression has no classes",
            fix="pass forget_random or forget_count",
        )
    elif forget_class is not None:
        candidates = torch.nonzero(targets == forget_class).flatten()
        known = sorted({int(label) for label in torch.unique(targets)})
        problems.require(
            len(candidates) > 0,
            f"forget_class {forget_class} has no rows",
            fix=f"choose one of {known}",
        )
    problems.raise_if_any()
    share = forget_fraction if forget_random is None else forget_random
    count = round(share * len(candidates)) if forget_count is None else forget_count
    problems.require(
        0 < count < len(targets),
        f"{count} of {len(targets)} rows would be forgotten",
        fix="leave something to forget and something to keep",
    )
    problems.raise_if_any()
    order = np.random.default_rng(seed).permutation(len(candidates))[:count]
    return candidates[torch.from_numpy(order)].sort().values


def read_ids(path: str | Path) -> Tensor:
    """Record ids from a CSV file: its column ``id``, or its only column where none is named.

    A first line without the word ``id`` is data: taking any text for a header would silently keep
    a record whose id is misspelt there.

    Returns:
        (n,) int64 ids in file order.

    Raises:
        InputError: the file cannot be read, is empty, has several columns but none called ``id``,
            or holds values that are not integers or that occur twice (lines are named).
    """
    problems = Problems(f"read_ids({Path(path).name})")
    rows: list[tuple[int, list[str]]] = []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [(line, row) for line, row in enumerate(csv.reader(file), 1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.add(f"the file cannot be read: {error}", fix="pass a readable UTF-8 CSV file")
    problems.raise_if_any()
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    column = header.index("id") if "id" in header else 0
    problems.require(
        "id" in header or len(header) <= 1,
        f"no column is called 'id'; the first line reads {','.join(header)!r}",
        fix="name the column of record ids 'id'",
    )
    problems.raise_if_any()
    rows = rows[1:] if "id" in header else rows
    problems.require(bool(rows), "the file holds no ids", fix="write one id per line")
    seen: dict[int, int] = {}
    for line, row in rows:
        text = row[column].strip() if column < len(row) else ""
        if not problems.require(
            _is_integer(text), f"line {line}: {text!r} is not an integer id", fix="mend the line"
        ):
            continue
        first = seen.setdefault(int(text), line)
        problems.require(
            first == line, f"line {line}: id {text} already stands on line {first}", fix="drop one"
        )
    problems.raise_if_any()
    return torch.tensor(list(seen), dtype=torch.int64)


def _is_integer(text: str) -> bool:
    """Whether ``text`` is a decimal integer that int64 can hold."""
    digits = text.strip().removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 18
