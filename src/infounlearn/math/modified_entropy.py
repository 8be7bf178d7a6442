"""Modified prediction entropy of a record: large where the true label looks unlikely.

*Definition.* M = -(1 - p_y) ln p_y - Σ_{k≠y} p_k ln(1 - p_k), per record, in nats: 0 for certainty
in the right label, infinite for certainty in a wrong one, falling in p_y and rising in every other
p_k. Plain entropy is 0 for both certainties.

*Source.* Song & Mittal (2021), Systematic evaluation of privacy risks of machine learning models,
arXiv:2003.10595, whose attack calls a record with a small M a member.

*Floor.* No law of M is known in advance: compare with M of retrained networks on the same records,
never with 0.

*Trap.* Each record has one label. Code in use indexes the columns of all rows by the labels of the
whole batch, so that a record's value depends on its neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from infounlearn.errors import InputError
from infounlearn.math.information import check_index, check_logits
from infounlearn.math.others import logsumexp_of_others

__all__ = ["modified_entropy"]


@torch.no_grad()
def modified_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Modified entropy of each record, to full relative precision however sure the network is.

    With φ_k = z_k - LSE_{j≠k} z_j, both p_k = σ(φ_k) and -ln(1 - p_k) = softplus(φ_k) keep their
    digits, and M = ψ(-φ_y) + Σ_{k≠y} ψ(φ_k) for ψ(t) = σ(t) softplus(t).

    Args:
        logits: (n, c) logits or log-probabilities, c ≥ 2; -inf is a probability of 0.
        labels: (n,) integer classes.

    Returns:
        (n,) float64 in [0, inf], in nats, without gradient.

    Raises:
        InputError: shapes or types do not fit, there is one class, a label is out of range, or a
            row is no law.
    """
    check_logits("modified_entropy", logits)
    labels, classes = check_index("modified_entropy", "labels", labels, *logits.shape)
    if classes < 2:
        raise InputError("modified_entropy: there is one class: pass two or more")
    wide = logits.to(torch.float64)
    if not bool(torch.isfinite(wide.amax(1)).all()):
        raise InputError(
            "modified_entropy: a row of logits is NaN, +inf or -inf throughout: "
            "report this model as diverged"
        )
    odds = wide - logsumexp_of_others(wide, 1)
    column = labels[:, None]
    odds = odds.scatter(1, column, -odds.gather(1, column))
    # Not torch's softplus, which is linear beyond 20: an error of 1e-10.
    return (torch.sigmoid(odds) * -functional.logsigmoid(-odds)).sum(1)
