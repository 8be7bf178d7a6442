"""A retrained network starts from a draw of its own; killed ensembles go on; eight by default."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infounlearn.errors import InputError
from infounlearn.experiments import Recipe, TrainedModel, case, ensemble, train, trained
from infounlearn.experiments.convolutions import ConvNet, ResNet
from infounlearn.experiments.ensemble import initialisation, model_seed, require_fresh
from infounlearn.experiments.networks import DIGITS_MLP, Mlp

CASE = replace(case("digits", forget_class=3), recipe=Recipe(2, 256, 1e-2))


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def never(*_: Any, **__: Any) -> TrainedModel:
    raise AssertionError("trained before the factory was looked at, or although it was kept")


def constant(seed: int) -> nn.Module:
    """The same weights whatever the seed."""
    return Mlp((64, 16, 10))(0)


ORIGINAL = train(Mlp((64, 16, 10)), CASE.train, CASE.recipe, seed=0).model


def already_trained(seed: int) -> nn.Module:
    """The original's weights, copied: a "retrained" network that has seen everything."""
    return copy.deepcopy(ORIGINAL)


def the_original_itself(seed: int) -> nn.Module:
    """Not even a copy."""
    return ORIGINAL


def new_head(seed: int) -> nn.Module:
    """The original with its last layer drawn anew, as a published "reset" did."""
    model = copy.deepcopy(ORIGINAL)
    model[-1].load_state_dict(Mlp((64, 16, 10))(seed)[-1].state_dict())
    return model


def half_a_matrix(seed: int) -> nn.Module:
    """Fresh but for some rows of one matrix."""
    model = Mlp((64, 16, 10))(seed)
    model[1].weight.data[:8] = ORIGINAL[1].weight.data[:8]
    return model


def one_fixed_matrix(seed: int) -> nn.Module:
    model = Mlp((64, 16, 10))(seed)
    model[1].weight.data = torch.linspace(-1, 1, 1024).reshape(16, 64)
    return model


