"""γ·I for any training loop: ``loss = task + penalty(outputs, z)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from infounlearn.errors import InputError, Problems, is_number
from infounlearn.feature.dual import Multiplier, check_dial
from infounlearn.feature.penalty_laws import RunningLaws
from infounlearn.feature.penalty_rows import KnownGradient
from infounlearn.feature.penalty_term import Mode, Term, codes_of, scores_of

Level = Literal["label", "score", "output"]
LEVELS = ("label", "score", "output")
Dial = float | Mapping[str, float] | None
_ONE = ""
"""Name of the attribute of a caller who passes no mapping."""


class InformationPenalty(nn.Module):
    """γ·I(outcome; Z), in nats, of a batch: add it to any loss.

    ::

        penalty = InformationPenalty(gamma=2.0)
        loss = cross_entropy(logits, y) + penalty(logits, z)

    Each batch is compared with the running laws of the batches before it
    (:mod:`~infounlearn.feature.penalty_laws`), so the value has no plug-in bias, a batch may lack
    any group or hold one row of it, repeating the rows changes nothing, micro-batches add up, and
    the value may be negative. The first batch, and the first rows of a group, are compared with
    themselves.

    What it removes is what training batches show of Z: no statement about fresh rows. Audit those.
    Only the measured outcome is independent of Z: ``level="label"`` leaves Z visible in finer
    outcomes, such as the hard decision at another threshold.

    Several attributes are passed as a mapping of names, penalised one by one, or ``crossed`` into
    one. In eval mode nothing is remembered. The memory and γ are part of ``state_dict()``.

    Where torch.distributed is initialised, laws and bins are those of all processes (one small
    all-reduce a call; every process must call, with ``num_groups`` declared), and each process
    returns the mean over its own rows, as losses do that a framework averages over processes.
    """

    def __init__(
        self,
        gamma: Dial = None,
        *,
        max_information: Dial = None,
        level: Level = "label",
        crossed: bool = False,
        num_groups: int | Mapping[str, int] | None = None,
        num_given: int | None = None,
        prior: tuple[float, ...] | None = None,
        decay: float = 0.9,
        rate: float = 0.05,
        augmentation: float = 1.0,
    ) -> None:
        """Set the dial.

        Args:
            gamma: weight of each nat, one number or one for each attribute. Default 1, and under a
                budget the weight to start from, default 0. A weight of 0 leaves the loss alone,
                bit for bit.
            max_information: budget ε in nats; the weight then rises until the de-biased running
                information is below it (:mod:`~infounlearn.feature.dual`).
            level: "label": a label sampled from the softmax of (n, c) logits, or from the sigmoid
                of (n,). "score": the margin of two classes, or each class's margin in turn (the
                mean over classes), seen through 16 soft bins. "output": the same for every column
                of real predictions.
            crossed: join several attributes into one, every combination a group.
            num_groups: number of groups, one number or one for each attribute; default as many as
                turn up.
            num_given: number of strata of ``given``; default as many as turn up.
            prior: probabilities of the groups; default their running shares.
            decay: β of the running laws and bins: they remember 1/(1-β) batches.
            rate: η, the largest change of a weight in one step under a budget.
            augmentation: ρ, strength of the quadratic term under a budget.

        Raises:
            InputError: any of this cannot be used; all problems in one message.

        References:
            Xu & Strohmer (2025), arXiv:2502.05684, for information as a regulariser; the estimator
            is this project's own.
        """
        super().__init__()
        problems = Problems("InformationPenalty")
        for value in _values(gamma):
            check_dial(problems, value, None, rate, augmentation)
        for value in _values(max_information):
            check_dial(problems, None, value, 0.0, 0.0)
        problems.require(level in LEVELS, f"level is {level!r}", fix=f"one of {LEVELS}")
        problems.require(
            is_number(decay) and 0 <= decay < 1, f"decay is {decay!r}", fix="a number in [0, 1)"
        )
        for size in (*_values(num_groups), num_given):
            usable = size is None or (is_number(size, whole=True) and size >= 1)
            problems.require(usable, f"a number of groups is {size!r}", fix="1 or more")
        problems.require(
            not crossed or isinstance(num_groups, Mapping),
            "crossed is set without num_groups of each attribute",
            why="combinations are numbered by them",
            fix="pass num_groups={'sex': 2, 'race': 5}",
        )
        if prior is not None:
            shares = [share for share in prior if is_number(share) and share >= 0]
            problems.require(
                len(shares) == len(prior) and abs(sum(shares) - 1) < 1e-6,
                f"prior {prior} is no distribution",
                fix="pass numbers of 0 or more that sum to one",
            )
            problems.require(
                num_groups == len(prior),
                f"prior has {len(prior)} entries and num_groups is {num_groups}",
                fix="pass num_groups=len(prior); a prior serves one attribute",
            )
        problems.raise_if_any()
        self.gamma, self.max_information, self.level = gamma, max_information, level
        self.crossed, self.num_groups, self.num_given = crossed, num_groups, num_given
        self.prior, self.decay = prior, decay
        self.rate, self.augmentation = rate, augmentation
        self._terms: dict[str, Term] = {}

    def forward(
        self, outputs: Tensor, z: object | Mapping[str, object], *, given: object = None
    ) -> Tensor:
        """The weighted penalty of a batch, and the batch taken in (in training mode).

        Args:
            outputs: (n, c) logits, (n,) logits of the second of two classes, or, at level
                "output", (n,) or (n, d) predictions.
            z: (n,) integer or boolean groups, or a mapping of attribute names to them.
            given: optional (n,) strata C: the information is then I(outcome; Z | C). With the
                target as C it is the information behind equalized odds.

        Returns:
            0-d tensor in nats times γ, float32 or wider, differentiable once; may be negative.

        Raises:
            InputError: input does not fit.
            DivergenceError: outputs are not finite; nothing is taken in.
        """
        if outputs.dim() not in (1, 2) or not outputs.is_floating_point() or not outputs.numel():
            raise InputError(
                f"InformationPenalty: outputs have shape {tuple(outputs.shape)} and type "
                f"{outputs.dtype}: pass floating-point rows of shape (n,) or (n, classes)"
            )
        seen = self._outcome(outputs)
        rows = len(seen)
        strata = None if given is None else codes_of("given", given, rows, self.num_given)
        mode = Mode(self.level != "label", self.training, self._pool(strata))
        shown, value, slopes = seen.detach(), 0.0, None
        for name, codes in self._attributes(z, rows).items():
            term = self._term(name)
            weight = term.multiplier.weight
            nats, gradient = term.compare(shown, codes, strata, mode=mode)
            if weight == 0.0:
                continue
            value += weight * nats
            gradient *= weight
            slopes = gradient if slopes is None else slopes.add_(gradient)
        if slopes is None:
            return torch.zeros((), device=seen.device)
        penalty: Tensor = KnownGradient.apply(seen, value, slopes.to(seen.dtype))
        return penalty

    @property
    def information(self) -> dict[str, float] | float:
        """De-biased running information in nats, by attribute where names were given."""
        return self._by_name({n: term.laws.information for n, term in self._terms.items()})

    @property
    def weights(self) -> dict[str, float] | float:
        """Weight in force, by attribute where names were given: moves under a budget."""
        return self._by_name({n: term.multiplier.weight for n, term in self._terms.items()})

    def get_extra_state(self) -> dict[str, Any]:
        """Memory and weights: what ``state_dict()`` holds."""
        return {name: term.state() for name, term in self._terms.items()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over the memory of ``state_dict()``."""
        self._terms = {}
        for name, memory in state.items():
            self._term(name).load(memory)

    def extra_repr(self) -> str:
        """The dial, for ``repr``."""
        dial = f"gamma={self.gamma}"
        if self.max_information is not None:
            dial = f"max_information={self.max_information}"
        return f"{dial}, level={self.level!r}"

    def _outcome(self, outputs: Tensor) -> Tensor:
        """(n, k) logits of a label, or columns of scores."""
        if outputs.dim() == 1:
            outputs = outputs[:, None]
        if self.level == "score":
            return scores_of(outputs)
        if self.level == "label" and outputs.shape[1] == 1:
            return torch.cat((torch.zeros_like(outputs), outputs), 1)
        return outputs

    def _attributes(self, z: object, rows: int) -> dict[str, np.ndarray]:
        """Groups of each attribute; of one joint attribute where crossed."""
        if not isinstance(z, Mapping):
            if self.crossed or self._terms.keys() - {_ONE}:
                raise InputError("InformationPenalty: z has no names: pass a mapping of attributes")
            return {_ONE: codes_of("z", z, rows, _of(self.num_groups, _ONE))}
        codes = {
            str(name): codes_of(f"z[{name!r}]", values, rows, _of(self.num_groups, str(name)))
            for name, values in z.items()
        }
        if not codes:
            raise InputError("InformationPenalty: z holds no attribute: pass one or more")
        if not self.crossed:
            return codes
        sizes = self.num_groups
        if not isinstance(sizes, Mapping) or set(sizes) != set(codes):
            raise InputError(
                f"InformationPenalty: z holds {sorted(codes)}, num_groups {sorted(_keys(sizes))}: "
                "pass the same names"
            )
        joint = np.zeros(rows, dtype=np.int64)
        for name, size in sizes.items():
            joint = joint * size + codes[name]
        return {_ONE: joint}

    def _term(self, name: str) -> Term:
        """The memory of an attribute, begun when it is first met."""
        if name not in self._terms:
            start = 0.0 if self.max_information is not None else 1.0
            gamma, budget = _of(self.gamma, name), _of(self.max_information, name)
            gamma = start if gamma is None else gamma
            weight = Multiplier(gamma, budget, rate=self.rate, augmentation=self.augmentation)
            term = Term(weight, RunningLaws(self.decay, self.prior))
            sizes = self.num_groups
            joint = self.crossed and isinstance(sizes, Mapping)
            groups = int(np.prod(list(_values(sizes)))) if joint else _of(sizes, name)
            term.reserve(groups, self.num_given)
            self._terms[name] = term
        return self._terms[name]

    def _pool(self, given: np.ndarray | None) -> Any:
        """What adds up over processes, if there are several."""
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return None
        if self.num_groups is None or (given is not None and self.num_given is None):
            raise InputError(
                "InformationPenalty: several processes may hold different groups: pass num_groups "
                "(and num_given along with given)"
            )
        return _all_reduce

    def _by_name(self, values: dict[str, float]) -> dict[str, float] | float:
        return values.get(_ONE, 0.0) if values.keys() <= {_ONE} else values


def _all_reduce(values: np.ndarray) -> np.ndarray:
    """Sum over processes; through the GPU where the backend knows nothing else."""
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.from_numpy(np.ascontiguousarray(values)).to(device)
    dist.all_reduce(total)
    return total.cpu().numpy()


def _values(setting: Any) -> tuple[Any, ...]:
    return tuple(setting.values()) if isinstance(setting, Mapping) else (setting,)


def _keys(setting: Any) -> tuple[str, ...]:
    return tuple(setting) if isinstance(setting, Mapping) else ()


def _of(setting: Any, name: str) -> Any:
    """A setting of one attribute.

    Raises:
        InputError: settings have names and this is none of them.
    """
    if not isinstance(setting, Mapping):
        return setting
    if name not in setting:
        raise InputError(
            f"InformationPenalty: attribute {name!r} has no setting among {sorted(setting)}: name "
            "every attribute in z and in the settings alike"
        )
    return setting[name]
