"""CF-k and EU-k: leave the first layers as they are, and unlearn in the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from infounlearn.errors import Problems, is_number
from infounlearn.point.methods.base import (
    Choice,
    Need,
    OptimizerName,
    Range,
    Sizes,
    Space,
    Training,
    build_optimizer,
    check_optimizer,
    rows_of,
)
from infounlearn.point.methods.blocks import blocks
from infounlearn.point.methods.renew import renew
from infounlearn.point.methods.task import Sweep, Task


@dataclass(frozen=True)
class CatastrophicForgetting:
    """CF-k: freeze all but the last k blocks and the head, then min L(D_r) from these weights.

    Weights and batch-norm statistics of frozen blocks stay as they are.

    Attributes:
        epochs: passes over the retain set; need not be whole.
        lr: step size.
        k: blocks that are trained besides the head, counted from the end by :func:`blocks`; 0
            trains the head alone.
        layers: names of the modules to be trained (as in ``model.named_modules()``), in place of
            the last ``k`` blocks and the head.
        batch_size: retain rows per step.
        optimizer: "sgd" (momentum 0.9), "adam" or "adamw".
        weight_decay: of the optimizer.

    References: Goel, Prabhu, Sanyal, Lim, Torr & Kumaraguru (2022), arXiv:2201.06640.
    """

    epochs: float = 10.0
    lr: float = 0.01
    k: int = 1
    layers: tuple[str, ...] | None = None
    batch_size: int = 64
    optimizer: OptimizerName = "sgd"
    weight_decay: float = 0.0

    name: ClassVar[str] = "cf-k"
    title: ClassVar[str] = "CF-k"
    paper: ClassVar[str] = "Goel et al. 2022, arXiv:2201.06640"
    needs: ClassVar[frozenset[Need]] = frozenset()
    reads_forget: ClassVar[bool] = False
    space: ClassVar[Space] = {
        "lr": Range(1e-5, 0.1),
        "k": Choice((0, 1)),
        "optimizer": Choice(("sgd", "adam")),
    }

    def check(self, problems: Problems) -> None:
        """See :class:`Method`."""
        check_optimizer(self, problems)
        problems.require(
            is_number(self.k, whole=True) and self.k >= 0,
            f"{self.name}: k is {self.k!r}",
            fix="pass a whole number of 0 or more",
        )
        problems.require(
            self.layers is None
            or (
                isinstance(self.layers, tuple)
                and len(self.layers) > 0
                and all(isinstance(one, str) for one in self.layers)
            ),
            f"{self.name}: layers is {self.layers!r}",
            fix="pass a tuple of module names, or None to train the last k blocks and the head",
        )

    def start(self, task: Task) -> Training:
        """See :class:`Method`.

        Raises:
            InputError: the network has too few blocks, or no such layers.
        """
        trained = self.trained(task.model)
        self.prepare(task, trained)
        task.freeze(trained)
        optimizer = build_optimizer(self.optimizer, task.model, self.lr, self.weight_decay)
        retain = Sweep(task, "retain", self.batch_size, task.training_loss)
        passes = retain.passes(self.epochs)
        return Training(passes, optimizer, remarks=self._remarks(task.model))

    def prepare(self, task: Task, trained: list[nn.Module]) -> None:
        """What happens to the trained layers before the first step: nothing."""

    def trained(self, model: nn.Module) -> list[nn.Module]:
        """The modules to be trained.

        Raises:
            InputError: the network has too few blocks, or no such layers.
        """
        found, problems = blocks(model), Problems("unlearn")
        known = ", ".join(block.name or "(the model)" for block in found)
        chosen = [module for block in found[-self.k - 1 :] for module in block.modules]
        if self.layers is None:
            problems.require(
                self.k < len(found),
                f"{self.name}: k is {self.k}, and the model has {len(found)} block(s): {known}",
                why="the last is the head, and at least k must come before it",
                fix=f"pass k up to {len(found) - 1}, or layers",
            )
        else:
            modules = dict(model.named_modules())
            chosen = [modules[name] for name in self.layers if name in modules]
            lost = [name for name in self.layers if name not in modules]
            problems.require(
                not lost,
                f"{self.name}: the model has no layers {lost}",
                fix=f"pass names of model.named_modules(); its blocks are {known}",
            )
        problems.require(
            any(weight.requires_grad for module in chosen for weight in module.parameters())
            or bool(problems.found),
            f"{self.name}: the layers to be trained have no trainable weights",
            fix="choose other layers, or set requires_grad on the weights that may change",
        )
        problems.raise_if_any()
        return chosen

    def cost(self, sizes: Sizes) -> float:
        """See :class:`Method`. Frozen layers are counted as if they were trained."""
        return 3 * rows_of(sizes.retain, self.batch_size, self.epochs)

    def _remarks(self, model: nn.Module) -> tuple[str, ...]:
        count = len(blocks(model))
        if self.layers is not None or self.k < count - 1:
            return ()
        return (f"{self.name}: all {count} blocks of the model are trained, so none is frozen",)


@dataclass(frozen=True)
class ExactUnlearning(CatastrophicForgetting):
    """EU-k: like CF-k, but the trained layers start from a fresh initialisation.

    Attributes:
        epochs: passes over the retain set: pass those of the original training (the default is
            that of :class:`Retrain`).

    All other settings as in :class:`CatastrophicForgetting`.

    References: Goel, Prabhu, Sanyal, Lim, Torr & Kumaraguru (2022), arXiv:2201.06640.
    """

    epochs: float = 100.0

    name: ClassVar[str] = "eu-k"
    title: ClassVar[str] = "EU-k"
    needs: ClassVar[frozenset[Need]] = frozenset({"fresh"})

    def prepare(self, task: Task, trained: list[nn.Module]) -> None:
        """Fresh weights and buffers in the trained layers."""
        assert task.fresh is not None  # Method.needs
        renew(task.model, task.fresh, trained)
