"""The yardstick of a case: originals, retrained ensembles, and the records they are compared on.

Forget and retain records are the same for the tuner and the judge: whoever unlearns has all of them
and can tune on them, and a part of a small set is another problem than the whole. Nothing else is
shared: the tuner has another original network and another, smaller ensemble, and held-out records
stand in for the test set. Half of these go to the methods, a quarter to the tuner, and a quarter
judges membership attacks at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.data.records import Records
from infounlearn.data.splits import stratified_parts
from infounlearn.errors import Problems
from infounlearn.experiments.cases import Case
from infounlearn.experiments.ensemble import cache_keys, trained
from infounlearn.math import distance_to_ensemble
from infounlearn.math.ensemble_distance import EnsembleDistance

PARTS = ("forget", "retain", "test")
"""The record sets on which a model must be close to the retrained ones, the worst counting."""
MOST_ROWS = 5_000
"""Rows of a record set that are shown at most: a fixed random sample, to bound time and disk."""
TUNING_SEED = 10_000
"""Networks for tuning take seeds from here on, those for judging from 0 on."""
_SPLIT_SEED = 20_250

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class View:
    """Records a model is judged by, and what the retrained networks show on them.

    Attributes:
        records: by name: those of ``PARTS``; for judging also "holdout", and "probe" where the case
            has one.
        ensemble: by name (K, n, c) log-probabilities in float64, or predictions of a regression.
    """

    records: Mapping[str, Records]
    ensemble: Mapping[str, Tensor]

    def distances(self, outputs: Mapping[str, Tensor]) -> dict[str, EnsembleDistance]:
        """Distance of a model's outputs to the ensemble on each of ``PARTS``."""
        return {
            name: distance_to_ensemble(
                outputs[name],
                self.ensemble[name],
                "classification" if self.records[name].is_classification else "regression",
            )
            for name in PARTS
        }


@dataclass(frozen=True, eq=False)
class Gold:
    """A case with everything that methods are given and judged by.

    Attributes:
        name: of the case in tables.
        case: its ``holdout`` is the part that methods may use; no row of ``final`` or ``tuning``
            is in that part.
        key: hash of everything the networks and the records of the views depend on.
        originals: one per final seed.
        tuning_original: another one.
        networks: the retrained ones of ``final``.
        final: what judges.
        tuning: what the tuner sees.
        retrain_seconds: mean over the retrained networks, on one thread.
        notes: what a reader must know about these views.
    """

    name: str
    case: Case
    key: str
    originals: tuple[nn.Module, ...]
    tuning_original: nn.Module
    networks: tuple[nn.Module, ...]
    final: View
    tuning: View
    retrain_seconds: float
    notes: tuple[str, ...]

    def rows(self, budget: float) -> float:
        """Forward rows that a share of retraining is worth, a backward counting as two more."""
        return budget * 3 * self.case.recipe.epochs * len(self.case.retain)


def requests_of(case: Case) -> tuple[Tensor, ...]:
    """The ids of each request, one after another; a single one for most cases."""
    several: tuple[Tensor, ...] = tuple(getattr(case, "requests", ()) or ())
    return several or (case.forget_ids,)


def steps_of(case: Case) -> Iterator[Case]:
    """The case as each request of its sequence finds it: to forget now, and all that must stay.

    Records of later requests are among those to keep: nobody knows yet.
    """
    requests = requests_of(case)
    if len(requests) == 1:
        yield case
        return
    kept = case.train
    for ids in requests:
        now, kept = kept.where_ids(ids, "forget"), kept.except_ids(ids, "retain")
        yield replace(case, forget=now, retain=kept)


