"""Tensors in, tensors out: information, scores, surrogates, transport, certificates.

Nothing here knows a model, a file or a global random generator. Information is in nats. Names are
loaded when first used, so that ``import infounlearn.math`` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_ROOM = {
    "certificates": ("InformationCertificate", "certify_information"),
    "dependence": ("energy_distance", "hsic_unbiased", "median_bandwidth"),
    "divergences": ("jensen_shannon", "kl", "total_variation_rows"),
    "information": (
        "group_log_laws",
        "information_from_log_laws",
        "marginal_ceiling",
        "marginal_information",
        "mutual_information",
    ),
    "pooling": ("PooledLaws", "pooled_marginal_information", "pooled_mutual_information"),
    "scores": (
        "bin_width",
        "confidence",
        "cross_entropy_loss",
        "logit_margin",
        "residual",
        "score_information",
        "soft_bin_centers",
        "soft_bins",
        "squared_error",
    ),
    "surrogates": ("LinearizedInformation", "unbiased_information"),
    "tables": ("Groups", "Pools"),
    "transport": ("quantile_match", "quantile_targets", "wasserstein_1d"),
}
_HOME = {name: f"infounlearn.math.{module}" for module, names in _ROOM.items() for name in names}
# These two modules say themselves, in their ``__all__``, what they offer.
_OPEN = ("infounlearn.math.conversions", "infounlearn.math.inference")

__all__ = [
    "Groups",
    "InformationCertificate",
    "LinearizedInformation",
    "PooledLaws",
    "Pools",
    "bin_width",
    "certify_information",
    "confidence",
    "cross_entropy_loss",
    "energy_distance",
    "group_log_laws",
    "hsic_unbiased",
    "information_from_log_laws",
    "jensen_shannon",
    "kl",
    "logit_margin",
    "marginal_ceiling",
    "marginal_information",
    "median_bandwidth",
    "mutual_information",
    "pooled_marginal_information",
    "pooled_mutual_information",
    "quantile_match",
    "quantile_targets",
    "residual",
    "score_information",
    "soft_bin_centers",
    "soft_bins",
    "squared_error",
    "total_variation_rows",
    "unbiased_information",
    "wasserstein_1d",
]

if TYPE_CHECKING:
    from infounlearn.math.certificates import InformationCertificate, certify_information
    from infounlearn.math.conversions import *  # noqa: F403
    from infounlearn.math.dependence import energy_distance, hsic_unbiased, median_bandwidth
    from infounlearn.math.divergences import jensen_shannon, kl, total_variation_rows
    from infounlearn.math.inference import *  # noqa: F403
    from infounlearn.math.information import (
        group_log_laws,
        information_from_log_laws,
        marginal_ceiling,
        marginal_information,
        mutual_information,
    )
    from infounlearn.math.pooling import (
        PooledLaws,
        pooled_marginal_information,
        pooled_mutual_information,
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
    from infounlearn.math.surrogates import LinearizedInformation, unbiased_information
    from infounlearn.math.tables import Groups, Pools
    from infounlearn.math.transport import quantile_match, quantile_targets, wasserstein_1d


def __getattr__(name: str) -> object:
    """Import a public name from its module the first time it is asked for."""
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if not name.startswith("_"):
        for home in _OPEN:
            module = import_module(home)
            if name in module.__all__:
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module 'infounlearn.math' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
