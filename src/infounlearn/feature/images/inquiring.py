"""Methods "marginals" and "information" from their settings: metric, flow, rounds, critics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.feature.images.batches import Rows, standardised
from infounlearn.feature.images.flow import Flow, Metric, grown
from infounlearn.feature.images.information import InformationRun, Inquiry
from infounlearn.feature.images.latent_gaussian import LatentGaussian
from infounlearn.feature.images.rounds import add_rounds
from infounlearn.feature.images.starts import EVEN


def inquire(
    one: Any,
    known: LatentGaussian,
    change: nn.Module,
    rows: Rows,
    fresh: Tensor,
    *,
    evaluate: Callable[[nn.Module], dict[str, float]] | None,
    folder: Path | None,
    fingerprint: str,
    tell: Callable[[dict[str, float]], None] | None,
) -> tuple[Flow, list[dict[str, float]], dict[str, Any]]:
    """The flow of the estimator ``one``, its history, and facts.

    ``fresh``: (n,) rows that ``known`` was not fitted to, which set the stages of critics.

    Raises:
        DivergenceError: images left the finite numbers.
    """
    limits = None
    if one.clip and rows.pixels.ndim == 4:
        ends = (one.inset, 1.0 - one.inset)
        limits = ((ends[0] - rows.shift) / rows.scale, (ends[1] - rows.shift) / rows.scale)
    start = change if one.start == "latent-gaussian" else None
    device = torch.device(one.device)
    flow = Flow(start, metric_of(known), limits).to(device)
    inquiry = Inquiry(
        critics=one.critics if one.method == "information" else 0,
        rate=one.rate,
        evaluate_every=one.evaluate_every,
        seed=one.random_state,
    )
    unit = rows.scale**2

    def told(row: dict[str, float]) -> None:
        if tell is not None:
            tell(_in_pixels(row, unit))

    x = standardised(rows.pixels, rows.shift, rows.scale).to(device)
    run = InformationRun(
        flow,
        x,
        rows.codes.to(device),
        rows.weights.to(device),
        inquiry,
        fresh=fresh,
        evaluate=evaluate,
        folder=folder,
        fingerprint=fingerprint,
        tell=told,
    )
    if not run.resumed():
        add_rounds(
            flow,
            x[~fresh],
            rows.codes[~fresh].to(device),
            rows.weights.to(device),
            count=one.rounds,
            tail=known.tail,
            flip=one.flip,
            seed=one.random_state,
            tell=told,
        )
    run.run()
    facts: dict[str, Any] = {"rounds": one.rounds}
    if one.method == "information":
        facts |= {"critics": run.step, "stages": len(flow.stages), "stopped": run.stopped}
    facts["map_parameters"] = sum(value.numel() for value in flow.parameters())
    return flow, [_in_pixels(row, unit) for row in run.history], facts


def metric_of(known: LatentGaussian) -> Metric:
    """C, the covariance of the Gaussian barycenter; outside its basis that of no direction."""
    size, spread = len(known.centre), known.barycenter.covariance
    basis = np.eye(size) if known.basis is None else known.basis
    seen, left = float(np.trace(spread)), size - basis.shape[1]
    if not seen > 0 or not known.explained > 0:
        return Metric(np.zeros((size, EVEN)), np.zeros((EVEN, EVEN)), 1.0)
    rest = seen * (1.0 / known.explained - 1.0) / left if left else 0.0
    # Products of matrices with few or odd columns add up in an order that depends on the row.
    spare = -basis.shape[1] % EVEN
    return Metric(np.pad(basis, ((0, 0), (0, spare))), np.pad(spread, (0, spare)), rest)


def restored(
    change: nn.Module | None, tensors: dict[str, Tensor], shape: tuple[int, ...], groups: int
) -> Flow:
    """The flow that was saved as these tensors."""
    # Copies: what products round to depends on where in memory a file was read to.
    parts = (tensors[f"metric.{name}"].clone() for name in ("basis", "spread", "rest"))
    metric = Metric(*parts)
    return grown(Flow(change, metric), shape, groups, tensors)


def _in_pixels(row: dict[str, float], unit: float) -> dict[str, float]:
    """Costs in squared pixel values."""
    return {name: value * unit if name == "cost" else value for name, value in row.items()}
