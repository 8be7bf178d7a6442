"""A model and records of one's own, named on a command line: imported, loaded and checked.

Weights are safetensors only. A pickle can run any code when it is read, so none is ever read here.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import Subset

from infounlearn.data.records import Records
from infounlearn.errors import InputError, Problems
from infounlearn.experiments.networks import seeded

_PICKLES = {".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt"}
_SHOWN = 3


@dataclass(frozen=True)
class OwnSets:
    """The record sets of a user: ``forget`` and ``retain`` are cut from the training records."""

    forget: Any
    retain: Any
    holdout: Any
    test: Any
    forget_ids: Tensor


def import_object(name: str, argument: str) -> Callable[..., Any]:
    """The callable ``package.module:attribute``, looked for in the working directory too.

    Raises:
        InputError: the name has another form, nothing is found there, or it cannot be called.
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        _refuse(argument, f"{name!r} has not the form package.module:name", "name a callable so")
    if os.getcwd() not in sys.path:
        # Console scripts start with their own folder there, where nobody keeps modules.
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = import_module(module_name)
    except (ImportError, SyntaxError) as error:
        _refuse(
            argument,
            f"module {module_name!r} cannot be imported ({error})",
            "run from the folder that holds it, or install it",
            error,
        )
    for part in attribute.split("."):
        if not hasattr(found, part):
            _refuse(argument, f"{module_name!r} has no {attribute!r}", "check the spelling")
        found = getattr(found, part)
    if not callable(found):
        _refuse(argument, f"{name!r} cannot be called", "name a function or a class")
    made: Callable[..., Any] = found
    return made


def network_factory(name: str) -> Callable[[int], nn.Module]:
    """The factory ``package.module:name`` as a function of a seed.

    A factory that takes an argument is given the seed; one that takes none runs with torch's
    global CPU generator seeded, which is put back afterwards.

    Raises:
        InputError: see :func:`import_object`; or the factory builds no ``torch.nn.Module``.
    """
    factory = import_object(name, "model")
    try:
        takes_seed = bool(inspect.signature(factory).parameters)
    except ValueError:
        takes_seed = False

    def build(seed: int) -> nn.Module:
        with seeded(seed):
            network = factory(seed) if takes_seed else factory()
        if not isinstance(network, nn.Module):
            kind = type(network).__name__
            _refuse("model", f"{name!r} returns a {kind}", "return a torch.nn.Module")
        return network

    return build


