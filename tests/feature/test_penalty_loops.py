"""The penalty in other people's loops, with stand-ins for two frameworks, and over processes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from infounlearn.errors import InputError
from infounlearn.feature.callbacks import PenalizedLoss
from infounlearn.feature.penalty import InformationPenalty


def batches(count: int = 60, rows: int = 64) -> list[dict[str, Tensor]]:
    """Batches in which the first input tells the label and the group."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(count):
        sex = torch.randint(2, (rows,), generator=generator)
        inputs = torch.randn(rows, 2, generator=generator)
        inputs[:, 0] += 1.5 * sex
        found.append({"inputs": inputs, "labels": (inputs.sum(1) > 0.7).long(), "sex": sex})
    return found


class Net(nn.Module):
    """A model that computes its own loss and knows nothing of groups."""

    def __init__(self, form: str = "mapping") -> None:
        super().__init__()
        self.form, self.layer = form, nn.Linear(2, 2)
        with torch.no_grad():
            self.layer.weight.zero_(), self.layer.bias.zero_()

    def forward(self, inputs: Tensor, labels: Tensor) -> Any:
        logits = self.layer(inputs)
        loss = nn.functional.cross_entropy(logits, labels)
        forms = {"mapping": {"loss": loss, "logits": logits}, "tuple": (loss, logits)}
        return forms.get(self.form, SimpleNamespace(loss=loss, logits=logits))


class Trainer:
    """compute_loss and a loop, in the shape of transformers.Trainer."""

    def __init__(self, model: Net) -> None:
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), 0.05)

    def compute_loss(
        self, model: Net, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        outputs = model(**inputs)
        loss = outputs[0] if isinstance(outputs, tuple) else None
        if loss is None:
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs.loss
        return (loss, outputs) if return_outputs else loss

    def train(self, data: list[dict[str, Tensor]]) -> Trainer:
        self.model.train()
        for batch in data:
            loss = self.compute_loss(self.model, batch, num_items_in_batch=64)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return self


class FairTrainer(PenalizedLoss, Trainer):
    sensitive: str | tuple[str, ...] = "sex"


def without_sex(data: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    return [{k: v for k, v in batch.items() if k != "sex"} for batch in data]


def fair(gamma: float, form: str = "mapping", **settings: Any) -> FairTrainer:
    trainer = FairTrainer(Net(form))
    trainer.penalty = InformationPenalty(gamma)
    vars(trainer).update(settings)
    return trainer


@pytest.mark.parametrize("form", ["mapping", "object", "tuple"])
def test_a_trainer_with_the_mixin_unlearns_and_with_weight_zero_is_itself(form: str) -> None:
    data = batches()
    plain = Trainer(Net(form)).train(without_sex(data)).model.layer.weight
    off = fair(0.0, form).train(data).model.layer.weight
    on = fair(50.0, form).train(data).model.layer.weight
    assert torch.equal(plain, off)
    tell = [float((weight[1, 0] - weight[0, 0]).abs().detach()) for weight in (plain, on)]
    assert tell[1] < 0.3 * tell[0]


def test_evaluation_shows_the_plain_loss_and_the_batch_is_not_changed() -> None:
    data = batches(5)
    trainer = fair(5.0).train(data)
    trainer.model.eval()
    before = trainer.penalty.information
    loss, outputs = trainer.compute_loss(trainer.model, data[0], return_outputs=True)
    assert loss is outputs["loss"]
    assert trainer.penalty.information == before
    assert "sex" in data[0]
    assert torch.equal(trainer.compute_loss(trainer.model, without_sex(data)[0]), loss)


def test_several_attributes_and_strata() -> None:
    data = [batch | {"race": batch["sex"] ^ 1} for batch in batches(5)]
    trainer = fair(1.0, sensitive=("sex", "race"), given="labels").train(data)
    assert set(trainer.penalty.weights) == {"sex", "race"}  # type: ignore[arg-type]


def test_a_batch_without_its_column_is_refused() -> None:
    with pytest.raises(InputError, match="remove_unused_columns"):
        fair(1.0).train(without_sex(batches(1)))
    trainer = fair(1.0)
    trainer.model.forward = lambda inputs, labels: {"loss": inputs.sum()}  # type: ignore[method-assign]
    with pytest.raises(InputError, match="hold no logits"):
        trainer.train(batches(1))


def test_a_module_with_the_penalty_inside_saves_and_restores_it() -> None:
    class Module(nn.Module):
        """In the shape of a LightningModule."""

        def __init__(self) -> None:
            super().__init__()
            self.net, self.penalty = nn.Linear(2, 2), InformationPenalty(max_information=1e-3)

        def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
            logits = self.net(batch["inputs"])
            task = nn.functional.cross_entropy(logits, batch["labels"])
            return task + self.penalty(logits, batch["sex"])

    module, other = Module(), Module()
    for number, batch in enumerate(batches(10)):
        module.training_step(batch, number).backward()
    other.load_state_dict(module.state_dict())
    assert other.penalty.information == module.penalty.information != 0
    last = batches(11)[10]
    assert torch.equal(other.training_step(last, 10), module.training_step(last, 10))


def _rank(rank: int, file: str, results: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    found = []
    for level in ("label", "score"):
        penalty = InformationPenalty(max_information=1e-3, level=level, num_groups=2)  # type: ignore[arg-type]
        for logits, z in _shared(6):
            # One process holds group 0 alone, the other all of group 1.
            mine = z == rank
            value = penalty(logits[mine], z[mine])
        found.append((float(value), penalty.information, penalty.weights))
    try:
        InformationPenalty(1.0)(torch.zeros(2, 2), torch.tensor([0, 1]))
        found.append("no error")
    except InputError as error:
        found.append(str(error))
    dist.destroy_process_group()
    results.put((rank, found))


def _shared(count: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(3)
    found = []
    for _ in range(count):
        z = torch.arange(40) % 2
        logits = torch.randn(40, 2, generator=generator)
        logits[:, 0] += z
        found.append((logits, z))
    return found


def test_two_processes_with_one_group_each_agree_with_one_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = [(rank, str(tmp_path / "meet"), results) for rank in range(2)]
    workers = [context.Process(target=_rank, args=each) for each in arguments]
    for worker in workers:
        worker.start()
    shown = dict(results.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join(timeout=60)
    for place, level in enumerate(("label", "score")):
        whole = InformationPenalty(max_information=1e-3, level=level)  # type: ignore[arg-type]
        for logits, z in _shared(6):
            value = whole(logits, z)
        parts = [shown[rank][place] for rank in range(2)]
        assert parts[0][1:] == parts[1][1:]
        if level == "score":  # bins stand at the mean of the processes' quantiles: other bins
            continue
        assert sum(part[0] for part in parts) / 2 == pytest.approx(float(value), rel=1e-6)
        assert parts[0][2] == pytest.approx(whole.weights, rel=1e-6)
    assert "num_groups" in shown[0][2]


def test_the_benchmark_measures_every_form_against_the_plain_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from benchmarks import penalty

    monkeypatch.setattr(penalty, "ROWS", (32,))
    lines = penalty.run(rounds=2, steps=5)
    assert len(lines) == len(penalty.penalties())
    assert all(line.target == 1.15 and line.ratio[0] > 0 for line in lines)
