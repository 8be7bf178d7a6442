"""Splits are partitions decided by a seed; noise follows its stated law; bad files are named."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from infounlearn.data import choose_forget, label_noise, read_ids, stratified_parts
from infounlearn.errors import InputError


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.lists(st.floats(0, 1), max_size=3),
    st.integers(0, 5),
)
def test_parts_are_a_partition_with_even_class_shares(
    labels: list[int], cuts: list[float], seed: int
) -> None:
    targets = torch.tensor(labels)
    edges = [0, *sorted(round(cut * len(labels)) for cut in cuts), len(labels)]
    sizes = [high - low for low, high in pairwise(edges)]
    parts = stratified_parts(targets, sizes, seed)
    assert [len(part) for part in parts] == sizes
    assert torch.cat(parts).sort().values.tolist() == list(range(len(labels)))
    for part in parts:
        assert part.tolist() == sorted(part.tolist())
        expected = torch.bincount(targets, minlength=4) * len(part) / len(labels)
        found = torch.bincount(targets[part], minlength=4)
        # A cut moves a class by less than one row, and by one for each class cut beside it.
        assert (found - expected).abs().max() <= 4


def test_parts_depend_on_the_seed_alone() -> None:
    targets = torch.arange(100) % 10
    first, again, other = (stratified_parts(targets, (50, 50), seed) for seed in (0, 0, 1))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])
    assert torch.bincount(targets[first[0]]).tolist() == [5] * 10


def test_stratified_parts_refuses_sizes_that_do_not_add_up() -> None:
    with pytest.raises(InputError, match="do not add up to the 4 rows"):
        stratified_parts(torch.arange(4), (1, 2), 0)


def test_noise_is_independent_of_the_label_and_uniform_over_the_others() -> None:
    classes, rows, share = 5, 40_000, 0.2
    targets = torch.arange(rows) % classes
    noisy = label_noise(targets, share, classes, seed=3)
    wrong = noisy != targets
    # 1e-4 tests on one fixed seed: they fail when the law is another one, not by chance each run.
    assert stats.binomtest(int(wrong.sum()), rows, share).pvalue > 1e-4
    shift = ((noisy - targets) % classes)[wrong]
    assert stats.chisquare(torch.bincount(shift, minlength=classes)[1:].numpy()).pvalue > 1e-4
    table = torch.stack([torch.bincount(targets[wrong == flag]) for flag in (True, False)])
    assert stats.chi2_contingency(table.numpy()).pvalue > 1e-4


def test_noise_without_share_changes_nothing_and_never_in_place() -> None:
    targets = torch.arange(30) % 3
    assert torch.equal(label_noise(targets, 0.0, 3, seed=0), targets)
    before = targets.clone()
    label_noise(targets, 0.9, 3, seed=0)
    assert torch.equal(targets, before)


@pytest.mark.parametrize(
    ("share", "classes", "message"),
    [(1.0, 3, "share is 1.0"), (-0.1, 3, "share is"), (0.1, 1, "num_classes"), (0.1, 2, "lie out")],
)
def test_noise_refuses(share: float, classes: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        label_noise(torch.arange(3), share, classes, seed=0)


@given(st.integers(0, 3), st.floats(0.01, 1), st.integers(0, 9))
def test_a_share_of_one_class(label: int, fraction: float, seed: int) -> None:
    targets = torch.arange(400) % 4
    rows = choose_forget(targets, forget_class=label, forget_fraction=fraction, seed=seed)
    assert len(rows) == round(fraction * 100)
    assert set(targets[rows].tolist()) == {label}
    assert rows.tolist() == sorted(set(rows.tolist()))


def test_a_share_of_all_rows_is_uniform_over_rows() -> None:
    targets = torch.zeros(50, dtype=torch.int64)
    counts = torch.zeros(50)
    for seed in range(400):
        counts[choose_forget(targets, forget_random=0.1, seed=seed)] += 1
    assert counts.sum() == 400 * 5
    assert stats.chisquare(counts.numpy()).pvalue > 1e-4


def test_a_number_of_rows_is_the_share_that_gives_it() -> None:
    targets = torch.arange(50) % 3
    share = choose_forget(targets, forget_random=0.14, seed=4)
    assert torch.equal(choose_forget(targets, forget_count=7, seed=4), share)
    assert torch.equal(choose_forget(targets[:, None] / 2, forget_count=7, seed=4), share)


def test_a_regression_has_no_classes() -> None:
    with pytest.raises(InputError, match="a regression has no classes"):
        choose_forget(torch.rand(9, 1), forget_class=0)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "exactly one"),
        ({"forget_class": 1, "forget_random": 0.1}, "exactly one"),
        ({"forget_class": 7}, r"forget_class 7 has no rows: choose one of \[0, 1\]"),
        ({"forget_class": 1, "forget_fraction": 0.0}, "forget_fraction is 0.0"),
        ({"forget_class": 1, "forget_fraction": 1.5}, "forget_fraction is 1.5"),
        ({"forget_random": 1.0}, "forget_random is 1.0"),
        ({"forget_random": 0.5, "forget_fraction": 0.5}, "share of forget_class"),
        ({"forget_random": 0.01}, "0 of 10 rows"),
        ({"forget_random": 0.1, "forget_count": 1}, "exactly one"),
        ({"forget_count": 0}, "0 of 10 rows"),
        ({"forget_count": 10}, "10 of 10 rows"),
        ({"forget_count": 2, "forget_fraction": 0.5}, "share of forget_class"),
    ],
)
def test_choose_forget_refuses(request_: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_forget(torch.arange(10) % 2, **request_)  # type: ignore[arg-type]


def test_forgetting_everything_is_refused() -> None:
    with pytest.raises(InputError, match="10 of 10 rows would be forgotten"):
        choose_forget(torch.zeros(10, dtype=torch.int64), forget_class=0)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("3\n1\n2\n", [3, 1, 2]),
        ("id\n3\n1\n", [3, 1]),
        ("\ufeffID\n7\n\n8\n", [7, 8]),
        ("name,id\na,4\nb,2\n", [4, 2]),
        (" 6 \n-1\n", [6, -1]),
    ],
)
def test_read_ids(tmp_path: Path, text: str, ids: list[int]) -> None:
    path = tmp_path / "forget.csv"
    path.write_text(text, encoding="utf-8")
    assert read_ids(path).tolist() == ids


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no ids"),
        (b"id\n", "holds no ids"),
        (b"1\n2\n1\n", "line 3: id 1 already stands on line 1"),
        (b"id\n1\n2.5\n", "line 3: '2.5' is not an integer"),
        (b"a,b\n1,2\n", "no column is called 'id'"),
        (b"name,id\nx\n", "line 2: '' is not an integer"),
        (b"99999999999999999999\n1", "line 1: '99999999999999999999' is not an integer"),
        (b"12a\n1\n", "line 1: '12a' is not an integer"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_read_ids_refuses(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "forget.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_ids(path)


def test_read_ids_names_every_bad_line_and_the_absent_file(tmp_path: Path) -> None:
    path = tmp_path / "forget.csv"
    path.write_text("id\nx\n1\ny\n1\n")
    with pytest.raises(InputError, match="3 problems"):
        read_ids(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_ids(tmp_path / "absent.csv")
