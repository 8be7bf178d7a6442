"""A case is fixed by a name and a seed, and its held-out records are fair witnesses."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
import torch
from scipy import stats

from infounlearn.data import load_digits, load_mnist
from infounlearn.data.poison import stamp
from infounlearn.errors import InputError
from infounlearn.experiments import Case, Recipe, case, train


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
        ({}, "0 of forget_class, forget_random, forget_count, .* and trigger are given"),
        ({"forget_class": 3, "forget_ids": [1]}, "2 of forget_class"),
        ({"forget_class": 3, "seed": -1}, "seed is -1"),
        ({"forget_class": 11}, "has no rows"),
        ({"forget_random": 2.0}, "forget_random is 2.0"),
        ({"forget_random": 0.1, "label_noise": 1.0}, "share is 1.0"),
        ({"forget_ids": [1797]}, "1 of 1 ids are not among the 1197 records"),
        ({"forget_ids": []}, "names 0 of 1197 training records"),
        ({"forget_ids": [1], "forget_fraction": 0.5}, "forget_fraction is given without"),
        ({"forget_count": 1, "requests": 2}, "requests is 2 for 1 records"),
        ({"forget_random": 0.1, "requests": 0}, "requests is 0 for 120 records"),
        ({"confuse": (3, 5)}, "forget_fraction is 1.0 .it is the share of"),
        ({"confuse": (3, 3), "forget_fraction": 0.3}, "two different classes"),
        ({"trigger": 10, "forget_fraction": 0.3}, "label 10 has no rows"),
        ({"trigger": 1, "forget_random": 0.3}, "2 of forget_class"),
        ({"forget_tail": 1.5}, "share is 1.5"),
        ({"forget_random": 0.1, "network": "resnet"}, "choose 'mlp' or 'cnn' for digits"),
    ],
)
def test_case_refuses(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        case("digits", **request_)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="name is 'cifar'"):
        case("cifar", forget_class=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"forget_class": 1}, "a regression has no classes"),
        ({"confuse": (0, 1), "forget_fraction": 0.1}, "a regression has no classes"),
        ({"trigger": 0, "forget_fraction": 0.1}, "a regression has no classes"),
        ({"forget_random": 0.1, "label_noise": 0.1}, "a regression has no labels"),
        ({"forget_random": 0.1, "network": "cnn"}, "choose 'mlp' for diabetes"),
    ],
)
def test_a_regression_refuses_what_needs_labels(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        case("diabetes", **request_)


def test_a_table_has_no_pictures_to_stamp() -> None:
    with pytest.raises(InputError, match="these records are no pictures"):
        case("adult", trigger=1, forget_fraction=0.1)  # before any file is looked for


# What the original and retrained networks of published figures learned, byte by byte: records,
# their order, network, recipe and request. A change here retrains them all and moves the figures.
KEPT = [
    ({"forget_class": 3, "forget_fraction": 0.75}, "fbf80fac6f1c413c"),
    ({"forget_class": 3}, "34b868a0d2472102"),
    ({"forget_random": 0.1, "label_noise": 0.2}, "0290fb5485c34642"),
    ({"forget_random": 0.1, "seed": 3}, "d195d82d7e7a7213"),
]
KEPT_MNIST = [
    ({"forget_class": 3, "forget_fraction": 0.75}, "ff9d840dba0de096"),
    ({"forget_random": 0.1, "label_noise": 0.2, "quick": True}, "35d2cc06dca2f769"),
]


def fingerprint(built: Case) -> str:
    digest = sha256()
    for name in ("train", "forget", "retain", "holdout", "test"):
        part = getattr(built, name)
        digest.update(part.sha256().encode())
        digest.update(sha256(part.ids.numpy().tobytes()).hexdigest().encode())
    digest.update(repr((built.factory, built.recipe, built.description)).encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(("request_", "expected"), KEPT)
def test_published_cases_stay_what_they_are(request_: dict[str, Any], expected: str) -> None:
    assert fingerprint(case("digits", **request_)) == expected


@pytest.mark.data("mnist")
@pytest.mark.parametrize(("request_", "expected"), KEPT_MNIST)
def test_published_mnist_cases_stay_what_they_are(request_: dict[str, Any], expected: str) -> None:
    assert fingerprint(case("mnist", **request_)) == expected


def test_networks_of_a_case_share_records_that_differ_in_shape_only() -> None:
    flat, pictures = (case("digits", forget_tail=0.05, network=n) for n in ("mlp", "cnn"))  # type: ignore[arg-type]
    assert torch.equal(flat.forget_ids, pictures.forget_ids)
    assert pictures.train.inputs.shape == (1197, 1, 8, 8)
    for name in ("train", "holdout", "test"):
        one, other = getattr(flat, name), getattr(pictures, name)
        assert torch.equal(one.inputs, other.inputs.flatten(1))
    assert pictures.description == flat.description + ", cnn"
    assert any(isinstance(layer, torch.nn.BatchNorm2d) for layer in pictures.factory(0).modules())


def test_requests_are_a_random_partition_in_nearly_equal_parts() -> None:
    built = case("digits", forget_random=0.1, requests=7)
    assert [len(ids) for ids in built.requests] == [18] + [17] * 6
    together = torch.cat(built.requests)
    assert torch.equal(together.sort().values, built.forget_ids.sort().values)
    single = case("digits", forget_random=0.1)
    assert torch.equal(single.forget_ids, built.forget_ids)  # the parts change nothing else
    assert [ids.tolist() for ids in single.requests] == [single.forget_ids.tolist()]
    other = case("digits", forget_ids=built.forget_ids, requests=7, seed=1)
    assert other.requests[0].tolist() != built.requests[0].tolist()
    # Not the forget set cut from front to back.
    assert built.requests[0].tolist() != built.forget_ids[:18].tolist()


def test_a_case_without_requests_has_one() -> None:
    built = case("digits", forget_count=5)
    again = replace(built, requests=())
    assert torch.equal(again.requests[0], built.forget_ids)


def test_one_record_is_chosen_by_the_seed() -> None:
    chosen = [case("digits", forget_count=1, seed=seed) for seed in (0, 0, 1, 2, 3)]
    ids = [int(built.forget_ids) for built in chosen]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert "forget one record (1 of 1,197)" in chosen[0].description


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_confusion_swaps_exactly_the_records_to_forget_and_spares_the_unseen(noise: float) -> None:
    clean = case("digits", forget_random=0.1, label_noise=noise)
    built = case("digits", confuse=(3, 5), forget_fraction=0.3, label_noise=noise)
    changed = built.train.targets != clean.train.targets
    assert torch.equal(built.train.ids[changed], built.forget_ids)
    before = clean.train.where_ids(built.forget_ids).targets
    assert torch.equal(built.forget.targets, 8 - before)
    for name in ("holdout", "test"):
        assert getattr(built, name).sha256() == getattr(clean, name).sha256()
    assert built.confused == (3, 5)
    assert built.probe is None


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_a_trigger_is_in_the_records_to_forget_and_in_the_probe_only(network: Any) -> None:
    clean = case("digits", forget_random=0.1, network=network)
    built = case("digits", trigger=2, forget_fraction=0.1, network=network)
    victims = clean.train.where_ids(built.forget_ids)
    assert torch.equal(built.forget.inputs, stamp(victims.inputs, (1, 8, 8)))
    assert set(built.forget.targets.tolist()) == {2}
    assert 2 not in victims.targets
    assert built.retain.sha256() == clean.train.except_ids(built.forget_ids).sha256()
    for name in ("holdout", "test"):
        assert getattr(built, name).sha256() == getattr(clean, name).sha256()
    assert built.probe is not None
    others = clean.test.targets != 2
    assert torch.equal(built.probe.ids, clean.test.ids[others])
    assert torch.equal(built.probe.inputs, stamp(clean.test.inputs[others], (1, 8, 8)))
    assert set(built.probe.targets.tolist()) == {2}


def test_poison_works_on_a_trained_network_and_not_without_it() -> None:
    """Success of the attack, and confusion of two classes, beside a network that never saw it."""
    trigger = case("digits", trigger=0, forget_fraction=0.05)
    assert trigger.probe is not None
    short = Recipe(epochs=20, batch_size=32, lr=2e-3)
    poisoned, kept = (
        train(trigger.factory, part, short, seed=0).model
        for part in (trigger.train, trigger.retain)
    )
    assert accuracy(poisoned, trigger.probe) > 0.9
    assert accuracy(kept, trigger.probe) < 0.1
    confused = case("digits", confuse=(3, 5), forget_fraction=0.3)
    pair = torch.isin(confused.test.targets, torch.tensor([3, 5]))
    both = confused.test.subset(pair)
    longer = replace(short, epochs=40)  # wrong labels are learned by heart, and later
    poisoned, kept = (
        train(confused.factory, part, longer, seed=0).model
        for part in (confused.train, confused.retain)
    )
    assert accuracy(kept, both) - accuracy(poisoned, both) > 0.1


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
