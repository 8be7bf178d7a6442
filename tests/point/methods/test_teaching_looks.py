"""How much surer a teacher must be, how much there is to forget, and the unit of both."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infounlearn.point.methods.teaching_looks import (
    amount,
    loss_of_nothing,
    nothing_found,
    sharpness,
)
from infounlearn.point.utility import cross_entropy_rows, squared_error_rows


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

    @pytest.mark.parametrize("strange", [math.inf, math.nan, -math.inf])
    def test_numbers_that_are_not_finite_are_no_reason_to_stay(self, strange: float) -> None:
        few, none = gaps(5, 0.0, 0.1, 2), torch.zeros(0)
        odd = torch.tensor([0.0, strange, 0.0])
        for gone, held in ((odd, few), (odd[1:2], none), (few, odd)):
            assert amount(gone, held, 1.0) == 1

    @given(st.integers(2, 300), st.integers(1, 300), st.floats(0.01, 1e6))
    @settings(max_examples=100, deadline=None)
    def test_one_record_among_several_is_never_found_nor_two_among_ten(
        self, n: int, k: int, gap: float
    ) -> None:
        """The mean exceeds its errors from k > 2.25 (n - k)/(n - 1) on, whatever the gap."""
        gone = torch.zeros(n, dtype=torch.float64)
        gone[:k] = gap
        k = min(k, n)
        found = amount(gone, gone[:0], 1.0) > 0
        assert found == (k * (n - 1) > 2.25 * (n - k))
        assert not (k == 1 and found)
        assert not (k == 2 and n > 9 and found)


class TestNothingFound:
    def test_says_what_was_seen_and_that_it_is_no_proof(self) -> None:
        gone, held = torch.tensor([0.0, 0.0, 7.0]), torch.tensor([0.5, -0.5])
        assert amount(gone, held, 1.0) == 0
        told = nothing_found(gone, held, 40)
        assert "no proof" in told
        assert "on 3 of 40 forget records the original loses 2.33 less" in told
        assert "standard error 2.3" in told
        assert "on 2 held-out records 0 less" in told
        assert "on 1 of the forget records it is further ahead than on any held-out one" in told

    def test_says_that_there_was_nothing_to_compare_with(self) -> None:
        told = nothing_found(torch.tensor([-1.0]), torch.zeros(0), 1)
        assert "no held-out records" in told
        assert "than on any held-out one" not in told


class TestLossOfNothing:
    def test_of_equal_classes_is_the_logarithm_of_their_number(self) -> None:
        labels = torch.arange(40) % 10
        found = loss_of_nothing(labels, cross_entropy_rows, torch.zeros(1, 10))
        assert found == pytest.approx(math.log(10))

    @pytest.mark.parametrize(("values", "wanted"), [([[0.0, 0.0], [2.0, 4.0]], 2.5), ([0, 2], 1)])
    def test_of_numbers_is_their_mean_variance(self, values: list[float], wanted: float) -> None:
        targets = torch.tensor(values, dtype=torch.float32)
        outputs = torch.zeros_like(targets.reshape(2, -1))
        assert loss_of_nothing(targets, squared_error_rows, outputs) == pytest.approx(wanted)

    def test_is_never_zero(self) -> None:
        ones = torch.ones(4)
        assert loss_of_nothing(ones.long(), cross_entropy_rows, torch.zeros(1, 2)) > 0
        assert loss_of_nothing(ones, squared_error_rows, torch.zeros(1, 1)) > 0
        assert loss_of_nothing(ones, lambda shown, _: 0 * shown[:, 0], torch.zeros(1, 1)) > 0

    def test_of_another_loss_has_its_unit(self) -> None:
        labels = torch.arange(5000) % 4

        def smaller(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return 1e-3 * cross_entropy_rows(outputs, targets)

        found = loss_of_nothing(labels, smaller, torch.zeros(1, 4))
        assert found == pytest.approx(1e-3 * math.log(4), rel=1e-5)
        # A class of the network that no record has costs little.
        wide = loss_of_nothing(labels, smaller, torch.zeros(1, 6))
        assert wide == pytest.approx(found, rel=1e-3)

    @pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3)])
    def test_of_another_loss_of_numbers_too(self, shape: tuple[int, ...]) -> None:
        values = torch.randn(*shape, generator=torch.Generator().manual_seed(0))

        def larger(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return 50 * squared_error_rows(outputs, targets)

        outputs = torch.zeros(2, *(shape[1:] or (1,)))
        found = loss_of_nothing(values, larger, outputs)
        assert found == pytest.approx(50 * loss_of_nothing(values, squared_error_rows, outputs))
