"""SCRUB: steps against hand-written ones, its schedule, its teacher, and rewinding."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from infounlearn.errors import InputError
from infounlearn.point import Unlearned, unlearn
from infounlearn.point.methods import FineTune, Scrub
from infounlearn.point.methods.base import Sizes
from infounlearn.point.methods.distill import distance_rows
from infounlearn.point.methods.scrub import _errors
from infounlearn.point.objective import Look, Shown
from tests.point.methods.bench import do, flat, storages, task_of
from tests.point.worlds import TRAINED, WORLD, same, weights

WHOLE = {"batch_size": 192, "forget_batch_size": 36}


def go(method: Scrub | FineTune, **more: Any) -> Unlearned:
    return unlearn(TRAINED, method=method, progress=False, **{**WORLD.given(), **more})


def divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² Σ p ln(p/q), mean over rows, written out."""
    p, q = (torch.softmax(z / temperature, 1) for z in (teacher, student))
    return temperature**2 * (p * (p.log() - q.log())).sum(1).mean()


def test_four_steps_are_those_written_out_by_hand() -> None:
    """SGD with momentum .9 and weight decay, on whole sets: up, down, up, down."""
    method = Scrub(
        epochs=2, msteps=2, gamma=0.7, alpha=0.3, temperature=3.0, lr=0.5, weight_decay=0.01,
        optimizer="sgd", **WHOLE,
    )  # fmt: skip
    task = task_of()
    do(method.start(task))
    mine = copy.deepcopy(TRAINED).train()
    speed = [torch.zeros_like(weight) for weight in mine.parameters()]
    for number in range(4):
        (inputs, labels) = WORLD.forget if number % 2 == 0 else WORLD.retain
        outputs, teacher = mine(inputs), TRAINED(inputs).detach()
        distance = divergence(outputs, teacher, 3.0)
        task_loss = nn.functional.cross_entropy(outputs, labels)
        loss = -distance if number % 2 == 0 else 0.7 * task_loss + 0.3 * distance
        slopes = torch.autograd.grad(loss, list(mine.parameters()))
        with torch.no_grad():
            for weight, slope, v in zip(mine.parameters(), slopes, speed, strict=True):
                v.mul_(0.9).add_(slope + 0.01 * weight)
                weight.sub_(0.5 * v)
    assert torch.allclose(flat(task.model), flat(mine), atol=1e-6)
    assert not torch.allclose(flat(task.model), flat(TRAINED), atol=1e-2)


@pytest.mark.parametrize("msteps", [0, 1, 3, 9])
def test_msteps_says_which_epochs_begin_with_an_ascent(msteps: int) -> None:
    """torchunlearn ignored msteps; ascent and descent are passes of their own (trap 4)."""
    passes = Scrub(epochs=4, msteps=msteps).start(task_of()).passes
    names = [one.name for one in passes]
    expected = [[*(["forget"] if e < msteps else []), "retain"] for e in range(4)]
    assert names == [name for epoch in expected for name in epoch]
    assert [one.candidate for one in passes] == [name == "retain" for name in names]


def test_an_ascent_moves_the_student_away_and_a_descent_brings_it_back() -> None:
    method = Scrub(
        epochs=1, msteps=1, gamma=0.0, alpha=1.0, lr=0.01, weight_decay=0.0, forget_batch_size=4
    )
    task = task_of()
    with torch.no_grad():  # from the teacher itself no gradient leads away
        for weight in task.model.parameters():
            weight.mul_(1.1)
    found = {"forget": [], "retain": []}

    def look(part: str) -> float:
        inputs = getattr(WORLD, part)[0]
        with torch.no_grad():
            return float(divergence(task.model(inputs), TRAINED(inputs), 2.0))

    now = {part: look(part) for part in found}

    def after(one: Any) -> None:
        found[one.name].append(look(one.name) - now[one.name])
        now.update({part: look(part) for part in found})

    do(method.start(task), after)
    assert min(found["forget"]) > 0
    assert max(found["retain"]) < 0