@pytest.mark.parametrize(
    ("factory", "shared"),
    [
        (constant, r"1.weight \(100%\), 3.weight \(100%\)"),
        (already_trained, r"1.weight \(100%\), 3.weight \(100%\)"),
        (the_original_itself, r"1.weight \(100%\), 3.weight \(100%\)"),
        (new_head, r"1.weight \(100%\) \(it would"),
        (half_a_matrix, r"1.weight \(50%\) \(it would"),
        (one_fixed_matrix, r"1.weight \(100%\) \(it would"),
    ],
)
def test_a_factory_that_keeps_weights_is_refused_before_anything_is_trained(
    factory: Callable[[int], nn.Module],
    shared: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ensemble, "train", never)
    with pytest.raises(InputError, match=f"retrained 0 network starts .* original 0 one: {shared}"):
        trained(replace(CASE, factory=factory), "retrained", cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_retrained_networks_are_two() -> None:
    """A factory that tells original from retrained, but not one retrained network from another."""
    originals = {int(initialisation_seed("original", seed)) for seed in range(ensemble.REFERENCES)}

    def factory(seed: int) -> nn.Module:
        return DIGITS_MLP(seed if seed in originals else 1)

    with pytest.raises(InputError, match=r"retrained 5 network starts .* retrained 4 one"):
        trained(replace(CASE, factory=factory), "retrained", (4, 5))


def initialisation_seed(kind: Any, seed: int) -> int:
    """The argument that a factory gets."""
    seen: list[int] = []

    def spy(own: int) -> nn.Module:
        seen.append(own)
        return DIGITS_MLP(own)

    initialisation(spy, kind, seed)
    return seen[0]


@pytest.mark.parametrize("kind", ["original", "retrained"])
def test_the_initialisation_looked_at_is_the_one_that_is_trained(kind: Any) -> None:
    untrained = replace(CASE, recipe=replace(CASE.recipe, epochs=0))
    (network,) = trained(untrained, kind, (3,))
    assert torch.equal(weights(network.model), weights(initialisation(CASE.factory, kind, 3)))
    assert network.seed == model_seed(kind, 3)


@dataclass(frozen=True)
class ZeroHead:
    """A last layer of zeros, as fine-tuned heads often start: it holds nothing."""

    def __call__(self, seed: int) -> nn.Module:
        model = Mlp((64, 16, 10))(seed)
        nn.init.zeros_(model[-1].weight)
        return model


@pytest.mark.parametrize("factory", [DIGITS_MLP, ConvNet(side=8), ResNet(1, 4), ZeroHead()])
def test_factories_that_obey_their_seed_pass(factory: Any) -> None:
    first, second = (initialisation(factory, "retrained", seed) for seed in (0, 1))
    require_fresh(first, second)
    with pytest.raises(InputError):
        require_fresh(first, copy.deepcopy(first))


def test_networks_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(InputError, match="has matrices"):
        require_fresh(Mlp((4, 3))(0), Mlp((4, 2))(1))
    with pytest.raises(InputError, match="that have a matrix at least"):
        require_fresh(nn.BatchNorm1d(3), nn.BatchNorm1d(3))


def test_eight_retrained_networks_and_one_original_unless_told_otherwise() -> None:
    untrained = replace(CASE, recipe=replace(CASE.recipe, epochs=0))
    assert [one.seed for one in trained(untrained, "retrained")] == [
        model_seed("retrained", seed) for seed in range(8)
    ]
    assert [one.seed for one in trained(untrained)] == [model_seed("original", 0)]


@pytest.mark.parametrize(
    "built",
    [
        pytest.param(case("diabetes", forget_tail=0.05), id="regression"),
        pytest.param(case("digits", forget_random=0.1, network="cnn"), id="batch-norm"),
        pytest.param(
            replace(
                case("digits", trigger=1, forget_fraction=0.1, network="cnn"),
                factory=ResNet(1, 4),
            ),
            id="resnet",
        ),
    ],
)
def test_regressions_and_batch_norm_come_back_from_the_cache(
    built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(built, recipe=replace(built.recipe, epochs=1, batch_size=128))
    first = trained(short, "retrained", (0, 1), cache_dir=tmp_path)
    monkeypatch.setattr(ensemble, "train", never)
    again = trained(short, "retrained", (0, 1), cache_dir=tmp_path)
    for one, other in zip(first, again, strict=True):
        assert torch.equal(weights(one.model), weights(other.model))  # buffers too
        assert torch.equal(one.model(short.test.inputs), other.model(short.test.inputs))
    assert not torch.equal(weights(first[0].model), weights(first[1].model))


KILLED = """
    import sys
    from dataclasses import replace
    from infounlearn.experiments import Recipe, case, trained
    if __name__ == "__main__":
        slow = replace(case("digits", forget_class=3), recipe=Recipe(20, 32, 1e-2))
        trained(slow, "retrained", range(200), cache_dir=sys.argv[1])
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_leaves_what_it_finished(tmp_path: Path) -> None:
    script, cache = tmp_path / "run.py", tmp_path / "cache"
    script.write_text(textwrap.dedent(KILLED))
    process = subprocess.Popen([sys.executable, str(script), str(cache)])
    try:
        until = time.monotonic() + 120
        while len(list(cache.glob("*.json"))) < 2 and time.monotonic() < until:
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = len(list(cache.glob("*.json")))
    assert kept >= 2
    slow = replace(CASE, recipe=Recipe(20, 32, 1e-2))
    told: list[str] = []
    resumed = trained(
        slow, "retrained", range(kept + 1), cache_dir=cache, progress=lambda *at: told.append(at[2])
    )
    assert ["from cache" in what for what in told] == [True] * kept + [False]
    (anew,) = trained(slow, "retrained", (kept - 1,))
    assert torch.equal(weights(anew.model), weights(resumed[kept - 1].model))
