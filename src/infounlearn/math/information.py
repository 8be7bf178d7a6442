"""Information between a sampled label and a group, exact and differentiable.

The outcome is the *sampled* label: Ŷ ~ softmax(logits of a record). Every value is exact for the
rows passed in (no sampling error, nothing beyond those rows), which also means that on a mini-batch
it is biased upwards for the data set: see :mod:`infounlearn.math.surrogates`.

Probabilities are formed in float64, where softmax underflows only below 1e-308 and no term of the
information that a float64 could hold is lost; a logit of -inf is a probability of exactly 0.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from infounlearn.errors import InputError, Problems
from infounlearn.math.logit_information import LogitInformation
from infounlearn.math.tables import Groups, Pools, Prior, checked_prior


def mutual_information(
    logits: Tensor,
    z: Tensor,
    *,
    given: Tensor | None = None,
    prior: Prior | None = None,
    num_groups: int | None = None,
) -> Tensor:
    """Information I(Ŷ; Z), in nats, between a label sampled from the rows' softmax and their group.

    Plug-in over the rows: P_z is the mean outcome law of group z, P̄ = Σ π_z P_z, and
    I = Σ π_z KL(P_z‖P̄), the generalised Jensen-Shannon divergence of the groups.

    Args:
        logits: (n, c) unnormalised log-probabilities, any float type; -inf is a probability of 0.
        z: (n,) integer or boolean group of each row.
        given: optional (n,) integer stratum C of each row; the result is then I(Ŷ; Z | C), with C
            distributed as Z ~ prior and a uniform row of group Z imply.
        prior: (m,) probabilities π of the groups; default the shares of the rows, P(Z=z) = n_z/n.
        num_groups: m; default one more than the largest group present.

    Returns:
        0-d float64 tensor in [0, H(Z)], differentiable in ``logits`` (once). A group without rows
        has share 0 and contributes nothing; if only one group is present the value is 0.

    Raises:
        InputError: shapes or types do not fit, a group is negative or beyond ``num_groups``, or
            ``prior`` is no distribution or favours a group without rows.

    References:
        Xu & Strohmer (2025), arXiv:2502.05684, for information as a regulariser. Not done: NaN
        logits are not looked for, they make the result NaN.
    """
    check_logits("mutual_information", logits)
    groups, m = check_index("mutual_information", "z", z, len(logits), num_groups)
    cells, strata = _cells("mutual_information", groups, m, given)
    design = Groups(m, prior, strata)
    value: Tensor = LogitInformation.apply(logits, cells, design, None, 1.0)
    return value


def marginal_information(
    logits: Tensor,
    forget: Tensor,
    *,
    alpha: float | None = None,
    prior: Prior = (0.5, 0.5),
    given: Tensor | None = None,
) -> Tensor:
    """Marginal information of the forget rows, in nats: can their presence in the pool be seen?

    Z = 0: a label is sampled from the pool P = (1-α)P_r + αP_u of retain and forget rows; Z = 1:
    from retain alone, Q = P_r. I(Ŷ; Z) = Σ π_z KL(·‖P̄), computed from P - Q = α(P_u - P_r), so
    that one forget row among millions keeps its digits.

    Args:
        logits: (n, c) unnormalised log-probabilities of the rows of R ∪ F, any float type.
        forget: (n,) boolean, true for the rows of F.
        alpha: design share of F in the pool; default its natural share |F|/n.
        prior: probabilities (π0, π1) of the pool and of retain alone.
        given: optional (n,) integer stratum C of each row. The result is I(Ŷ; Z | C) of the same
            design: a stratum is weighed by its probability, and one that only R or only F fills
            adds nothing (there C alone tells Z, which no output can change).

    Returns:
        0-d float64 tensor between 0 and :func:`marginal_ceiling`, differentiable once.

    Raises:
        InputError: shapes or types do not fit, there is no retain or no forget row, or ``alpha``
            or ``prior`` is no probability.

    References:
        Xu & Strohmer (2025), arXiv:2502.05684 and Forgetting-MarI, arXiv:2511.11914 (the marginal
        design); the formulation is this project's own.
    """
    check_logits("marginal_information", logits)
    groups, _ = check_index("marginal_information", "forget", forget, len(logits), 2)
    cells, strata = _cells("marginal_information", groups, 2, given)
    design = Pools(alpha, prior, strata)
    value: Tensor = LogitInformation.apply(logits, cells, design, None, 1.0)
    return value


def marginal_ceiling(alpha: float, prior: Prior = (0.5, 0.5)) -> float:
    """Largest value of :func:`marginal_information`: I(W; Z) = h(π0 α) - π0 h(α), in nats.

    W, retain or forget, is where the row came from; Z - W - Ŷ is a Markov chain, so no outcome
    says more about Z than W does. Equality where the outcome tells W.

    Args:
        alpha: share of forget rows in the pool, in [0, 1].
        prior: probabilities (π0, π1) of the pool and of retain alone.

    Raises:
        InputError: ``alpha`` or ``prior`` is no probability.
    """
    if not 0.0 <= alpha <= 1.0:
        raise InputError(f"marginal_ceiling: alpha is {alpha}: pass a share in [0, 1]")
    pool, _ = checked_prior(prior, 2)
    if alpha == 0.0 or pool == 0.0:
        return 0.0
    # h(π0α) - π0h(α), with the terms in ln α, which nearly cancel, taken together.
    rest = 0.0 if alpha == 1.0 else pool * (1.0 - alpha) * math.log1p(-alpha)
    outside = 0.0 if pool * alpha == 1.0 else (1.0 - pool * alpha) * math.log1p(-pool * alpha)
    return rest - pool * alpha * math.log(pool) - outside


def group_log_laws(log_probs: Tensor, z: Tensor, num_groups: int) -> Tensor:
    """Logarithms of the groups' mean outcome laws: ln P_z(y) = LSE_{j in z} ln p_j(y) - ln n_z.

    Args:
        log_probs: (n, c) log-probabilities (of a log-softmax, or log release kernels).
        z: (n,) group of each row.
        num_groups: m; every group must have a row.

    Returns:
        (m, c) float64, -inf where a group never shows an outcome; differentiable, with gradient 0
        there. Stays correct where probabilities underflow.

    Raises:
        InputError: shapes or types do not fit, or a group has no row.
    """
    check_logits("group_log_laws", log_probs)
    groups, _ = check_index("group_log_laws", "z", z, len(log_probs), num_groups)
    log_p = log_probs.to(torch.float64)
    counts = torch.bincount(groups, minlength=num_groups)
    if bool((counts == 0).any()):
        absent = torch.nonzero(counts == 0).flatten().tolist()
        raise InputError(f"group_log_laws: groups {absent} have no row: pass rows of every group")
    index = groups[:, None].expand_as(log_p)
    top = log_p.new_full((num_groups, log_p.shape[1]), -math.inf)
    top = top.scatter_reduce(0, index, log_p.detach(), "amax")
    seen = top > -math.inf
    top = torch.where(seen, top, 0.0)
    sums = torch.zeros_like(top).index_add(0, groups, torch.exp(log_p - top[groups]))
    # Logarithm of 1 in place of 0, then -inf: a plain log would send NaN back through 0 * inf.
    logs = torch.log(torch.where(seen, sums, 1.0)) + top - torch.log(counts.double())[:, None]
    return torch.where(seen, logs, -math.inf)


def information_from_log_laws(log_laws: Tensor, prior: Prior) -> Tensor:
    """Information Σ π_z KL(P_z‖P̄), in nats, of groups whose log laws are known.

    Args:
        log_laws: (m, c) ln P_z(y), for example of :func:`group_log_laws`.
        prior: (m,) probabilities π of the groups.

    Returns:
        0-d float64 tensor in [0, H(Z)], differentiable once.

    Raises:
        InputError: shapes do not fit, or ``prior`` is no distribution.
    """
    check_logits("information_from_log_laws", log_laws)
    m = len(log_laws)
    laws = torch.exp(log_laws.to(torch.float64))
    # Each law is the only row of its group.
    value, slopes = Groups(m, prior)(laws.detach().cpu().numpy()[None], np.ones((1, m)))
    slope = torch.from_numpy(slopes[0]).to(laws.device)
    return value + (slope * (laws - laws.detach())).sum()


def check_logits(where: str, logits: Tensor, *, empty: bool = False) -> None:
    """Raise :class:`InputError` unless ``logits`` is a float matrix, with rows unless ``empty``."""
    wrong = logits.dim() != 2 or logits.shape[1] == 0 or not logits.is_floating_point()
    if wrong or (len(logits) == 0 and not empty):
        raise InputError(
            f"{where}: logits have shape {tuple(logits.shape)} and type {logits.dtype}: "
            "pass floating-point logits of shape (rows, classes)"
        )


def check_index(
    where: str, name: str, index: Tensor, rows: int, size: int | None
) -> tuple[Tensor, int]:
    """``index`` as int64 and its number of values.

    Raises:
        InputError: not one integer per row, or a value outside [0, size).
    """
    if index.shape != (rows,) or index.is_floating_point() or index.is_complex():
        raise InputError(
            f"{where}: {name} has shape {tuple(index.shape)} and type {index.dtype} for {rows} "
            "rows: pass one integer (or boolean) per row"
        )
    if index.dtype is torch.bool and (size is None or size >= 2):
        return index.to(torch.int64), 2 if size is None else size
    if rows == 0:
        return index.to(torch.int64), 0 if size is None else size
    low, high = (int(value) for value in torch.aminmax(index))
    problems = Problems(where)
    problems.require(low >= 0, f"{name} holds {low}", fix="number from 0")
    problems.require(
        size is None or high < size,
        f"{name} holds {high}",
        fix=f"pass values below {size}, or a larger number of groups",
    )
    problems.raise_if_any()
    return index.to(torch.int64), high + 1 if size is None else size


def cells_of(
    where: str, z: Tensor, given: Tensor | None, rows: int, shape: tuple[int, int]
) -> Tensor:
    """Cell of each row in a table of known strata and groups, stratum by stratum.

    Raises:
        InputError: groups or strata do not fit the rows or the table.
    """
    groups, _ = check_index(where, "z", z, rows, shape[1])
    if given is None and shape[0] == 1:
        return groups
    if given is None:
        raise InputError(f"{where}: the design has {shape[0]} strata: pass given, one per row")
    strata, _ = check_index(where, "given", given, rows, shape[0])
    return strata * shape[1] + groups


def _cells(where: str, groups: Tensor, m: int, given: Tensor | None) -> tuple[Tensor, int]:
    """Cell of each row, stratum by stratum, and the number of strata."""
    if given is None:
        return groups, 1
    strata, count = check_index(where, "given", given, len(groups), None)
    return strata * m + groups, count
