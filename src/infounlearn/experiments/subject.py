"""What an unlearning job works on: a trained network, its records, and networks to compare with.

A subject comes from a built-in case, whose networks are trained here, or from a model and records
of the user's own; everything after that is one and the same pipeline (:mod:`.job`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from infounlearn.data.splits import read_ids
from infounlearn.errors import Problems
from infounlearn.experiments.cases import Case
from infounlearn.experiments.ensemble import trained
from infounlearn.experiments.own import load_weights, network_factory, own_sets
from infounlearn.experiments.recipe import TrainedModel

TITLES = {
    "digits": "Digits",
    "mnist": "MNIST",
    "cifar10": "CIFAR-10 subset",
    "adult": "Adult",
    "diabetes": "Diabetes",
    "communities": "Communities and Crime",
}
"""How reports call the built-in data sets."""


class Watch(Protocol):
    """Told what a job does, so that somebody can watch."""

    def stage(self, what: str) -> None:
        """A new part of the job begins."""
        ...

    def networks(self, ready: int, total: int, what: str) -> None:
        """``ready`` of ``total`` networks are trained."""
        ...

    def evaluation(self, row: Mapping[str, float]) -> None:
        """A row of the history."""
        ...

    def note(self, sentence: str) -> None:
        """Something worth knowing before the result."""
        ...


class Silence:
    """Watches nothing."""

    def stage(self, what: str) -> None:
        """See :class:`Watch`."""

    def networks(self, ready: int, total: int, what: str) -> None:
        """See :class:`Watch`."""

    def evaluation(self, row: Mapping[str, float]) -> None:
        """See :class:`Watch`."""

    def note(self, sentence: str) -> None:
        """See :class:`Watch`."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained network with everything needed to unlearn from it and to audit the result.

    Attributes:
        title: heading of the report.
        model: the network as trained; never changed.
        forget, retain, holdout, test: record sets; ``test`` may be None.
        references: networks trained without the forget set.
        fresh: builds a freshly initialised network from a seed.
        seconds: what training ``model`` took, where known.
        reference_seconds: what each reference took, where known.
        reference_rows: rows through a backward pass of one retraining, where known.
        data: names and hashes for the record.
        small: the network gains nothing from several threads.
    """

    title: str
    model: nn.Module
    forget: Any
    retain: Any
    holdout: Any
    test: Any = None
    references: tuple[nn.Module, ...] = ()
    fresh: Callable[[int], nn.Module] | None = None
    seconds: float | None = None
    reference_seconds: tuple[float, ...] = ()
    reference_rows: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    small: bool = False


def built_in(
    case: Case,
    *,
    references: int = 5,
    cache_dir: str | Path | None = None,
    watch: Watch | None = None,
) -> Subject:
    """Train (or read from ``cache_dir``) the original network of a case and its references.

    Raises:
        InputError: ``references`` is negative or the cache folder cannot be written.
        DivergenceError: a training diverged.
    """
    watch = watch or Silence()
    problems = Problems("points")
    problems.require(
        references >= 0, f"references is {references}", fix="pass 0 or more; 2 give a spread"
    )
    problems.raise_if_any()
    watch.stage(f"training on {len(case.train):,} records")
    original = trained(case, "original", cache_dir=cache_dir, progress=watch.networks)[0]
    retrained: list[TrainedModel] = []
    if references:
        watch.stage(f"retraining {references} references")
        # Starting a process costs seconds: short trainings are faster one after the other.
        long = case.recipe.epochs * len(case.train) > 1_000_000
        workers = min(references, os.cpu_count() or 1) if long else 1
        retrained = trained(
            case,
            "retrained",
            range(references),
            cache_dir=cache_dir,
            workers=workers,
            progress=watch.networks,
        )
    return Subject(
        title=TITLES.get(case.name, case.name) + case.description.removeprefix(case.name),
        model=original.model,
        forget=case.forget,
        retain=case.retain,
        holdout=case.holdout,
        test=case.test,
        references=tuple(one.model for one in retrained),
        fresh=case.factory,
        seconds=original.seconds,
        reference_seconds=tuple(one.seconds for one in retrained),
        reference_rows=retrained[0].rows_backward if retrained else None,
        data={
            part.name: {"rows": len(part), "sha256": part.sha256()}
            for part in (case.train, case.forget, case.holdout, case.test)
        },
        small=True,
    )


def own(
    *,
    model: str,
    weights: Path | None,
    data: str | None,
    forget: Path | None,
    references: Sequence[Path] = (),
) -> Subject:
    """A subject of the user's own; see :mod:`infounlearn.experiments.own` for every argument.

    Raises:
        InputError: something is missing, cannot be read, or does not fit.
    """
    problems = Problems("points")
    for name, given, what in (
        ("weights", weights, "the safetensors file of the trained weights"),
        ("data", data, "package.module:datasets, a callable that returns the record sets"),
        ("forget", forget, "a CSV file of the records to forget"),
    ):
        problems.require(given is not None, f"model is given without {name}", fix=f"pass {what}")
    problems.raise_if_any()
    assert weights is not None
    assert data is not None
    assert forget is not None
    factory = network_factory(model)
    original = load_weights(factory(0), weights)
    retrained = tuple(
        load_weights(factory(1 + index), path, "reference") for index, path in enumerate(references)
    )
    sets = own_sets(data, read_ids(forget))
    return Subject(
        title=f"{model}: forget {len(sets.forget_ids):,} records",
        model=original,
        forget=sets.forget,
        retain=sets.retain,
        holdout=sets.holdout,
        test=sets.test,
        references=retrained,
        fresh=factory,
        data={"source": data, "forget": len(sets.forget_ids)},
    )