def test_every_setting_acts() -> None:
    base = Scrub(epochs=2, msteps=2, lr=0.01)
    changed = {
        "epochs": 1.5, "msteps": 1, "gamma": 0.5, "alpha": 1.0, "temperature": 4.0, "lr": 0.02,
        "batch_size": 16, "forget_batch_size": 8, "optimizer": "sgd", "weight_decay": 0.0,
    }  # fmt: skip
    assert set(changed) | {"rewind"} == {field.name for field in fields(Scrub)}
    plain = go(base).model
    for name, value in changed.items():
        assert not same(go(replace(base, **{name: value})).model, plain), name


def test_the_teacher_stays_and_shares_no_storage() -> None:
    """ERASURE: a shallow copy made teacher and student one, so the distance was 0."""
    task = task_of()
    before = weights(task.original)
    do(Scrub(epochs=1).start(task))
    assert all(torch.equal(before[k], v) for k, v in task.original.state_dict().items())
    assert not storages(task.original) & storages(task.model)
    assert not same(task.original, task.model)


def test_without_ascents_and_distance_it_is_fine_tuning() -> None:
    common: dict[str, Any] = {
        "epochs": 1.5, "lr": 0.01, "batch_size": 32, "optimizer": "adam", "weight_decay": 0.02,
    }  # fmt: skip
    scrub = Scrub(msteps=0, alpha=0.0, gamma=1.0, **common)
    assert same(go(scrub).model, go(FineTune(**common)).model)
    sizes = Sizes(36, 192)
    assert scrub.cost(sizes) == FineTune(**common).cost(sizes)


def test_every_row_is_seen_in_every_epoch() -> None:
    """The paper's zip of two loaders saw a third of the retain set (trap 15)."""
    task = task_of()
    do(Scrub(epochs=3, msteps=2, batch_size=64, forget_batch_size=36).start(task))
    assert task.visits("retain") == sorted([*range(192)] * 3)
    assert task.visits("forget") == sorted([*range(36)] * 2)


def test_a_part_of_an_epoch_is_a_part_of_both_halves() -> None:
    method = Scrub(epochs=1.5, msteps=2, batch_size=16, forget_batch_size=6)
    assert [one.steps for one in method.start(task_of()).passes] == [6, 12, 3, 6]


def test_the_distance_is_t_squared_kl_and_squared_error_between_real_targets() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(50, 4, generator=generator).double() for _ in range(2))
    for heat in (0.5, 1.0, 4.0):
        rows = distance_rows(ours, theirs, heat, is_classification=True)
        assert torch.allclose(rows.mean(), divergence(ours, theirs, heat))
        assert torch.equal(distance_rows(ours, ours, heat, is_classification=True), rows * 0)
        real = distance_rows(ours, theirs, heat, is_classification=False)
        assert torch.allclose(real, ((ours - theirs) ** 2).mean(1))
    # T² keeps the gradient of order one: in the limit it is that of centred logits.
    hot = distance_rows(ours, theirs, 1e4, is_classification=True)
    centred = (ours - ours.mean(1, True)) - (theirs - theirs.mean(1, True))
    assert torch.allclose(hot, centred.square().mean(1) / 2, rtol=1e-3)


def test_rewinding_keeps_the_epoch_the_last_one_asks_for() -> None:
    """Brute force: runs of 1, 2, ... epochs are the states at the ends of epochs."""
    base = Scrub(epochs=6, msteps=2, lr=0.02, gamma=0.2, alpha=0.0)
    looks: list[tuple[float, float]] = []

    class Told(Scrub):
        def start(self, task: Any) -> Any:
            told = super().start(task)

            def rewind(look: Look) -> tuple[float, float]:
                looks.append(told.rewind(look))
                return looks[-1]

            return replace(told, rewind=rewind)

    done = go(Told(**{f.name: getattr(base, f.name) for f in fields(base)} | {"rewind": True}))
    ends = [go(replace(base, epochs=float(epochs))).model for epochs in range(1, 7)]
    shown = [float((end(WORLD.forget[0]).argmax(1) != 0).double().mean()) for end in ends]
    assert [pair[0] for pair in looks] == pytest.approx(shown)
    far = [abs(error - looks[-1][1]) for error in shown]
    best = max(number for number, gap in enumerate(far) if gap == min(far))
    assert 0 < best < 5  # so that neither the first nor the last is always right
    assert same(done.model, ends[best])


