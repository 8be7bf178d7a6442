"""What is to be forgotten: the request in the words of :func:`.cases.case`, carried out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from infounlearn.data.digits import Parts
from infounlearn.data.poison import choose_victims, stamp, swap_classes
from infounlearn.data.records import Records
from infounlearn.data.splits import choose_forget
from infounlearn.data.tails import choose_tail
from infounlearn.errors import Problems


class Chosen(NamedTuple):
    """Records after poisoning, ids to forget in ascending order of position, and what for.

    Attributes:
        parts: training records as the networks learn them; held-out and test records as given.
        ids: (n_f,) of the training records to forget.
        words: the request in words.
        probe: see :class:`.cases.Case`.
    """

    parts: Parts
    ids: Tensor
    words: str
    probe: Records | None = None


@dataclass(frozen=True, eq=False)
class Ways:
    """The ways to name a forget set, of which exactly one is given; see :func:`.cases.case`."""

    forget_class: int | None = None
    forget_random: float | None = None
    forget_count: int | None = None
    forget_tail: float | None = None
    forget_ids: Tensor | Iterable[int] | None = None
    confuse: tuple[int, int] | None = None
    trigger: int | None = None

    def check(
        self, fraction: float, num_classes: int | None, pictures: bool, problems: Problems
    ) -> None:
        """Collect what can be seen before any file is read."""
        names = [one.name for one in fields(self)]
        given = [name for name in names if getattr(self, name) is not None]
        problems.require(
            len(given) == 1,
            f"{len(given)} of {', '.join(names[:-1])} and {names[-1]} are given",
            fix="pass exactly one",
        )
        for name in ("forget_class", "confuse", "trigger"):
            problems.require(
                name not in given or num_classes is not None,
                f"{name} is given, and a regression has no classes",
                fix="pass forget_random, forget_count, forget_tail or forget_ids",
            )
        problems.require(
            self.trigger is None or num_classes is None or pictures,
            "trigger is given, and these records are no pictures",
            fix="choose digits, mnist or cifar10, or another way",
        )
        poisoned = self.confuse is not None or self.trigger is not None
        problems.require(
            not poisoned or 0 < fraction < 1,
            f"forget_fraction is {fraction}",
            why="it is the share of records that are spoiled",
            fix="pass a share in (0, 1), such as 0.3 with confuse or 0.05 with trigger",
        )
        problems.require(
            fraction == 1 or poisoned or self.forget_class is not None,
            "forget_fraction is given without forget_class, confuse or trigger",
            fix="leave it out",
        )

    def carry_out(
        self, parts: Parts, fraction: float, picture: tuple[int, int, int] | None, seed: int
    ) -> Chosen:
        """Choose, after spoiling the training records where the request says so.

        Raises:
            InputError: the request does not fit the training records.
        """
        train = parts.train
        if self.forget_ids is not None:
            return Chosen(parts, *_named(train, self.forget_ids))
        if self.forget_tail is not None:
            rows = choose_tail(train, self.forget_tail)
            return Chosen(parts, train.ids[rows], f"the {self.forget_tail:.0%} farthest out")
        if self.confuse is not None:
            targets, rows = swap_classes(train.targets, self.confuse, fraction, seed)
            parts = parts._replace(train=replace(train, targets=targets))
            words = f"{fraction:.0%} of classes {self.confuse[0]} and {self.confuse[1]}, swapped,"
            return Chosen(parts, train.ids[rows], words)
        if self.trigger is not None:
            assert picture is not None  # check() saw to that
            return self._with_trigger(parts, self.trigger, fraction, picture, seed)
        rows = choose_forget(
            train.targets,
            forget_class=self.forget_class,
            forget_fraction=fraction,
            forget_random=self.forget_random,
            forget_count=self.forget_count,
            seed=seed,
        )
        return Chosen(parts, train.ids[rows], self._words(fraction))

    def _with_trigger(
        self, parts: Parts, label: int, fraction: float, picture: tuple[int, int, int], seed: int
    ) -> Chosen:
        """Stamp victims and give them the trigger's label; the probe is stamped test records."""
        train, test = parts.train, parts.test
        rows = choose_victims(train.targets, label, fraction, seed)
        inputs, targets = train.inputs.clone(), train.targets.clone()
        inputs[rows], targets[rows] = stamp(inputs[rows], picture), label
        others = test.subset(test.targets != label, "probe")
        probe = replace(
            others,
            inputs=stamp(others.inputs, picture),
            targets=torch.full_like(others.targets, label),
        )
        parts = parts._replace(train=replace(train, inputs=inputs, targets=targets))
        words = f"{fraction:.0%} of other classes with a trigger for class {label}"
        return Chosen(parts, train.ids[rows], words, probe)

    def _words(self, fraction: float) -> str:
        if self.forget_class is not None:
            share = "all" if fraction == 1 else f"{fraction:.0%}"
            return f"{share} of class {self.forget_class}"
        if self.forget_random is not None:
            return f"{self.forget_random:.0%} at random"
        return "one record" if self.forget_count == 1 else f"{self.forget_count} at random"


def _named(train: Records, given: Tensor | Iterable[int]) -> tuple[Tensor, str]:
    """The ids of the caller in the order of ``train``."""
    ids = train.where_ids(given).ids
    problems = Problems("case")
    problems.require(
        0 < len(ids) < len(train),
        f"forget_ids names {len(ids)} of {len(train)} training records",
        fix="leave something to forget and something to keep",
    )
    problems.raise_if_any()
    return ids, f"{len(ids)} named records"


def cut_requests(ids: Tensor, requests: int, seed: int) -> tuple[Tensor, ...]:
    """``ids`` in that many random disjoint parts, whose sizes differ by at most one.

    Raises:
        InputError: fewer ids than requests.
    """
    problems = Problems("case")
    problems.require(
        1 <= requests <= len(ids),
        f"requests is {requests} for {len(ids)} records to forget",
        fix="pass 1 or more, and at most one for each record",
    )
    problems.raise_if_any()
    if requests == 1:
        return (ids,)
    order = np.random.default_rng(seed).permutation(len(ids))
    # Within a part the records keep the order of the training set.
    return tuple(ids[np.sort(part)] for part in np.array_split(order, requests))
