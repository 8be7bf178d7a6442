"""Single coordinates at the barycenters of their laws: against closed forms and other libraries."""

from __future__ import annotations

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infounlearn.feature.images import NeuralBarycenter
from infounlearn.feature.images.flow import Flow, Metric
from infounlearn.feature.images.frames import ROUNDS, frames_of
from infounlearn.feature.images.latent_gaussian import fit_latent_gaussian
from infounlearn.feature.images.marginals import fit_marginals, marginals_of
from infounlearn.feature.images.rounds import add_rounds


def draws(seed):
    return torch.Generator().manual_seed(seed)


def plain(shape):
    """The frame of the values themselves."""
    return frames_of(shape, 0, 0)[0]


@pytest.mark.parametrize("shape", [(3, 9, 10), (1, 8, 8), (2, 5, 17), (6,)])
@pytest.mark.parametrize("turn", range(len(ROUNDS)))
def test_a_frame_keeps_lengths_and_leads_back(shape, turn):
    x = torch.randn(7, *shape, generator=draws(1))
    for frame in frames_of(shape, turn, seed=3):
        inside = frame(x)
        torch.testing.assert_close(inside.norm(dim=1), x.flatten(1).norm(dim=1))
        torch.testing.assert_close(frame.back(inside, x.shape), x, atol=1e-5, rtol=1e-5)


def test_blocks_of_two_tell_sums_from_differences_and_opponent_colours_tell_grey():
    frame = frames_of((3, 4, 4), 0, 0)[1]
    grey = torch.rand(1, 1, 4, 4, generator=draws(2)).expand(1, 3, 4, 4)
    inside = frame(grey).reshape(3, 4, 4)
    torch.testing.assert_close(inside[1:], torch.zeros(2, 4, 4), atol=1e-6, rtol=0)
    torch.testing.assert_close(inside[0, 0, 0], 3**0.5 * grey[0, 0, :2, :2].sum() / 2)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_on_the_line_cost_and_law_are_those_of_the_barycenter(share):
    generator, count = draws(4), 4000
    codes = (torch.arange(count) < share * count).long()
    x = torch.randn(count, 1, generator=generator)
    x[codes == 1] = torch.rand(int(codes.sum()), 1, generator=generator).log()
    weights = torch.bincount(codes) / count
    moved = fit_marginals(x, codes, weights, plain((1,)))(x, codes)
    first, second = (x[codes == z, 0].double().numpy() for z in (0, 1))
    value = share * (1 - share) * ot.wasserstein_1d(first, second, p=2)
    assert float(((moved - x) ** 2).mean()) == pytest.approx(float(value), rel=0.02)
    levels = torch.linspace(0.05, 0.95, 46)
    ends = [torch.quantile(moved[codes == z, 0], levels) for z in (0, 1)]
    torch.testing.assert_close(ends[0], ends[1], atol=0.06, rtol=0)
    shared = sum(weights[z] * torch.quantile(x[codes == z, 0], levels) for z in (0, 1))
    torch.testing.assert_close(ends[0], shared, atol=0.06, rtol=0)


def test_values_independent_in_a_frame_meet_by_optimal_transport():
    """Of Gaussians in a turned frame the map is the affine one of their closed form."""
    frame = frames_of((5,), 1, seed=0)[1]
    count, codes = 40_000, torch.arange(40_000) % 2
    inside = torch.randn(count, 5, generator=draws(5))
    inside = torch.where(codes[:, None] == 1, 1.5 * inside + 1, inside)
    x, weights = frame.back(inside, torch.Size((count, 5))), torch.tensor([0.5, 0.5])
    moved = fit_marginals(x, codes, weights, frame)(x, codes)
    z = torch.where(codes[:, None] == 1, (inside - 1) / 1.5, inside)
    known = frame.back(0.5 + 1.25 * z, x.shape)
    error = float(((moved - known) ** 2).mean())
    assert error < 0.002 * float(((known - x) ** 2).mean())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), levels=st.integers(1, 6), groups=st.integers(2, 3))
def test_a_map_never_changes_the_order_of_a_group(seed, levels, groups):
    """With few different values too, and beyond those that were seen."""
    generator = draws(seed)
    x = torch.randint(levels, (60, 1), generator=generator).float() / levels
    codes = torch.arange(60) % groups
    weights = torch.ones(groups) / groups
    part = fit_marginals(x + 0.3 * codes[:, None], codes, weights, plain((1,)))
    fresh = torch.sort(3 * torch.rand(200, 1, generator=generator) - 1, dim=0).values
    for z in range(groups):
        moved = part(fresh, torch.full((200,), z))
        assert float(moved.diff(dim=0).min()) >= -1e-6
        assert torch.isfinite(moved).all()


def test_groups_of_one_law_stay_where_they_are():
    half = torch.rand(50, 1, 4, 4, generator=draws(6))
    x, codes = torch.cat([half, half]), torch.arange(100) // 50
    part = fit_marginals(x, codes, torch.tensor([0.5, 0.5]), plain((1, 4, 4)))
    assert torch.equal(part(x, codes), x)
    still = torch.full((100, 1, 4, 4), 0.25)
    part = fit_marginals(still, codes, torch.tensor([0.5, 0.5]), plain((1, 4, 4)))
    assert torch.equal(part(still, codes), still)