def test_rewinding_chooses_the_nearest_and_of_equal_ones_the_later() -> None:
    asked: list[Look] = []
    pairs = [(0.1, 0.9), (0.4, 0.9), (0.2, 0.9), (0.4, 0.3)]

    class Told(Scrub):
        def start(self, task: Any) -> Any:
            def rewind(look: Look) -> tuple[float, float]:
                asked.append(look)
                return pairs[len(asked) - 1]

            return replace(super().start(task), rewind=rewind)

    base = Scrub(epochs=4, msteps=2)
    done = go(Told(epochs=4, msteps=2))
    assert len(asked) == 4  # ends of epochs, not of ascents
    assert same(done.model, go(replace(base, epochs=3.0)).model)  # .2, the later of .2 and .4
    assert "state of step 20 kept" in done.stopped
    assert done.summary.cost["rows_looked"] == 0  # a method that chooses by looks pays for them


def test_the_error_wanted_is_that_of_held_out_records_of_the_same_classes() -> None:
    def shown(right: list[bool], labels: list[int]) -> Shown:
        truth = torch.tensor(labels)
        said = torch.where(torch.tensor(right), truth, (truth + 1) % 3)
        return Shown(nn.functional.one_hot(said, 3).double(), truth, torch.arange(len(right)))

    forget = shown([True, False, False, True], [0, 0, 0, 1])
    held = shown([True, True, False, True, True, False], [0, 1, 1, 1, 1, 2])
    look = Look(forget, forget, None, held, 0.5)
    assert _errors(look) == pytest.approx((0.5, 0.25 * 1 / 4))
    real = Shown(torch.ones(3, 1), torch.zeros(3, 1), torch.arange(3))
    far = Shown(3 * torch.ones(3, 1), torch.zeros(3, 1), torch.arange(3))
    assert _errors(Look(real, real, None, far, 0.5)) == (1.0, 9.0)


def test_rewinding_needs_held_out_records_and_nothing_else_does() -> None:
    with pytest.raises(InputError, match="scrub compares with held-out records"):
        go(Scrub(rewind=True), holdout=None)
    assert Scrub().needs == frozenset()


def test_a_killed_run_that_rewinds_goes_on_with_all_its_candidates(tmp_path: Any) -> None:
    method = Scrub(epochs=4, msteps=1, lr=0.01, rewind=True)
    whole, rows = go(method), []

    class Killed(Exception):
        pass

    def kill(row: Any) -> None:
        rows.append(row)
        if len(rows) == 4:
            raise Killed

    with pytest.raises(Killed):
        go(method, checkpoint=tmp_path, on_evaluation=kill)
    again = go(method, checkpoint=tmp_path)
    assert same(again.model, whole.model)
    assert again.stopped == whole.stopped


def test_the_large_setting_is_the_paper_s() -> None:
    large = Scrub.large(lr=0.1)
    told = (large.epochs, large.msteps, large.gamma, large.alpha, large.temperature, large.lr)
    assert told == (3.0, 2, 0.99, 0.001, 4.0, 0.1)
    assert (large.optimizer, large.weight_decay) == ("sgd", 5e-4)


@pytest.mark.parametrize(
    "wrong",
    [{"msteps": -1}, {"msteps": 1.5}, {"temperature": 0}, {"alpha": -1}, {"gamma": "1"},
     {"rewind": 1}, {"forget_batch_size": 0}, {"lr": 0}],
)  # fmt: skip
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"scrub: {next(iter(wrong))} is"):
        go(replace(Scrub(), **wrong))