def load_weights(network: nn.Module, path: Path, argument: str = "weights") -> nn.Module:
    """``network`` with the weights of the safetensors file ``path``, in eval mode.

    Raises:
        InputError: no such file, a pickle, a truncated file, tensors that do not fit the network,
            or values that are not finite.
    """
    if not path.is_file():
        _refuse(argument, f"there is no file {str(path)!r}", "check the path")
    if path.suffix in _PICKLES or _is_pickle(path):
        _refuse(
            argument,
            f"{str(path)!r} is a pickle, which can run any code when it is read",
            "where you trust it, convert it once with "
            "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')",
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        _refuse(
            argument,
            f"{str(path)!r} cannot be read ({error}): it is truncated or no safetensors file",
            "copy or save it again",
            error,
        )
    _require_fit(network.state_dict(), tensors, path, argument)
    network.load_state_dict(tensors)
    return network.eval()


def own_sets(name: str, forget_ids: Tensor) -> OwnSets:
    """The sets that the callable ``package.module:name`` returns, cut at ``forget_ids``.

    It takes no argument and returns a mapping, or an object with attributes: ``train``,
    ``holdout`` and optionally ``test``, each a Dataset, Records or a pair of tensors.

    Args:
        name: of the callable.
        forget_ids: ids of Records; positions of the rows of any other ``train``.

    Raises:
        InputError: a set is missing, or an id lies outside the training records.
    """
    given = import_object(name, "data")()
    sets = {key: _part(given, key) for key in ("train", "holdout", "test")}
    problems = Problems("data")
    for key in ("train", "holdout"):
        problems.require(
            sets[key] is not None,
            f"{name!r} returns no {key!r}",
            fix="return a mapping with train, holdout and, if there is one, test",
        )
    problems.raise_if_any()
    _require_rows(sets["train"], name, problems)
    problems.raise_if_any()
    forget, retain = _cut(sets["train"], forget_ids)
    return OwnSets(forget, retain, sets["holdout"], sets["test"], forget_ids)


def _part(given: Any, key: str) -> Any:
    return given.get(key) if isinstance(given, Mapping) else getattr(given, key, None)


def _require_rows(train: Any, name: str, problems: Problems) -> None:
    """That ``train`` has rows which ids can name. What rows hold is looked at before the run."""
    subject = f"train of {name!r}"
    if isinstance(train, tuple | list) and any(isinstance(part, np.ndarray) for part in train):
        problems.add(f"{subject} holds NumPy arrays", fix="wrap them in torch.as_tensor")
    elif _is_pair(train):
        lengths = [len(part) if part.ndim else 0 for part in train]
        problems.require(
            len(lengths) == 2 and lengths[0] == lengths[1],
            f"{subject} holds tensors of {' and '.join(map(str, lengths))} rows",
            fix="return inputs and targets, one row each per record",
        )
    elif not (hasattr(train, "__len__") and hasattr(train, "__getitem__")):
        kind = type(train).__name__
        problems.add(
            f"{subject} is a {kind}",
            why="ids name rows by number",
            fix="return a Dataset (of a DataLoader its dataset), Records or a pair of tensors",
        )


def _is_pair(train: Any) -> bool:
    return isinstance(train, tuple | list) and all(isinstance(part, Tensor) for part in train)


def _cut(train: Any, ids: Tensor) -> tuple[Any, Any]:
    """(forget, retain) of the training records."""
    if isinstance(train, Records):
        return train.where_ids(ids, "forget"), train.except_ids(ids, "retain")
    pair = _is_pair(train)
    rows = len(train[0]) if pair else len(train)
    problems = Problems("forget")
    outside = ids[(ids < 0) | (ids >= rows)]
    shown = ", ".join(str(int(value)) for value in outside[:_SHOWN])
    problems.require(
        len(outside) == 0,
        f"{len(outside)} of {len(ids)} ids lie outside 0..{rows - 1}: {shown}",
        fix="name rows of the training set by position, counted from 0",
    )
    problems.require(
        len(ids) < rows, "every training record would be forgotten", fix="leave some to keep"
    )
    problems.raise_if_any()
    kept = torch.ones(rows, dtype=torch.bool)
    kept[ids] = False
    rest = torch.nonzero(kept).flatten()
    if pair:
        return tuple(part[ids] for part in train), tuple(part[rest] for part in train)
    return Subset(train, ids.tolist()), Subset(train, rest.tolist())


def _is_pickle(path: Path) -> bool:
    """Whether a file begins like torch.save's archive or like a bare pickle.

    A safetensors file begins with the length of its header, which can look like a pickle's first
    two bytes; but then its upper bytes are zero and a brace follows.
    """
    with path.open("rb") as file:
        head = file.read(9)
    if head[6:] == b"\0\0{":
        return False
    return head[:4] == b"PK\x03\x04" or (head[:1] == b"\x80" and head[1:2] <= b"\x05")


def _require_fit(
    wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path, argument: str
) -> None:
    problems = Problems(argument)
    for what, names in (
        ("lacks", sorted(wanted.keys() - found.keys())),
        ("holds the unknown", sorted(found.keys() - wanted.keys())),
    ):
        problems.require(
            not names,
            f"{path.name!r} {what} {', '.join(names[:_SHOWN])} ({len(names)} in all)",
            fix="pass the weights of this very architecture",
        )
    for name in sorted(wanted.keys() & found.keys()):
        shapes = tuple(found[name].shape), tuple(wanted[name].shape)
        problems.require(
            shapes[0] == shapes[1],
            f"{name} has shape {shapes[0]} in {path.name!r} and {shapes[1]} in the model",
            fix="pass the weights of this very architecture",
        )
        finite = not found[name].is_floating_point() or bool(torch.isfinite(found[name]).all())
        problems.require(
            finite, f"{name} in {path.name!r} is not finite", fix="repair the training first"
        )
    problems.raise_if_any()


def _refuse(argument: str, problem: str, fix: str, cause: Exception | None = None) -> NoReturn:
    raise InputError(f"{argument}: {problem}: {fix}") from cause
