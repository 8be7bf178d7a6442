"""Retrained networks owe nothing to the original; kept ones are the trained ones, or retrained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infounlearn.errors import InputError
from infounlearn.experiments import Case, Recipe, TrainedModel, case, ensemble, trained
from infounlearn.experiments.ensemble import cache_keys, model_seed
from infounlearn.experiments.networks import Cnn, Mlp

CASE = replace(case("digits", forget_class=3, forget_fraction=0.75), recipe=Recipe(2, 64, 1e-2))


def weights(network: TrainedModel | nn.Module) -> Tensor:
    model = network.model if isinstance(network, TrainedModel) else network
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def never(*_: Any, **__: Any) -> TrainedModel:
    raise AssertionError("trained although a kept network should have been read")


def test_retrained_networks_start_elsewhere_and_never_meet_the_forget_records() -> None:
    fresh = replace(CASE, recipe=replace(CASE.recipe, epochs=0))
    starts = [
        weights(network)
        for kind in ("original", "retrained")
        for network in trained(fresh, kind, (0, 1))  # type: ignore[arg-type]
    ]
    for index, start in enumerate(starts):
        for other in starts[:index]:
            assert float((start == other).double().mean()) < 0.01
    (reference,) = trained(CASE, "retrained", (0,))
    other_forget = CASE.forget.inputs + 1  # other records to forget, another original network
    foreign = replace(
        CASE,
        forget=replace(CASE.forget, inputs=other_forget),
        train=replace(CASE.train, inputs=CASE.train.inputs * 2),
    )
    assert torch.equal(weights(trained(foreign, "retrained", (0,))[0]), weights(reference))
    assert not torch.equal(
        weights(trained(foreign, "original")[0]), weights(trained(CASE, "original")[0])
    )


def test_seeds_of_networks_do_not_collide() -> None:
    seeds = {model_seed(kind, seed) for kind in ("original", "retrained") for seed in range(500)}  # type: ignore[arg-type]
    assert len(seeds) == 1000


def test_a_kept_network_is_the_trained_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    first = trained(CASE, "retrained", (3, 1, 3), cache_dir=tmp_path)
    assert [network.seed for network in first] == [
        model_seed("retrained", seed) for seed in (3, 1, 3)
    ]
    assert torch.equal(weights(first[0]), weights(first[2]))
    suffixes = sorted(path.suffix for path in tmp_path.iterdir())
    assert suffixes == [".json", ".json", ".safetensors", ".safetensors"]  # no temporary is left
    monkeypatch.setattr(ensemble, "train", never)
    again = trained(
        CASE, "retrained", (1, 3), cache_dir=tmp_path, progress=lambda *at: told.append(at[2])
    )
    assert torch.equal(weights(again[0]), weights(first[1]))
    assert torch.equal(weights(again[1]), weights(first[0]))
    assert [network.seconds for network in again] == [first[1].seconds, first[0].seconds]
    assert again[0].rows_backward == first[1].rows_backward == 2 * len(CASE.retain)
    assert not again[0].model.training
    assert told == ["retrained 1: from cache", "retrained 3: from cache"]


def test_batch_norm_buffers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = replace(CASE.retain, inputs=CASE.retain.inputs.reshape(-1, 1, 8, 8))
    built = replace(CASE, retain=images, factory=Cnn())
    (first,) = trained(built, "retrained", (0,), cache_dir=tmp_path)
    monkeypatch.setattr(ensemble, "train", never)
    (again,) = trained(built, "retrained", (0,), cache_dir=tmp_path)
    assert torch.equal(weights(again), weights(first))
    assert torch.equal(again.model(images.inputs), first.model(images.inputs))


def flip_a_bit(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".safetensors", flip_a_bit),
        (".safetensors", lambda content: content[:-100]),
        (".safetensors", lambda content: b""),
        (".safetensors", None),
        (".json", None),
        (".json", lambda content: content[:-5]),
        (".json", lambda content: b"[]"),
        (".json", lambda content: b'{"key": "another"}'),
    ],
)
def test_a_damaged_file_is_trained_again(
    tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes] | None
) -> None:
    told: list[str] = []
    (first,) = trained(CASE, "retrained", (0,), cache_dir=tmp_path)
    (path,) = tmp_path.glob("*" + suffix)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    for expected in ("trained in", "from cache"):  # and the damage is repaired
        (again,) = trained(
            CASE, "retrained", (0,), cache_dir=tmp_path, progress=lambda *at: told.append(at[2])
        )
        assert expected in told[-1]
        assert torch.equal(weights(again), weights(first))


def test_an_interrupted_job_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ensemble.train

    def killed(*args: Any, **kwargs: Any) -> TrainedModel:
        if args[3] == model_seed("retrained", 2):
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(ensemble, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(CASE, "retrained", range(4), cache_dir=tmp_path)
    monkeypatch.setattr(ensemble, "train", real)
    told: list[tuple[int, int, str]] = []
    resumed = trained(
        CASE, "retrained", range(4), cache_dir=tmp_path, progress=lambda *at: told.append(at)
    )
    assert [("cache" in what, done) for done, _, what in told] == [
        (True, 1), (True, 2), (False, 3), (False, 4),
    ]  # fmt: skip
    for one, other in zip(resumed, trained(CASE, "retrained", range(4)), strict=True):
        assert torch.equal(weights(one), weights(other))


def test_weights_do_not_depend_on_workers_or_threads(tmp_path: Path) -> None:
    alone = trained(CASE, "original", (0, 1))
    torch.set_num_threads(2)
    try:
        several = trained(CASE, "original", (0, 1), workers=2, cache_dir=tmp_path)
        in_process = trained(CASE, "original", (0,))
    finally:
        torch.set_num_threads(1)
    for one, other in zip(alone, [*several], strict=True):
        assert torch.equal(weights(one), weights(other))
    assert torch.equal(weights(in_process[0]), weights(alone[0]))
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


@dataclass(frozen=True)
class Own:
    """A factory from elsewhere."""

    width: int = 4

    def __call__(self, seed: int) -> nn.Module:
        return Mlp((64, self.width, 10))(seed)


def own_function(seed: int) -> nn.Module:
    return Mlp((64, 10))(seed)


def test_the_key_changes_with_all_that_determines_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def key(changed: Case = CASE, records: str = "retain", kind: Any = "retrained") -> str:
        return cache_keys(changed.factory, getattr(changed, records), changed.recipe, kind, [0])[0]

    own = key()
    assert key() == own
    assert key(replace(CASE, name="other")) == own  # a name trains nothing
    changed = [
        key(replace(CASE, recipe=replace(CASE.recipe, epochs=3))),
        key(replace(CASE, recipe=replace(CASE.recipe, weight_decay=0.1))),
        key(replace(CASE, factory=Mlp((64, 128, 65, 10)))),
        key(replace(CASE, factory=Own())),
        key(replace(CASE, factory=Own(5))),
        key(replace(CASE, factory=own_function)),
        key(records="train"),
        key(kind="original"),
        cache_keys(CASE.factory, CASE.retain, CASE.recipe, "retrained", [1])[1],
    ]
    monkeypatch.setattr(torch, "__version__", "0.0")
    changed.append(key())
    monkeypatch.undo()
    monkeypatch.setattr(ensemble, "_source", lambda module: "other code")
    changed.append(key())
    assert len({own, *changed}) == len(changed) + 1


def test_what_has_no_name_is_not_kept(tmp_path: Path) -> None:
    nameless = replace(CASE, factory=lambda seed: Mlp((64, 10))(seed))
    with pytest.raises(InputError, match="no lasting name"):
        trained(nameless, "retrained", (0,), cache_dir=tmp_path)
    assert len(trained(nameless, "retrained", (0,))) == 1  # without a cache any callable will do


def test_bad_requests_come_back_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 problems"):
        trained(CASE, "other", (), workers=0)  # type: ignore[arg-type]
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(InputError, match=r"cache_dir .* cannot be written"):
        trained(CASE, "retrained", (0,), cache_dir=blocked / "below")


def test_the_sidecar_tells_the_cost(tmp_path: Path) -> None:
    (network,) = trained(CASE, "retrained", (0,), cache_dir=tmp_path)
    (path,) = tmp_path.glob("*.json")
    facts = json.loads(path.read_text())
    assert facts["seconds"] == network.seconds
    assert facts["rows_backward"] == 2 * len(CASE.retain)
