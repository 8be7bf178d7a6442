"""Where training starts: the affine maps of a latent Gaussian, and their dual potentials."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.feature.images.latent_gaussian import LatentGaussian

EVEN = 16
"""Columns of matrices are filled up to a multiple of it."""


class AffineChange(nn.Module):
    """D_z(x) = B ((A_z - I) e + a_z) with e = Bᵀ(x - c): what a latent Gaussian map adds to x."""

    centre: Tensor
    basis: Tensor | None
    turn: Tensor
    offsets: Tensor

    def __init__(self, centre: Any, basis: Any, matrices: Any, offsets: Any) -> None:
        super().__init__()
        turn = np.asarray(matrices) - np.eye(len(matrices[0]))
        _buffers(self, centre=centre, basis=basis, turn=turn, offsets=offsets)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """(n, ...) change."""
        inside = _coordinates(self, x)
        # Every group's matrix for every row: few numbers, and no copy of a matrix per row.
        turned = torch.einsum("nr,zrs->nzs", inside, self.turn)
        step = turned[torch.arange(len(x), device=x.device), codes] + self.offsets[codes]
        return (step if self.basis is None else step @ self.basis.T).reshape(x.shape)


class QuadraticPotential(nn.Module):
    """q_z(y) with d ∇q_z(y) = y - S_z(y) inside the basis, S_z affine and symmetric."""

    centre: Tensor
    basis: Tensor | None
    form: Tensor
    offsets: Tensor

    def __init__(self, centre: Any, basis: Any, matrices: Any, offsets: Any) -> None:
        super().__init__()
        form = np.eye(len(matrices[0])) - np.asarray(matrices)
        _buffers(self, centre=centre, basis=basis, form=form, offsets=offsets)

    def forward(self, y: Tensor) -> Tensor:
        """(n, groups) values."""
        inside = _coordinates(self, y)
        square = torch.einsum("nr,zrs,ns->nz", inside, self.form, inside) / 2
        return (square - inside @ self.offsets.T) / self.centre.shape[0]


def start_of(
    fitted: LatentGaussian, pairwise: bool = False
) -> tuple[AffineChange, QuadraticPotential]:
    """The affine maps of a latent Gaussian as a start of T, and their dual as a start of f.

    ``pairwise``: of two groups the maps to each other, not those to the barycenter.
    """
    known = fitted.barycenter
    eye = np.eye(len(known.maps[0]))
    maps, ends = known.maps, np.tile(known.mean, (len(known.maps), 1))
    if pairwise:
        share = 1.0 - known.weights  # A_0 = w_0 I + w_1 T_01 and its mirror
        maps = eye + (maps - eye) / share[:, None, None]
        ends = known.means[::-1]
    inverses = np.linalg.inv(maps)
    inverses = (inverses + inverses.swapaxes(1, 2)) / 2
    offsets = ends - np.einsum("zrs,zs->zr", maps, known.means)
    back = known.means - np.einsum("zrs,zs->zr", inverses, ends)
    if pairwise:  # what maps of group 0 end in is the law of group 1, and its potential
        inverses, back = inverses[::-1].copy(), back[::-1].copy()
    basis = fitted.basis
    if basis is not None:
        # Products of matrices with few or odd columns add up in an order that depends on the row.
        spare = -basis.shape[1] % EVEN
        basis = np.pad(basis, ((0, 0), (0, spare)))
        maps, inverses = (_with_identity(squares, spare) for squares in (maps, inverses))
        offsets, back = (np.pad(rows, ((0, 0), (0, spare))) for rows in (offsets, back))
    change = AffineChange(fitted.centre, basis, maps, offsets)
    return change, QuadraticPotential(fitted.centre, basis, inverses, back)


def _with_identity(squares: np.ndarray, spare: int) -> np.ndarray:
    """(m, r + spare, r + spare) matrices that leave the further coordinates as they are."""
    wide = np.pad(squares, ((0, 0), (0, spare), (0, spare)))
    ends = np.arange(squares.shape[1], wide.shape[1])
    wide[:, ends, ends] = 1.0
    return wide


def _buffers(module: nn.Module, **values: Any) -> None:
    """float32 constants that move with the module."""
    for name, value in values.items():
        held = None if value is None else torch.tensor(np.asarray(value), dtype=torch.float32)
        module.register_buffer(name, held)


def _coordinates(module: Any, x: Tensor) -> Tensor:
    """(n, r) coordinates of rows in the basis of an affine or quadratic part."""
    own = x.flatten(1) - module.centre
    return own if module.basis is None else own @ module.basis
