"""The loop: maps go down and potentials up, in batches that depend on the seed and the step alone.

So weights, optimizers and the step are all there is to keep, and a run that was killed ends in the
weights of one that was not.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from infounlearn.errors import DivergenceError
from infounlearn.feature.images import saddle
from infounlearn.feature.images.batches import Rows
from infounlearn.feature.images.checkpoint import load_checkpoint, save_checkpoint
from infounlearn.feature.images.seeds import stream_seed

BETAS = (0.0, 0.9)
"""Of Adam: no momentum, which makes players of a saddle circle."""
FLOOR = 0.05
"""Share of the learning rate that is left at the end of its cosine."""


@dataclass(frozen=True)
class Plan:
    """Settings of a run; see :class:`~infounlearn.feature.images.NeuralBarycenter`."""

    objective: str = "barycenter"
    steps: int = 2000
    map_steps: int = 2
    batch_size: int = 64
    lr: float = 5e-4
    potential_lr: float = 5e-4
    penalty: float = 0.01
    proximal: bool = True
    penalty_every: int = 4
    ema: float = 0.999
    flip: bool = False
    precision: str = "float32"
    evaluate_every: int = 200
    patience: int | None = None
    seed: int = 0


@dataclass
class Players:
    """The two networks, and the running mean of the maps, which is what is released."""

    maps: nn.Module
    potential: nn.Module
    shadow: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        self.shadow = copy.deepcopy(self.maps).eval().requires_grad_(False)


class Training:
    """One run of a :class:`Plan`.

    Args:
        players: networks, on the device of the run; trained in place.
        rows: what they are trained on.
        plan: settings.
        evaluate: figures of the running mean at some steps, among them "score": the smallest is
            kept as the best; None keeps the last.
        folder: where the state is kept every ``evaluate_every`` steps; None: nowhere.
        fingerprint: of data and settings, without which a kept state is not taken up.
        accelerator: of Hugging Face's accelerate, for several devices; None: this one.
        tell: called with every row of the history.
    """

    def __init__(
        self,
        players: Players,
        rows: Rows,
        plan: Plan,
        *,
        evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
        folder: Path | None = None,
        fingerprint: str = "",
        accelerator: Any = None,
        tell: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.players, self.rows, self.plan = players, rows, plan
        self.evaluate, self.folder, self.fingerprint = evaluate, folder, fingerprint
        self.accelerator, self.tell = accelerator, tell
        self.device = next(players.maps.parameters()).device
        # The two directions of objective A are problems of their own: neither weighs more.
        even = torch.full_like(rows.weights, 1.0 / len(rows.weights))
        weights = even if plan.objective == "pairwise" else rows.weights
        self.weights = weights.to(self.device, torch.float32)
        self.step, self.best_step = 0, 0
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = _copy(players.shadow)
        self.best_score = math.inf
        self.stopped = "all steps were taken"
        net = players.maps, players.potential
        self.optimizers: list[Any] = [
            torch.optim.Adam(part.parameters(), lr=rate, betas=BETAS)
            for part, rate in zip(net, (plan.lr, plan.potential_lr), strict=True)
        ]
        self.maps: Any = players.maps
        self.potential: Any = players.potential
        if accelerator is not None:
            prepared = accelerator.prepare(*net, *self.optimizers)
            self.maps, self.potential = prepared[:2]
            self.optimizers = list(prepared[2:])

    def run(self) -> None:
        """Train to the end, to the patience, or to an interrupt; the best is then in the shadow.

        Raises:
            DivergenceError: a loss that is not finite.
        """
        self._resume()
        try:
            if self.step == 0 and not self.history and self.evaluate is not None:
                self._look({})  # the start may be the best there is
            while self.step < self.plan.steps and not self._waited_enough():
                figures = self._one_step()
                self.step += 1
                if self.step % self.plan.evaluate_every == 0 or self.step == self.plan.steps:
                    self._look(figures)
        except KeyboardInterrupt:
            self.stopped = f"interrupted after {self.step} steps"
        if self.evaluate is not None and self.history:
            self.players.shadow.load_state_dict(self.best)

    def _one_step(self) -> dict[str, float]:
        plan, share = self.plan, learning_share(self.step, self.plan.steps)
        for optimizer, rate in zip(self.optimizers, (plan.lr, plan.potential_lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
        cost = loss = torch.zeros(())
        for turn in range(plan.map_steps):
            x, codes = self._batch("maps", turn)
            with _frozen(self.potential), self._cast():
                moved = self.maps(x, codes)
                own = self._own(self.potential(moved), codes)
            cost = self._mean(saddle.transport_cost(x, moved.float()), codes)
            loss = cost - self._mean(own, codes)
            self._descend(loss, self.optimizers[0])
            self._follow()
        x, codes = self._batch("potential", 0)
        with torch.no_grad(), self._cast():
            moved = self.maps(x, codes).float()
        due = plan.penalty > 0 and self.step % plan.penalty_every == 0
        moved.requires_grad_(due)
        # What f began as has nothing to learn; a plain penalty is for what was added to it alone,
        # so that it takes nothing back of the way that the closed form goes.
        learned = not (due and plan.proximal)
        with self._cast():
            own = self._own(self.potential(moved, learned), codes)
        value = self._mean(own, codes)
        if plan.objective == "pairwise":
            with self._cast():
                targets = saddle.pairwise_targets(self.potential(x, True).float(), codes)
            value = value - self._mean(targets, codes)
        if due:
            way = (moved - x).detach() if plan.proximal else None
            slope = saddle.gradient_penalty(own, moved, codes, self.weights, way)
            value = value + plan.penalty * plan.penalty_every * slope
        self._descend(value, self.optimizers[1])
        unit = self.rows.scale**2
        figures = {
            "objective": unit * float(loss.detach()),
            "cost": 2 * unit * float(cost.detach()),
        }
        if not all(map(math.isfinite, figures.values())):
            raise DivergenceError(
                f"training left the finite numbers at step {self.step}: lower lr, or raise penalty"
            )
        return figures

    def _own(self, values: Tensor, codes: Tensor) -> Tensor:
        if self.plan.objective == "pairwise":
            return saddle.pairwise_values(values.float(), codes)
        return saddle.own_values(values.float(), codes, self.weights)

    def _mean(self, values: Tensor, codes: Tensor) -> Tensor:
        return saddle.group_mean(values, codes, self.weights)

    def _batch(self, player: str, turn: int) -> tuple[Tensor, ...]:
        rank = 0 if self.accelerator is None else self.accelerator.process_index
        parts = 1 if self.accelerator is None else self.accelerator.num_processes
        seed = stream_seed(self.plan.seed, player, self.step, turn, rank)
        size = self.plan.batch_size // parts
        return self.rows.batch(size, seed, self.plan.flip, self.device)

    def _descend(self, loss: Tensor, optimizer: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        if self.accelerator is None:
            loss.backward()
        else:
            self.accelerator.backward(loss)
        optimizer.step()

    @torch.no_grad()
    def _follow(self) -> None:
        """The running mean of the maps, which is short at first."""
        seen = self.step + 1
        keep = min(self.plan.ema, seen / (seen + 10.0))
        own = dict(self._plain(self.maps).named_parameters())
        for name, value in self.players.shadow.named_parameters():
            value.lerp_(own[name], 1.0 - keep)

    def _plain(self, net: Any) -> Any:
        return net if self.accelerator is None else self.accelerator.unwrap_model(net)

    def _cast(self) -> Any:
        if self.plan.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _look(self, figures: dict[str, float]) -> None:
        row = {"step": float(self.step), **figures}
        if self.evaluate is not None:
            row |= self.evaluate(self.players.shadow)
            if row["score"] < self.best_score:
                self.best_score, self.best_step = row["score"], self.step
                self.best = _copy(self.players.shadow)
        self.history.append(row)
        if self.folder is not None and (
            self.accelerator is None or self.accelerator.is_main_process
        ):
            save_checkpoint(self, self.folder)
        if self.tell is not None:
            self.tell(row)

    def _resume(self) -> None:
        if self.folder is not None:
            load_checkpoint(self, self.folder)

    def _waited_enough(self) -> bool:
        patience = self.plan.patience
        enough = patience is not None and self.evaluate is not None
        if not enough or self.step - self.best_step < (patience or 0) or not self.history:
            return False
        self.stopped = f"no better since step {self.best_step}"
        return True


def learning_share(step: int, steps: int) -> float:
    """Half a cosine from 1 to the floor."""
    return FLOOR + (1.0 - FLOOR) * (1.0 + math.cos(math.pi * step / max(steps, 1))) / 2.0


def _copy(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


@contextmanager
def _frozen(net: nn.Module) -> Iterator[None]:
    """Gradients pass through, none is kept: what the other player's weights would cost."""
    for value in net.parameters():
        value.requires_grad_(False)
    try:
        yield
    finally:
        for value in net.parameters():
            value.requires_grad_(True)
