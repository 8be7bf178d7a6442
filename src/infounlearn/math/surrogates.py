"""Mini-batch surrogates: information of a data set, seen a batch at a time.

The plug-in of a batch overstates the information of its data set by about (m-1)(K-1)/2n times the
spread of single outcomes: .023 nats at 64 rows of ten classes that carry none. As a penalty it then
mostly shrinks the variance inside groups. Two remedies: subtract that part exactly (U-statistic),
or compare each batch with slowly moving laws of the groups (linearised).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from infounlearn.errors import InputError, Problems
from infounlearn.math.information import check_index, check_logits
from infounlearn.math.logit_information import outcome_laws
from infounlearn.math.tables import Prior, cell_sums, checked_prior, pointwise


def unbiased_information(
    logits: Tensor,
    z: Tensor,
    *,
    prior: Prior | None = None,
    num_groups: int | None = None,
    mean_law: Tensor | None = None,
) -> Tensor:
    """U-statistic for small information, in nats: its expectation does not grow as batches shrink.

    ½ Σ_y (1/Q_y) [Σ_z π_z (P_z - P̄)² - Σ_z π_z(1-π_z) s²_zy/n_z], with s² the unbiased variance of
    p_j(y) inside group z and Q = sg(P̄). The bracket is unbiased for Σ π_z (P_z - P̄)² of the
    population, so the whole is the second-order form of I: close to it while P_z/P̄ is near 1, and
    0 in expectation at independence. It may be negative and must not be cut at 0.

    Args:
        logits: (n, c), any float type.
        z: (n,) group of each row.
        prior: (m,) probabilities π; default the shares of the rows.
        num_groups: m; default one more than the largest group present.
        mean_law: optional (c,) Q, for example a running mean of P̄; default P̄ of the batch, whose
            dependence on the rows leaves a bias of higher order. Its zeros are left out.

    Returns:
        0-d float64 tensor, differentiable.

    Raises:
        InputError: input does not fit, or a group with weight has fewer than 2 rows.
    """
    check_logits("unbiased_information", logits)
    groups, m = check_index("unbiased_information", "z", z, len(logits), num_groups)
    laws = outcome_laws(logits)
    sums, counts = cell_sums(laws, groups, (1, m))
    sizes = counts[0][:, None]
    if prior is None:
        shares = sizes / len(logits)
    else:
        weights = checked_prior(prior, m)
        shares = torch.tensor(weights, dtype=laws.dtype, device=laws.device)[:, None]
    few = ((shares > 0) & (sizes < 2)).flatten()
    if bool(few.any()):
        raise InputError(
            f"unbiased_information: groups {torch.nonzero(few).flatten().tolist()} have fewer than "
            "2 rows, which show no variance: pass larger batches, or use LinearizedInformation"
        )
    means = sums[0] / sizes.clamp_min(1.0)
    mean = (shares * means).sum(0)
    spread, _ = cell_sums((laws - means[groups]).square(), groups, (1, m))
    noise = spread[0] / (sizes - 1.0).clamp_min(1.0) / sizes.clamp_min(1.0)
    between = (shares * (means - mean).square()).sum(0) - (shares * (1 - shares) * noise).sum(0)
    weight = mean.detach() if mean_law is None else mean_law.detach().to(laws)
    if weight.shape != mean.shape:
        raise InputError(
            f"unbiased_information: mean_law has shape {tuple(weight.shape)}: pass one probability "
            f"for each of the {len(mean)} classes"
        )
    seen = weight > 0
    return 0.5 * torch.where(seen, between / torch.where(seen, weight, 1.0), 0.0).sum()


class LinearizedInformation:
    """Information of slowly moving group laws, as a sum over the rows of each batch.

    Keeps decayed sums S_z ← β S_z + Σ p_j and counts n_z ← β n_z + (rows), so laws S_z/n_z need no
    start-up correction and a group that a batch lacks keeps its law. Each call returns

        Σ_z π_z mean_{j in z} Σ_y p_j(y) sg[ln P_z(y) - ln P̄(y)]

    with the laws after the batch was taken in. Its gradient is that of the information wherever
    the running laws are those of the data; at ``decay=0`` value and gradient are the plug-in's.
    """

    def __init__(
        self,
        num_groups: int,
        num_classes: int,
        *,
        decay: float = 0.99,
        prior: Prior | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        """Start with no memory.

        Args:
            num_groups: m.
            num_classes: c.
            decay: β in [0, 1): the laws remember about 1/(1-β) batches.
            prior: (m,) probabilities of the groups; default their running shares.
            device: where the sums live.

        Raises:
            InputError: ``decay`` or ``prior`` cannot be used.
        """
        problems = Problems("LinearizedInformation")
        problems.require(0.0 <= decay < 1.0, f"decay is {decay}", fix="pass a number in [0, 1)")
        problems.require(
            num_groups >= 1 and num_classes >= 1,
            f"there are {num_groups} groups and {num_classes} classes",
            fix="pass at least one of each",
        )
        problems.raise_if_any()
        self.decay = decay
        self.prior = None if prior is None else tuple(checked_prior(prior, num_groups))
        self.sums = torch.zeros(num_groups, num_classes, dtype=torch.float64, device=device)
        self.counts = torch.zeros(num_groups, dtype=torch.float64, device=device)

    def __call__(self, logits: Tensor, z: Tensor) -> Tensor:
        """Take in a batch, and return its linearised information.

        Args:
            logits: (n, c), any float type.
            z: (n,) group of each row; groups may be absent.

        Returns:
            0-d float64 tensor in nats, differentiable; may be negative.

        Raises:
            InputError: input does not fit.
        """
        check_logits("LinearizedInformation", logits)
        m, classes = self.sums.shape
        if logits.shape[1] != classes:
            raise InputError(
                f"LinearizedInformation: logits have {logits.shape[1]} classes: pass {classes}"
            )
        groups, _ = check_index("LinearizedInformation", "z", z, len(logits), m)
        laws = outcome_laws(logits)
        with torch.no_grad():
            sums, counts = cell_sums(laws.detach(), groups, (1, m))
            self.sums.mul_(self.decay).add_(sums[0])
            self.counts.mul_(self.decay).add_(counts[0])
            shares = self._shares()
            means = self.sums / torch.where(self.counts > 0, self.counts, 1.0)[:, None]
            table = shares * means
            # Shares of groups not met so far count for nothing, as do their laws.
            expected = shares * table.sum(0) / shares.sum()
            _, ratio = pointwise(*(t.cpu().numpy() for t in (table, expected, table - expected)))
            log_ratio = torch.from_numpy(ratio).to(shares.device)
            # π_z / n_z of this batch for each of its rows.
            slopes = log_ratio * shares / counts[0].clamp_min(1.0)[:, None]
        return (laws * slopes[groups]).sum()

    def _shares(self) -> Tensor:
        """Probabilities of the groups met so far, (m, 1)."""
        if self.prior is None:
            return (self.counts / self.counts.sum())[:, None]
        given = torch.tensor(self.prior, dtype=torch.float64, device=self.counts.device)
        return torch.where(self.counts > 0, given, 0.0)[:, None]

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on to the same digits."""
        return {
            "sums": self.sums.clone(),
            "counts": self.counts.clone(),
            "decay": self.decay,
            "prior": self.prior,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the memory of :meth:`state_dict`.

        Raises:
            InputError: it belongs to another number of groups or classes.
        """
        if state["sums"].shape != self.sums.shape:
            raise InputError(
                f"LinearizedInformation: the state holds {tuple(state['sums'].shape)} groups and "
                f"classes, not {tuple(self.sums.shape)}: load it into the object it was saved from"
            )
        self.sums.copy_(state["sums"])
        self.counts.copy_(state["counts"])
        self.decay = float(state["decay"])
        prior = state["prior"]
        self.prior = None if prior is None else tuple(prior)
