"""Remove information from machine learning, and prove it is gone.

Names are loaded when first used, so that ``import infounlearn`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOME = {
    "unlearn": "infounlearn.point",
    "Unlearned": "infounlearn.point",
    "MarginalInformation": "infounlearn.point",
    "MembershipInformation": "infounlearn.point",
    "ScoreTransport": "infounlearn.point",
    "WassersteinBarycenter": "infounlearn.feature",
    "ScoreBarycenter": "infounlearn.feature",
    "ParityHead": "infounlearn.feature",
    "InformationPenalty": "infounlearn.feature",
    "frontier": "infounlearn.feature",
    "audit": "infounlearn.audit",
    "audit_feature": "infounlearn.audit",
    "collect_outputs": "infounlearn.audit",
    "Outputs": "infounlearn.interface",
    "Audit": "infounlearn.interface",
    "mutual_information": "infounlearn.math",
    "marginal_information": "infounlearn.math",
    "certify_information": "infounlearn.math",
    "write_report": "infounlearn.report",
    "InputError": "infounlearn.errors",
}

__all__ = [
    "Audit",
    "InformationPenalty",
    "InputError",
    "MarginalInformation",
    "MembershipInformation",
    "Outputs",
    "ParityHead",
    "ScoreBarycenter",
    "ScoreTransport",
    "Unlearned",
    "WassersteinBarycenter",
    "__version__",
    "audit",
    "audit_feature",
    "certify_information",
    "collect_outputs",
    "frontier",
    "marginal_information",
    "mutual_information",
    "unlearn",
    "write_report",
]

if TYPE_CHECKING:
    from infounlearn.audit import audit, audit_feature, collect_outputs
    from infounlearn.errors import InputError
    from infounlearn.feature.barycenter import WassersteinBarycenter
    from infounlearn.feature.decisions import ParityHead
    from infounlearn.feature.frontiers import frontier
    from infounlearn.feature.penalty import InformationPenalty
    from infounlearn.feature.scores import ScoreBarycenter
    from infounlearn.interface import Audit, Outputs
    from infounlearn.math import certify_information, marginal_information, mutual_information
    from infounlearn.point import (
        MarginalInformation,
        MembershipInformation,
        ScoreTransport,
        Unlearned,
        unlearn,
    )
    from infounlearn.report import write_report


def __getattr__(name: str) -> object:
    """Import a public name from its room the first time it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'infounlearn' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
