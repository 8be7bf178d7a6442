"""The paper's figures: their loops are what they say, their files are whole and repeatable."""

from __future__ import annotations

import copy
import csv
import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from infounlearn.errors import InputError
from infounlearn.experiments import Recipe, case
from infounlearn.experiments.figures import (
    FIGURES,
    density_drawing,
    figure,
    gaussian_toy,
    mnist_trajectories,
    output_densities,
)
from infounlearn.experiments.figures.mnist_protocol import (
    BASELINES,
    TRAJECTORIES,
    Protocol,
    _forever,
    mean_sd,
    trajectory,
    unlearn_by_hand,
)
from infounlearn.experiments.figures.result import Story, as_text, check_folder, write
from infounlearn.experiments.networks import DIGITS_MLP
from infounlearn.experiments.recipe import epoch_batches
from infounlearn.math import marginal_information

TINY_GAUSS = gaussian_toy.Settings(
    repeats=2, rows=200, hidden=(16,), recipe=Recipe(3, 64, 2e-3), epochs=1, shuffles=20
)
TINY_DENSITY = output_densities.Settings(
    repeats=1,
    training=400,
    epochs=60,
    every=20,
    gammas=(("information", (1.0,)), ("graddiff", (0.03,)), ("kl-ga", (0.03,))),
    hidden=(32, 32),
    shown=(0, 20, 60),
)
TINY_DIGITS = Protocol(
    data="digits", gammas=(0.0, 5.0), epochs=4, repeats=2, looks=(1, 2), forget_batch=8
)


def test_every_registered_figure_is_a_function_with_the_common_arguments() -> None:
    for name in FIGURES:
        assert figure(name).__code__.co_varnames[:4] == ("quick", "out", "seed", "progress")
    with pytest.raises(KeyError):
        figure("no such figure")


# The loop of the MNIST protocol.


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def by_hand(gamma: float, model: nn.Module, how: Protocol) -> tuple[torch.Tensor, list[float]]:
    built = how.case(0)
    own = copy.deepcopy(model)
    nats = list(unlearn_by_hand(own, gamma, how, built.retain, built.forget, seed=1))
    return weights(own), nats


def test_weight_zero_is_fine_tuning_on_the_retain_set_bit_for_bit() -> None:
    how = replace(TINY_DIGITS, epochs=2)
    model = DIGITS_MLP(0)
    ours, _ = by_hand(0.0, model, how)
    # Fine-tuning written anew; only the order of the batches is shared. The forget rows are
    # forwarded along, because a product of another shape may round otherwise.
    built, plain = how.case(0), copy.deepcopy(model)
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(plain.parameters(), how.lr, fused=True)
    stream = _forever(len(built.retain), how.retain_batch, generator)
    for _ in range(how.epochs):
        for f in epoch_batches(len(built.forget), how.forget_batch, generator):
            r = next(stream)
            optimizer.zero_grad()
            logits = plain(torch.cat([built.retain.inputs[r], built.forget.inputs[f]]))[: len(r)]
            nn.functional.cross_entropy(logits, built.retain.targets[r]).backward()
            optimizer.step()
    assert torch.equal(ours, weights(plain))
    informed, _ = by_hand(5.0, model, how)
    assert not torch.allclose(ours, informed, atol=1e-4)


def test_the_information_term_lowers_the_information_and_the_forget_accuracy() -> None:
    how = replace(TINY_DIGITS, epochs=8, looks=())
    built = how.case(0)
    model = DIGITS_MLP(0)
    fit = replace(how, epochs=12)
    # Learns everything: the forget set stands in for a part of the retain set.
    for _ in unlearn_by_hand(model, 0.0, fit, built.train, built.forget, seed=0):
        pass
    ends = {}
    for gamma in (0.0, 5.0):
        ends[gamma] = trajectory((how, 0, 0, gamma, model.state_dict(), 3))
    assert [row["epoch"] for row in ends[5.0]] == [0, 8]
    assert ends[5.0][0]["forget"] > 0.9
    assert ends[5.0][-1]["information"] < 0.5 * ends[0.0][-1]["information"]
    assert ends[5.0][-1]["forget"] < ends[0.0][-1]["forget"] - 0.2


