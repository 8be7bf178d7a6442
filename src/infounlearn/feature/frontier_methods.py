"""What runs on a frontier: estimators with one dial each, and how they are asked.

Nothing need be inherited. ``sensitive`` is passed to every method of an estimator that takes it, by
name or by metadata routing. A classifier that decides by chance has ``decision_proba(X)``, (n, K)
probabilities of its decisions; where it is absent, decisions are those of ``predict``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from infounlearn.errors import Problems

__all__ = ["Dial", "call", "dials_of"]

ROUTED = ("fit", "predict", "predict_proba", "decision_function")
"""Methods that scikit-learn can pass metadata to."""


@dataclass(frozen=True)
class Dial:
    """An estimator and the one parameter that trades utility for a smaller gap.

    Attributes:
        estimator: anything with ``fit`` and ``predict`` that scikit-learn can clone.
        parameter: name for ``set_params``, nested ones with two underscores; None for no dial.
        values: what it is set to, one run each. Compare methods with equally many.
        fixed: further parameters of all runs.
    """

    estimator: Any
    parameter: str | None = None
    values: tuple[Any, ...] = ()
    fixed: Mapping[str, Any] | None = None

    def settings(self) -> tuple[Any, ...]:
        """Values of the dial; (None,) without one."""
        return tuple(self.values) if self.parameter is not None else (None,)

    def at(self, value: Any) -> Any:
        """A fresh clone of the estimator with the dial at ``value``."""
        from sklearn.base import clone

        chosen = dict(self.fixed or {})
        if self.parameter is not None:
            chosen[self.parameter] = value
        return clone(self.estimator).set_params(**chosen)


def dials_of(methods: Any, problems: Problems) -> dict[str, Dial]:
    """The methods by name, in the order given; collects what cannot run."""
    named: Iterable[tuple[Any, Any]]
    if isinstance(methods, Mapping):
        named = list(methods.items())
    elif isinstance(methods, Iterable) and not isinstance(methods, str):
        named = [(_name_of(method), method) for method in methods]
    else:
        named = []
    problems.require(
        bool(list(named)), "there are no methods", fix="pass a mapping or a list of estimators"
    )
    found: dict[str, Dial] = {}
    for name, method in named:
        problems.require(
            isinstance(name, str) and name not in found,
            f"method {name!r} is no text, or occurs twice",
            fix="pass a mapping with a name for each",
        )
        dial = _dial(method)
        found[str(name)] = dial
        _check(str(name), dial, problems)
    return found


def takes_sensitive(estimator: Any, method: str) -> bool:
    """Whether ``estimator.method`` accepts the sensitive attribute."""
    from sklearn.utils.metadata_routing import get_routing_for_object

    if "sensitive" in inspect.signature(getattr(estimator, method)).parameters:
        return True
    if method not in ROUTED or not hasattr(estimator, "get_metadata_routing"):
        return False
    return bool(get_routing_for_object(estimator).consumes(method, ["sensitive"]))


def call(estimator: Any, method: str, *arrays: Any, sensitive: Any) -> Any:
    """``estimator.method(*arrays)``, with ``sensitive=`` where it is accepted."""
    extra = {"sensitive": sensitive} if takes_sensitive(estimator, method) else {}
    return getattr(estimator, method)(*arrays, **extra)


def decisions_of(estimator: Any, X: Any, sensitive: Any) -> np.ndarray:
    """(n, K) probability of each decision, columns in the order of ``classes_``."""
    if hasattr(estimator, "decision_proba"):
        table = call(estimator, "decision_proba", X, sensitive=sensitive)
        return np.asarray(table, dtype=np.float64)
    labels = np.asarray(call(estimator, "predict", X, sensitive=sensitive))
    return (labels[:, None] == np.asarray(estimator.classes_)[None, :]).astype(np.float64)


def scores_of(estimator: Any, X: Any, sensitive: Any) -> np.ndarray | None:
    """(n,) score of the second class, or (n, K) of several; None where decisions are all it has."""
    for method in ("predict_proba", "decision_function"):
        if hasattr(estimator, method):
            scores = np.asarray(call(estimator, method, X, sensitive=sensitive), dtype=np.float64)
            return scores[:, 1] if scores.ndim == 2 and scores.shape[1] == 2 else scores
    return None


def _name_of(method: Any) -> str:
    estimator = _dial(method).estimator
    return type(estimator).__name__


def _dial(method: Any) -> Dial:
    if isinstance(method, Dial):
        return method
    if isinstance(method, tuple) and len(method) == 3:
        estimator, parameter, values = method
        return Dial(estimator, parameter, tuple(values))
    return Dial(method)


def _check(name: str, dial: Dial, problems: Problems) -> None:
    usable = all(hasattr(dial.estimator, method) for method in ("fit", "predict", "get_params"))
    problems.require(
        usable and not isinstance(dial.estimator, type),
        f"method {name!r} is {dial.estimator!r:.60}",
        fix="pass an estimator, (estimator, parameter, values) or a Dial",
    )
    if not usable or isinstance(dial.estimator, type):
        return
    known = dial.estimator.get_params()
    for parameter in (*(dial.fixed or {}), *([dial.parameter] if dial.parameter else [])):
        problems.require(
            parameter in known,
            f"method {name!r} has no parameter {parameter!r}",
            fix=f"choose one of {sorted(known)[:12]}",
        )
    problems.require(
        dial.parameter is None or len(dial.values) > 0,
        f"the dial of method {name!r} has no values",
        fix="pass one or more",
    )
