"""What every published method promises, whatever it does.

Each peer bug that these guard against is named in the test's docstring.
"""

from __future__ import annotations

import copy
import random
from dataclasses import fields, is_dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from infounlearn.errors import DivergenceError, InputError
from infounlearn.experiments.networks import seeded
from infounlearn.point import Schedule, Unlearned, unlearn
from infounlearn.point.methods import METHODS
from infounlearn.point.methods.base import Choice, Range, Sizes, within
from tests.point.worlds import MISLABELLED, MISTAUGHT, NETWORK, WIDTH, Pair, fit, same, weights

NAMES = tuple(METHODS)


def quick(name: str, **more: Any) -> Any:
    """The method with published settings and, where it trains, two epochs."""
    method = METHODS[name]()
    own = {field.name for field in fields(method)}
    short = {"epochs": 2.0} if "epochs" in own else {}
    return replace(method, **{**short, **more})


def go(method: Any, model: nn.Module = MISTAUGHT, **more: Any) -> Unlearned:
    options: dict[str, Any] = {**MISLABELLED.given(), "progress": False, **more}
    return unlearn(model, method=method, **options)


@pytest.mark.parametrize("name", NAMES)
class TestEveryMethod:
    def test_is_a_frozen_value_with_valid_published_settings(self, name: str) -> None:
        """SatImp: class and config defaults disagreed. Here there is only one place for them."""
        method = METHODS[name]()
        assert is_dataclass(method)
        assert method.name == name
        assert method.title
        assert method.paper
        own = {field.name for field in fields(method)}
        assert set(method.space) <= own
        for setting, values in method.space.items():
            usual = getattr(method, setting)
            if isinstance(values, Range):
                assert values.low <= usual <= values.high, setting
            if isinstance(values, Choice):
                assert usual in values.values, setting

    def test_the_student_moves(self, name: str) -> None:
        """EasyDUB SCRUB stepped the teacher's optimiser: the student stayed where it was."""
        done = go(quick(name))
        assert not same(done.model, MISTAUGHT)
        shown = [one.eval()(MISLABELLED.forget[0]) for one in (done.model, MISTAUGHT)]
        assert not torch.equal(*shown)

    def test_the_original_is_unchanged_and_not_aliased(self, name: str) -> None:
        """ERASURE: a shallow copy made the teacher learn with the student."""
        model = copy.deepcopy(MISTAUGHT)
        before = weights(model)
        done = go(quick(name), model)
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
        ours = {value.data_ptr() for value in done.model.state_dict().values()}
        assert not ours & {value.data_ptr() for value in model.state_dict().values()}

    def test_the_forget_set_is_used_or_is_said_not_to_be(self, name: str) -> None:
        """Erasus SCRUB never read the forget set."""
        other: Pair = (MISLABELLED.forget[0] + 3.0, MISLABELLED.forget[1])
        moved = same(go(quick(name)).model, go(quick(name), forget=other).model)
        assert moved is not METHODS[name].reads_forget

    def test_the_same_seed_gives_the_same_weights(self, name: str) -> None:
        assert same(go(quick(name), seed=3).model, go(quick(name), seed=3).model)

    def test_global_random_numbers_and_modes_are_left_alone(self, name: str) -> None:
        def states() -> list[Any]:
            return [torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate()]  # noqa: NPY002

        model = copy.deepcopy(MISTAUGHT).train()
        before = states()
        go(quick(name), model)
        assert model.training
        assert states() == before

    def test_the_result_is_in_eval_mode_with_trainable_weights_and_no_gradients(
        self, name: str
    ) -> None:
        model = go(quick(name)).model
        assert not model.training
        assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())

    def test_its_cost_is_what_it_says(self, name: str) -> None:
        method = quick(name)
        done = go(method)
        held = len(MISLABELLED.holdout[0])
        sizes = Sizes(len(MISLABELLED.forget[0]), len(MISLABELLED.retain[0]), held // 4, held // 4)
        counted = done.summary.cost
        paid = counted["rows_forward"] + 3 * counted["rows_backward"]
        assert paid == pytest.approx(method.cost(sizes), rel=1e-9)

    def test_a_budget_shortens_it(self, name: str) -> None:
        sizes = Sizes(36, 192, 30, 30)
        method = quick(name)
        whole = method.cost(sizes)
        assert within(method, whole, sizes) == method
        short = within(method, 0.6 * whole, sizes)
        if short is None:
            assert not hasattr(method, "epochs") or short is None
        else:
            assert 0 < short.cost(sizes) <= 0.6 * whole
            assert go(short).history[-1]["step"] > 0

    def test_a_killed_run_goes_on_to_the_same_weights(self, name: str, tmp_path: Any) -> None:
        whole = go(quick(name))
        if len(whole.history) < 3:
            return  # one pass: nothing to go on from

        class Killed(Exception):
            pass

        def kill(row: Any) -> None:
            raise Killed

        with pytest.raises(Killed):
            go(quick(name), checkpoint=tmp_path, on_evaluation=kill)
        again = go(quick(name), checkpoint=tmp_path)
        assert same(again.model, whole.model)
        assert again.summary.cost["rows_backward"] == whole.summary.cost["rows_backward"]

    def test_an_error_leaves_the_model_as_it_was(self, name: str) -> None:
        model = copy.deepcopy(MISTAUGHT).train()
        before = weights(model)

        def fail(row: Any) -> None:
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            go(quick(name), model, on_evaluation=fail)
        assert model.training
        assert all(weight.requires_grad for weight in model.parameters())
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())

    def test_what_it_needs_is_asked_for_before_work(self, name: str) -> None:
        method = METHODS[name]()
        if "holdout" in method.needs:
            with pytest.raises(InputError, match="holdout is missing"):
                go(method, holdout=None)
        if "labels" in method.needs:
            rows = {key: (pair[0], pair[0][:, :3]) for key, pair in MISLABELLED.given().items()}
            with pytest.raises(InputError, match="class labels"):
                unlearn(MISTAUGHT, method=method, progress=False, **rows)
        if "fresh" in method.needs:
            with pytest.raises(InputError, match="fresh"):
                go(method, Odd())

    def test_works_without_held_out_records_or_says_why_not(self, name: str) -> None:
        if "holdout" not in METHODS[name]().needs:
            assert not same(go(quick(name), holdout=None).model, MISTAUGHT)

    def test_works_on_regressions_or_says_why_not(self, name: str) -> None:
        method = quick(name)
        if "labels" in method.needs:
            return
        rows = {key: (pair[0], pair[0][:, :3].sin()) for key, pair in MISLABELLED.given().items()}
        # Nearly known by heart: else there would be nothing to forget.
        inputs, _ = rows["forget"]
        rows["forget"] = inputs, NETWORK(1)(inputs).detach() + 0.2
        done = unlearn(NETWORK(1), method=method, progress=False, **rows)
        assert not same(done.model, NETWORK(1))

    def test_batch_norm_learns_from_retain_rows_alone(self, name: str) -> None:
        """Forget rows that entered the running statistics would stay in the result."""
        with seeded(0):
            model = fit(
                nn.Sequential(Watched(WIDTH), nn.Linear(WIDTH, 16), nn.ReLU(), nn.Linear(16, 3)),
                MISLABELLED.forget,
                MISLABELLED.retain,
            )
        Watched.learned.clear()
        method = quick(name)
        done = go(method, model)
        learned = torch.cat([torch.zeros(0, WIDTH), *Watched.learned])
        same_row = (learned[:, None] == MISLABELLED.retain[0][None]).all(2)
        assert same_row.any(1).all()
        # What a method measures before the first step is in its cost, which cannot see the model.
        held = len(MISLABELLED.holdout[0])
        sizes = Sizes(
            len(MISLABELLED.forget[0]),
            len(MISLABELLED.retain[0]),
            held // 4,
            held // 4,
            batch_norm=True,
        )
        counted = done.summary.cost
        paid = counted["rows_forward"] + 3 * counted["rows_backward"]
        assert paid == pytest.approx(method.cost(sizes), rel=1e-9)


class Watched(nn.BatchNorm1d):
    """Writes down the rows it learns its statistics from."""

    learned: ClassVar[list[torch.Tensor]] = []

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.learned.append(rows.detach().clone())
        return super().forward(rows)


class Odd(nn.Module):
    """Has a weight that nothing can start afresh."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(8, 3))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows @ self.weight


def test_method_and_options_of_the_default_exclude_each_other() -> None:
    with pytest.raises(InputError, match="objective and schedule given together with method"):
        unlearn(
            MISTAUGHT,
            **MISLABELLED.given(),
            method="fine-tune",
            objective=None,
            schedule=Schedule(),
        )


def test_an_unknown_method_is_told_the_known_ones() -> None:
    with pytest.raises(InputError, match="choose one of restart-teacher, retrain, warm-restart"):
        go("fine-tuning")


def test_divergence_is_an_error_that_names_the_method() -> None:
    with pytest.raises(DivergenceError, match="fine-tune: numbers are not finite"):
        go(quick("fine-tune", lr=1e30))
