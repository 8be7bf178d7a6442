"""Release of whole rows: each variable in turn is moved to the law it has in the reference group.

With variables x₁, ..., x_d, the row of group z at levels x becomes x̃ by

    x̃_k = coupling of P(x_k | x_<k, z)  with  P(x_k | x̃_<k, reference),     k = 1, ..., d,

the Knothe-Rosenblatt rearrangement with randomised ranks. If the conditional laws are right, the
released row has the reference group's joint law whatever its group, so X̃ ⊥ Z; rows of the
reference group stay as they are. Atoms and categories are split by noise, so that no group's atoms
go to a place of their own: all rows share one support, that of the reference group's levels.

**Why the heaviest group is the target.** For a metric cost (a mismatch costs 1, a number its
distance) the least Σ w_z W(μ_z, ν) over ν is reached at ν = μ_k as soon as w_k ≥ 1/2: by the
triangle inequality Σ_{z≠k} w_z (W(μ_z, ν) + W(ν, μ_k)) ≥ Σ_{z≠k} w_z W(μ_z, μ_k), and
Σ_{z≠k} w_z ≤ w_k. So it is the barycenter of that cost, and moves the fewest rows.

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
from infounlearn.feature.ladder import Ladder, Training, fit_ladder
from infounlearn.feature.ladder_net import UNKNOWN
from infounlearn.feature.levels import Levels, levels_of, name_of

__all__ = ["FittedRows", "fit_rows"]

DRAWS = 3
"""Streams of noise for each variable: rank or staying, choice, and place within the level."""


@dataclass(frozen=True, eq=False)
class FittedRows:
    """A fitted release of whole rows.

    Attributes:
        reference: group whose law is the target.
        levels: of each variable, in the order of the chain.
        ladder: laws of the chain.
        facts: ``moved``, the share of cells that change on the fitted rows, and the validation
            ``log_likelihood`` of the laws.
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
        moved = codes != self.reference
        rows = np.flatnonzero(moved)
        part = table.take(rows)
        written = replace(part, numeric=part.numeric.copy(), codes=part.codes.copy())
        groups = codes[rows]
        goal = np.full(len(rows), self.reference)
        old = np.stack([levels.encode(part) for levels in self.levels], axis=1)
        new = np.full_like(old, UNKNOWN)
        for place, levels in enumerate(self.levels):
            source = self.ladder.law(old, groups, place)
            target = self.ladder.law(new, goal, place)
            draws = [noise(DRAWS * place + k)[rows] for k in range(DRAWS)]
            if levels.ordered:
                new[:, place] = move_by_rank(old[:, place], source, target, draws[0])
            else:
                new[:, place] = keep_or_move(old[:, place], source, target, draws[0], draws[1])
            levels.write(part, old[:, place], new[:, place], groups, draws[2], written)
        numeric, marks = table.numeric.copy(), table.codes.copy()
        numeric[rows], marks[rows] = written.numeric, written.codes
        return Release(table=replace(table, numeric=numeric, codes=marks))

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

    Options (``engine_options``): ``intervals`` (levels of a number, 16), ``rare`` (rows below which
    categories share a level, 30) and the fields of :class:`~infounlearn.feature.ladder.Training`.

    Args:
        table: rows to learn from.
        codes: (n,) groups 0..m-1.
        weights: (m,) shares of the groups.
        settings: of the estimator.
        seed: of the networks.
    """
    options = dict(settings.options)
    intervals, rare = options.pop("intervals", 16), options.pop("rare", 30)
    training = Training(**options)
    reference = int(np.argmax(weights))
    found = levels_of(
        table, codes, len(weights), codes == reference, intervals=intervals, rare=rare
    )
    encoded = [levels.encode(table) for levels in found]
    order = _order(encoded, codes)
    chain = tuple(found[k] for k in order)
    levels = np.stack([encoded[k] for k in order], axis=1)
    sizes = tuple(each.size for each in chain)
    ladder = fit_ladder(levels, codes, sizes, len(weights), training=training, seed=seed)
    names = ", ".join(name_of(each, table) for each in chain)
    return FittedRows(
        reference,
        chain,
        ladder,
        {"log_likelihood": float(np.mean(ladder.likelihoods))},
        (
            "independence rests on learned conditional laws: it is measured, not certified",
            "a number keeps its rank within an interval of its group, whatever the other columns",
            f"variables were moved in the order {names}",
        ),
    )


def _order(encoded: Sequence[np.ndarray], codes: np.ndarray) -> list[int]:
    """Variables by the information they carry about the group, least first.

    A variable that says little is hardly moved where it comes first; those that say most come last,
    where the others already tell where they should go.
    """
    from sklearn.metrics import mutual_info_score

    said = [mutual_info_score(codes, column) for column in encoded]
    return [int(k) for k in np.argsort(said, kind="stable")]
