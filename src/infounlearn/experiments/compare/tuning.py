"""The same tuning for every method: trials, wall time, sampler and records are one for all.

Published settings come first, cut to the budget; a method that is published with SGD also starts
once from the optimizer and step size of the case's own recipe. The rest of the trials are drawn by
Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) from the ranges that the method
names, and the share of the budget that its epochs take. A trial is judged as runs are, by the worst
of forget, retain and held-out distance in floors, by networks, held-out records and an original of
tuning.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import torch

from infounlearn.experiments.compare.gold import TUNING_SEED, Gold, requests_of, show, steps_of
from infounlearn.experiments.compare.runs import build, fit, run, settings_of, sizes_of
from infounlearn.point.methods.base import Choice, Method, Range, Sizes

SMALLEST_SHARE = 0.1
"""Of the budget, for the epochs of a trial."""
MOST_EPOCHS = 10_000.0
"""More than any budget pays for."""


@dataclass(frozen=True)
class Trial:
    """One setting: the worst distance in floors (inf where it failed), status and source."""

    settings: Mapping[str, Any]
    value: float
    status: str
    source: str
    rows: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Tuned:
    """All trials in order; the best is the first of the smallest value."""

    trials: tuple[Trial, ...]
    seconds: float

    @property
    def best(self) -> Trial:
        return min(self.trials, key=lambda trial: trial.value)


def tune(
    name: str, gold: Gold, rows: float, *, trials: int, seconds: float, seed: int = 0
) -> Tuned:
    """Search the settings of a method on what the tuner may see.

    Args:
        name: of a published method.
        gold: the yardstick of the case.
        rows: forward rows of a run.
        trials: settings tried, the fixed ones among them.
        seconds: no trial starts later than this; the first one always runs.
        seed: of the sampler.
    """
    import optuna  # seconds, which are no part of anybody's tuning

    # So is the first optimizer of a process, which makes torch import its compiler.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    started = perf_counter()
    space = Space(build(name, {}), gold, rows)
    found: list[Trial] = []
    with warnings.catch_warnings():
        # Of Optuna: some of its arguments and samplers are still called experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(3, trials // 3))
        study = _quiet_study(optuna, sampler)
        ranges = space.distributions(optuna)
        for source, method in space.fixed():
            if len(found) < trials and (not found or perf_counter() - started < seconds):
                found.append(_try(name, method, gold, rows, source))
                point = space.point(method)
                if point is not None:
                    study.add_trial(_as_trial(optuna, point, ranges, found[-1]))
        while ranges and len(found) < trials and perf_counter() - started < seconds:
            if found[0].status == "not applicable":
                break
            asked = study.ask(ranges)
            found.append(_try(name, space.method(asked.params), gold, rows, "tuned"))
            # A failed trial is told as ten times the worst, so that the sampler keeps away.
            good = [one.value for one in found if math.isfinite(one.value)]
            value = found[-1].value
            study.tell(asked, value if math.isfinite(value) else 10 * max(good, default=1e3))
    return Tuned(tuple(found), perf_counter() - started)


@dataclass(frozen=True)
class Space:
    """Settings of a method that a tuner may change, for one case and budget."""

    published: Method
    gold: Gold
    rows: float

    def distributions(self, optuna: Any) -> dict[str, Any]:
        """Optuna's ranges by name; choices by their number, since they may be any value."""
        ranges: dict[str, Any] = {}
        for name, values in self.published.space.items():
            if name == "epochs":
                continue
            if isinstance(values, Choice):
                numbers = range(len(values.values))
                ranges[name] = optuna.distributions.CategoricalDistribution(list(numbers))
            elif values.whole:
                ranges[name] = optuna.distributions.IntDistribution(
                    int(values.low), int(values.high), log=values.log
                )
            else:
                ranges[name] = optuna.distributions.FloatDistribution(
                    values.low, values.high, log=values.log
                )
        if hasattr(self.published, "epochs"):
            ranges["epochs"] = optuna.distributions.FloatDistribution(SMALLEST_SHARE, 1.0, log=True)
        return ranges

    def fixed(self) -> Iterator[tuple[str, Method]]:
        """The published settings, and those with the recipe's own optimizer.

        Retraining is published as "the original recipe": that of the case.
        """
        recipe, published = self.gold.case.recipe, self.published
        own: dict[str, Any] = {"optimizer": recipe.optimizer, "lr": recipe.lr}
        if published.name == "retrain":
            own |= {
                name: getattr(recipe, name) for name in ("epochs", "batch_size", "weight_decay")
            }
            yield "published", replace(published, **own)  # type: ignore[type-var]
            return
        yield "published", published
        if getattr(published, "optimizer", None) == "sgd" and hasattr(published, "lr"):
            yield "recipe", replace(published, **own)  # type: ignore[type-var]

    def method(self, params: Mapping[str, Any]) -> Method:
        """The settings that a point of the space stands for."""
        values = dict(params)
        share = values.pop("epochs", None)
        for name, ways in self.published.space.items():
            if isinstance(ways, Choice):
                values[name] = ways.values[values[name]]
        method: Method = replace(self.published, **values)  # type: ignore[type-var]
        if share is None:
            return method
        most = self._longest(method)
        return method if most is None else replace(method, epochs=share * most)  # type: ignore[type-var]

    def point(self, method: Method) -> dict[str, Any] | None:
        """The point of the space that stands for ``method``, cut to the budget; None outside."""
        point: dict[str, Any] = {}
        for name, values in self.published.space.items():
            if name == "epochs":
                continue
            own = getattr(method, name)
            if isinstance(values, Range):
                if not values.low <= own <= values.high:
                    return None
                point[name] = own
            elif own in values.values:
                point[name] = values.values.index(own)
            else:
                return None
        if hasattr(method, "epochs"):
            most, cut = self._longest(method), fit(method, *self._request)
            if most is None or cut is None:
                return None
            point["epochs"] = min(1.0, cut.epochs / most)  # type: ignore[attr-defined]
            if point["epochs"] < SMALLEST_SHARE:
                return None
        return point

    def _longest(self, method: Method) -> float | None:
        """Epochs that the budget of one request pays for."""
        cut = fit(replace(method, epochs=MOST_EPOCHS), *self._request)  # type: ignore[type-var]
        return None if cut is None else float(cut.epochs)  # type: ignore[attr-defined]

    @cached_property
    def _request(self) -> tuple[float, Sizes]:
        """Rows that the first request may cost, and the sizes of its record sets."""
        case = self.gold.case
        return self.rows / len(requests_of(case)), sizes_of(next(steps_of(case)), TUNING_SEED)


