"""How much surer a teacher must be, how much there is to forget, and the unit of both."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infounlearn.point.methods.teaching_looks import amount, loss_of_nothing, sharpness


class TestSharpness:
    @pytest.mark.parametrize("factor", [0.2, 0.9, 1.0, 3.0, 7.5])
    def test_finds_the_factor_whatever_logits_are_shifted_by(self, factor: float) -> None:
        logits = torch.randn(40, 5, dtype=torch.float64)
        shifts = 1e6 * torch.randn(40, 1, dtype=torch.float64)
        assert sharpness(logits, factor * logits) == pytest.approx(factor, rel=1e-9)
        assert sharpness(logits + shifts, factor * logits - shifts) == pytest.approx(factor, 1e-6)

    @given(st.integers(0, 10**6), st.integers(2, 6), st.floats(0.2, 5), st.floats(0.01, 3))
    @settings(max_examples=40, deadline=None)
    def test_is_the_minimum_of_a_convex_divergence(
        self, seed: int, width: int, size: float, step: float
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        taught, original = (
            scale * torch.randn(7, width, generator=generator, dtype=torch.float64)
            for scale in (size, 2.0)
        )

        def far(b: float) -> float:
            apart = torch.log_softmax(original, 1) - torch.log_softmax(b * taught, 1)
            return float((torch.softmax(original, 1) * apart).sum(1).mean())

        best = sharpness(taught, original)
        assert far(best) <= far(min(8.0, best * (1 + step))) + 1e-12
        assert far(best) <= far(max(0.125, best / (1 + step))) + 1e-12
        low, high = best, best + step
        assert far((low + high) / 2) <= (far(low) + far(high)) / 2 + 1e-12

    def test_stops_at_an_eighth_and_at_eight(self) -> None:
        logits = torch.randn(30, 4)
        assert sharpness(logits, 100 * logits) == pytest.approx(8)
        assert sharpness(logits, -logits) == pytest.approx(1 / 8)

    @pytest.mark.parametrize("value", [0.0, 0.1, 3.0, -2.7e5])
    def test_is_1_where_no_factor_makes_a_difference(self, value: float) -> None:
        assert sharpness(torch.full((5, 3), value), torch.randn(5, 3)) == 1.0
        assert sharpness(torch.randn(5, 1), torch.randn(5, 1)) == 1.0
        assert sharpness(torch.zeros(0, 3), torch.zeros(0, 3)) == 1.0


def gaps(count: int, mean: float, spread: float, seed: int) -> torch.Tensor:
    """Exactly this mean and this deviation."""
    values = torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return mean + spread * (values - values.mean()) / values.std()


class TestAmount:
    @given(
        st.integers(2, 400), st.integers(2, 400), st.floats(-2, 5), st.floats(-2, 5),
        st.floats(0.01, 2), st.floats(0.1, 4),
    )  # fmt: skip
    @settings(max_examples=100, deadline=None)
    def test_is_the_excess_over_chance_and_over_what_is_usual(
        self, n: int, m: int, g: float, h: float, spread: float, nothing: float
    ) -> None:
        found = amount(gaps(n, g, spread, 1), gaps(m, h, 1.0, 2), nothing)
        excess = max(0.0, g - max(0.0, h) - 1.5 * spread / math.sqrt(n))
        assert found == pytest.approx(excess / (excess + nothing / 100), abs=1e-9)
        assert 0 <= found < 1

    def test_has_no_unit(self) -> None:
        gone, held = gaps(30, 0.5, 0.4, 1), gaps(30, 0.1, 0.4, 2)
        assert amount(7 * gone, 7 * held, 7.0) == pytest.approx(amount(gone, held, 1.0))

    def test_a_single_record_has_the_spread_of_others(self) -> None:
        held = gaps(50, 0.0, 1.0, 2)
        assert amount(torch.tensor([1.4]), held, 1.0) == 0
        assert amount(torch.tensor([1.6]), held, 1.0) == pytest.approx(0.1 / 0.11)
        assert amount(torch.tensor([0.01]), held[:0], 1.0) == pytest.approx(0.5)

    def test_numbers_that_are_not_finite_are_no_reason_to_stay(self) -> None:
        """A teacher's endless loss is the most there can be; an undefined one tells nothing."""
        held = gaps(5, 0.0, 0.1, 2)
        assert amount(torch.tensor([math.inf]), held, 1.0) == 1
        assert amount(torch.tensor([math.nan]), held, 1.0) == 0


class TestLossOfNothing:
    def test_of_equal_classes_is_the_logarithm_of_their_number(self) -> None:
        assert loss_of_nothing(torch.arange(40) % 10) == pytest.approx(math.log(10))

    def test_of_numbers_is_their_mean_variance(self) -> None:
        assert loss_of_nothing(torch.tensor([[0.0, 0.0], [2.0, 4.0]])) == pytest.approx(2.5)
        assert loss_of_nothing(torch.tensor([0.0, 2.0])) == pytest.approx(1.0)

    def test_is_never_zero(self) -> None:
        assert loss_of_nothing(torch.zeros(4, dtype=torch.long)) > 0
        assert loss_of_nothing(torch.ones(4)) > 0
