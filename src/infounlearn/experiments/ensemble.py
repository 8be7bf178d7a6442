"""Original and retrained networks of a case, trained once and kept.

A retrained reference is worth nothing if it is not one. So it grows from an initialisation of its
own, drawn from a seed that no original network shares, and sees the retained records only; nothing
of the original network enters, and a factory that ignores its seed is refused. And since
references are costly, each is stored under a key of all that determines it: records, recipe,
network, the code that builds and trains it, seed and version of torch. Change any of these and it
is trained anew.
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

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

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

REFERENCES = 8
"""Retrained networks where nobody says how many: enough for a mean and the spread about it."""
_EQUAL = 0.01


def trained(
    case: Case,
    kind: Kind = "original",
    seeds: Iterable[int] | None = None,
    *,
    cache_dir: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[TrainedModel]:
    """Networks of a case, one per seed, in the order of ``seeds``.

    Every network is trained with one thread, so that the weights do not depend on ``workers``.
    Before anything is trained or read, the start of each retrained network is compared with that
    of the original of its seed and of the retrained network before it (:func:`require_fresh`).

    Args:
        case: records, network and recipe.
        kind: "original" learns ``case.train``; "retrained" learns ``case.retain`` alone.
        seeds: one network for each; 0 for the original and 0..7 for retrained networks unless
            told otherwise. Original and retrained networks of one seed share no random number.
        cache_dir: keep finished networks here, each as soon as it is ready, and read those that
            are already there; None keeps nothing. A damaged file is replaced.
        workers: processes that train at the same time.
        progress: told once per network.

    Raises:
        InputError: an unknown kind, no seeds, fewer than one worker, a cache folder that cannot be
            written, a factory that ignores its seed, or (with a cache) one that cannot be named.
        DivergenceError: a training diverged.
    """
    if seeds is None:
        seeds = range(REFERENCES) if kind == "retrained" else (0,)
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
    if kind == "retrained":
        _require_independent(case.factory, dict.fromkeys(wanted))
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


def initialisation(factory: Factory, kind: Kind, seed: int) -> nn.Module:
    """The network of that kind and seed as :func:`trained` begins to train it."""
    # The first stream of a training is that of initialisation: see recipe.train.
    own = np.random.SeedSequence(model_seed(kind, seed)).generate_state(3)[0]
    return factory(int(own))


def require_fresh(
    original: nn.Module, fresh: nn.Module, names: tuple[str, str] = ("original", "retrained")
) -> None:
    """Refuse two networks, meant to be independent draws, that share weights.

    Two draws from a continuous law agree in no entry. So each matrix (a parameter of two or more
    dimensions; vectors, such as biases and scales, often start at 0 or 1) must differ from its
    counterpart in all but 1% of its entries; a zero in both counts as different, since it holds
    nothing. This finds factories that ignore their seed, return trained weights or reset some
    layers only. A fixed pattern, such as an identity, is refused with them: from here nobody can
    tell it from weights kept on purpose.

    Args:
        original: a network, initialised or trained.
        fresh: the initialisation of another of the same architecture.
        names: what messages call the two.

    Raises:
        InputError: the networks differ in architecture, a matrix is shared, or there is none.
    """
    problems = Problems("require_fresh")
    one, other = (
        {name: value.detach() for name, value in network.named_parameters() if value.ndim >= 2}
        for network in (original, fresh)
    )
    shapes = [{name: tuple(v.shape) for name, v in part.items()} for part in (one, other)]
    problems.require(
        shapes[0] == shapes[1] and bool(one),
        f"the {names[0]} network has matrices {shapes[0]}, the {names[1]} one {shapes[1]}",
        fix="compare networks of one factory that have a matrix at least",
    )
    problems.raise_if_any()
    kept = {
        name: float(((value == other[name]) & (value != 0)).double().mean())
        for name, value in one.items()
    }
    shared = [f"{name} ({share:.0%})" for name, share in kept.items() if share > _EQUAL]
    problems.require(
        not shared,
        f"the {names[1]} network starts with weights of the {names[0]} one: {', '.join(shared)}",
        why="it would remember what it must never have seen, or be the same network twice",
        fix="let the factory draw every matrix anew from its seed",
    )
    problems.raise_if_any()


def _require_independent(factory: Factory, seeds: Iterable[int]) -> None:
    """Compare each retrained start with the original's of its seed and with the one before it."""
    before: tuple[str, nn.Module] | None = None
    for seed in seeds:
        name, fresh = f"retrained {seed}", initialisation(factory, "retrained", seed)
        others = [(f"original {seed}", initialisation(factory, "original", seed))]
        for known, other in others if before is None else [*others, before]:
            require_fresh(other, fresh, (known, name))
        before = name, fresh


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

    # Mapped as a comparison maps its arrays: joblib starts new processes where this differs.
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered", mmap_mode="c")
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
