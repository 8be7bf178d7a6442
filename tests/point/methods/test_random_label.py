"""Random labels: how they are drawn, what they teach, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from infounlearn.errors import InputError
from infounlearn.point import unlearn
from infounlearn.point.methods import RandomLabel
from infounlearn.point.methods.random_label import any_label, other_label
from infounlearn.point.methods.task import Task
from tests.point.methods.bench import do, flat, task_of
from tests.point.worlds import TRAINED, WORLD, same


def go(method: Any, **more: Any) -> nn.Module:
    return unlearn(TRAINED, method=method, progress=False, **{**WORLD.given(), **more}).model


def labels_used(
    method: RandomLabel, monkeypatch: pytest.MonkeyPatch, *, by_record: bool = True
) -> list[tuple[str, Tensor]]:
    """Set and labels of every batch that a run learns from; labels by record or as drawn."""
    used: list[tuple[str, Tensor]] = []
    shown: list[Any] = []
    show = Task.show

    def remember(self: Task, rows: Any, *rest: Any, **more: Any) -> Tensor:
        shown.append(rows)
        return show(self, rows, *rest, **more)

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        order = shown[-1].index.argsort()
        used.append((shown[-1].part, labels[order] if by_record else labels))
        return functional.cross_entropy(outputs, labels, reduction="none")

    monkeypatch.setattr(Task, "show", remember)
    do(method.start(task_of(loss=loss)))
    return used


def test_labels_are_uniform_over_all_classes() -> None:
    count, classes = 40_000, 4
    drawn = any_label(torch.ones(count).long(), classes, torch.Generator().manual_seed(0))
    share = torch.bincount(drawn, minlength=classes) / count
    # Five standard errors of a share of 1/4.
    assert float((share - 0.25).abs().max()) < 5 * (0.25 * 0.75 / count) ** 0.5


def test_amnesiac_labels_are_uniform_over_the_other_classes() -> None:
    own = torch.arange(5).repeat_interleave(8_000)
    drawn = other_label(own, 5, torch.rand(40_000, generator=torch.Generator().manual_seed(0)))
    assert not (drawn == own).any()
    for label in range(5):
        share = torch.bincount(drawn[own == label], minlength=5) / 8_000
        others = share[torch.arange(5) != label]
        assert float((others - 0.25).abs().max()) < 5 * (0.25 * 0.75 / 8_000) ** 0.5


def test_the_largest_draw_is_still_another_class() -> None:
    last = torch.tensor([1 - 2.0**-53], dtype=torch.float64)
    for classes in range(2, 200):
        assert int(other_label(torch.tensor([0]), classes, last)) == classes - 1


def test_trap_14_ignored_labels_are_not_drawn_for() -> None:
    """UNDIAL: a random label for a row of -100 brings it into the loss."""
    labels = torch.tensor([-100, 2, -100])
    generator = torch.Generator().manual_seed(0)
    assert any_label(labels, 3, generator)[[0, 2]].tolist() == [-100, -100]
    assert other_label(labels, 3, torch.rand(3))[[0, 2]].tolist() == [-100, -100]
    refused = (WORLD.forget[0], torch.full((36,), -100))
    with pytest.raises(InputError, match=r"label\(s\) of forget lie outside"):
        go(RandomLabel(), forget=refused)


def test_one_step_on_forget_then_one_on_retain(monkeypatch: pytest.MonkeyPatch) -> None:
    method = RandomLabel(epochs=1, batch_size=1000, optimizer="sgd", lr=0.1)
    (first, wrong), (second, right) = labels_used(method, monkeypatch)
    assert (first, second) == ("forget", "retain")
    assert torch.equal(right, WORLD.retain[1])
    by_hand = task_of().model
    optimizer = torch.optim.SGD(by_hand.parameters(), 0.1, momentum=0.9)
    for inputs, labels in ((WORLD.forget[0], wrong), (WORLD.retain[0], right)):
        optimizer.zero_grad()
        functional.cross_entropy(by_hand(inputs), labels).backward()
        optimizer.step()
    monkeypatch.undo()
    torch.testing.assert_close(flat(go(method)), flat(by_hand), rtol=1e-4, atol=1e-6)


def test_labels_are_drawn_anew_for_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    method = RandomLabel(epochs=3, batch_size=36)
    used = labels_used(method, monkeypatch, by_record=False)
    drawn = [labels for part, labels in used if part == "forget"]
    assert len(drawn) == 3
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])


def test_amnesiac_labels_are_drawn_once_and_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    used = labels_used(RandomLabel.amnesiac(epochs=2, batch_size=1000), monkeypatch)
    assert [part for part, _ in used] == ["retain", "forget"] * 2
    assert torch.equal(used[1][1], used[3][1])
    assert not (used[1][1] == WORLD.forget[1]).any()
    assert torch.equal(used[0][1], WORLD.retain[1])


def test_an_amnesiac_step_weighs_every_row_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    method = RandomLabel.amnesiac(epochs=1, batch_size=1000, lr=0.1)
    wrong = labels_used(method, monkeypatch)[1][1]
    monkeypatch.undo()
    inputs = torch.cat([WORLD.retain[0], WORLD.forget[0]])
    loss = functional.cross_entropy(TRAINED(inputs), torch.cat([WORLD.retain[1], wrong]))
    slope = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, [*TRAINED.parameters()])])
    moved = flat(go(method)) - flat(TRAINED)
    torch.testing.assert_close(moved, -0.1 * slope, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("variant", ["alternating", "amnesiac"])
def test_all_records_are_seen_each_epoch(variant: Any) -> None:
    """Trap 15."""
    task = task_of()
    do(RandomLabel(epochs=2, batch_size=12, variant=variant).start(task))
    assert task.visits("retain") == sorted(2 * [*range(192)])
    assert task.visits("forget") == sorted(2 * [*range(36)])
    half = len(task.seen) // 2
    assert task.seen[:half] != task.seen[half:], "each epoch has an order of its own"


def test_amnesiac_has_its_own_published_settings() -> None:
    usual = RandomLabel.amnesiac()
    assert (usual.variant, usual.lr, usual.epochs) == ("amnesiac", 1e-4, 3.0)
    assert RandomLabel.amnesiac(lr=0.5).lr == 0.5
    assert not same(go(RandomLabel(epochs=1)), go(RandomLabel(epochs=1, variant="amnesiac")))


def test_a_run_that_is_stopped_behind_a_forget_pass_returns_the_last_whole_epoch() -> None:
    def interrupt(row: dict[str, float]) -> None:
        if row["step"] == 4 + 1:  # one epoch is 1 + 3 steps
            raise KeyboardInterrupt

    stopped = go(RandomLabel(epochs=2), on_evaluation=interrupt)
    assert same(stopped, go(RandomLabel(epochs=1)))


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(InputError, match="choose alternating or amnesiac"):
        go(RandomLabel(variant="other"))  # type: ignore[arg-type]
