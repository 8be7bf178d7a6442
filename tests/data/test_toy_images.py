"""The toy's map carries group onto group, is the optimal one where it says so, and costs V."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from infounlearn.data import StyledDigits, styled_digits
from infounlearn.data.toy_images import Kind
from infounlearn.errors import InputError

KINDS = get_args(Kind)


def assignment(toy: StyledDigits, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Optimal partners among the first pairs of a paired toy, and all squared distances."""
    count = len(toy.z) // 2
    a = toy.images[:rows].flatten(1).double()
    b = toy.images[count : count + rows].flatten(1).double()
    costs = torch.cdist(a, b).square().numpy()
    return linear_sum_assignment(costs)[1], costs


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_and_its_inverse(kind: Kind) -> None:
    toy = styled_digits(kind)
    assert toy.images.shape == (1797, 1, 8, 8)
    assert (float(toy.images.min()) >= 0, float(toy.images.max()) <= 1) == (True, True)
    mapped = toy.z == 1
    assert torch.equal(toy.images[~mapped], toy.plain[~mapped])
    assert torch.equal(toy.images[mapped], toy.forward(toy.plain[mapped]))
    assert torch.allclose(toy.backward(toy.forward(toy.plain)), toy.plain, atol=1e-6)
    assert not torch.allclose(toy.forward(toy.plain), toy.plain, atol=0.1)
    assert int(mapped.sum()) == 898


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_optimal_where_the_assignment_problem_agrees(kind: Kind) -> None:
    toy = styled_digits(kind, paired=True)
    partners, costs = assignment(toy, 300)
    rows = np.arange(300)
    least, own = costs[rows, partners].sum(), costs[rows, rows].sum()
    assert toy.optimal == (least > own - 1e-9)
    assert toy.optimal == bool((partners == rows).all())


def test_brightness_has_the_cost_and_the_barycenter_of_the_closed_form() -> None:
    toy = styled_digits(paired=True)
    w0, w1 = toy.weights
    assert (w0, w1) == (0.5, 0.5)
    count = len(toy.z) // 2
    own = (toy.images[:count] - toy.images[count:]).double().square().mean()
    assert abs(toy.cost - float(w0 * w1 * own)) < 1e-7
    moved = toy.barycenter(toy.images, toy.z)
    assert torch.allclose(moved[:count], moved[count:], atol=1e-6)  # both groups meet
    spent = (moved - toy.images).double().square().mean()  # w0 (w1)² + w1 (w0)² = w0 w1
    assert abs(float(spent) - toy.cost) < 1e-7


def test_the_cost_of_unequal_groups() -> None:
    toy = styled_digits(gain=0.6, offset=0.1, share=0.25)
    w0, w1 = toy.weights
    assert abs(w1 - 0.25) < 1e-3
    x = toy.plain.double()
    assert abs(toy.cost - w0 * w1 * float((0.1 - 0.4 * x).square().mean())) < 1e-8
    moved = toy.barycenter(toy.images, toy.z)
    both = w0 * toy.plain + w1 * toy.forward(toy.plain)
    assert torch.allclose(moved, both, atol=1e-6)


@pytest.mark.parametrize("kind", ["inverted", "rotated"])
def test_what_is_unknown_is_refused(kind: Kind) -> None:
    toy = styled_digits(kind)
    with pytest.raises(InputError, match="not the optimal one"):
        _ = toy.cost
    with pytest.raises(InputError, match="no gradient of a convex function"):
        toy.barycenter(toy.images, toy.z)


def test_seeds_and_enlargement() -> None:
    assert torch.equal(styled_digits(seed=1).z, styled_digits(seed=1).z)
    assert not torch.equal(styled_digits(seed=1).z, styled_digits(seed=2).z)
    small, large = styled_digits(), styled_digits(enlarge=4)
    assert large.images.shape == (1797, 1, 32, 32)
    assert torch.equal(large.images[:, :, ::4, ::4], small.images)
    assert torch.equal(torch.nn.functional.avg_pool2d(large.images, 4), small.images)
    assert abs(large.cost - small.cost) < 1e-12  # per pixel value
    assert torch.equal(torch.bincount(small.digits), torch.bincount(large.digits))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"kind": "blurred"}, "kind is 'blurred'"),
        ({"gain": 0.0}, "gain is 0.0"),
        ({"gain": 0.9, "offset": 0.2}, "offset is 0.2"),
        ({"share": 1.0}, "share is 1.0"),
        ({"enlarge": 0}, "enlarge is 0"),
    ],
)
def test_settings_out_of_range(words: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        styled_digits(**words)
