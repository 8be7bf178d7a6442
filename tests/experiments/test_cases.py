"""A case is fixed by a name and a seed, and its held-out records are fair witnesses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy import stats

from infounlearn.data import load_digits, load_mnist
from infounlearn.errors import InputError
from infounlearn.experiments import Case, case, train


def accuracy(model: torch.nn.Module, records: Any) -> float:
    return float((model(records.inputs).argmax(dim=1) == records.targets).float().mean())


REQUESTS: list[dict[str, Any]] = [
    {"forget_class": 3, "forget_fraction": 0.75},
    {"forget_class": 3},
    {"forget_random": 0.1, "label_noise": 0.2},
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_forget_and_retain_partition_train_and_nothing_unseen_is_in_it(
    request_: dict[str, Any],
) -> None:
    built = case("digits", **request_)
    together = torch.cat([built.forget_ids, built.retain_ids]).sort().values
    assert torch.equal(together, built.train.ids)
    for part in (built.forget, built.retain):
        assert part.sha256() == built.train.where_ids(part.ids).sha256()
    known = set(built.train.record_hashes())
    unseen = built.holdout.record_hashes() + built.test.record_hashes()
    assert len(set(unseen)) == 600
    assert not known & set(unseen)
    assert f"({len(built.forget)} of 1,197)" in built.description


def test_the_seed_decides_the_choice_and_the_noise_but_not_the_split() -> None:
    first, again, other = (
        case("digits", forget_random=0.1, label_noise=0.2, seed=seed) for seed in (0, 0, 1)
    )
    for part in ("train", "forget", "retain", "holdout", "test"):
        assert getattr(first, part).sha256() == getattr(again, part).sha256()
        if part != "test":
            assert getattr(first, part).sha256() != getattr(other, part).sha256()
    assert torch.equal(first.train.ids, other.train.ids)
    assert torch.equal(first.train.inputs, other.train.inputs)
    assert not torch.equal(first.forget_ids, other.forget_ids)


def test_noise_follows_one_law_in_train_and_holdout_and_spares_the_test_set() -> None:
    true = load_digits().targets
    wrong: dict[str, int] = {"train": 0, "holdout": 0, "test": 0, "forget": 0}
    rows = dict(wrong)
    for seed in range(20):
        built = case("digits", forget_random=0.1, label_noise=0.2, seed=seed)
        for name in wrong:
            part = getattr(built, name)
            wrong[name] += int((part.targets != true[part.ids]).sum())
            rows[name] += len(part)
    assert wrong.pop("test") == 0
    for name, count in wrong.items():
        assert stats.binomtest(count, rows[name], 0.2).pvalue > 1e-3


def test_ids_of_the_caller() -> None:
    ids = case("digits", forget_class=3).train.ids[[5, 2, 9]]
    built = case("digits", forget_ids=ids.tolist())
    assert set(built.forget_ids.tolist()) == set(ids.tolist())
    assert "3 named records (3 of 1,197)" in built.description


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "0 of forget_class, forget_random and forget_ids"),
        ({"forget_class": 3, "forget_ids": [1]}, "2 of forget_class"),
        ({"forget_class": 3, "seed": -1}, "seed is -1"),
        ({"forget_class": 11}, "has no rows"),
        ({"forget_random": 2.0}, "forget_random is 2.0"),
        ({"forget_random": 0.1, "label_noise": 1.0}, "share is 1.0"),
        ({"forget_ids": [1797]}, "1 of 1 ids are not among the 1197 records"),
        ({"forget_ids": []}, "names 0 of 1197 training records"),
    ],
)
def test_case_refuses(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        case("digits", **request_)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="name is 'cifar'"):
        case("cifar", forget_class=3)  # type: ignore[arg-type]


def test_an_original_digits_network_is_good_and_memorises_its_noise() -> None:
    """The recipe leaves something to forget: noisy forget labels are known, held-out ones not."""
    clean = case("digits", forget_class=3, forget_fraction=0.75)
    result = train(clean.factory, clean.train, clean.recipe, seed=0)
    assert accuracy(result.model, clean.test) > 0.96
    noisy = case("digits", forget_random=0.1, label_noise=0.2)
    model = train(noisy.factory, noisy.train, noisy.recipe, seed=0).model
    assert accuracy(model, noisy.forget) > 0.95
    assert accuracy(model, noisy.holdout) < 0.75


@pytest.mark.data("mnist")
def test_the_published_mnist_case() -> None:
    built = case("mnist", forget_class=3, forget_fraction=0.75)
    assert (len(built.forget), len(built.retain)) == (4598, 55402)
    assert (built.recipe.epochs, built.recipe.lr, built.recipe.optimizer) == (100, 1e-3, "adam")
    assert set(built.forget.targets.tolist()) == {3}
    assert built.train.sha256() == load_mnist()[0].sha256()


@pytest.mark.data("mnist")
def test_quick_mnist_is_a_stratified_fifth() -> None:
    built: Case = case("mnist", forget_random=0.1, label_noise=0.2, quick=True)
    assert (len(built.train), len(built.forget), len(built.holdout)) == (12_000, 1_200, 5_000)
    true, _ = load_mnist()
    share = torch.bincount(true.targets[built.train.ids]) / torch.bincount(true.targets)
    assert float((share - 0.2).abs().max()) < 1e-3
