"""Original and retrained networks of a case, trained once and kept.

A retrained reference is worth nothing if it is not one. So it grows from an initialisation of its
own, drawn from a seed that no original network shares, and sees the retained records only; nothing
of the original network enters. And since references are costly, each is stored under a key of all
that determines it: records, recipe, network, the code that builds and trains it, seed and version
of torch. Change any of these and it is trained anew.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from infounlearn.data.records import Records
from infounlearn.errors import Problems
from infounlearn.experiments import networks, recipe
from infounlearn.experiments.cases import Case
from infounlearn.experiments.networks import Factory
from infounlearn.experiments.recipe import Recipe, TrainedModel, one_thread, train
from infounlearn.files import check_folder, write_atomically

Kind = Literal["original", "retrained"]

Progress = Callable[[int, int, str], None]
"""Called with (networks ready, networks in all, what happened)."""


def trained(
    case: Case,
    kind: Kind = "original",
    seeds: Iterable[int] = (0,),
    *,
    cache_dir: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[TrainedModel]:
    """Networks of a case, one per seed, in the order of ``seeds``.

    Every network is trained with one thread, so that the weights do not depend on ``workers``.

    Args:
        case: records, network and recipe.
        kind: "original" learns ``case.train``; "retrained" learns ``case.retain`` alone.
        seeds: one network for each. Original and retrained networks of one seed share no
            random number.
        cache_dir: keep finished networks here, each as soon as it is ready, and read those that
            are already there; None keeps nothing. A damaged file is replaced.
        workers: processes that train at the same time.
        progress: told once per network.

    Raises:
        InputError: an unknown kind, no seeds, fewer than one worker, a cache folder that cannot be
            written, or (with a cache) a factory that cannot be named.
        DivergenceError: a training diverged.
    """
    wanted = [int(seed) for seed in seeds]
    problems = Problems("trained")
    problems.require(
        kind in ("original", "retrained"), f"kind is {kind!r}", fix="choose original or retrained"
    )
    problems.require(
        bool(wanted) and min(wanted) >= 0,
        f"seeds are {wanted}",
        fix="pass one or more seeds, none negative",
    )
    problems.require(workers >= 1, f"workers is {workers}", fix="pass 1 or more")
    folder = None if cache_dir is None else _checked(Path(cache_dir), problems)
    problems.raise_if_any()
    records = case.train if kind == "original" else case.retain
    keys = cache_keys(case.factory, records, case.recipe, kind, wanted) if folder else {}
    ready: dict[int, TrainedModel] = {}

    def report(seed: int, what: str) -> None:
        if progress is not None:
            progress(len(ready), len(set(wanted)), f"{kind} {seed}: {what}")

    def path(seed: int) -> Path | None:
        return folder / f"{case.name}-{kind}-{seed}-{keys[seed][:16]}" if folder else None

    for seed in dict.fromkeys(wanted):
        place = path(seed)
        if place and (kept := _load(place, keys[seed], case.factory, model_seed(kind, seed))):
            ready[seed] = kept
            report(seed, "from cache")
    absent = [seed for seed in dict.fromkeys(wanted) if seed not in ready]
    jobs = [(seed, case.factory, records, case.recipe, model_seed(kind, seed)) for seed in absent]
    for seed, result in _run(jobs, min(workers, len(jobs))):
        ready[seed] = result
        if place := path(seed):
            _store(place, keys[seed], result)
        report(seed, f"trained in {result.seconds:.1f} s")
    return [ready[seed] for seed in wanted]


def model_seed(kind: Kind, seed: int) -> int:
    """The seed of a network: a hash of kind and seed, so that no two kinds ever share one."""
    return int.from_bytes(hashlib.sha256(f"{kind} {seed}".encode()).digest()[:6], "big")


def cache_keys(
    factory: Factory, records: Records, how: Recipe, kind: Kind, seeds: Iterable[int]
) -> dict[int, str]:
    """SHA-256, by seed, of everything that determines a network.

    Raises:
        InputError: the factory is neither a dataclass nor a function of a module, so that two
            different ones could not be told apart.
    """
    common = {
        "records": records.sha256(),
        "recipe": asdict(how),
        "factory": _describe(factory),
        "code": [_source(module) for module in (networks, recipe)],
        "torch": torch.__version__,
    }
    keys = {}
    for seed in seeds:
        text = json.dumps({**common, "kind": kind, "seed": seed}, sort_keys=True)
        keys[seed] = hashlib.sha256(text.encode()).hexdigest()
    return keys


def _describe(factory: Factory) -> list[Any]:
    """Name, settings and code of a factory."""
    if is_dataclass(factory) and not isinstance(factory, type):
        code = _source(sys.modules[type(factory).__module__])
        return [type(factory).__module__, type(factory).__qualname__, repr(factory), code]
    if isinstance(factory, FunctionType) and "<" not in factory.__qualname__:
        return [factory.__module__, factory.__qualname__, _source(inspect.getmodule(factory))]
    problems = Problems("trained")
    problems.add(
        f"the network factory {factory!r} has no lasting name",
        why="a cached network could not be told from another",
        fix="use a dataclass or a function at module level, or pass cache_dir=None",
    )
    problems.raise_if_any()
    return []


def _source(module: Any) -> str:
    """SHA-256 of a module's source; empty where it has none (an interactive prompt)."""
    try:
        return hashlib.sha256(inspect.getsource(module).encode()).hexdigest()
    except (OSError, TypeError):
        return ""


def _run(jobs: list[tuple[Any, ...]], workers: int) -> Iterable[tuple[int, TrainedModel]]:
    """Finished networks as they come, in this process or in several."""
    if workers <= 1:
        return map(_train_one, jobs)
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
    finished: Iterable[tuple[int, TrainedModel]] = parallel(
        delayed(_train_one)(job) for job in jobs
    )
    return finished


def _train_one(job: tuple[int, Factory, Records, Recipe, int]) -> tuple[int, TrainedModel]:
    seed, factory, records, how, own_seed = job
    with one_thread():
        return seed, train(factory, records, how, own_seed)


def _checked(folder: Path, problems: Problems) -> Path:
    """Try to write to ``folder`` before hours of training, and create it."""
    check_folder(folder, "cache_dir", problems)
    if not problems.found:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _store(path: Path, key: str, result: TrainedModel) -> None:
    """Write weights, then the sidecar that vouches for them, each in one atomic step."""
    weights = save(
        {name: tensor.detach().clone() for name, tensor in result.model.state_dict().items()}
    )
    facts = {
        "key": key,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "seconds": result.seconds,
        "rows_backward": result.rows_backward,
    }
    write_atomically(path.with_name(path.name + ".safetensors"), weights)
    write_atomically(path.with_name(path.name + ".json"), json.dumps(facts, indent=2).encode())


def _load(path: Path, key: str, factory: Factory, seed: int) -> TrainedModel | None:
    """The kept network, or None where it is absent, damaged or another one."""
    try:
        facts = json.loads(path.with_name(path.name + ".json").read_bytes())
        weights = path.with_name(path.name + ".safetensors").read_bytes()
        if facts["key"] != key or facts["sha256"] != hashlib.sha256(weights).hexdigest():
            return None
        model = factory(seed)
        model.load_state_dict(load(weights))
        return TrainedModel(
            model.eval(), seed, float(facts["seconds"]), int(facts["rows_backward"])
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
        return None  # any of these says that the files are not what _store wrote: train again
