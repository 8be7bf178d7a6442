"""The HSIC regulariser: kernel dependence of outputs and attribute, on each batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infounlearn.experiments.rivals.net import Net

if TYPE_CHECKING:
    from torch import Tensor


class HsicRival(Net):
    """Unbiased HSIC with the published kernel exp(-d²); the published weight is 1."""

    def penalty(self, shown: Tensor, codes: Tensor) -> Tensor:
        """HSIC of the batch; one too small for the estimate counts 0."""
        from infounlearn.math.dependence import hsic_unbiased

        if len(shown) < 4:
            return shown.new_zeros(())
        return hsic_unbiased(shown, codes, bandwidth_x=math.sqrt(0.5)).float()