def build_gold(
    case: Case,
    *,
    name: str | None = None,
    seeds: int = 5,
    references: int = 8,
    tuning_references: int = 3,
    cache_dir: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Gold:
    """Train what is missing, cut the records, and show them to the retrained networks.

    Args:
        case: what is forgotten.
        name: of the case in tables; its description by default.
        seeds: original networks, each to be unlearned.
        references: networks retrained without the forget records, for judging.
        tuning_references: the same for the tuner.
        cache_dir: see :func:`infounlearn.experiments.ensemble.trained`.
        workers: processes that train.
        progress: told once per network.

    Raises:
        InputError: fewer than two references of a kind or no seed, too few records to cut, or what
            ``trained`` refuses.
        DivergenceError: a training diverged.
    """
    problems = Problems("build_gold")
    for what, count, least in (
        ("seeds", seeds, 1),
        ("references", references, 2),
        ("tuning_references", tuning_references, 2),
    ):
        problems.require(count >= least, f"{what} is {count}", fix=f"pass {least} or more")
    problems.require(
        len(case.holdout) >= 24,
        f"holdout of {case.description} holds {len(case.holdout)} records",
        why="half goes to the methods, a quarter to tuning, a quarter to the attacks",
        fix="take a case with 24 or more",
    )
    problems.raise_if_any()
    finals, others = range(seeds), range(TUNING_SEED, TUNING_SEED + tuning_references)
    originals = trained(
        case, "original", [*finals, TUNING_SEED], cache_dir=cache_dir, workers=workers,
        progress=progress,
    )  # fmt: skip
    retrained = trained(
        case, "retrained", [*range(references), *others], cache_dir=cache_dir, workers=workers,
        progress=progress,
    )  # fmt: skip
    given, tuning, final, notes = cut(case)
    networks = [one.model for one in retrained]
    return Gold(
        name=name or case.description,
        case=replace(case, holdout=given),
        key=case_key(case),
        originals=tuple(one.model for one in originals[:-1]),
        tuning_original=originals[-1].model,
        networks=tuple(networks[:references]),
        final=_view(final, networks[:references]),
        tuning=_view(tuning, networks[references:]),
        retrain_seconds=sum(one.seconds for one in retrained) / len(retrained),
        notes=notes,
    )


def cut(
    case: Case,
) -> tuple[Records, dict[str, Records], dict[str, Records], tuple[str, ...]]:
    """Held-out records for the methods, records of tuning, records of judging, and notes."""
    given, rest = _in_two(case.holdout, _SPLIT_SEED + 2)
    tuned, attacked = _in_two(rest, _SPLIT_SEED + 3)
    notes = []
    if max(len(case.retain), len(case.test)) > MOST_ROWS:
        notes.append(f"Retain and test: a fixed random sample of {MOST_ROWS:,} rows of each.")
    shared = {"forget": case.forget, "retain": _sample(case.retain)}
    tuning = {**shared, "test": _sample(tuned)}
    final = {**shared, "test": _sample(case.test), "holdout": _sample(attacked)}
    probe = getattr(case, "probe", None)
    if probe is not None:
        final["probe"] = _sample(probe)
    return given, tuning, final, tuple(notes)


def _in_two(records: Records, seed: int) -> tuple[Records, Records]:
    """Random halves with equal shares of every class."""
    labels = records.targets
    if not records.is_classification:
        labels = torch.zeros(len(records), dtype=torch.int64)
    half = len(records) // 2
    first, second = stratified_parts(labels, [half, len(records) - half], seed)
    return records.subset(first), records.subset(second)


def _sample(records: Records) -> Records:
    if len(records) <= MOST_ROWS:
        return records
    rows = np.random.default_rng(_SPLIT_SEED).permutation(len(records))[:MOST_ROWS]
    return records.subset(torch.from_numpy(np.sort(rows)))


def _view(records: dict[str, Records], networks: list[nn.Module]) -> View:
    shown = {
        name: torch.stack([show(network, part) for network in networks])
        for name, part in records.items()
    }
    return View(records, shown)


@torch.no_grad()
def show(model: nn.Module, records: Records) -> Tensor:
    """(n, c) log-probabilities in float64, or (n, d) predictions of a regression."""
    parts = [model.eval()(chunk) for chunk in records.inputs.split(4096)]
    outputs = torch.cat(parts).double()
    return torch.log_softmax(outputs, 1) if records.is_classification else outputs


def case_key(case: Case) -> str:
    """Hash of the records, how they are cut, the request, the recipe, and the code that trains."""
    given, tuning, final, _ = cut(case)
    parts = [
        *cache_keys(case.factory, case.train, case.recipe, "original", [0]).values(),
        *cache_keys(case.factory, case.retain, case.recipe, "retrained", [0]).values(),
        given.sha256(),
        *({name: own.sha256() for name, own in view.items()} for view in (tuning, final)),
        [ids.tolist() for ids in requests_of(case)],
        TUNING_SEED,
    ]
    return sha256(json.dumps(parts).encode()).hexdigest()[:24]
