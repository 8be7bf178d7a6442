"""What nats mean: one door to the equivalents of I and to the bounds of marginal unlearning."""

from __future__ import annotations

from infounlearn.math.equivalents import (
    attack_accuracy,
    auc_bound,
    auc_from_total_variation,
    binary_information,
    capacity_bound,
    change_of_prior,
    delta_at_epsilon,
    drift_bound,
    largest_information,
    total_variation,
    tpr_at_fpr_bound,
)
from infounlearn.math.influence import (
    anchor_bound,
    attack_accuracy_floor,
    demographic_parity_bound,
    forget_accuracy_bound,
    forget_anchor_bound,
    forget_retain_bound,
    necessity_bound,
    score_gap_bound,
    score_gap_moment_bound,
)

__all__ = [
    "anchor_bound",
    "attack_accuracy",
    "attack_accuracy_floor",
    "auc_bound",
    "auc_from_total_variation",
    "binary_information",
    "capacity_bound",
    "change_of_prior",
    "delta_at_epsilon",
    "demographic_parity_bound",
    "drift_bound",
    "forget_accuracy_bound",
    "forget_anchor_bound",
    "forget_retain_bound",
    "largest_information",
    "necessity_bound",
    "score_gap_bound",
    "score_gap_moment_bound",
    "total_variation",
    "tpr_at_fpr_bound",
]
