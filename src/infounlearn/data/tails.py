"""Records unlike all others of their class: the tail of a training set."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from infounlearn.data.records import Records
from infounlearn.errors import Problems

NEIGHBOURS = 10
_CHUNK = 1024


def neighbour_distances(records: Records, neighbours: int = NEIGHBOURS) -> Tensor:
    """Mean distance of each record to its nearest others of the same label, leave-one-out.

    The Euclidean distance of inputs to the k-th neighbour is a density estimate: a ball that must
    be large to hold k records lies where there are few (Loftsgaarden & Quesenberry 1965). The mean
    over k neighbours is steadier than the last one. No mean or covariance is fitted, so classes
    may have any shape. Records of a regression are all of one class: inputs alone count.

    Args:
        records: n records with floating-point inputs.
        neighbours: k; classes of fewer than k + 1 records use all others.

    Returns:
        (n,) float64, in the unit of the inputs. In double precision, so that ranks do not depend
        on how sums are ordered.

    Raises:
        InputError: k below 1, inputs that are not floating-point, or a class of a single record.
    """
    problems = Problems("neighbour_distances")
    problems.require(neighbours >= 1, f"neighbours is {neighbours}", fix="pass 1 or more")
    problems.require(
        records.inputs.dtype.is_floating_point,
        f"inputs are {records.inputs.dtype}",
        why="distances between codes mean nothing",
        fix="pass vectors or images",
    )
    classes = classes_of(records)
    alone = [label for label, rows in classes.items() if len(rows) < 2]
    problems.require(
        not alone, f"classes {alone} have a single record", fix="leave these records out"
    )
    problems.raise_if_any()
    found = torch.empty(len(records), dtype=torch.float64)
    for rows in classes.values():
        points = records.inputs[rows].flatten(1).double()
        points = points - points.mean(dim=0)  # small numbers lose less in |a|² + |b|² - 2ab
        squares = points.square().sum(dim=1)
        nearest = min(neighbours, len(rows) - 1)
        for start in range(0, len(rows), _CHUNK):
            part = points[start : start + _CHUNK]
            squared = (
                squares[start : start + _CHUNK, None] + squares - 2 * (part @ points.T)
            ).clamp_min_(0)  # equal records: rounding may go below
            own = torch.arange(len(part))
            squared[own, own + start] = torch.inf
            least = squared.topk(nearest, largest=False).values
            found[rows[start : start + _CHUNK]] = least.sqrt().mean(dim=1)
    return found


def choose_tail(records: Records, share: float, neighbours: int = NEIGHBOURS) -> Tensor:
    """Positions of the ``share`` of every class that lies farthest from the rest of its class.

    A share of every class, since distances of two classes do not compare: over all of them the
    farthest would be those of the most varied class, and forgetting a class is another request.

    Args:
        records: n records; see :func:`neighbour_distances`.
        share: in (0, 1); of n_c records of class c, round(share · n_c) are chosen.
        neighbours: see :func:`neighbour_distances`.

    Returns:
        Ascending int64 positions.

    Raises:
        InputError: a share that leaves nothing to forget or nothing to keep; see
            :func:`neighbour_distances`.
    """
    problems = Problems("choose_tail")
    problems.require(
        0 < share < 1, f"share is {share}", fix="pass a share of every class, in (0, 1)"
    )
    problems.raise_if_any()
    distances = neighbour_distances(records, neighbours)
    chosen = []
    for rows in classes_of(records).values():
        order = np.argsort(-distances[rows].numpy(), kind="stable")
        chosen.append(rows[torch.from_numpy(order[: round(share * len(rows))])])
    tail = torch.cat(chosen).sort().values
    problems.require(
        0 < len(tail) < len(records),
        f"{len(tail)} of {len(records)} records would be forgotten",
        fix="leave something to forget and something to keep",
    )
    problems.raise_if_any()
    return tail


def classes_of(records: Records) -> dict[int, Tensor]:
    """Ascending positions of each label; of a regression, all positions as label 0."""
    if not records.is_classification:
        return {0: torch.arange(len(records))}
    return {
        int(label): torch.nonzero(records.targets == label).flatten()
        for label in torch.unique(records.targets)
    }
