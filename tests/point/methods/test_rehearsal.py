"""Rehearsal: who is drawn how often, what is remembered, and what the batches are no mean of."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from infounlearn.point.methods.rehearsal import ALIKE, BLOCK, UNSEEN, Rehearsal
from infounlearn.point.methods.task import Batch
from tests.point.methods.bench import task_of
from tests.point.worlds import WORLD, rows


def of(size: int = 32, hard: float = 0.5, retain: int = 192, seed: int = 0) -> Rehearsal:
    return Rehearsal(task_of(retain=some(retain), seed=seed), size, hard)


def some(count: int) -> tuple[Tensor, Tensor]:
    return rows(torch.arange(count) % 3, 2)


def told(rehearsal: Rehearsal, index: list[int], losses: list[float]) -> Tensor:
    place = torch.tensor(index)
    batch = Batch("retain", None, torch.zeros(len(index)), place)
    rehearsal.tell(batch, torch.tensor(losses))
    return rehearsal.losses[place]


class TestDraws:
    @pytest.mark.parametrize("count", [2, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 77])
    def test_are_the_inverse_of_the_distribution_function(self, count: int) -> None:
        """Written out in one piece, with 40 powers of ten between the losses."""
        rehearsal = of(retain=3)
        generator = torch.Generator().manual_seed(count)
        losses = 10 ** (40 * torch.rand(count, generator=generator) - 6)
        for values in (losses, losses.clamp_max(1.0), torch.ones(count)):
            rehearsal.losses = values
            marks = torch.rand(2000, dtype=torch.float64, generator=generator)
            edges = values.double().cumsum(0) / values.double().sum()
            wanted = torch.searchsorted(edges, marks).clamp_max(count - 1)
            ours = rehearsal.at(marks)
            # Equal but where a mark is within rounding of an edge.
            apart = ours != wanted
            assert apart.double().mean() < 1e-2
            assert ((edges[torch.minimum(ours, wanted)] - marks).abs()[apart] < 1e-12).all()

    def test_are_as_frequent_as_losses_are_large(self) -> None:
        rehearsal = of()
        losses = torch.rand(192, generator=torch.Generator().manual_seed(1)) ** 4
        rehearsal.losses = losses
        evenly = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
        shares = rehearsal.at(evenly).bincount(minlength=192) / 100_000
        assert torch.allclose(shares, losses / losses.sum(), atol=2e-5)

    def test_ends_of_the_distribution_are_rows(self) -> None:
        ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
        for count in (2, BLOCK, BLOCK + 1):
            rehearsal = of(retain=count)
            assert rehearsal.at(ends).tolist() == [0, count - 1]

    def test_of_two_steps_differ_and_are_repeated_by_another_run(self) -> None:
        first, second = (of().batch(0).index, of().batch(1).index)
        assert torch.equal(first, of().batch(0).index)
        assert not torch.equal(first, second)
        assert not torch.equal(first, of(seed=1).batch(0).index)

    def test_start_where_the_forget_set_s_classes_are(self) -> None:
        """All forget records are of class 0."""
        rehearsal = of()
        alike = WORLD.retain[1] == 0
        assert torch.allclose(rehearsal.losses[alike], torch.tensor(UNSEEN + ALIKE))
        assert torch.allclose(rehearsal.losses[~alike], torch.tensor(UNSEEN))


class TestBatches:
    @given(
        st.integers(1, 300), st.floats(0, 1), st.integers(2, 60), st.integers(0, 5)
    )  # fmt: skip
    @settings(max_examples=60, deadline=None)
    def test_even_rows_visit_all_once_per_pass(
        self, size: int, hard: float, retain: int, number: int
    ) -> None:
        rehearsal = of(size, hard, retain)
        whole = min(size, retain)
        drawn = min(round(hard * whole), whole - 1)
        assert whole - drawn >= 1
        seen: Counter[int] = Counter()
        turns = -(-retain * 2 // (whole - drawn))
        for one in range(turns):
            batch = rehearsal.batch(one)
            assert len(batch) == whole
            seen.update(batch.index[: whole - drawn].tolist())
        assert len(seen) == retain
        assert min(seen.values()) >= 2
        assert max(seen.values()) <= 3 if turns * (whole - drawn) <= 3 * retain else True

    def test_hard_rows_are_those_told(self) -> None:
        rehearsal = of(32, 0.5)
        told(rehearsal, [*range(192)], [1e-6] * 191 + [1e6])
        assert (rehearsal.batch(3).index[16:] == 191).all()

    def test_no_estimate_of_the_mean_loss_but_of_a_mean_that_worst_rows_lead(self) -> None:
        """Expected gradient: (1 - h) mean(L) + h sum(L^2) / (2 sum(L)), the latter sum fixed."""
        rehearsal = of(20, 0.55, 20)
        weight = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        losses = (weight * torch.linspace(-2, 3, 20, dtype=torch.float64) - 1).square()
        told(rehearsal, [*range(20)], losses.tolist())
        evenly = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
        shares = rehearsal.at(evenly).bincount(minlength=20) / 200_000
        expected = 0.45 * losses.mean() + 0.55 * (shares * losses).sum()
        formula = 0.45 * losses.mean() + 0.55 * losses.square().sum() / (2 * losses.detach().sum())
        slopes = [
            torch.autograd.grad(one, weight, retain_graph=True)[0]
            for one in (expected, formula, losses.mean())
        ]
        assert slopes[0] == pytest.approx(float(slopes[1]), rel=1e-3)
        assert abs(float(slopes[0] / slopes[2]) - 1) > 0.1


class TestMemory:
    def test_keeps_what_was_told_and_no_less_than_a_millionth(self) -> None:
        rehearsal = of()
        shown = told(rehearsal, [0, 5, 191], [2.0, 0.0, -3.0])
        assert torch.allclose(shown, torch.tensor([2.0, 1e-6, 1e-6]))
        assert rehearsal.losses[1] == pytest.approx(UNSEEN)

    def test_numbers_that_are_none_break_no_draw(self) -> None:
        rehearsal = of()
        shown = told(rehearsal, [0, 1, 2], [float("nan"), float("inf"), -float("inf")])
        assert bool(shown.isfinite().all())
        assert (rehearsal.batch(0).index[16:] == 1).all()

    def test_told_twice_in_a_batch_it_keeps_one_of_them(self) -> None:
        rehearsal = of()
        assert told(rehearsal, [7, 7, 7], [1.0, 2.0, 3.0])[0] in (1.0, 2.0, 3.0)
        fresh = of()
        fresh.losses = rehearsal.losses
        assert torch.equal(fresh._sums, rehearsal._sums)

    @given(st.integers(1, 3 * BLOCK), st.integers(1, 200), st.integers(0, 99))
    @settings(max_examples=40, deadline=None)
    def test_a_resumed_run_draws_the_same_rows(self, retain: int, count: int, seed: int) -> None:
        """Sums kept up to date are bit by bit those of the losses that a checkpoint holds."""
        rehearsal, other = of(retain=3), of(retain=3)
        generator = torch.Generator().manual_seed(seed)
        rehearsal.losses = torch.rand(retain, generator=generator)
        for _ in range(3):
            place = torch.randint(retain, (count,), generator=generator).unique()
            losses = torch.rand(len(place), generator=generator).exp()
            told(rehearsal, place.tolist(), losses.tolist())
        other.losses = rehearsal.losses
        assert torch.equal(other._sums, rehearsal._sums)
        marks = torch.rand(50, dtype=torch.float64, generator=generator)
        assert torch.equal(other.at(marks), rehearsal.at(marks))

    def test_what_is_handed_out_is_a_copy(self) -> None:
        rehearsal = of()
        kept = rehearsal.losses
        told(rehearsal, [0], [5.0])
        assert kept[0] != 5.0


def test_regressions_have_no_classes_and_losses_of_any_size() -> None:
    inputs, labels = some(60)
    targets = 1e4 * torch.nn.functional.one_hot(labels, 3).float()
    task = task_of(retain=(inputs, targets), forget=(inputs[:9] + 1, targets[:9]))
    rehearsal = Rehearsal(task, 16, 0.5)
    assert torch.equal(rehearsal.losses, torch.full((60,), UNSEEN))
    told(rehearsal, [4], [1e8])
    assert (rehearsal.batch(0).index[8:] == 4).all()
