"""Release of whole rows: each variable in turn is moved to the law it has in the reference group.

With variables x₁, ..., x_d, the row of group z at levels x becomes x̃ by

    x̃_k = coupling of P(x_k | x_<k, z)  with  P(x_k | x̃_<k, reference),     k = 1, ..., d,

the Knothe-Rosenblatt rearrangement with randomised ranks. If the conditional laws are right, the
released row has the reference group's joint law whatever its group, so X̃ ⊥ Z; rows of the
reference group stay as they are. Atoms and categories are split by noise, so that no group's atoms
go to a place of their own: all rows share one support, that of the reference group's levels.

**Why the heaviest group is the target.** Let W be the transport cost for a distance d between rows,
a distance between laws, and w_k ≥ 1/2, so that w_k ≥ Σ_{z≠k} w_z. For every common law ν,

    Σ_z w_z W(μ_z, ν) ≥ Σ_{z≠k} w_z (W(μ_k, ν) + W(μ_z, ν)) ≥ Σ_{z≠k} w_z W(μ_z, μ_k):

no common law is cheaper than μ_k. With d = 1 for rows that differ, it is the one for which the
fewest rows need move. The chain need not reach that least cost: each variable is moved at the least
cost given those before it. Where no group has half of the rows, μ_k is a choice like others.

The laws are learned, so this release is measured, not certified: a difference between the learned
and the true law of a group stays visible, and shrinks as rows are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from infounlearn.feature.columns import MixedTable
from infounlearn.feature.couplings import keep_or_move, move_by_rank
from infounlearn.feature.engine import Noise, Release, Settings
from infounlearn.feature.ladder import Ladder, fit_ladder
from infounlearn.feature.levels import Levels, levels_of, name_of
from infounlearn.feature.row_options import checked_options

__all__ = ["FittedRows", "fit_rows"]

BLOCK = 512
"""Rows moved at once: their sums on the way through the networks are kept."""
DRAWS = 3
"""Streams of noise for each variable: rank or staying, choice, and place within the level."""


@dataclass(frozen=True, eq=False)
class FittedRows:
    """A fitted release of whole rows.

    Attributes:
        reference: group whose law is the target.
        levels: of each variable, in the order of the chain.
        ladder: laws of the chain.
        facts: the validation ``log_likelihood`` of the laws, nats per row.
        limits: what is not promised.
    """

    reference: int
    levels: tuple[Levels, ...]
    ladder: Ladder
    facts: dict[str, float]
    limits: tuple[str, ...]

    @property
    def bank(self) -> MixedTable | None:
        """None: rows are written, not taken from a bank."""
        return None

    def transform(self, table: MixedTable, codes: np.ndarray | None, noise: Noise) -> Release:
        """Rows at full strength."""
        if codes is None:
            raise TypeError("rows are released with their group; mode='blind' releases atoms")
        rows = np.flatnonzero(codes != self.reference)
        released = replace(table, numeric=table.numeric.copy(), codes=table.codes.copy())
        if not len(rows):
            return Release(table=released)
        count = DRAWS * len(self.levels)
        draws = np.stack([noise(stream)[rows] for stream in range(count)])
        for start in range(0, len(rows), BLOCK):
            some = slice(start, start + BLOCK)
            part = table.take(rows[some])
            self._write(part, codes[rows[some]], draws[:, some])
            released.numeric[rows[some]], released.codes[rows[some]] = part.numeric, part.codes
        return Release(table=released)

    def _write(self, part: MixedTable, codes: np.ndarray, draws: np.ndarray) -> None:
        """Move rows in place, variable by variable."""
        sources, targets = (
            self.ladder.walk(codes),
            self.ladder.walk(np.full_like(codes, self.reference)),
        )
        for place, levels in enumerate(self.levels):
            rank, choice, within = draws[DRAWS * place : DRAWS * (place + 1)]
            old = levels.encode(part)
            source, target = sources.law(place), targets.law(place)
            if levels.ordered:
                new = move_by_rank(old, source, target, rank)
            else:
                new = keep_or_move(old, source, target, rank, choice)
            sources.tell(place, old)
            targets.tell(place, new)
            levels.write(part, old, new, codes, within)

    def kernels(self, table: MixedTable, codes: np.ndarray | None) -> np.ndarray | None:
        """None: a released row is drawn variable by variable, from no list."""
        return None


def fit_rows(
    table: MixedTable,
    codes: np.ndarray,
    weights: np.ndarray,
    *,
    settings: Settings,
    seed: int,
) -> FittedRows:
    """Learn the laws of all groups.

    Options (``engine_options``): those of :mod:`infounlearn.feature.row_options`.

    Args:
        table: rows to learn from.
        codes: (n,) groups 0..m-1.
        weights: (m,) shares of the groups.
        settings: of the estimator.
        seed: of the networks.
    """
    options = checked_options(settings.options)
    reference = int(np.argmax(weights))
    found = levels_of(
        table,
        codes,
        len(weights),
        reference,
        intervals=options.intervals,
        rare=options.rare,
    )
    encoded = [levels.encode(table) for levels in found]
    order = _order(encoded, codes)
    chain = tuple(found[k] for k in order)
    levels = np.stack([encoded[k] for k in order], axis=1)
    sizes = tuple(each.size for each in chain)
    ladder = fit_ladder(levels, codes, sizes, len(weights), training=options.training, seed=seed)
    names = ", ".join(name_of(each, table) for each in chain)
    return FittedRows(
        reference,
        chain,
        ladder,
        {"log_likelihood": float(np.mean(ladder.likelihoods))},
        (
            "independence rests on learned conditional laws: it is measured, not certified",
            "a number keeps its rank within an interval of its group, whatever the other columns",
            "rows of the heaviest group stay as they are: what was not fitted, a new category or a "
            "number beyond all others, shows there alone",
            f"variables were moved in the order {names}",
        ),
    )


def _order(encoded: Sequence[np.ndarray], codes: np.ndarray) -> list[int]:
    """Variables by the information they carry about the group, least first.

    A variable that says little is hardly moved where it comes first; those that say most come last,
    where the others already tell where they should go.
    """
    said = [_information(codes, column) for column in encoded]
    return [int(k) for k in np.argsort(said, kind="stable")]


def _information(codes: np.ndarray, levels: np.ndarray) -> float:
    """Plug-in I(level; group), in nats."""
    joint = np.zeros((codes.max() + 1, levels.max() + 1))
    np.add.at(joint, (codes, levels), 1.0 / len(codes))
    product = joint.sum(1)[:, None] * joint.sum(0)[None, :]
    held = joint > 0
    return float(np.sum(joint[held] * np.log(joint[held] / product[held])))
