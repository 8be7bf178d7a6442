"""How far a model lies from an ensemble of retrained ones, in units of the ensemble's own spread.

*Definition.* Networks θ_1..θ_K were retrained without the forgotten data. q̄_k is the mean law of
all of them but θ_k. The distance of a model θ on a record is the mean over k of D(θ, q̄_k), its
floor the mean over k of D(θ_k, q̄_k), and the ratio is distance over floor, each averaged over
records. D is the Jensen-Shannon divergence (nats, at most ln 2), the Kullback-Leibler divergence
in either direction (nats), or, for a regressor, the squared difference of predictions (squared
unit of the target).

*Floor, and what it proves.* Model and networks are compared with the same means of K - 1 networks.
So a theorem holds, record by record, for every D and every K ≥ 2: if θ and θ_1..θ_K are
exchangeable (θ is one more network of the same recipe and data), then distance and floor have the
same expectation. For each k, (θ, q̄_k) and (θ_k, q̄_k) then follow one law, since q̄_k contains
neither. It even holds without any expectation: take K + 1 networks, let each in turn be the model
and the others the ensemble; the sum of the distances equals the sum of the floors. The
expectation of the *ratio* is 1 only as far as the floor does not vary. Had the model been compared
with the mean of all K, it would look nearer than a retrained one.

*Source.* Mean law and JS: Lin (1991); the comparison of an unlearned model with retrained ones by
JS of outputs: Chundawat et al. (2023), arXiv:2205.08096. The floor is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from infounlearn.errors import Problems
from infounlearn.math.divergences import jensen_shannon, kl
from infounlearn.math.others import logsumexp_of_others, sum_of_others

__all__ = ["EnsembleDistance", "distance_to_ensemble", "leave_one_out"]

Kind = Literal["classification", "regression"]
Divergence = Literal["js", "kl", "reverse-kl"]


@dataclass(frozen=True, eq=False)
class EnsembleDistance:
    """Distance of one model to an ensemble, and that of the ensemble's networks to each other.

    Attributes:
        per_record: (n,) float64, distance of the model on each record.
        value: its mean.
        floor_per_record: (n,) float64, mean over networks of a network's distance to the others.
        floor_per_network: (K,) float64, mean over records of each network's distance to the
            others; their spread says how sure the floor is.
        floor: mean of either.
        ratio: value / floor; 1 where both are 0, inf where only the floor is, NaN where both are
            infinite (KL). The floor of identical networks is rounding, and no unit to measure in.
        unit: "nats" or "squared target".
    """

    per_record: Tensor
    value: float
    floor_per_record: Tensor
    floor_per_network: Tensor
    floor: float
    ratio: float
    unit: str


def leave_one_out(ensemble: Tensor) -> Tensor:
    """ln q̄_k: log of the mean law of all networks but k.

    Args:
        ensemble: (K, n, c) logits or log-probabilities of K ≥ 2 networks; -inf is a probability
            of 0.

    Returns:
        (K, n, c) float64 log-probabilities.

    Raises:
        InputError: fewer than two networks, another shape, or a row that is no law.
    """
    problems = Problems("leave_one_out")
    if _check_ensemble(problems, ensemble, 3, "(networks, records, classes)"):
        _check_values(problems, "ensemble", ensemble, "classification")
    problems.raise_if_any()
    log_laws = torch.log_softmax(ensemble.detach(), -1, dtype=torch.float64)
    return logsumexp_of_others(log_laws, 0) - math.log(len(ensemble) - 1)


@torch.no_grad()
def distance_to_ensemble(
    outputs: Tensor,
    ensemble: Tensor,
    kind: Kind = "classification",
    *,
    divergence: Divergence = "js",
) -> EnsembleDistance:
    """Distance of a model's outputs to those of K retrained networks on the same records.

    Args:
        outputs: (n, c) logits or log-probabilities, -inf a probability of 0; for a regression
            (n,) or (n, d) predictions.
        ensemble: (K, ...) the same of K ≥ 2 networks.
        kind: what the outputs are.
        divergence: of classifiers; "kl" is KL(model‖mean), "reverse-kl" KL(mean‖model). A KL is
            inf where the second law excludes an outcome of the first.

    Returns:
        Distance, floor and ratio, without gradient. A regression's squared difference is the mean
        over its d outputs.

    Raises:
        InputError: an unknown kind or divergence, shapes that do not fit, fewer than two networks,
            no records, or outputs that are NaN (or infinite predictions): report such a model as
            diverged.
    """
    problems = Problems("distance_to_ensemble")
    known = problems.require(
        kind in get_args(Kind), f"kind is {kind!r}", fix="choose classification or regression"
    )
    problems.require(
        divergence in get_args(Divergence),
        f"divergence is {divergence!r}",
        fix="choose js, kl or reverse-kl",
    )
    if known:
        _check_outputs(problems, outputs, ensemble, kind)
    problems.raise_if_any()
    if kind == "regression":
        own, networks = outputs.to(torch.float64), ensemble.to(torch.float64)
        means = sum_of_others(networks, 0) / (len(networks) - 1)
        return _compare(own, networks, means, _squared_difference, "squared target")
    # Exact for log-probabilities, too: they are their own log-softmax.
    return _compare(outputs, ensemble, leave_one_out(ensemble), _MEASURES[divergence], "nats")


def _compare(
    own: Tensor,
    networks: Tensor,
    means: Tensor,
    measure: Callable[[Tensor, Tensor], Tensor],
    unit: str,
) -> EnsembleDistance:
    # One mean at a time: a divergence of K laws at once would hold many arrays of K x n x c.
    per_record = torch.stack([measure(own, mean) for mean in means]).mean(0)
    floors = torch.stack([measure(*pair) for pair in zip(networks, means, strict=True)])
    value, floor = float(per_record.mean()), float(floors.mean())
    return EnsembleDistance(
        per_record, value, floors.mean(0), floors.mean(1), floor, _in_floors(value, floor), unit
    )


def _in_floors(value: float, floor: float) -> float:
    if floor > 0:
        return value / floor
    return 1.0 if value == floor else math.inf


def _squared_difference(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).square().reshape(len(first), -1).mean(1)


_MEASURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "js": jensen_shannon,
    "kl": kl,
    "reverse-kl": lambda model, mean: kl(mean, model),
}


def _check_outputs(problems: Problems, outputs: Tensor, ensemble: Tensor, kind: str) -> None:
    shapes = (2,) if kind == "classification" else (1, 2)
    wanted = "(records, classes)" if kind == "classification" else "(records,) or (records, d)"
    fits = problems.require(
        outputs.dim() in shapes and outputs.numel() > 0 and outputs.is_floating_point(),
        f"outputs have shape {tuple(outputs.shape)} and type {outputs.dtype}",
        fix=f"pass floating-point {wanted}, of at least one record",
    )
    if not fits:
        return
    ready = _check_ensemble(problems, ensemble, outputs.dim() + 1, f"(networks, *{wanted})")
    if ready and problems.require(
        ensemble.shape[1:] == outputs.shape,
        f"outputs have shape {tuple(outputs.shape)}, each network's {tuple(ensemble.shape[1:])}",
        fix="pass outputs of the model and of the networks for the same records",
    ):
        for name, values in (("outputs", outputs), ("ensemble", ensemble)):
            _check_values(problems, name, values, kind)


def _check_ensemble(problems: Problems, ensemble: Tensor, dim: int, wanted: str) -> bool:
    shape = tuple(ensemble.shape)
    fits = problems.require(
        len(shape) == dim and ensemble.numel() > 0 and ensemble.is_floating_point(),
        f"ensemble has shape {shape} and type {ensemble.dtype}",
        fix=f"pass floating-point outputs of shape {wanted}",
    )
    return fits and problems.require(
        shape[0] >= 2,
        "ensemble holds one network",
        why="the floor is the distance of each network to the mean of the others",
        fix="retrain two or more",
    )


def _check_values(problems: Problems, name: str, values: Tensor, kind: str) -> None:
    if kind == "regression":
        bad = int((~torch.isfinite(values)).sum())
    else:
        # NaN, +inf, or a row that is -inf throughout: no law.
        bad = int((~torch.isfinite(values.amax(-1))).sum())
    problems.require(
        bad == 0,
        f"{name} hold {bad} {'predictions' if kind == 'regression' else 'rows'} that are not "
        "finite",
        fix="report this model as diverged",
    )