def _try(name: str, method: Method, gold: Gold, rows: float, source: str) -> Trial:
    settings = settings_of(method)
    ran = run(name, settings, gold.case, gold.tuning_original, rows, TUNING_SEED)
    if ran.model is None:
        return Trial(settings, math.inf, ran.status, source, ran.rows, ran.reason)
    outputs = {part: show(ran.model, own) for part, own in gold.tuning.records.items()}
    if not all(bool(torch.isfinite(own).all()) for own in outputs.values()):
        return Trial(settings, math.inf, "diverged", source, ran.rows, "outputs are not finite")
    found = gold.tuning.distances(outputs)
    worst = max(distance.ratio for distance in found.values())
    return Trial(settings, worst, "done", source, ran.rows)


def _quiet_study(optuna: Any, sampler: Any) -> Any:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.create_study(sampler=sampler)
    finally:
        optuna.logging.set_verbosity(before)


def _as_trial(optuna: Any, point: dict[str, Any], ranges: dict[str, Any], trial: Trial) -> Any:
    if not math.isfinite(trial.value):
        state = optuna.trial.TrialState.FAIL
        return optuna.trial.create_trial(params=point, distributions=ranges, state=state)
    return optuna.trial.create_trial(params=point, distributions=ranges, value=trial.value)
