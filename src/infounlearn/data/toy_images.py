"""Digits of two kinds with a known map between the kinds: what a learned map is held against.

The images are scikit-learn's 1,797 digits. Group 0 is plain; group 1 went through a map R known in
closed form. Whether R is also the *optimal* map for quadratic cost depends on it (Brenier 1991: it
is where R is the gradient of a convex function):

- "brightness", x -> gain x + offset with gain > 0, is: the gradient of gain |x|²/2 + offset·x. The
  barycenter of the groups is then known: w0 x + w1 R(x).
- "inverted", x -> 1 - x, and "rotated", a quarter turn, are invertible and **not** optimal. They
  ask whether a probe is fooled; no error of a transport map can be taken against them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from infounlearn.data.digits import load_digits
from infounlearn.errors import Problems, is_number

__all__ = ["StyledDigits", "styled_digits"]

Kind = Literal["brightness", "inverted", "rotated"]


@dataclass(frozen=True, eq=False)
class StyledDigits:
    """Images of two groups, and the truth about them.

    Attributes:
        images: (n, 1, h, w) float32 in [0, 1].
        z: (n,) int64: 0 plain, 1 mapped.
        digits: (n,) int64, the digit that is shown: an attribute to be kept.
        plain: (n, 1, h, w) the same digits before any map.
        kind: which map.
        gain: of "brightness".
        offset: of "brightness".
    """

    images: Tensor
    z: Tensor
    digits: Tensor
    plain: Tensor
    kind: Kind
    gain: float
    offset: float

    @property
    def optimal(self) -> bool:
        """Whether the map is the optimal one for quadratic cost, so that :attr:`cost` is known."""
        return self.kind == "brightness"

    @property
    def weights(self) -> tuple[float, float]:
        """Shares of the two groups."""
        share = float(self.z.double().mean())
        return 1 - share, share

    def forward(self, images: Tensor) -> Tensor:
        """The map R from group 0 to group 1 of (k, 1, h, w) images."""
        if self.kind == "brightness":
            return self.gain * images + self.offset
        return 1 - images if self.kind == "inverted" else torch.rot90(images, 1, (-2, -1))

    def backward(self, images: Tensor) -> Tensor:
        """The inverse of :meth:`forward`: from group 1 to group 0."""
        if self.kind == "brightness":
            return (images - self.offset) / self.gain
        return 1 - images if self.kind == "inverted" else torch.rot90(images, -1, (-2, -1))

    def barycenter(self, images: Tensor, z: Tensor) -> Tensor:
        """The true barycenter image w0 x + w1 R(x) of each image, x its plain form.

        Raises:
            InputError: the map is not optimal: the barycenter is unknown.
        """
        self._require_optimal("barycenter")
        w0, w1 = self.weights
        plain = torch.where(z.view(-1, 1, 1, 1) == 1, self.backward(images), images)
        return w0 * plain + w1 * self.forward(plain)

    @property
    def cost(self) -> float:
        """V = w0 w1 W2²: least mean squared change per pixel value that hides the group.

        The law of the plain digits is the uniform one on these images' plain forms.

        Raises:
            InputError: the map is not optimal: the cost is unknown.
        """
        self._require_optimal("cost")
        w0, w1 = self.weights
        plain = self.plain.double()
        return w0 * w1 * float((self.forward(plain) - plain).square().mean())

    def _require_optimal(self, what: str) -> None:
        problems = Problems(f"StyledDigits.{what}")
        problems.require(
            self.optimal,
            f"the map {self.kind!r} is not the optimal one",
            why="it is no gradient of a convex function",
            fix="use kind='brightness'",
        )
        problems.raise_if_any()


def styled_digits(
    kind: Kind = "brightness",
    *,
    gain: float = 0.5,
    offset: float = 0.25,
    share: float = 0.5,
    paired: bool = False,
    enlarge: int = 1,
    seed: int = 0,
) -> StyledDigits:
    """Plain and mapped digits; see the module for the maps.

    Args:
        kind: "brightness", "inverted" or "rotated".
        gain: contrast of "brightness", above 0.
        offset: brightness added by "brightness"; gain x + offset must stay in [0, 1].
        share: of the 1,797 digits that go through the map, chosen at random: the groups are then
            independent samples, as in reality. Each keeps one image at least.
        paired: every digit is in both groups instead (3,594 images, half of them mapped): the map
            then carries one *sample* exactly onto the other, without sampling error.
        enlarge: repeat each pixel so often in both directions: 8 x 8 becomes 8·enlarge.
        seed: of the choice.

    Raises:
        InputError: a setting is out of range.
    """
    problems = Problems("styled_digits")
    kinds = get_args(Kind)
    problems.require(kind in kinds, f"kind is {kind!r}", fix=f"pass one of {kinds}")
    sound = is_number(gain) and is_number(offset)
    problems.require(
        sound and gain > 0 and offset >= 0 and gain + offset <= 1,
        f"gain is {gain!r} and offset is {offset!r}",
        why="the mapped images must be images, and the map invertible",
        fix="pass gain > 0 and offset >= 0 with gain + offset <= 1",
    )
    problems.require(
        is_number(share) and 0 < share < 1, f"share is {share!r}", fix="pass a share in (0, 1)"
    )
    problems.require(
        is_number(enlarge, whole=True) and enlarge >= 1,
        f"enlarge is {enlarge!r}",
        fix="pass a whole number of at least 1",
    )
    problems.raise_if_any()
    records = load_digits()
    plain, digits = records.inputs.view(-1, 1, 8, 8), records.targets
    plain = plain.repeat_interleave(enlarge, 2).repeat_interleave(enlarge, 3)
    count = len(plain)
    if paired:
        plain, digits = torch.cat([plain, plain]), torch.cat([digits, digits])
        z = (torch.arange(2 * count) >= count).long()
    else:
        mapped = min(max(round(share * count), 1), count - 1)
        z = torch.zeros(count, dtype=torch.long)
        z[torch.from_numpy(np.random.default_rng(seed).permutation(count)[:mapped])] = 1
    toy = StyledDigits(plain, z, digits, plain, kind, float(gain), float(offset))
    images = torch.where(z.view(-1, 1, 1, 1) == 1, toy.forward(plain), plain)
    return StyledDigits(images, z, digits, plain, kind, toy.gain, toy.offset)
