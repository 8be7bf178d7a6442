"""De-biased information of a fitted model's outputs, over all rows at once."""

from __future__ import annotations

import numpy as np
import torch

from infounlearn.feature.penalty_term import scores_of
from infounlearn.math import bin_width, mutual_information, soft_bin_centers, soft_bins


def outcome_logits(outputs: np.ndarray, level: str, reference: np.ndarray) -> list[torch.Tensor]:
    """Logits of every outcome that a level measures: one of the label, one for each score.

    Args:
        outputs: (n, k) logits or predictions.
        level: as in :class:`~infounlearn.feature.penalty.InformationPenalty`.
        reference: (r, k) outputs whose scores place the 16 bins.
    """
    shown, fixed = torch.from_numpy(outputs), torch.from_numpy(reference)
    if level == "label":
        return [shown]
    if level == "score":
        shown, fixed = scores_of(shown), scores_of(fixed)
    found = []
    for scores, ruler in zip(shown.T, fixed.T, strict=True):
        centers = soft_bin_centers(ruler, 16)
        found.append(soft_bins(scores, centers, bin_width(centers)))
    return found


def debiased_information(logits: torch.Tensor, z: np.ndarray, given: np.ndarray | None) -> float:
    """Plug-in information less its bias, in nats; may be negative.

    The bias to first order, ½ Σ_z (π_z/n_z) Σ_y Var_z(p_y) (1/P_z - π_z/P̄), stratum by stratum. A
    group with one row shows no variance, and its part of the bias stays in.

    Args:
        logits: (n, c) logits of the outcome.
        z: (n,) groups from 0.
        given: (n,) strata, or None.
    """
    strata = np.zeros(len(z), dtype=np.int64) if given is None else given
    value = float(mutual_information(logits, torch.from_numpy(z), given=torch.from_numpy(strata)))
    laws = torch.softmax(logits.double(), 1).numpy()
    for stratum in np.unique(strata):
        inside = strata == stratum
        mean = laws[inside].mean(0)
        for group in np.unique(z[inside]):
            rows = laws[inside & (z == group)]
            if len(rows) < 2:
                continue
            share = len(rows) / inside.sum()
            law = rows.mean(0)
            shown = law > 0
            slope = 1.0 / law[shown] - share / mean[shown]
            spread = rows[:, shown].var(0, ddof=1)
            value -= 0.5 * inside.mean() * share / len(rows) * float((spread * slope).sum())
    return value
