"""Laws of a chain evaluated step by step, while the levels of the rows become known.

A hidden unit of degree k sees the variables before k alone, so that each unit is evaluated once,
when variable k is due: the whole chain costs one pass through the network, not one for each
variable. What a level adds to later units and levels is looked up and added, in an order that is
the same in every batch. Matrix products are in double precision: in single precision those of
batches of unlike size differ by some 1e-7, enough for a level now and then to fall otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from infounlearn.feature.ladder_net import LadderNet

__all__ = ["Frozen", "Walk", "frozen"]


@dataclass(frozen=True, eq=False)
class Frozen:
    """Weights of an ensemble of N networks, by variable.

    Attributes:
        units: (d + 1,) where the hidden units of each degree start, in the order of degrees.
        places: (d + 1,) where the sums of each variable start: for each network, those into its
            units of that degree, then those into its levels.
        told: per variable, (K, sums of later variables) what a level adds to them.
        offsets: (m, all sums) what the group adds.
        second: per variable, (N, units up to its degree, units of its degree).
        second_group: (N, m, h).
        last: per variable, (N, units up to its degree, K).
    """

    units: np.ndarray
    places: np.ndarray
    told: tuple[np.ndarray, ...]
    offsets: np.ndarray
    second: tuple[np.ndarray, ...]
    second_group: np.ndarray
    last: tuple[np.ndarray, ...]


def frozen(networks: Sequence[LadderNet]) -> Frozen:
    """What trained networks of one shape have learned."""
    ends = networks[0].ends
    count = len(ends) - 1
    degree = networks[0].degree.numpy()
    order = np.argsort(degree, kind="stable")
    units = np.searchsorted(degree[order], np.arange(count + 1))

    def of(name: str, mask: str | None = None) -> np.ndarray:
        """(N, input, output) weights of a layer."""
        layers = []
        for network in networks:
            layer = getattr(network, name).detach().double()
            layers.append(layer if mask is None else layer * getattr(network, mask).double())
        return np.stack([layer.numpy().T for layer in layers])

    def sums(into_units: np.ndarray, into_levels: np.ndarray) -> np.ndarray:
        """(rows, all sums) in single precision, variable by variable and network by network."""
        parts = []
        for k in range(count):
            for unit, level in zip(into_units, into_levels, strict=True):
                parts += [unit[:, units[k] : units[k + 1]], level[:, ends[k] : ends[k + 1]]]
        return np.concatenate(parts, axis=1).astype(np.float32)

    places = len(networks) * (units + ends)
    known = sums(of("first", "into")[:, :, order], of("direct", "across"))
    second = of("second", "between")[:, order][:, :, order]
    last = of("last", "out_of")[:, order]
    steps = range(count)
    return Frozen(
        units=units,
        places=places,
        told=tuple(known[ends[k] : ends[k + 1], places[k + 1] :].copy() for k in steps),
        offsets=sums(of("first_group")[:, :, order], of("last_group")),
        second=tuple(second[:, : units[k + 1], units[k] : units[k + 1]].copy() for k in steps),
        second_group=of("second_group")[:, :, order],
        last=tuple(last[:, : units[k + 1], ends[k] : ends[k + 1]].copy() for k in steps),
    )


class Walk:
    """Rows on their way along the chain: ``law(0)``, ``tell(0, levels)``, ``law(1)``, ...

    Args:
        ensemble: weights.
        codes: (n,) group of each row.
    """

    def __init__(self, ensemble: Frozen, codes: np.ndarray) -> None:
        self._ensemble, self._codes = ensemble, codes
        shape = (len(ensemble.second_group), len(codes), int(ensemble.units[-1]))
        self._sums = ensemble.offsets[codes]
        self._inner, self._outer = np.empty(shape), np.empty(shape)

    def law(self, variable: int) -> np.ndarray:
        """(n, K) law of a variable given the levels told before it, the mean of the ensemble."""
        weights = self._ensemble
        start, end = weights.units[variable], weights.units[variable + 1]
        due = self._sums[:, weights.places[variable] : weights.places[variable + 1]]
        due = due.reshape(len(due), len(self._inner), -1).swapaxes(0, 1)
        if end > start:
            self._inner[:, :, start:end] = np.maximum(due[:, :, : end - start], 0.0)
            second = self._inner[:, :, :end] @ weights.second[variable]
            second += weights.second_group[:, self._codes, start:end]
            np.maximum(second, 0.0, out=second)
            self._outer[:, :, start:end] = self._inner[:, :, start:end] + second
        logits = self._outer[:, :, :end] @ weights.last[variable] + due[:, :, end - start :]
        logits -= logits.max(2, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(2, keepdims=True)
        law = logits.mean(0)
        return law / law.sum(1, keepdims=True)

    def tell(self, variable: int, levels: np.ndarray) -> None:
        """Tell the (n,) levels of a variable."""
        later = self._sums[:, self._ensemble.places[variable + 1] :]
        later += self._ensemble.told[variable][levels]
