"""Adversarial debiasing (Zhang, Lemoine & Mitchell 2018), with its projection as published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infounlearn.experiments.rivals.net import BATCH, EPOCHS, RATE, Net, batches, network

if TYPE_CHECKING:
    from torch import Tensor


class AdversarialRival(Net):
    """``weight`` is alpha, 1 as published: each step follows g_P - ⟨g_P, u⟩u - alpha g_A.

    g_P and g_A are the gradients of task and adversary loss in all of the predictor's weights as
    one vector, u = g_A/‖g_A‖. fairlearn 0.15 sums ``torch.inner`` of the matrices instead, which is
    not their inner product, so its class is not used here.
    """

    def train(self, x: Tensor, y: Tensor, z: Tensor, generator: Any) -> None:
        """Predictor and adversary take turns on each batch."""
        import torch
        from torch.nn.functional import cross_entropy

        groups = int(z.max()) + 1
        weights = list(self.network_.parameters())
        adversary = network(1, generator, (16,), groups)
        steps = EPOCHS * -(-len(x) // BATCH)
        own = torch.optim.Adam(weights, RATE)
        others = torch.optim.Adam(adversary.parameters(), RATE)
        falling = torch.optim.lr_scheduler.LinearLR(own, 1.0, 0.01, steps)
        for rows in batches(len(x), generator):
            out = self.network_(x[rows])
            task = torch.autograd.grad(self.loss(out[:, 0], y[rows]), weights, retain_graph=True)
            guess = cross_entropy(adversary(out), z[rows])
            against = torch.autograd.grad(guess, weights, retain_graph=True)
            others.zero_grad()
            for weight, gradient in zip(
                adversary.parameters(),
                torch.autograd.grad(guess, list(adversary.parameters())),
                strict=True,
            ):
                weight.grad = gradient
            others.step()
            step = directed(flat(task), flat(against), self.weight)
            for weight, part in zip(weights, step.split([w.numel() for w in weights]), strict=True):
                weight.grad = part.view_as(weight)
            own.step()
            falling.step()


def flat(parts: Any) -> Tensor:
    """Gradients as one vector."""
    import torch

    return torch.cat([part.reshape(-1) for part in parts])


def directed(task: Tensor, against: Tensor, alpha: float) -> Tensor:
    """g_P without its part along g_A, minus alpha g_A; g_P itself where g_A is 0."""
    square = against @ against
    if square == 0:
        return task
    return task - (task @ against) / square * against - alpha * against
