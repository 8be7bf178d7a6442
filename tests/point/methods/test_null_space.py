"""Null space: which changes pass, which vanish, what is seen of every kind of layer, what stays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infounlearn.experiments.networks import seeded
from infounlearn.point.methods.null_space import NullSpace, _damped, _positions, affine_maps
from infounlearn.point.methods.task import Task
from tests.point.methods.bench import task_of
from tests.point.worlds import WIDTH, WORLD, Pair

FEW: Pair = (WORLD.retain[0][:5], WORLD.retain[1][:5])
"""Fewer rows than any layer here is wide."""


def space_of(model: nn.Module, damping: float, retain: Pair = FEW) -> tuple[Task, NullSpace]:
    task = task_of(model.eval(), retain=retain)
    return task, NullSpace(task, task.model, task.once("retain", 3), damping)


def set_gradients(model: nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=generator).to(weight.dtype)


def built(*layers: nn.Module) -> nn.Sequential:
    with seeded(0):
        for layer in layers:
            for part in layer.modules():
                getattr(part, "reset_parameters", lambda: None)()
    return nn.Sequential(*layers)


class TestOneLayer:
    @pytest.mark.parametrize("bias", [True, False])
    def test_is_the_formula(self, bias: bool) -> None:
        task, space = space_of(built(nn.Linear(WIDTH, 3, bias=bias)), 0.3)
        layer: Any = task.model[0]  # type: ignore[index]
        set_gradients(layer)
        seen = FEW[0].double()
        whole = layer.weight.grad.double()
        if bias:
            seen = torch.cat([seen, torch.ones(5, 1)], 1)
            whole = torch.cat([whole, layer.bias.grad.double()[:, None]], 1)
        moment = seen.T @ seen / 5
        width = len(moment)
        wanted = whole @ torch.linalg.inv(
            torch.eye(width) + moment / (0.3 * moment.trace() / width)
        )
        space.damp()
        assert torch.allclose(layer.weight.grad.double(), wanted[:, :WIDTH], atol=1e-6)
        assert not bias or torch.allclose(layer.bias.grad.double(), wanted[:, WIDTH], atol=1e-6)

    @pytest.mark.parametrize("bias", [True, False])
    def test_without_damping_what_rows_use_vanishes_and_the_rest_passes(self, bias: bool) -> None:
        task, space = space_of(built(nn.Linear(WIDTH, 3, bias=bias)), 1e-7)
        layer: Any = task.model[0]  # type: ignore[index]
        seen = torch.cat([FEW[0], torch.ones(5, 1)], 1)[:, : WIDTH + bias]
        basis = torch.linalg.svd(seen, full_matrices=True).Vh
        for used in (True, False):
            gradient = torch.randn(3, 5 if used else WIDTH + bias - 5)
            gradient = gradient @ (basis[:5] if used else basis[5:])
            layer.weight.grad = gradient[:, :WIDTH].clone()
            if bias:
                layer.bias.grad = gradient[:, WIDTH].clone()
            space.damp()
            left = gradient * 0 if used else gradient
            assert torch.allclose(layer.weight.grad, left[:, :WIDTH], atol=2e-5)
            assert not bias or torch.allclose(layer.bias.grad, left[:, WIDTH], atol=2e-5)

    def test_much_damping_changes_nothing(self) -> None:
        task, space = space_of(built(nn.Linear(WIDTH, 3)), 1e12)
        set_gradients(task.model)
        before = [weight.grad.clone() for weight in space.weights if weight.grad is not None]
        space.damp()
        assert all(
            torch.equal(old, new.grad)  # type: ignore[arg-type]
            for old, new in zip(before, space.weights, strict=True)
        )

    @pytest.mark.parametrize("damping", [1e-8, 1e-2, 1.0, 1e6])
    @pytest.mark.parametrize("size", [1e-30, 1.0, 1e15, 0.0])
    def test_factors_are_symmetric_with_eigenvalues_from_0_to_1(
        self, damping: float, size: float
    ) -> None:
        """Dead inputs (all zero), one row, tiny and huge ones."""
        for rows in (1, 4, 40):
            seen = size * torch.randn(2, rows, 9, dtype=torch.float64)
            seen[:, :, 3] = 0
            factor = _damped(seen.transpose(1, 2) @ seen, damping)
            assert torch.allclose(factor, factor.transpose(1, 2), atol=1e-9)
            values = torch.linalg.eigvalsh(factor)
            assert values.min() > 0
            assert values.max() < 1 + 1e-6
            assert torch.allclose(factor[:, 3, 3], torch.ones(2, dtype=torch.float64))


CONVOLUTIONS: tuple[nn.Conv1d | nn.Conv2d, ...] = (
    nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dilation=2),
    nn.Conv2d(4, 6, (2, 3), stride=(1, 2), padding=(0, 2), bias=False),
    nn.Conv2d(4, 6, (3, 5), padding="same", dilation=(2, 1)),
    nn.Conv2d(4, 8, 2, padding="valid", groups=4),
    nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
    nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode="reflect"),
    nn.Conv2d(4, 6, 3, padding="same", padding_mode="replicate"),
    nn.Conv1d(4, 6, 3, padding=2, stride=2, dilation=2),
    nn.Conv1d(4, 8, 5, padding="same", groups=4),
    nn.Conv1d(4, 6, 3, padding=2, padding_mode="circular"),
)


class TestConvolutions:
    @pytest.mark.parametrize("layer", CONVOLUTIONS, ids=str)
    def test_positions_times_output_gradients_are_the_weight_gradient(self, layer: Any) -> None:
        """So these are what the rows of the weight matrix multiply. More rows than one chunk."""
        inputs = torch.randn(70, 4, *(9, 8)[: len(layer.kernel_size)], dtype=torch.float64)
        layer = layer.double()
        outputs = layer(inputs)
        slope = torch.randn_like(outputs)
        (wanted,) = torch.autograd.grad((outputs * slope).sum(), layer.weight)
        per_group = slope.reshape(70, layer.groups, -1, slope[0, 0].numel())
        per_group = per_group.permute(1, 2, 0, 3).flatten(2)
        seen = _whole(layer, inputs)
        assert torch.allclose((per_group @ seen).reshape(wanted.shape), wanted)

    @pytest.mark.parametrize("side", [4, 7, 8, 16])
    def test_a_sample_of_positions_has_all_places_and_all_rows(self, side: int) -> None:
        """Every 16th of 64 places of each row would always be one of four at the left edge."""
        rows = 1000
        place = torch.arange(side * side).reshape(1, 1, side, side).expand(rows, 1, -1, -1)
        row = torch.arange(rows).reshape(rows, 1, 1, 1).expand(-1, -1, side, side)
        seen = _positions(nn.Conv2d(2, 1, 1), torch.cat([place, row], 1).float())[0].long()
        assert rows < len(seen) <= 4096
        assert torch.equal(seen[:, 0].unique(), torch.arange(side * side))
        counts = seen[:, 0].bincount()
        assert counts.max() - counts.min() <= 1
        assert torch.equal(seen[:, 1].unique(), torch.arange(rows))

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
    def test_half_precision(self, kind: torch.dtype) -> None:
        model = built(nn.Unflatten(1, (2, 2, 2)), nn.Conv2d(2, 4, 2), nn.Flatten(), nn.Linear(4, 3))
        half: Pair = (FEW[0].to(kind), FEW[1])
        task, space = space_of(model.to(kind), 0.05, half)
        set_gradients(task.model)
        space.damp()
        assert all(
            one.grad is not None and one.grad.dtype == kind and bool(one.grad.isfinite().all())
            for one in space.weights
        )


def _whole(layer: Any, inputs: Tensor) -> Tensor:
    """All positions, although there may be many."""
    return torch.cat([_positions(layer, part) for part in inputs.split(7)], 1)


class Twice(nn.Module):
    """One layer used twice in a forward, a second one with the same weights, called by name."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3 * WIDTH, 3 * WIDTH), nn.Linear(3 * WIDTH, 3 * WIDTH)
        self.two.weight = self.one.weight
        self.last = nn.Linear(3 * WIDTH, 40)
        self.end = nn.Linear(40, 3)

    def forward(self, rows: Tensor) -> Tensor:
        rows = self.two(self.one(self.one(rows.repeat(1, 3)).tanh()).tanh()).tanh()
        nothing: Tensor = self.end(self.last(rows[:0]).tanh())  # a layer may see no row
        shown: Tensor = self.end(input=self.last(input=rows).tanh())
        return shown + nothing.sum()


