"""Models and records of a user's own: ids and positions, seeds, weights."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from infounlearn.data import Records
from infounlearn.errors import InputError
from infounlearn.experiments.own import load_weights, network_factory, own_sets

INPUTS, LABELS = torch.arange(12.0).reshape(6, 2), torch.tensor([0, 1, 0, 1, 0, 1])
IDS = torch.tensor([50, 40, 30, 20, 10, 0])


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An importable module to be filled."""
    made = ModuleType("own_module")
    monkeypatch.setitem(sys.modules, "own_module", made)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return made


def _rows(data: object) -> list[list[float]]:
    if isinstance(data, tuple):
        return data[0].tolist()
    return [data[i][0].tolist() for i in range(len(data))]  # type: ignore[index, arg-type]


@pytest.mark.parametrize(
    ("train", "ids"),
    [
        ((INPUTS, LABELS), [4, 1]),
        (TensorDataset(INPUTS, LABELS), [4, 1]),
        (Records(INPUTS, LABELS, IDS), [10, 40]),
    ],
    ids=["tensors", "dataset", "records"],
)
@pytest.mark.parametrize("as_object", [False, True])
def test_forget_and_retain_part_the_training_records(
    module: ModuleType, train: object, ids: list[int], as_object: bool
) -> None:
    given = {"train": train, "holdout": (INPUTS + 100, LABELS)}
    module.sets = lambda: SimpleNamespace(**given) if as_object else given
    sets = own_sets("own_module:sets", torch.tensor(ids))
    forget, retain = _rows(sets.forget), _rows(sets.retain)
    assert sorted(forget) == INPUTS[[1, 4]].tolist()
    assert sorted(forget + retain) == INPUTS.tolist()
    assert sets.test is None


def test_a_dataset_stays_a_dataset_with_its_transforms(module: ModuleType) -> None:
    train = TensorDataset(INPUTS, LABELS)
    module.sets = lambda: {"train": train, "holdout": (INPUTS, LABELS)}
    sets = own_sets("own_module:sets", torch.tensor([2]))
    assert isinstance(sets.forget, Subset)
    assert sets.forget.dataset is train


def test_ids_of_records_are_not_positions(module: ModuleType) -> None:
    module.sets = lambda: {
        "train": Records(INPUTS, LABELS, IDS),
        "holdout": Records(INPUTS, LABELS, IDS),
    }
    with pytest.raises(InputError, match="not among the 6 records: 1"):
        own_sets("own_module:sets", torch.tensor([1]))


def test_a_factory_is_seeded_and_global_randomness_stays(module: ModuleType) -> None:
    module.plain = lambda: nn.Linear(3, 2)
    module.taking = lambda seed: nn.Linear(3 + seed, 2)
    before = torch.get_rng_state()
    build = network_factory("own_module:plain")
    first, same, other = (build(seed).weight for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert network_factory("own_module:taking")(4).in_features == 7
    assert torch.equal(torch.get_rng_state(), before)


def test_a_class_is_a_factory(module: ModuleType) -> None:
    class Net(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2)

    module.Net = Net
    assert isinstance(network_factory("own_module:Net")(0), Net)


def test_weights_arrive_exactly_and_in_eval_mode(tmp_path: Path) -> None:
    source, target = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    source(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)))
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    loaded = load_weights(target, tmp_path / "w.safetensors")
    assert not loaded.training
    for name, value in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_every_mismatch_is_told_at_once(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2, 5), "extra": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError) as told:
        load_weights(nn.Linear(3, 2), tmp_path / "w.safetensors")
    for part in ("3 problems", "lacks bias", "unknown extra", "(2, 5)", "(2, 3)"):
        assert part in str(told.value)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ((torch.zeros(5, 2), torch.zeros(4)), "tensors of 5 and 4 rows: return inputs and targets"),
        ((torch.zeros(5, 2),), "tensors of 5 rows"),
        ((np.zeros((5, 2)), np.zeros(5)), "NumPy arrays: wrap them in torch.as_tensor"),
        (DataLoader(TensorDataset(torch.zeros(5, 2)), batch_size=2), "DataLoader .*its dataset"),
        (7, "is a int "),
    ],
)
def test_training_records_without_numbered_rows_are_refused(
    module: ModuleType, train: object, said: str
) -> None:
    module.no_rows = lambda: {"train": train, "holdout": (torch.zeros(5, 2), torch.zeros(5))}  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=said):
        own_sets(f"{module.__name__}:no_rows", torch.tensor([0]))
