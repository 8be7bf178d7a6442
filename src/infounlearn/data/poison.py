"""Records that somebody spoiled before training: swapped classes, and pictures with a trigger."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from infounlearn.errors import Problems

_FIX = "pass a share below 1, and large enough for at least one record"


def swap_classes(
    targets: Tensor, pair: tuple[int, int], share: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Give a share of the rows of two classes each other's label (interclass confusion).

    Goel, Prabhu, Sanyal, Lim, Torr & Kumaraguru (2022), arXiv:2201.06640: a model that learned
    them confuses the two classes also on records it never saw, and one that forgot them does not.

    Args:
        targets: (n,) integer labels.
        pair: two different labels.
        share: in (0, 1): round(share · n_c) rows of each of the two classes are chosen at random.
        seed: of the choice.

    Returns:
        (n,) labels, a new tensor, and the ascending positions of the rows that were changed.

    Raises:
        InputError: labels are equal or have no rows, or the share leaves a class none or all of
            its rows.
    """
    problems = Problems("swap_classes")
    labels = targets.numpy()
    rng = np.random.default_rng(seed)
    problems.require(
        len(pair) == 2 and pair[0] != pair[1], f"pair is {pair}", fix="name two different classes"
    )
    problems.raise_if_any()
    swapped, rows = targets.clone(), []
    for label, other in (pair, pair[::-1]):
        own = np.flatnonzero(labels == label)
        count = round(share * len(own))
        problems.require(
            0 < count < len(own),
            f"{count} of the {len(own)} rows of class {label} would get label {other}",
            fix=_FIX if len(own) else f"choose from {np.unique(labels).tolist()}",
        )
        chosen = torch.from_numpy(rng.permutation(own)[: max(count, 0)])
        swapped[chosen] = other
        rows.append(chosen)
    problems.raise_if_any()
    return swapped, torch.cat(rows).sort().values


def choose_victims(targets: Tensor, label: int, share: float, seed: int) -> Tensor:
    """Positions of a random share of the rows whose label is not ``label``: a trigger's victims.

    Args:
        targets: (n,) integer labels.
        label: the label that the trigger is to mean.
        share: in (0, 1), of the rows of other labels.
        seed: of the choice.

    Returns:
        Ascending int64 positions, round(share · rows of other labels) of them.

    Raises:
        InputError: no row has that label, or none or all of the others would be chosen.
    """
    problems = Problems("choose_victims")
    others = np.flatnonzero(targets.numpy() != label)
    problems.require(
        len(others) < len(targets),
        f"label {label} has no rows",
        fix=f"choose from {torch.unique(targets).tolist()}",
    )
    count = round(share * len(others))
    problems.require(
        0 < count < len(others),
        f"{count} of {len(others)} rows of other labels would be spoiled",
        fix=_FIX,
    )
    problems.raise_if_any()
    order = np.random.default_rng(seed).permutation(others)[:count]
    return torch.from_numpy(order).sort().values


def stamp(inputs: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Pictures with a trigger: a checkerboard of 0 and 1 in the lower right corner.

    Gu, Dolan-Gavitt & Garg (2017), arXiv:1708.06733, use such a pattern. Its side is an eighth of
    the picture's, rounded up, and at least two pixels; the corner itself is 1. Stamping twice is
    stamping once.

    Args:
        inputs: (n, ...) pictures with values in [0, 1], flat or not.
        shape: (channels, height, width) of one.

    Returns:
        A new tensor of the shape of ``inputs``.

    Raises:
        InputError: a row does not have as many values as ``shape`` says, or a picture is smaller
            than the trigger.
    """
    problems = Problems("stamp")
    channels, height, width = shape
    problems.require(
        min(height, width) >= 2 and inputs[:1].numel() in (0, channels * height * width),
        f"inputs of shape {tuple(inputs.shape)} are no pictures of {shape}",
        fix="pass (channels, height, width) of one picture",
    )
    problems.raise_if_any()
    side = max(2, -(-min(height, width) // 8))
    place = torch.arange(side)
    # Counted from the corner, so that the corner is 1 whatever the side.
    board = ((place[:, None] + place) % 2 == 0).to(inputs.dtype).flip(0, 1)
    stamped = inputs.reshape(-1, *shape).clone()
    stamped[:, :, -side:, -side:] = board
    return stamped.reshape(inputs.shape)