class Attention(nn.Module):
    """Attention over four positions: in_proj is no linear layer, no hook sees out_proj."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 16)
        self.mix = nn.TransformerEncoderLayer(16, 2, 64, 0.1, batch_first=True)
        self.last = nn.Linear(16, 3)

    def forward(self, rows: Tensor) -> Tensor:
        shown: Tensor = self.last(self.mix(self.first(rows.reshape(-1, 4, 2))).mean(1))
        return shown


def networks() -> dict[str, nn.Module]:
    """Each with more inputs to some layer than the retain rows can fill."""
    with seeded(0):
        return {
            "mlp": nn.Sequential(nn.Linear(WIDTH, 30), nn.Tanh(), nn.Linear(30, 3)),
            "no bias": nn.Sequential(
                nn.Linear(WIDTH, 30, bias=False), nn.Tanh(), nn.Linear(30, 3, bias=False)
            ),
            "convolutions": nn.Sequential(
                nn.Unflatten(1, (2, 4)), nn.Conv1d(2, 24, 4, bias=False), nn.BatchNorm1d(24),
                nn.Tanh(), nn.Conv1d(24, 24, 1, groups=2), nn.Flatten(), nn.Linear(24, 3),
            ),
            "tied": Twice(),
            "attention": Attention(),
        }  # fmt: skip


@pytest.mark.parametrize("name", networks())
class TestWholeNetworks:
    def test_any_number_of_steps_moves_other_rows_and_none_that_was_seen(self, name: str) -> None:
        """Exact, not to first order: inputs of later layers of these rows do not move either."""
        moved = []  # as a share of what other rows move
        for damping in (1e-7, 1e9):
            task, space = space_of(networks()[name], damping)
            optimizer = torch.optim.SGD(space.weights, 0.05, momentum=0.8)
            with torch.no_grad():
                before = [task.model(rows) for rows in (FEW[0], WORLD.forget[0])]
            for _ in range(10):
                optimizer.zero_grad()
                task.model(WORLD.forget[0]).logsumexp(1).mean().backward()
                space.damp()
                optimizer.step()
            with torch.no_grad():
                after = [task.model(rows) for rows in (FEW[0], WORLD.forget[0])]
            kept, other = (
                float((new - old).norm(dim=1).mean())
                for new, old in zip(after, before, strict=True)
            )
            assert other > 5e-3
            moved.append(kept / other)
        assert moved[0] < 2e-3
        assert moved[1] > 0.1


class TestWhatTakesPart:
    def names(self, model: nn.Module) -> list[str]:
        task, space = space_of(model, 0.05)
        ours = {weight: name for name, weight in task.model.named_parameters()}
        return [ours[weight] for weight in space.weights]

    def test_frozen_weights_and_biases_do_not(self) -> None:
        model = built(nn.Linear(WIDTH, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
        layers: list[Any] = [model[0], model[2], model[4]]
        layers[0].weight.requires_grad_(False)
        layers[1].bias.requires_grad_(False)
        assert self.names(model) == ["2.weight", "4.weight", "4.bias"]
        # Without a bias that could make up for it the mean input is protected, too.
        task, space = space_of(model, 1e-7)
        layer: Any = task.model[2]  # type: ignore[index]
        with torch.no_grad():
            seen = task.model[:2](FEW[0])  # type: ignore[index]
        layer.weight.grad = seen.mean(0).expand(4, -1).clone()
        space.damp()
        assert layer.weight.grad.norm() < 1e-4 * seen.mean(0).norm()

    def test_weights_that_hooks_cannot_see_do_not(self) -> None:
        names = self.names(networks()["attention"])
        assert "mix.linear1.weight" in names
        assert not any("self_attn" in name or "norm" in name for name in names)

    def test_computed_and_shared_weights_do_not(self) -> None:
        normed = torch.nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, 4))
        assert self.names(nn.Sequential(normed, nn.Linear(4, 3))) == ["1.weight", "1.bias"]
        table, head = nn.Embedding(5, 4), nn.Linear(4, 5)
        head.weight = table.weight
        assert affine_maps(nn.Sequential(table, head)) == []
        assert affine_maps(nn.Sequential(nn.LSTM(4, 4), nn.LayerNorm(4), nn.Conv3d(1, 1, 1))) == []

    def test_tied_layers_are_one_map_and_a_shared_bias_stays(self) -> None:
        model = Twice()
        ours = {weight: name for name, weight in model.named_parameters()}
        maps = affine_maps(model)
        assert [ours[one.weight] for one in maps] == ["one.weight", "last.weight", "end.weight"]
        assert [one.bias is None for one in maps] == [True, False, False]
        assert maps[0].users == (model.one, model.two)
        layers = [nn.Linear(4, 4) for _ in range(3)]
        for first, second in pairwise(layers):
            second.bias = first.bias
        assert [one.bias for one in affine_maps(nn.Sequential(*layers))] == [None] * 3

    def test_a_row_at_a_time_gives_the_same_factors(self) -> None:
        task = task_of(networks()["convolutions"], retain=FEW)
        spaces = [
            NullSpace(task, task.model, task.once("retain", size), 0.05) for size in (1, 2, 5)
        ]
        gradients = []
        for space in spaces:
            set_gradients(task.model)
            space.damp()
            gradients.append(torch.cat([w.grad.flatten() for w in space.weights]))  # type: ignore[union-attr]
        assert torch.allclose(gradients[0], gradients[2], atol=1e-5)
        assert torch.allclose(gradients[1], gradients[2], atol=1e-5)
