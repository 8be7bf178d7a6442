"""Cases: a data set, a network, its recipe and what is to be forgotten, as one value.

Label noise is put on the training *and* the held-out records, each with a seed of its own, and
never on the test records. An audit asks whether forgotten records look like records never seen;
that is a fair question only if the two follow one law. Clean held-out labels beside noisy forgotten
ones would make every model, retrained ones included, look different on the two. The test set keeps
the true labels, because it says what the network is worth.

Some requests cannot be fair in that sense, because what is to be forgotten *is* what sets the
records apart: spoiled labels (``confuse``), pictures with a trigger (``trigger``), the tail
(``forget_tail``), and a class where held-out records of other classes are counted in. There,
held-out records stay what they are, and a membership attack tells forgotten from held-out records
for every model, retrained ones included: a record with a wrong label has a high loss exactly when
the model never learned it. So an attack's success must be compared with its success on retrained
networks, never with 1/2, and "forget records score like held-out ones" is not the aim.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from infounlearn.data.digits import Parts
from infounlearn.data.records import Records
from infounlearn.data.splits import label_noise
from infounlearn.errors import Problems
from infounlearn.experiments.case_data import (
    QUICK_MNIST_ROWS,
    SOURCES,
    CaseName,
    NetworkName,
    Source,
)
from infounlearn.experiments.case_forget import Ways, cut_requests
from infounlearn.experiments.networks import Factory
from infounlearn.experiments.recipe import Recipe

__all__ = ["QUICK_MNIST_ROWS", "Case", "CaseName", "NetworkName", "case"]

DIGITS_RECIPE = Recipe(epochs=120, batch_size=32, lr=2e-3)
"""Long enough to learn wrong labels by heart, so that there is something to forget."""
MNIST_RECIPE = Recipe(epochs=100, batch_size=128, lr=1e-3)
"""Xu & Strohmer (2025): Adam 1e-3, 100 epochs. Their batch size is not recorded; ours is 128."""
QUICK_MNIST_RECIPE = Recipe(epochs=30, batch_size=128, lr=2e-3)


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that training, unlearning and auditing need, fixed by a name and a seed.

    Attributes:
        name: of the data set.
        train: what the original network learned: ``forget`` and ``retain`` together.
        forget: records to forget, spoiled where the request spoils them.
        retain: records to keep.
        holdout: records no network learned, of the same label law as ``train`` but for what the
            request spoils; audits compare them with ``forget``.
        test: records no network learned, with true labels; utility only.
        factory: builds the network from a seed.
        recipe: how original and retrained networks are trained.
        num_classes: number of labels; None for a regression.
        seed: of the choice of ``forget`` and of label noise.
        description: one line for a report.
        requests: ids of the records to forget, request by request: disjoint, together those of
            ``forget``. One request unless told otherwise.
        confused: the two classes whose records in ``forget`` carry each other's label.
        probe: the test records of other classes with the trigger, under the label that it is to
            mean: the accuracy on them is the success rate of the attack.
    """

    name: str
    train: Records
    forget: Records
    retain: Records
    holdout: Records
    test: Records
    factory: Factory
    recipe: Recipe
    num_classes: int | None
    seed: int
    description: str
    requests: tuple[Tensor, ...] = ()
    confused: tuple[int, int] | None = None
    probe: Records | None = None

    def __post_init__(self) -> None:
        if not self.requests:
            object.__setattr__(self, "requests", (self.forget.ids,))

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
    network: NetworkName | None = None,
    forget_class: int | None = None,
    forget_fraction: float = 1.0,
    forget_random: float | None = None,
    forget_count: int | None = None,
    forget_tail: float | None = None,
    forget_ids: Tensor | Iterable[int] | None = None,
    confuse: tuple[int, int] | None = None,
    trigger: int | None = None,
    label_noise: float = 0.0,
    requests: int = 1,
    seed: int = 0,
    quick: bool = False,
    data_home: str | Path | None = None,
) -> Case:
    """Build a case; name what is to be forgotten in exactly one of seven ways.

    The split into train, holdout and test does not depend on ``seed``: repeats share their data.

    Args:
        name: pictures: "digits" (ships with scikit-learn), "mnist", "cifar10" (a lossy subset);
            a table: "adult"; regressions: "diabetes" (ships with scikit-learn), "communities".
        network: "mlp" (usual), "cnn" with batch-norm for pictures, or for cifar10 "resnet" (usual
            there) or "cnn".
        forget_class: forget ``forget_fraction`` of the training records of this (given) label.
        forget_fraction: in (0, 1]; with ``forget_class``, ``confuse`` and ``trigger``.
        forget_random: forget this share of all training records.
        forget_count: forget this number of training records, chosen at random.
        forget_tail: forget this share of every class, the records farthest from the others
            (:func:`~infounlearn.data.tails.choose_tail`).
        forget_ids: forget the training records with these ids.
        confuse: give ``forget_fraction`` of the training records of each of these two classes the
            other's label, and forget them. Held-out and test records keep their labels; see above.
        trigger: stamp ``forget_fraction`` of the training pictures of other classes with a trigger,
            give them this label, and forget them. Held-out and test records stay clean.
        label_noise: probability that a training or held-out label is wrong, in [0, 1).
        requests: cut the forget set at random into this many requests.
        seed: of choice, noise and requests.
        quick: fewer training records and epochs (MNIST: 12,000 rows, the MLP 30 epochs at 2e-3;
            CIFAR-10: 2,000 rows; Adult: 6,000 rows; others are small as they are).
        data_home: see :func:`~infounlearn.data.sources.data_folder`.

    Raises:
        InputError: an unknown name, no or several ways to choose, a way that needs classes or
            pictures where there are none, ids that are not training records, a number out of
            range, or data that cannot be had.
    """
    ways = Ways(
        forget_class=forget_class,
        forget_random=forget_random,
        forget_count=forget_count,
        forget_tail=forget_tail,
        forget_ids=forget_ids,
        confuse=confuse,
        trigger=trigger,
    )
    problems = Problems("case")
    problems.require(
        name in SOURCES,
        f"name is {name!r}",
        fix=f"choose {', '.join(map(repr, SOURCES))}",
    )
    problems.raise_if_any()
    source = SOURCES[name]
    usual, *_ = source.networks
    chosen_network = usual if network is None else network
    problems.require(
        chosen_network in source.networks,
        f"network is {network!r}",
        fix=f"choose {' or '.join(map(repr, source.networks))} for {name}",
    )
    ways.check(forget_fraction, source.num_classes, source.picture is not None, problems)
    problems.require(
        label_noise == 0 or source.num_classes is not None,
        f"label_noise is {label_noise}, and a regression has no labels",
        fix="leave it out",
    )
    problems.require(seed >= 0, f"seed is {seed}", fix="pass 0 or more")
    problems.raise_if_any()
    parts = source.parts(chosen_network, quick=quick, data_home=data_home)
    # Independent streams: wrong training labels, wrong held-out labels, what is forgotten, when.
    noise_train, noise_holdout, choice, order = (
        int(own) for own in np.random.SeedSequence(seed).generate_state(4)
    )
    if source.num_classes is not None and label_noise:
        parts = _with_noise(parts, label_noise, source.num_classes, (noise_train, noise_holdout))
    chosen = ways.carry_out(parts, forget_fraction, source.picture, choice)
    train, ids = chosen.parts.train, chosen.ids
    sequence = cut_requests(ids, requests, order)
    extras = [
        *([f"{label_noise:.0%} of labels wrong"] if label_noise else []),
        *([f"in {requests} requests"] if requests > 1 else []),
        *([chosen_network] if chosen_network != usual else []),
        *([source.remark] if source.remark else []),
    ]
    what = f"{name}: forget {chosen.words} ({len(ids):,} of {len(train):,})"
    return Case(
        name=name,
        train=train,
        forget=train.where_ids(ids, "forget"),
        retain=train.except_ids(ids, "retain"),
        holdout=chosen.parts.holdout,
        test=chosen.parts.test,
        factory=source.networks[chosen_network],
        recipe=_recipe(name, chosen_network, source, quick),
        num_classes=source.num_classes,
        seed=seed,
        description=", ".join([what, *extras]),
        requests=sequence,
        confused=confuse,
        probe=chosen.probe,
    )


def _recipe(name: CaseName, network: NetworkName, source: Source, quick: bool) -> Recipe:
    """How a network of a data set is trained."""
    if network == "mlp" and name == "digits":
        return DIGITS_RECIPE
    if network == "mlp" and name == "mnist":
        return QUICK_MNIST_RECIPE if quick else MNIST_RECIPE
    return source.recipes[network][quick]


def _with_noise(parts: Parts, share: float, num_classes: int, seeds: tuple[int, int]) -> Parts:
    """Wrong labels in train and holdout, drawn independently under one law; test stays clean."""
    train, holdout = (
        replace(part, targets=label_noise(part.targets, share, num_classes, seed))
        for part, seed in zip((parts.train, parts.holdout), seeds, strict=True)
    )
    return Parts(train, holdout, parts.test)