def test_a_value_that_many_images_have_goes_to_the_middle_of_its_shares():
    """Half of group 0 is at 0 and half at 1; group 1 is spread evenly: w = (½, ½)."""
    even = torch.linspace(0, 1, 1000)[:, None]
    x, codes = torch.cat([(even > 0.5).float(), even]), torch.arange(2000) // 1000
    part = fit_marginals(x, codes, torch.tensor([0.5, 0.5]), plain((1,)))
    moved = part(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 0]))
    torch.testing.assert_close(moved[:, 0], torch.tensor([0.125, 0.875]), atol=0.01, rtol=0)


def ended(count=3000, seed=7):
    """Images of one mean and covariance whose values end at 0 in one group alone."""
    generator = draws(seed)
    codes = torch.arange(count) % 2
    x = torch.randn(count, 1, 4, 4, generator=generator)
    dark = (torch.randn(count, 1, 4, 4, generator=generator)).exp()
    dark = (dark - dark.mean()) / dark.std()
    return torch.where((codes == 1).view(-1, 1, 1, 1), dark, x), codes


def test_rounds_remove_what_moments_do_not_say_and_leave_moments_equal():
    x, codes = ended()
    weights = torch.tensor([0.5, 0.5])
    known = fit_latent_gaussian(x.flatten(1).numpy(), codes.numpy(), dims=None)
    assert known.value < 0.01
    flow = Flow(None, Metric(torch.eye(16), torch.eye(16), 0.0))
    told = []
    add_rounds(flow, x, codes, weights, count=2, tell=told.append)
    assert [row["round"] for row in told] == [1.0, 2.0]
    assert 0 < told[0]["cost"] <= told[1]["cost"] + 1e-3
    fresh, marks = ended(seed=8)
    before, after = (_apart(rows, marks) for rows in (fresh, flow(fresh, marks)))
    assert before > 0.2
    assert after < 0.07
    moved = flow(x, codes).flatten(1)
    first, second = (torch.cov(moved[codes == z].T) for z in (0, 1))
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        moved[codes == 0].mean(0), moved[codes == 1].mean(0), atol=1e-4, rtol=0
    )


def _apart(rows, codes):
    """Largest distance, over values, of the distribution functions of both groups."""
    first, second = (rows[codes == z].flatten().sort().values for z in (0, 1))
    grid = torch.cat([first, second])
    shares = [torch.searchsorted(one, grid) / len(one) for one in (first, second)]
    return float((shares[0] - shares[1]).abs().max())


def test_what_is_kept_of_a_part_gives_the_same_images():
    x, codes = ended(200)
    part = fit_marginals(x, codes, torch.tensor([0.5, 0.5]), frames_of((1, 4, 4), 2, 0)[1])
    again = marginals_of(part.state_dict())
    assert torch.equal(part(x, codes), again(x, codes))


def test_quantiles_are_those_of_another_library():
    x, codes = torch.rand(400, 3, generator=draws(9)), torch.arange(400) % 2
    part = fit_marginals(x, codes, torch.tensor([0.5, 0.5]), plain((3,)))
    from infounlearn.feature.images.marginals import levels

    shares = levels(part.quantiles.shape[2]).numpy()
    known = np.quantile(x[codes == 1].double().numpy(), shares, axis=0).T
    np.testing.assert_allclose(part.quantiles[1].numpy(), known, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 9, 7), (1, 5, 5), (2, 1, 9)])
def test_no_image_of_odd_sides_feels_the_others_of_its_batch(shape):
    generator = draws(10)
    x, frame = torch.rand(32, *shape, generator=generator), frames_of(shape, 2, 0)[1]
    own = frame(x)[0]
    for place in range(1, 32):
        others = torch.rand(32, *shape, generator=generator)
        others[place] = x[0]
        inside = frame(others)
        assert torch.equal(inside[place], own)
        assert torch.equal(frame.back(inside, x.shape)[place], frame.back(frame(x), x.shape)[0])


@pytest.mark.parametrize(("groups", "width"), [(4, 5), (2, 7)])
def test_vectors_are_the_same_to_the_bit_after_saving(groups, width, tmp_path):
    x, codes = torch.randn(200, width, generator=draws(1)), torch.arange(200) % groups
    one = NeuralBarycenter(method="marginals", rounds=2).fit(x, sensitive=codes)
    one.save(tmp_path)
    again = NeuralBarycenter.load(tmp_path).transform(x, sensitive=codes)
    assert torch.equal(one.transform(x, sensitive=codes), again)


def test_a_group_without_variance_meets_the_mean_of_the_others():
    x, codes = torch.rand(60, 1, 4, 4, generator=draws(11)), torch.arange(60) % 2
    x[codes == 0] = 0.3
    one = NeuralBarycenter(method="marginals", inset=0, clip=False).fit(x, sensitive=codes)
    moved = one.transform(x, sensitive=codes)
    assert torch.isfinite(moved).all()
    means = [moved[codes == z].mean(0) for z in (0, 1)]
    torch.testing.assert_close(means[0], means[1], atol=0.02, rtol=0)