def test_the_stream_of_retain_batches_loses_and_repeats_nothing() -> None:
    stream = _forever(100, 64, torch.Generator().manual_seed(0))
    drawn = torch.cat([next(stream) for _ in range(25)])
    assert len(drawn) == 1600
    for start in range(0, 1600, 100):
        assert torch.equal(drawn[start : start + 100].sort().values, torch.arange(100))
    few = _forever(10, 64, torch.Generator().manual_seed(0))
    assert next(few).shape == (64,)


def test_the_published_design_gives_a_perfect_classifier_its_known_information() -> None:
    # The counts of MNIST after 4,598 of its 6,131 threes are taken away (math reference: .0466).
    counts = torch.tensor([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    labels = torch.repeat_interleave(torch.arange(10), counts)
    is_forget = torch.zeros(60_000, dtype=torch.bool)
    is_forget[torch.nonzero(labels == 3).flatten()[:4598]] = True
    logits = torch.where(nn.functional.one_hot(labels, 10) == 1, 0.0, -math.inf)
    how = Protocol()
    nats = marginal_information(logits, is_forget, alpha=how.alpha, prior=how.prior)
    assert float(nats) == pytest.approx(0.0466, abs=5e-5)
    assert how.alpha == 16 / 80
    assert sum(how.prior) == 1


def test_published_rows_fall_with_gamma_and_time_as_logged() -> None:
    assert BASELINES["original"].forget > BASELINES["retrained"].forget
    for gamma in (1.5, 3.5, 5.0):
        own = [row for (g, _), row in sorted(TRAJECTORIES.items()) if g == gamma]
        for key in ("forget", "test", "information"):
            values = [getattr(row, key) for row in own]
            assert values == sorted(values, reverse=True)


def test_mnist_trajectories_end_to_end_on_digits(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []

    def run() -> Any:
        return mnist_trajectories.run(
            False, tmp_path, 0, lambda *what: told.append(what), how=TINY_DIGITS, workers=1
        )

    result = run()
    check_files(result, "mnist-trajectories")
    assert told[-1][:2] == (8, 8)
    names = [row[0] for row in result.table]
    assert names == ["model", "original", "retrained", "fine-tuned, 4 epochs", "γ 5, epoch 1",
                     "γ 5, epoch 2"]  # fmt: skip
    assert len({len(row) for row in result.table}) == 1
    assert result.table[4][2] == "93.71 ± 5.34"
    rows = list(csv.DictReader(result.files[2].read_text().splitlines()))
    assert len(rows) == 2 + 2 + 2 * 2 * 4
    before = {path: path.read_bytes() for path in result.files}
    told.clear()
    # The networks are kept, and everything else is a function of the seed.
    assert all(path.read_bytes() == before[path] for path in run().files)
    assert sum("from cache" in text for _, _, text in told) == 4


# The two toys.


def test_the_published_form_never_sees_z_and_information_does() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(400, 2, generator=generator)
    z = logits[:, 0] > 1
    shuffled = z[torch.randperm(400, generator=generator)]
    assert float(marginal_information(logits, z)) > 20 * float(
        marginal_information(logits, shuffled)
    )
    form = gaussian_toy.published_form
    order = torch.randperm(400, generator=generator)
    assert float(form(logits)) == pytest.approx(float(form(logits[order])), rel=1e-12)
    assert float(form(torch.zeros(5, 2))) == pytest.approx(0, abs=1e-15)
    sure = torch.tensor([[40.0, -40.0], [-40.0, 40.0]])
    assert float(form(sure)) == pytest.approx(math.log(2) / 2, abs=1e-12)


def test_gaussian_toy_repeats_differ_and_files_are_repeatable(tmp_path: Path) -> None:
    results = [gaussian_toy.run(True, tmp_path / str(i), 0, how=TINY_GAUSS) for i in range(2)]
    check_files(results[0], "gaussian-toy-quick")
    for first, second in zip(results[0].files, results[1].files, strict=True):
        assert first.read_bytes() == second.read_bytes()
    rows = list(csv.DictReader(results[0].files[2].read_text().splitlines()))
    ceiling = json.loads(results[0].files[3].read_text())["settings"]["ceiling"]
    assert all(float(r["information"]) <= ceiling for r in rows if r["network"] != "control")
    for name in ("original", "retrained", "half"):
        own = {r["p0"] for r in rows if r["network"] == name}
        assert len(own) == 2, "repeats must not be copies"
    known = [r for r in rows if r["network"] == "control"]
    assert all(float(r["information"]) > 10 * float(r["shuffled_95"]) for r in known)
    other = gaussian_toy.run(True, tmp_path / "other", 1, how=TINY_GAUSS)
    assert other.files[2].read_bytes() != results[0].files[2].read_bytes()


def test_information_moves_forget_outputs_onto_retain_outputs_and_ascent_does_not(
    tmp_path: Path,
) -> None:
    result = output_densities.run(False, tmp_path, 0, how=TINY_DENSITY)
    check_files(result, "output-densities")
    rows = list(csv.DictReader(result.files[2].read_text().splitlines()))
    ks = {(r["objective"], r["epoch"]): float(r["ks"]) for r in rows}
    assert ks["information", "0"] == ks["graddiff", "0"] > 0.4
    assert ks["information", "60"] < 0.3
    assert min(ks["graddiff", "60"], ks["kl-ga", "60"]) > 0.8
    assert set(density_drawing._COLOURS) == set(output_densities.TITLES)


def test_equal_retain_error_is_kept_where_it_can_be() -> None:
    def row(epoch: int, ks: float, mse: float) -> dict[str, Any]:
        return {"objective": "a", "gamma": 1.0, "repeat": 0, "epoch": epoch, "ks": ks,
                "retain_mse": mse}  # fmt: skip

    rows = [row(0, 0.0, 0.0), row(5, 0.4, 1e-4), row(10, 0.3, 1e-4), row(15, 0.1, 1.0)]
    chosen = output_densities._within(rows, "a", 1.0, 0, TINY_DENSITY)
    assert chosen["epoch"] == 10
    spoiled = [dict(r, retain_mse=1.0) for r in rows]
    assert output_densities._within(spoiled, "a", 1.0, 0, TINY_DENSITY)["epoch"] == 5


# Files.


def check_files(result: Any, stem: str) -> None:
    """Four whole files under the right names, vouched for by the record."""
    assert [path.name for path in result.files] == [
        f"{stem}.{kind}" for kind in ("svg", "png", "csv", "json")
    ]
    svg, png, _, record = (path.read_bytes() for path in result.files)
    assert b"</svg>" in svg
    assert b"<dc:date>" not in svg
    assert png.startswith(b"\x89PNG")
    told = json.loads(record)
    for path in result.files[:3]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert told["files_sha256"][path.name] == digest
    assert told["table"] == [list(row) for row in result.table]
    assert told["command"].startswith(f"infounlearn figure {told['figure']}")
    assert ("--quick" in told["command"]) == told["quick"] == stem.endswith("-quick")
    assert told["versions"]["torch"] == torch.__version__
    assert all(len(digest) == 64 for digest in told["data_sha256"].values())


def test_nothing_is_written_where_rendering_fails(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    class Broken(Figure):
        def savefig(self, *args: Any, **settings: Any) -> None:
            raise RuntimeError("no drawing today")

    story = Story("toy", False, 0, [{"x": 1.0}], [("a",)], [], {})
    with pytest.raises(RuntimeError, match="no drawing"):
        write(story, Broken(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_bad_folder_and_seed_are_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"2 problems(?s:.*)seed is -1(?s:.*)cannot be written"):
        check_folder(tmp_path / "file", -1)
    for name in FIGURES:
        with pytest.raises(InputError, match="cannot be written"):
            figure(name)(True, tmp_path / "file" / "below", 0)


def test_table_as_text_is_aligned() -> None:
    assert as_text([("a", "b"), ("long", "1")]).splitlines() == ["a     b", "long  1"]


def test_one_value_has_no_spread() -> None:
    assert mean_sd([2.0]) == (2.0, 0.0)
    assert mean_sd([1.0, 3.0]) == pytest.approx((2.0, math.sqrt(2)))


def test_the_protocol_forgets_three_quarters_of_the_threes() -> None:
    built = TINY_DIGITS.case(0)
    assert set(built.forget.targets.tolist()) == {3}
    threes = int((case("digits", forget_class=3).train.targets == 3).sum())
    assert len(built.forget) == round(0.75 * threes)
