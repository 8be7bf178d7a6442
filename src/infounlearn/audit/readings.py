"""What one record shows: scores, losses and released bins, as float64 arrays."""

from __future__ import annotations

import numpy as np
import torch

from infounlearn.interface import Outputs, OutputSet, Task
from infounlearn.math import (
    bin_width,
    cross_entropy_loss,
    logit_margin,
    soft_bin_centers,
    soft_bins,
)


def log_probabilities(part: OutputSet) -> np.ndarray:
    """(n, c) log-softmax of the logits."""
    return torch.log_softmax(torch.from_numpy(part.outputs).double(), dim=-1).numpy()


def probabilities(part: OutputSet) -> np.ndarray:
    """(n, c) softmax of the logits."""
    return torch.softmax(torch.from_numpy(part.outputs).double(), dim=-1).numpy()


def residuals(part: OutputSet) -> np.ndarray:
    """(n,) root mean square residual of a regressor."""
    errors = part.outputs - part.targets.reshape(part.outputs.shape)
    return np.sqrt((errors**2).mean(axis=1))


def member_score(part: OutputSet, task: Task) -> np.ndarray:
    """(n,) large where a record looks trained on: the margin φ, or minus the residual."""
    if task == "regression":
        return -residuals(part)
    logits = torch.from_numpy(part.outputs)
    return logit_margin(logits, torch.from_numpy(part.targets).long()).double().numpy()


def record_loss(part: OutputSet, task: Task) -> np.ndarray:
    """(n,) cross-entropy in nats, or squared error."""
    if task == "regression":
        return residuals(part) ** 2
    logits = torch.from_numpy(part.outputs)
    return cross_entropy_loss(logits, torch.from_numpy(part.targets).long()).double().numpy()


def strata(part: OutputSet, task: Task) -> np.ndarray:
    """(n,) what claims are conditioned on: declared groups, else the class, else one stratum."""
    if part.groups is not None:
        return part.groups
    if task == "regression":
        return np.zeros(len(part), dtype=np.int64)
    return part.targets


def bin_source(model: Outputs) -> str:
    """The set on which score bins are fixed: never one that the leakage tests compare."""
    return "validation" if "validation" in model.sets else "retain"


def release(scores: np.ndarray, fixed_on: np.ndarray, bins: int) -> np.ndarray:
    """(n, bins) probabilities with which each score is released as each bin.

    Centres are equal-mass on ``fixed_on``, scores of the same model on records that are not
    compared, so that the kernel is known before the audited scores are seen.
    """
    centers = soft_bin_centers(torch.from_numpy(fixed_on), bins)
    return soft_bins(torch.from_numpy(scores), centers, bin_width(centers)).exp().numpy()
