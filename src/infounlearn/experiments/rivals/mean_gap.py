"""The mean-gap regulariser (DiffDP): distance of the groups' mean outputs, on each batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infounlearn.experiments.rivals.net import Net

if TYPE_CHECKING:
    from torch import Tensor


class MeanGapRival(Net):
    """Its published weight is 1. A batch that lacks a group says nothing and counts 0."""

    def penalty(self, shown: Tensor, codes: Tensor) -> Tensor:
        """Largest difference of group means."""
        import torch

        means = torch.stack([shown[codes == code].mean() for code in torch.unique(codes)])
        return means.max() - means.min()
