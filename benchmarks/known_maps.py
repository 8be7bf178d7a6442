"""How far maps of 64 x 64 images are from the optimal ones, where these are known.

Two Gaussian fields whose covariances are products s² K ⊗ L over rows and columns, of different
lengths, variances and means: the optimal map of such a pair is the product of those of K and of L,
so that V = Σ w_z W2² and every map are exact, and 4,096 x 4,096 matrices are never needed.

"rough" fields have the exponential kernel, whose spectrum falls as k^-2 along rows and columns;
"smooth" ones are once differentiable (Matérn 3/2).

Costs are told as 1 + (mean cost of T - mean cost of the optimal maps on the same rows) / V: V needs
no rows, and what the rows happen to be cancels. "product form" is told that covariances are
products, which leaves the error of chance alone.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from infounlearn import __version__
from infounlearn.feature.images import NeuralBarycenter
from infounlearn.math import l2_uvp

SIDE = 64
SHARES = (0.6, 0.4)
SPREADS = (0.06, 0.08)
LENGTHS = ((10.0, 6.0), (6.0, 9.0))
"""Of each group along rows and columns, in pixels of 64."""
HELD = 1000
"""Fresh images of each group on which maps are measured."""
HEADER = (
    "fields",
    "images",
    "map",
    "UVP z=0",
    "UVP z=1",
    "cost / V",
    "range",
    "fitted V / V",
    "kept V / V",
)


@dataclass(frozen=True)
class Score:
    """One fit, measured.

    Attributes:
        fields, images, name, seed: what was fitted.
        uvp: L2-UVP of each group in percent.
        cost: over V.
        seconds: of the processor, in the fit and 2,000 images moved.
        fitted: ``bound_`` over V.
        kept: the lower bound on rows kept from the fit, over V; None where none was asked.
        dims: directions matched in full, and in their variance alone.
    """

    fields: str
    images: int
    name: str
    seed: int
    uvp: tuple[float, float]
    cost: float
    seconds: float
    fitted: float | None = None
    kept: float | None = None
    dims: tuple[int, int] | None = None


class Fields:
    """Two Gaussian fields on ``side`` x ``side`` pixels whose optimal maps are known."""

    def __init__(self, kind: str, side: int = SIDE) -> None:
        y, x = np.mgrid[:side, :side] / side
        bump = np.exp(-((y - 0.7) ** 2 / 0.01 + (x - 0.5) ** 2 / 0.06))
        self.side, self.means = side, (np.full((side, side), 0.45), 0.45 + 0.06 * bump)
        gaps = np.abs(np.subtract.outer(np.arange(side), np.arange(side))) * SIDE / side
        kernel = {"rough": lambda h: np.exp(-h), "smooth": _smooth}[kind]
        self.squares = [[kernel(gaps / length) for length in own] for own in LENGTHS]
        self.roots = [[_root(square) for square in own] for own in self.squares]
        self.turns = [
            [optimal(a, b) for a, b in zip(self.squares[z], self.squares[1 - z], strict=True)]
            for z in (0, 1)
        ]
        first, second = SPREADS
        cross = [np.trace(t @ c) for t, c in zip(self.turns[0], self.squares[0], strict=True)]
        apart = ((self.means[1] - self.means[0]) ** 2).mean()
        turned = first**2 + second**2 - 2 * first * second * cross[0] * cross[1] / side**2
        self.value = float(SHARES[0] * SHARES[1] * (apart + turned))

    def draw(self, count: int, z: int, draws: np.random.Generator) -> np.ndarray:
        """(n, side, side) images of group z, confined to [0, 1]: five and a half deviations off."""
        noise = draws.standard_normal((count, self.side, self.side))
        left, right = self.roots[z]
        return (self.means[z] + SPREADS[z] * (left @ noise @ right)).clip(0.0, 1.0)

    def barycenter(self, images: np.ndarray, z: int) -> np.ndarray:
        """Where the optimal maps take images of group z."""
        left, right = self.turns[z]
        ratio = SPREADS[1 - z] / SPREADS[z]
        there = self.means[1 - z] + ratio * (left @ (images - self.means[z]) @ right)
        return SHARES[z] * images + SHARES[1 - z] * there


def optimal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """T = C^-½ (C^½ D C^½)^½ C^-½ from N(0, C) to N(0, D)."""
    root = _root(first)
    inverse = np.linalg.inv(root)
    return inverse @ _root(root @ second @ root) @ inverse


def _root(square: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh((square + square.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _smooth(gaps: np.ndarray) -> np.ndarray:
    return (1.0 + 3**0.5 * gaps) * np.exp(-(3**0.5) * gaps)


@dataclass(frozen=True)
class Task:
    """Images to fit and fresh ones to measure on, with the optimal answers."""

    law: Fields
    images: np.ndarray
    codes: np.ndarray
    fresh: np.ndarray
    fresh_codes: np.ndarray
    answers: np.ndarray

    @classmethod
    def drawn(cls, law: Fields, count: int, seed: int, held: int = HELD) -> Task:
        """``count`` images in the shares of the groups, and ``held`` fresh ones of each."""
        draws = np.random.default_rng(seed)
        sizes = (round(SHARES[0] * count), count - round(SHARES[0] * count))
        fitted = np.concatenate([law.draw(sizes[z], z, draws) for z in (0, 1)])
        fresh = [law.draw(held, z, draws) for z in (0, 1)]
        answers = np.concatenate([law.barycenter(fresh[z], z) for z in (0, 1)])
        return cls(
            law,
            fitted.astype(np.float32),
            np.repeat([0, 1], sizes),
            np.concatenate(fresh),
            np.repeat([0, 1], held),
            answers,
        )

    def score(self, moved: np.ndarray) -> tuple[tuple[float, float], float]:
        """UVP of each group, and cost over V, of ``moved`` fresh images."""
        uvp, excess = [], 0.0
        for z in (0, 1):
            own = self.fresh_codes == z
            uvp.append(l2_uvp(moved[own], self.answers[own]))
            ours, best = (
                ((rows[own] - self.fresh[own]) ** 2).mean() for rows in (moved, self.answers)
            )
            excess += SHARES[z] * float(ours - best)
        return (uvp[0], uvp[1]), 1.0 + excess / self.law.value


def fitted(task: Task, **settings: Any) -> tuple[np.ndarray, NeuralBarycenter]:
    """Fresh images moved by a fit."""
    one = NeuralBarycenter(clip=False, validation=0.0, **settings)
    one.fit(task.images, sensitive=task.codes)
    moved = one.transform(task.fresh.astype(np.float32), sensitive=task.fresh_codes)
    return moved.reshape(task.fresh.shape).astype(np.float64), one


def told_of_the_form(task: Task) -> np.ndarray:
    """Fresh images moved by one that knows that covariances are products: the error of chance."""
    means, pairs = [], []
    for z in (0, 1):
        own = task.images[task.codes == z].astype(np.float64)
        means.append(own.mean(0))
        own -= means[-1]
        columns = np.tensordot(own, own, ((0, 2), (0, 2))) / (len(own) * own.shape[1])
        lines = np.tensordot(own, own, ((0, 1), (0, 1))) / (len(own) * own.shape[1])
        pairs.append((columns, lines / (np.trace(columns) / len(columns))))
    moved = np.empty_like(task.fresh)
    for z in (0, 1):
        own = task.fresh_codes == z
        left, right = (optimal(a, b) for a, b in zip(pairs[z], pairs[1 - z], strict=True))
        there = means[1 - z] + left @ (task.fresh[own] - means[z]) @ right
        moved[own] = SHARES[z] * task.fresh[own] + SHARES[1 - z] * there
    return moved


def measured(
    kind: str, count: int, seed: int, maps: dict[str, dict[str, Any]], side: int = SIDE
) -> list[Score]:
    """Each of ``maps``, by its settings; {} for the one that knows the form."""
    task = Task.drawn(Fields(kind, side), count, seed, HELD if side == SIDE else HELD // 2)
    value, scores = task.law.value, []
    for name, settings in maps.items():
        began = process_time()
        moved, one = fitted(task, random_state=seed, **settings) if settings else (None, None)
        if moved is None or one is None:
            moved = told_of_the_form(task)
        spent = process_time() - began
        score = Score(kind, count, name, seed, *task.score(moved), spent)
        if one is not None:
            held, tail = one.facts_.get("held_out_bound"), one.facts_["dims_variance_alone"]
            score = replace(
                score,
                fitted=one.bound_ / value,
                kept=None if held is None else held / value,
                dims=(one.facts_["dims"] - tail, tail),
            )
        scores.append(score)
        print(f"  {score}", file=sys.stderr, flush=True)
    return scores


def run(*, tiny: bool, out: Path) -> str:
    """The table, over three seeds (networks: one); every fit is written to known-maps.json.

    ``tiny``: small fields and few steps, to see that it runs.
    """
    side, counts, seeds = (16, (400,), 2) if tiny else (SIDE, (2000, 8000, 20_000), 3)
    scores = [
        score
        for kind in ("smooth", "rough")
        for count in counts
        for seed in range(seeds)
        for score in measured(kind, count, seed, closed_forms(count), side)
    ]
    steps = 2 if tiny else 100
    scores += measured("smooth", counts[min(1, len(counts) - 1)], 0, networks(steps), side)
    versions = {
        "infounlearn": __version__,
        "numpy": np.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / ("known-maps-tiny.json" if tiny else "known-maps.json")
    record = {"versions": versions, "side": side, "fits": [asdict(score) for score in scores]}
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    told = ", ".join(map(" ".join, versions.items()))
    return f"{text(scores)}\n\n{side} x {side} pixels; {told}; written: {path}"


def closed_forms(count: int) -> dict[str, dict[str, Any]]:
    """Settings by name; {} for the one that knows the form."""
    sizes = [dims for dims in (32, 128, 512) if 5 * dims <= SHARES[1] * count]
    forms = {f"{dims} components": {"method": "latent-gaussian", "dims": dims} for dims in sizes}
    return {"product form": {}, **forms, "auto": {"method": "latent-gaussian"}}


def networks(steps: int) -> dict[str, dict[str, Any]]:
    """Objective B with and without the warm start."""
    common = {"method": "barycenter", "network": "tiny", "steps": steps, "batch_size": 32}
    return {
        f"networks, {steps} steps": dict(common),
        f"networks from x, {steps} steps": common
        | {"start": "identity", "lr": 4e-3, "potential_lr": 4e-3, "ema": 0.98},
    }


def text(scores: Sequence[Score]) -> str:
    """Means over seeds, and the range of the costs."""
    table = [HEADER]
    for key in dict.fromkeys((one.fields, one.images, one.name) for one in scores):
        own = [one for one in scores if (one.fields, one.images, one.name) == key]
        costs = [one.cost for one in own]
        table.append(
            (
                key[0],
                f"{key[1]:,}",
                key[2],
                *(f"{statistics.mean(one.uvp[z] for one in own):.2f} %" for z in (0, 1)),
                f"{statistics.mean(costs):.3f}",
                f"{min(costs):.3f} to {max(costs):.3f}",
                _mean([one.fitted for one in own]),
                _mean([one.kept for one in own]),
            )
        )
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in (0, 2) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    )


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.mean(known):.3f}" if known else "–"
