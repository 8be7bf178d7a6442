"""Information of a batch that no single process or pass holds.

Information is not a mean over rows: averaging the information of shards or micro-batches adds their
bias and, for a group that one shard lacks, is meaningless. What adds up are the *sums of outcome
laws* of each group. They are pooled first (a few hundred numbers), then each process or pass takes
its own rows' part of the exact gradient.

How gradients combine: every process returns the pooled value, and its own rows' gradient of it. The
*sum* of these over processes is the gradient of one process that holds all rows. Frameworks that
average gradients over processes (DistributedDataParallel, accelerate) need ``average=True``, which
multiplies by the number of processes. A process whose input is refused raises before it pools, and
the others wait for it until their own timeout.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from infounlearn.errors import InputError
from infounlearn.math.information import cells_of, check_logits
from infounlearn.math.logit_information import LogitInformation, Reduce, outcome_laws
from infounlearn.math.tables import Design, Groups, Pools, Prior, cell_sums


def pooled_mutual_information(
    logits: Tensor,
    z: Tensor,
    *,
    num_groups: int,
    prior: Prior | None = None,
    given: Tensor | None = None,
    num_given: int | None = None,
    group: dist.ProcessGroup | None = None,
    average: bool = False,
) -> Tensor:
    """:func:`~infounlearn.math.information.mutual_information` of all processes' rows together.

    A collective call: every process of ``group`` must make it. Without an initialised process group
    the rows of this process are all there is.

    Args:
        logits: (n, c) this process's rows; n may be 0.
        z: (n,) group of each row.
        num_groups: m, the same in every process; a process need not hold every group.
        prior: (m,) probabilities of the groups; default their shares over all processes.
        given: optional (n,) stratum to condition on, with ``num_given``.
        num_given: number of strata, the same in every process.
        group: process group; default all processes.
        average: multiply the gradient by the number of processes, for frameworks that average it.

    Returns:
        0-d float64 tensor, the same in every process.

    Raises:
        InputError: as :func:`~infounlearn.math.information.mutual_information`.
    """
    design = Groups(num_groups, prior, _strata(given, num_given))
    return _pooled(logits, z, design, given, group, average)


def pooled_marginal_information(
    logits: Tensor,
    forget: Tensor,
    *,
    alpha: float | None = None,
    prior: Prior = (0.5, 0.5),
    given: Tensor | None = None,
    num_given: int | None = None,
    group: dist.ProcessGroup | None = None,
    average: bool = False,
) -> Tensor:
    """:func:`~infounlearn.math.information.marginal_information` of all processes' rows together.

    A collective call. The default ``alpha`` is the share of forget rows over all processes; a
    process may hold none of them. Other arguments, result and errors are those of
    :func:`pooled_mutual_information`.
    """
    design = Pools(alpha, prior, _strata(given, num_given))
    return _pooled(logits, forget, design, given, group, average)


class PooledLaws:
    """The exact information of many micro-batches (and processes), in two passes.

    ::

        laws = PooledLaws(Pools(alpha=0.2))
        for x, forget in micro_batches:          # pass 1: no gradients
            with torch.no_grad():
                laws.add(model(x), forget)
        value = laws.pool()                      # one collective call
        for x, forget in micro_batches:          # pass 2: gradients add up to that of `value`
            laws.surrogate(model(x), forget).backward()
        laws.reset()

    The surrogates of pass 2 also add up to the value itself. Both passes must see the same outputs:
    the same weights, and dropout off or equally seeded.
    """

    def __init__(
        self, design: Design, *, group: dist.ProcessGroup | None = None, average: bool = False
    ) -> None:
        """Pool for ``design``.

        Args:
            design: :class:`~infounlearn.math.tables.Groups` or
                :class:`~infounlearn.math.tables.Pools`, with the number of strata if conditional.
            group: process group; default all processes.
            average: multiply gradients by the number of processes.
        """
        self.design = design
        self.group = group
        self.scale = float(_size(group)) if average else 1.0
        self.reset()

    def reset(self) -> None:
        """Forget everything added, for the next step."""
        self._sums: Tensor | None = None
        self._counts: Tensor | None = None
        self._slopes: Tensor | None = None

    @torch.no_grad()
    def add(self, logits: Tensor, z: Tensor, given: Tensor | None = None) -> None:
        """Pass 1: add a micro-batch, (n, c) logits with (n,) groups and, optionally, strata.

        Raises:
            InputError: input does not fit the design, or the laws are already pooled.
        """
        if self._slopes is not None:
            raise InputError("PooledLaws.add: the laws are pooled: call reset() first")
        laws, cells = self._rows("PooledLaws.add", logits, z, given)
        sums, counts = cell_sums(laws, cells, self.design.shape)
        if self._sums is None or self._counts is None:
            self._sums, self._counts = sums, counts
        else:
            self._sums += sums
            self._counts += counts

    @torch.no_grad()
    def pool(self) -> Tensor:
        """The information of everything added in all processes, 0-d float64, detached.

        Raises:
            InputError: nothing was added, or the design finds a group without rows.
        """
        if self._sums is None or self._counts is None:
            raise InputError("PooledLaws.pool: nothing was added: call add() before pool()")
        sums, counts = _reduce_over(self.group)(self._sums, self._counts)
        value, slopes = self.design(sums.cpu().numpy(), counts.cpu().numpy())
        self._slopes = torch.from_numpy(slopes.reshape(-1, slopes.shape[-1])).to(sums.device)
        return torch.tensor(value, dtype=torch.float64, device=sums.device)

    def surrogate(self, logits: Tensor, z: Tensor, given: Tensor | None = None) -> Tensor:
        """Pass 2: a micro-batch's part Σ_j Σ_y p_j(y) sg[∂I/∂p_j(y)], 0-d float64.

        Raises:
            InputError: input does not fit the design, or :meth:`pool` was not called.
        """
        if self._slopes is None:
            raise InputError("PooledLaws.surrogate: the laws are not pooled: call pool() first")
        laws, cells = self._rows("PooledLaws.surrogate", logits, z, given)
        part = (laws * self._slopes.index_select(0, cells)).sum()
        # The gradient alone is scaled: the value stays this process's part of the information.
        return part if self.scale == 1.0 else part.detach() + self.scale * (part - part.detach())

    def _rows(
        self, where: str, logits: Tensor, z: Tensor, given: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        check_logits(where, logits, empty=True)
        return outcome_laws(logits), cells_of(where, z, given, len(logits), self.design.shape)


def _pooled(
    logits: Tensor,
    z: Tensor,
    design: Design,
    given: Tensor | None,
    group: dist.ProcessGroup | None,
    average: bool,
) -> Tensor:
    check_logits("pooled information", logits, empty=True)
    cells = cells_of("pooled information", z, given, len(logits), design.shape)
    scale = float(_size(group)) if average else 1.0
    value: Tensor = LogitInformation.apply(logits, cells, design, _reduce_over(group), scale)
    return value


def _size(group: dist.ProcessGroup | None) -> int:
    return dist.get_world_size(group) if dist.is_available() and dist.is_initialized() else 1


def _strata(given: Tensor | None, num_given: int | None) -> int:
    if given is None:
        return 1
    if num_given is None:
        raise InputError(
            "pooled information: num_given is missing (processes may hold different strata): "
            "pass the number of strata along with given"
        )
    return num_given


def _reduce_over(group: dist.ProcessGroup | None) -> Reduce:
    """A function that adds sums and counts over processes, in one call."""

    def reduce(sums: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        if _size(group) == 1:
            return sums, counts
        both = torch.cat((sums.reshape(-1), counts.reshape(-1)))
        dist.all_reduce(both, group=group)
        cut = sums.numel()
        return both[:cut].view(sums.shape), both[cut:].view(counts.shape)

    return reduce
