"""The run of method "information": a fresh critic, a stage that takes away what it found, again.

Critics of several designs take turns, so that no stage hides the group from one design alone. A
critic learns from some images, and the stage is set by what it tells of others: what it learned by
heart moves nothing. Those others are images that the closed forms before did not see either, some
of which are learned from, anew for every critic: where moments were made to agree, rows that took
part in it hide what any other row still shows. Images are moved once per stage, so that the next
critic finds them where the last stage left them. The run ends when one critic of every design in a
row tells nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from infounlearn.errors import DivergenceError
from infounlearn.feature.images.checkpoint import FILE, read_tensors, refuse_other, tensor_bytes
from infounlearn.feature.images.critics import (
    CHUNK,
    DESIGNS,
    information,
    read,
    trained_critic,
)
from infounlearn.feature.images.flow import Flow, Stage, grown
from infounlearn.feature.images.rounds import in_parts
from infounlearn.feature.images.seeds import stream_seed
from infounlearn.files import write_atomically

LEARN = 0.4
"""Share of the fresh rows of each group that a critic learns from; the others set its stage."""
LEARN_ALL = 0.8
"""The same, where every row is fresh."""
LEAST = 4
"""Rows of a group that may set a stage."""
DOUBT = 4.0
"""What chance is taken to add to χ², in its degrees of freedom."""
IDLE = len(DESIGNS)
"""Critics in a row that tell nothing of a group, after which the run ends."""


@dataclass(frozen=True)
class Inquiry:
    """Settings of a run.

    Attributes:
        critics: most critics that are asked.
        rate: share of the way to a critic's barycenter that its stage goes.
        evaluate_every: critics between two looks.
        seed: of splits and critics.
    """

    critics: int = 32
    rate: float = 0.7
    evaluate_every: int = 8
    seed: int = 0


class InformationRun:
    """One run of an :class:`Inquiry`.

    Args:
        flow: maps so far; stages are added in place.
        pixels: (n, ...) standardised rows that critics learn from, on the device of the flow.
        codes: (n,) their groups.
        weights: (K,) shares of the groups.
        inquiry: settings.
        fresh: (n,) rows that the flow was not fitted to so far; None: it was fitted to none.
        evaluate: figures of the maps at some critics; None for none.
        folder: where the state is kept after every critic; None: nowhere.
        fingerprint: of data and settings, without which a kept state is not taken up.
        tell: called with every row of the history.
    """

    def __init__(
        self,
        flow: Flow,
        pixels: Tensor,
        codes: Tensor,
        weights: Tensor,
        inquiry: Inquiry,
        *,
        fresh: Tensor | None = None,
        evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
        folder: Path | None = None,
        fingerprint: str = "",
        tell: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.flow, self.codes, self.weights = flow.eval().requires_grad_(False), codes, weights
        self.inquiry, self.evaluate, self.tell = inquiry, evaluate, tell
        self.folder, self.fingerprint = folder, fingerprint
        self.origin = pixels
        some = fresh is not None and bool(fresh.any())
        self.fresh = (
            fresh if some and fresh is not None else torch.ones(len(pixels), dtype=torch.bool)
        )
        self.share = LEARN if some else LEARN_ALL
        self.step, self.idle = 0, 0
        # Of two groups a critic of one tells of both.
        self.turns = len(weights) if len(weights) > 2 else 1
        self.history: list[dict[str, float]] = []
        self.stopped = "all critics were asked"

    @property
    def patience(self) -> int:
        """Critics in a row that may tell nothing: every design once, of every group."""
        return IDLE * self.turns

    def run(self) -> None:
        """Ask critics until they tell nothing, or an interrupt; what was taken away stays.

        Raises:
            DivergenceError: rows that left the finite numbers.
        """
        moved = in_parts(self.flow, self.origin, self.codes)
        try:
            if not self.history:
                self._look({"cost": self._cost(moved)})
            while self.step < self.inquiry.critics and self.idle < self.patience:
                moved, figures = self._one_critic(moved)
                self.step += 1
                self._look(figures)
        except KeyboardInterrupt:
            self.stopped = f"interrupted after {self.step} critics"
        if self.idle >= self.patience:
            self.stopped = f"the last {self.idle} critics told nothing"

    def _one_critic(self, moved: Tensor) -> tuple[Tensor, dict[str, float]]:
        groups, seed = len(self.weights), self.inquiry.seed
        group = 1 if groups == 2 else self.step // len(DESIGNS) % groups
        learn, settle = self._split(stream_seed(seed, "split", self.step))
        is_group = self.codes == group
        net = trained_critic(
            moved[learn],
            is_group[learn],
            stream_seed(seed, "critic", self.step),
            DESIGNS[self.step % len(DESIGNS)],
            (float(self.flow.limits[0]), float(self.flow.limits[1])),
        )
        scores, gains = self._reading(net, moved[settle])
        share, means, spreads = self._evidence(scores, self.codes[settle], group)
        figures = {
            "information": information(scores, is_group[settle]),
            "share": share,
            "cost": self._cost(moved),
        }
        if not all(map(math.isfinite, figures.values())):
            raise DivergenceError(f"images left the finite numbers at critic {self.step}")
        self.idle = 0 if share > 0 else self.idle + 1
        if share > 0:
            pull = share * self.inquiry.rate
            stage = Stage(net, means, spreads, self.weights, gains.mean(), pull)
            stage.to(moved.device).eval().requires_grad_(False)
            self.flow.stages.append(stage)
            moved = in_parts(lambda x, z: self.flow.through(stage, x, z), moved, self.codes)
            figures["cost"] = self._cost(moved)
        return moved, figures

    def _split(self, seed: int) -> tuple[Tensor, Tensor]:
        """Rows to learn from, and fresh rows that set the stage."""
        generator = torch.Generator().manual_seed(seed)
        learn, settle = [torch.nonzero(~self.fresh)[:, 0]], []
        for z in range(len(self.weights)):
            own = torch.nonzero(self.fresh & (self.codes.cpu() == z))[:, 0]
            own = own[torch.randperm(len(own), generator=generator)]
            count = min(int(self.share * len(own)), len(own) - LEAST)
            learn.append(own[:count])
            settle.append(own[count:])
        return torch.cat(learn), torch.cat(settle)

    def _reading(self, net: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) log odds and <∇s, C∇s>."""
        scores, gains = [], []
        for part in rows.split(CHUNK):
            score, slope = read(net, part)
            scores.append(score)
            gains.append((slope * self.flow.metric(slope)).flatten(1).sum(1))
        return torch.cat(scores), torch.cat(gains)

    def _evidence(self, scores: Tensor, codes: Tensor, group: int) -> tuple[float, Tensor, Tensor]:
        """How far to trust that the groups' log odds differ, their means, their spreads.

        The share is 1 - c (K - 1) / χ², as James and Stein shrink but with a greater doubt c, where
        χ² is the squared distance of the means in their standard errors; 0 where the critic takes
        the group for the others.
        """
        parts = [scores[codes == z].double() for z in range(len(self.weights))]
        means = torch.stack([part.mean() for part in parts])
        spreads = torch.stack([part.std() for part in parts])
        if not bool((spreads > 0).all()):
            return 0.0, means, spreads
        sizes = torch.tensor([len(part) for part in parts], device=means.device)
        precision = sizes / spreads**2
        centre = (precision @ means) / precision.sum()
        square = float(precision @ (means - centre) ** 2)
        right = means[group] > centre
        share = max(0.0, 1.0 - DOUBT * (len(parts) - 1) / square) if right and square > 0 else 0.0
        return share, means, spreads

    def _cost(self, moved: Tensor) -> float:
        """Mean squared change of a standardised pixel."""
        total = sum(
            float(((a - b) ** 2).sum(dtype=torch.float64))
            for a, b in zip(moved.split(CHUNK), self.origin.split(CHUNK), strict=True)
        )
        return total / moved.numel()

    def _look(self, figures: dict[str, float]) -> None:
        row: dict[str, Any] = {"step": float(self.step), **figures}
        last = self.step == self.inquiry.critics or self.idle >= self.patience
        due = last or self.step % self.inquiry.evaluate_every == 0
        if self.evaluate is not None and due:
            row |= self.evaluate(self.flow)
        self.history.append(row)
        if self.folder is not None:
            self._keep(self.folder)
        if self.tell is not None:
            self.tell(row)

    def _keep(self, folder: Path) -> None:
        facts = {
            "fingerprint": self.fingerprint,
            "step": self.step,
            "idle": self.idle,
            "history": self.history,
        }
        write_atomically(folder / FILE, tensor_bytes(self.flow.state_dict(), facts))

    def resumed(self) -> bool:
        """Whether the folder had a state, which is taken up.

        Raises:
            InputError: the state is damaged, or belongs to another run.
        """
        if self.folder is None or not (self.folder / FILE).exists():
            return False
        path, where = self.folder / FILE, "NeuralBarycenter"
        tensors, facts = read_tensors(path, where)
        refuse_other(facts, self.fingerprint, path, where)
        device = self.origin.device
        grown(self.flow, tuple(self.origin.shape[1:]), len(self.weights), tensors).to(device)
        self.step, self.idle, self.history = facts["step"], facts["idle"], facts["history"]
        return True
