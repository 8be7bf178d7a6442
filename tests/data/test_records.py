"""Records keep their names through every split, and their hashes tell content from name."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from infounlearn.data import Records, concatenate
from infounlearn.errors import InputError


def make(rows: int = 7, dtype: torch.dtype = torch.float32, first: int = 100) -> Records:
    inputs = torch.arange(rows * 3).reshape(rows, 3).to(dtype)
    return Records(inputs, torch.arange(rows) % 2, torch.arange(first, first + rows), "seven")


def test_is_a_dataset_that_a_dataloader_batches() -> None:
    records = make()
    inputs, targets = zip(*DataLoader(records, batch_size=3), strict=True)
    assert torch.equal(torch.cat(inputs), records.inputs)
    assert torch.equal(torch.cat(targets), records.targets)
    assert len(list(records)) == 7  # iteration ends: an index past the end is an IndexError


def test_a_message_shows_name_and_size_not_the_numbers() -> None:
    assert repr(make()) == "Records('seven', 7 rows of 3, torch.float32)"


@given(st.sets(st.integers(100, 106)))
def test_where_and_except_partition_the_records(ids: set[int]) -> None:
    records = make()
    chosen, others = records.where_ids(ids), records.except_ids(ids)
    assert set(chosen.ids.tolist()) == ids
    assert sorted(chosen.ids.tolist() + others.ids.tolist()) == records.ids.tolist()
    for part in (chosen, others):  # every row still carries its own content
        assert torch.equal(part.inputs, records.inputs[part.ids - 100])
        assert torch.equal(part.targets, records.targets[part.ids - 100])
    back = concatenate(chosen, others)
    assert back.subset(back.ids.argsort()).sha256() == records.sha256()


def test_subset_takes_positions_in_order_or_a_mask() -> None:
    records = make()
    assert records.subset([2, 0]).ids.tolist() == [102, 100]
    assert records.subset(records.targets == 1).ids.tolist() == [101, 103, 105]
    assert len(records.subset([])) == 0


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool]
)
def test_sha256_sees_each_value_and_dtype_but_no_name(dtype: torch.dtype) -> None:
    records = make(dtype=dtype)
    own = records.sha256()
    assert replace(records, name="other", ids=records.ids + 1).sha256() == own
    assert records.subset(torch.arange(6).flip(0)).sha256() != own
    inputs, targets = records.inputs.clone(), records.targets.clone()
    inputs[6, 2] = 0
    targets[0] = 5
    assert replace(records, inputs=inputs).sha256() != own
    assert replace(records, targets=targets).sha256() != own
    if dtype != torch.float64:
        assert replace(records, inputs=records.inputs.double()).sha256() != own


def test_record_hashes_find_equal_inputs_and_nothing_else() -> None:
    records = make()
    other = replace(make(first=0), targets=torch.zeros(7, dtype=torch.int64))
    inputs = other.inputs.clone()
    inputs[4, 1] += 1
    hashes = replace(other, inputs=inputs).record_hashes()
    assert [a == b for a, b in zip(hashes, records.record_hashes(), strict=True)] == [
        True, True, True, True, False, True, True,
    ]  # fmt: skip
    image = replace(records, inputs=records.inputs.reshape(7, 1, 3))
    assert not set(image.record_hashes()) & set(hashes)
    assert make(0).record_hashes() == []


def test_hashing_sixty_thousand_images_takes_under_two_seconds() -> None:
    inputs = torch.rand(60_000, 784, generator=torch.Generator().manual_seed(0))
    records = Records(inputs, torch.zeros(60_000, dtype=torch.int64), torch.arange(60_000))
    start = time.perf_counter()
    assert len(set(records.record_hashes())) == 60_000
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"inputs": torch.zeros(6, 3)}, "same number of rows"),
        ({"targets": torch.zeros(7)}, "targets are torch.float32"),
        ({"targets": torch.zeros(7, 2, dtype=torch.int64)}, "targets are torch.int64"),
        ({"targets": torch.zeros(7, dtype=torch.int32)}, "targets are torch.int32"),
        ({"ids": torch.zeros(7, dtype=torch.int64)}, "6 ids occur more than once"),
        ({"ids": torch.arange(7.0)}, "ids are torch.float32"),
        ({"inputs": torch.tensor(1.0)}, "same number of rows"),
    ],
)
def test_records_refuse_what_does_not_fit(wrong: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(make(), **wrong)  # type: ignore[arg-type]


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError, match="3 problems"):
        Records(torch.zeros(2, 1), torch.zeros(3), torch.zeros(3))


def test_selections_refuse_foreign_and_repeated_rows() -> None:
    records = make()
    with pytest.raises(InputError, match=r"2 of 3 ids are not among.*: 1, 2"):
        records.where_ids([1, 2, 100])
    with pytest.raises(InputError, match="1 ids are named more than once"):
        records.except_ids(torch.tensor([100, 100]))
    with pytest.raises(InputError, match="1 of 2 positions lie outside"):
        records.subset([0, 7])
    with pytest.raises(InputError, match="positions lie outside"):
        records.subset([-1])
    with pytest.raises(InputError, match="mask has shape"):
        records.subset(torch.tensor([True]))
    with pytest.raises(InputError, match="positions are"):
        records.subset(torch.tensor([0.5]))
    with pytest.raises(InputError, match="ids are"):
        records.where_ids(torch.tensor([100.0]))
    with pytest.raises(InputError, match="occur more than once"):
        records.subset([0, 0])


def test_concatenate_refuses_shared_ids_and_other_shapes() -> None:
    records = make()
    with pytest.raises(InputError, match="7 ids occur more than once"):
        concatenate(records, records)
    with pytest.raises(InputError, match="differ in the shape or dtype"):
        concatenate(records, make(dtype=torch.float64, first=0))
    with pytest.raises(InputError, match="no records"):
        concatenate()


@pytest.mark.parametrize("room", ["data", "experiments"])
def test_rooms_import_without_torch(room: str) -> None:
    code = (
        f"import sys, infounlearn.{room} as room; assert 'torch' not in sys.modules;"
        "assert [getattr(room, name) for name in room.__all__] and 'torch' in sys.modules;"
        "assert set(room.__all__) <= set(dir(room))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
