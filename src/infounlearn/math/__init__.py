"""Tensors in, tensors out: information, scores, surrogates, transport, certificates.

Nothing here knows a model, a file or a global random generator. Information is in nats. Names are
loaded when first used, so that ``import infounlearn.math`` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from infounlearn.math.rooms import ROOM as _ROOM

_HOME = {name: f"infounlearn.math.{module}" for module, names in _ROOM.items() for name in names}

__all__ = [
    "CommonSupport",
    "ConditionalLine",
    "DecisionPlan",
    "Design",
    "EnsembleDistance",
    "Equivalents",
    "ExactCoupling",
    "ForgettingQuality",
    "GapInterval",
    "GaussianBarycenter",
    "GaussianResidual",
    "GroupMoments",
    "GroupThresholds",
    "Groups",
    "InformationCertificate",
    "InterclassConfusion",
    "KlOfMargins",
    "KolmogorovBarycenter",
    "LikelihoodAttack",
    "LineBarycenter",
    "LinearizedInformation",
    "LogLikelihoods",
    "OperatingPoint",
    "PairedDifference",
    "ParityCurve",
    "Performance",
    "PooledLaws",
    "Pools",
    "RankedMethod",
    "ReferenceAttack",
    "SeedDifference",
    "SeedScore",
    "SharedKernel",
    "anchor_bound",
    "attack_accuracy",
    "attack_accuracy_floor",
    "auc",
    "auc_bound",
    "auc_from_total_variation",
    "auc_interval",
    "average_gap",
    "best_utility",
    "bin_width",
    "binary_information",
    "bootstrap_interval",
    "bures2",
    "capacity_bound",
    "certify_information",
    "challenge_epsilon",
    "challenge_final_score",
    "challenge_points",
    "change_of_prior",
    "clopper_pearson",
    "confidence",
    "constraint_laws",
    "cross_entropy_loss",
    "decision_rates",
    "delta_at_epsilon",
    "demographic_parity_bound",
    "demographic_parity_difference",
    "demographic_parity_interval",
    "distance_to_ensemble",
    "dkw_band",
    "drift_bound",
    "energy_distance",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "equalized_odds_interval",
    "exact_coupling",
    "exact_target",
    "fit_common_support",
    "fit_conditional_line",
    "fit_line_barycenter",
    "fit_parity_curve",
    "fit_shared_kernel",
    "forget_accuracy_bound",
    "forget_anchor_bound",
    "forget_retain_bound",
    "forgetting_quality",
    "frontier_area",
    "gaussian_barycenter",
    "gaussian_residual",
    "group_log_laws",
    "hsic_unbiased",
    "information_from_log_laws",
    "information_null",
    "interclass_confusion",
    "jensen_shannon",
    "kl",
    "kl_of_margins",
    "ks_distance",
    "ks_interval",
    "l2_uvp",
    "largest_information",
    "leave_one_out",
    "logit_margin",
    "map_cosine",
    "marginal_ceiling",
    "marginal_information",
    "mean_interval",
    "median_bandwidth",
    "modified_entropy",
    "mutual_information",
    "necessity_bound",
    "paired_difference",
    "paired_over_seeds",
    "permutation_null",
    "plan_decisions",
    "pooled_marginal_information",
    "pooled_mutual_information",
    "quantile_match",
    "quantile_targets",
    "rank_methods",
    "relative_likelihood",
    "residual",
    "rmia",
    "roc_curve",
    "row_noise",
    "score_gap_bound",
    "score_gap_moment_bound",
    "score_information",
    "soft_bin_centers",
    "soft_bins",
    "squared_error",
    "total_variation",
    "total_variation_rows",
    "tow",
    "tow_mia",
    "tpr_at_fpr",
    "tpr_at_fpr_bound",
    "two_group_value",
    "u_lira",
    "unbiased_information",
    "wasserstein_1d",
    "wasserstein_gap",
]

if TYPE_CHECKING:
    from infounlearn.math.barycenter_1d import LineBarycenter, fit_line_barycenter
    from infounlearn.math.barycenter_gaussian import GaussianBarycenter, bures2, gaussian_barycenter
    from infounlearn.math.certificates import (
        Design,
        Equivalents,
        InformationCertificate,
        certify_information,
    )
    from infounlearn.math.challenge_score import (
        ForgettingQuality,
        challenge_epsilon,
        challenge_final_score,
        challenge_points,
        forgetting_quality,
    )
    from infounlearn.math.common_support import CommonSupport
    from infounlearn.math.common_support_exact import ExactCoupling, exact_coupling, exact_target
    from infounlearn.math.common_support_fit import fit_common_support
    from infounlearn.math.conditional_line import ConditionalLine, fit_conditional_line
    from infounlearn.math.confusion import InterclassConfusion, interclass_confusion
    from infounlearn.math.conversions import (
        anchor_bound,
        attack_accuracy,
        attack_accuracy_floor,
        auc_bound,
        auc_from_total_variation,
        binary_information,
        capacity_bound,
        change_of_prior,
        delta_at_epsilon,
        demographic_parity_bound,
        drift_bound,
        forget_accuracy_bound,
        forget_anchor_bound,
        forget_retain_bound,
        largest_information,
        necessity_bound,
        score_gap_bound,
        score_gap_moment_bound,
        total_variation,
        tpr_at_fpr_bound,
    )
    from infounlearn.math.decision_curve import GroupThresholds, ParityCurve, fit_parity_curve
    from infounlearn.math.decision_lp import DecisionPlan, constraint_laws, plan_decisions
    from infounlearn.math.dependence import energy_distance, hsic_unbiased, median_bandwidth
    from infounlearn.math.divergences import jensen_shannon, kl, total_variation_rows
    from infounlearn.math.ensemble_distance import (
        EnsembleDistance,
        distance_to_ensemble,
        leave_one_out,
    )
    from infounlearn.math.hypervolume import (
        PairedDifference,
        best_utility,
        frontier_area,
        paired_difference,
    )
    from infounlearn.math.inference import (
        OperatingPoint,
        auc,
        auc_interval,
        bootstrap_interval,
        clopper_pearson,
        dkw_band,
        information_null,
        mean_interval,
        permutation_null,
        roc_curve,
        tpr_at_fpr,
    )
    from infounlearn.math.information import (
        group_log_laws,
        information_from_log_laws,
        marginal_ceiling,
        marginal_information,
        mutual_information,
    )
    from infounlearn.math.keyed_noise import row_noise
    from infounlearn.math.klom import KlOfMargins, kl_of_margins
    from infounlearn.math.kolmogorov_barycenter import KolmogorovBarycenter
    from infounlearn.math.likelihood_attack import LikelihoodAttack, u_lira
    from infounlearn.math.linear_residual import GaussianResidual, gaussian_residual
    from infounlearn.math.map_error import l2_uvp, map_cosine, two_group_value
    from infounlearn.math.modified_entropy import modified_entropy
    from infounlearn.math.moments import GroupMoments
    from infounlearn.math.paired import (
        RankedMethod,
        SeedDifference,
        paired_over_seeds,
        rank_methods,
    )
    from infounlearn.math.parity import (
        decision_rates,
        demographic_parity_difference,
        equal_opportunity_difference,
        equalized_odds_difference,
        ks_distance,
        wasserstein_gap,
    )
    from infounlearn.math.parity_intervals import (
        GapInterval,
        demographic_parity_interval,
        equalized_odds_interval,
        ks_interval,
    )
    from infounlearn.math.pooling import (
        PooledLaws,
        pooled_marginal_information,
        pooled_mutual_information,
    )
    from infounlearn.math.reference_attack import (
        LogLikelihoods,
        ReferenceAttack,
        relative_likelihood,
        rmia,
    )
    from infounlearn.math.scores import (
        bin_width,
        confidence,
        cross_entropy_loss,
        logit_margin,
        residual,
        score_information,
        soft_bin_centers,
        soft_bins,
        squared_error,
    )
    from infounlearn.math.shared_kernel import SharedKernel, fit_shared_kernel
    from infounlearn.math.surrogates import LinearizedInformation, unbiased_information
    from infounlearn.math.tables import Groups, Pools
    from infounlearn.math.transport import quantile_match, quantile_targets, wasserstein_1d
    from infounlearn.math.tug_of_war import Performance, SeedScore, average_gap, tow, tow_mia


def __getattr__(name: str) -> object:
    """Import a public name from its module the first time it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'infounlearn.math' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
