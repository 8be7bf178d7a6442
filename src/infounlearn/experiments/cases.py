"""Cases: a data set, a network, its recipe and what is to be forgotten, as one value.

Label noise is put on the training *and* the held-out records, each with a seed of its own, and
never on the test records. An audit asks whether forgotten records look like records never seen;
that is a fair question only if the two follow one law. Clean held-out labels beside noisy forgotten
ones would make every model, retrained ones included, look different on the two. The test set keeps
the true labels, because it says what the network is worth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from torch import Tensor

from infounlearn.data.digits import Parts, split_digits
from infounlearn.data.mnist import split_mnist
from infounlearn.data.records import Records
from infounlearn.data.splits import choose_forget, label_noise, split_records
from infounlearn.errors import Problems
from infounlearn.experiments.networks import DIGITS_MLP, MNIST_MLP, Factory
from infounlearn.experiments.recipe import Recipe

CaseName = Literal["digits", "mnist"]

DIGITS_RECIPE = Recipe(epochs=120, batch_size=32, lr=2e-3)
"""Long enough to learn wrong labels by heart, so that there is something to forget."""
MNIST_RECIPE = Recipe(epochs=100, batch_size=128, lr=1e-3)
"""Xu & Strohmer (2025): Adam 1e-3, 100 epochs. Their batch size is not recorded; ours is 128."""
QUICK_MNIST_RECIPE = Recipe(epochs=30, batch_size=128, lr=2e-3)
QUICK_MNIST_ROWS = 12_000


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that training, unlearning and auditing need, fixed by a name and a seed.

    Attributes:
        name: "digits" or "mnist".
        train: what the original network learned: ``forget`` and ``retain`` together.
        forget: records to forget.
        retain: records to keep.
        holdout: records no network learned, of the same label law as ``train``; audits compare
            them with ``forget``.
        test: records no network learned, with true labels; utility only.
        factory: builds the network from a seed.
        recipe: how original and retrained networks are trained.
        num_classes: number of labels.
        seed: of the choice of ``forget`` and of label noise.
        description: one line for a report.
    """

    name: str
    train: Records
    forget: Records
    retain: Records
    holdout: Records
    test: Records
    factory: Factory
    recipe: Recipe
    num_classes: int
    seed: int
    description: str

    @property
    def forget_ids(self) -> Tensor:
        """(n_f,) ids of the records to forget, in the order of ``forget``."""
        return self.forget.ids

    @property
    def retain_ids(self) -> Tensor:
        """(n_r,) ids of the records to keep, in the order of ``retain``."""
        return self.retain.ids


def case(
    name: CaseName,
    *,
    forget_class: int | None = None,
    forget_fraction: float = 1.0,
    forget_random: float | None = None,
    forget_ids: Tensor | Iterable[int] | None = None,
    label_noise: float = 0.0,
    seed: int = 0,
    quick: bool = False,
    data_home: str | Path | None = None,
) -> Case:
    """Build a case; name what is to be forgotten in exactly one of three ways.

    The split into train, holdout and test does not depend on ``seed``: repeats share their data.

    Args:
        name: "digits" (ships with scikit-learn) or "mnist" (see :mod:`infounlearn.data.sources`).
        forget_class: forget ``forget_fraction`` of the training records of this (given) label.
        forget_fraction: in (0, 1]; only with ``forget_class``.
        forget_random: forget this share of all training records.
        forget_ids: forget the training records with these ids.
        label_noise: probability that a training or held-out label is wrong, in [0, 1).
        seed: of the choice and the noise.
        quick: a smaller training set and fewer epochs (MNIST: 12,000 rows, 30 epochs at 2e-3;
            digits are small as they are).
        data_home: folder of the MNIST files.

    Raises:
        InputError: an unknown name, no or several ways to choose, ids that are not training
            records, or a number out of range.
    """
    problems = Problems("case")
    problems.require(
        name in get_args(CaseName), f"name is {name!r}", fix="choose 'digits' or 'mnist'"
    )
    ways = [way is not None for way in (forget_class, forget_random, forget_ids)]
    problems.require(
        sum(ways) == 1,
        f"{sum(ways)} of forget_class, forget_random and forget_ids are given",
        fix="pass exactly one",
    )
    problems.require(seed >= 0, f"seed is {seed}", fix="pass 0 or more")
    problems.raise_if_any()
    parts = split_digits() if name == "digits" else split_mnist(data_home)
    if quick and name == "mnist":
        rest = len(parts.train) - QUICK_MNIST_ROWS
        train, _ = split_records(parts.train, (QUICK_MNIST_ROWS, rest), seed=0)
        parts = parts._replace(train=train)
    # Three independent streams: wrong training labels, wrong held-out labels, what is forgotten.
    noise_train, noise_holdout, choice = (
        int(own) for own in np.random.SeedSequence(seed).generate_state(3)
    )
    if label_noise:
        parts = _with_noise(parts, label_noise, (noise_train, noise_holdout))
    if forget_ids is None:
        ids = parts.train.ids[
            choose_forget(
                parts.train.targets,
                forget_class=forget_class,
                forget_fraction=forget_fraction,
                forget_random=forget_random,
                seed=choice,
            )
        ]
    else:
        ids = parts.train.where_ids(forget_ids).ids
        problems.require(
            0 < len(ids) < len(parts.train),
            f"forget_ids names {len(ids)} of {len(parts.train)} training records",
            fix="leave something to forget and something to keep",
        )
        problems.raise_if_any()
    what = _what(forget_class, forget_fraction, forget_random, len(ids))
    noise = f", {label_noise:.0%} of labels wrong" if label_noise else ""
    small = name == "digits"
    mnist_recipe = QUICK_MNIST_RECIPE if quick else MNIST_RECIPE
    return Case(
        name=name,
        train=parts.train,
        forget=parts.train.where_ids(ids, "forget"),
        retain=parts.train.except_ids(ids, "retain"),
        holdout=parts.holdout,
        test=parts.test,
        factory=DIGITS_MLP if small else MNIST_MLP,
        recipe=DIGITS_RECIPE if small else mnist_recipe,
        num_classes=10,
        seed=seed,
        description=f"{name}: forget {what} ({len(ids):,} of {len(parts.train):,}){noise}",
    )


def _with_noise(parts: Parts, share: float, seeds: tuple[int, int]) -> Parts:
    """Wrong labels in train and holdout, drawn independently under one law; test stays clean."""
    train, holdout = (
        replace(part, targets=label_noise(part.targets, share, 10, seed))
        for part, seed in zip((parts.train, parts.holdout), seeds, strict=True)
    )
    return Parts(train, holdout, parts.test)


def _what(label: int | None, fraction: float, random: float | None, count: int) -> str:
    """The forget request in words."""
    if label is not None:
        return f"all of class {label}" if fraction == 1 else f"{fraction:.0%} of class {label}"
    return f"{random:.0%} at random" if random is not None else f"{count} named records"
