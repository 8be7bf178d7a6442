"""Training reaches closed forms, and its state is what it says."""

from __future__ import annotations

import pytest
import torch

from infounlearn.errors import DivergenceError, InputError
from infounlearn.feature.images.batches import Rows
from infounlearn.feature.images.networks import (
    GroupMap,
    GroupPotential,
    MapMLP,
    MapNet,
    Potential,
    PotentialMLP,
)
from infounlearn.feature.images.seeds import own_randomness
from infounlearn.feature.images.training import Plan, Players, Training, learning_share

from .toys import known_gaussians, stripes

CPU = torch.device("cpu")


def line(weight: float = 0.6, count: int = 4000):
    rows, codes, known = known_gaussians(count, weight)
    with own_randomness(CPU, 0):
        nets = MapMLP((1,), 2, 32), PotentialMLP((1,), 2, 32)
    players = Players(GroupMap(nets[0]), GroupPotential(nets[1]))
    weights = torch.tensor([weight, 1 - weight], dtype=torch.float64)
    return players, Rows(rows, codes, weights), known


FAST = {"lr": 4e-3, "potential_lr": 4e-3, "batch_size": 128, "ema": 0.99, "evaluate_every": 50}


def errors(players, rows, known):
    with torch.no_grad():
        moved = players.shadow(rows.pixels.float(), rows.codes)
    return [
        100 * float(((moved - known)[own] ** 2).mean() / known[own].var()) for own in rows.members
    ], moved


@pytest.mark.parametrize("objective", ["barycenter", "pairwise"])
def test_perceptrons_find_the_optimal_maps_of_gaussians_from_the_identity(objective):
    players, rows, known = line()
    if objective == "pairwise":
        x, one = rows.pixels, rows.codes[:, None] == 1
        known = torch.where(one, (x - 2) / 1.5, 2 + 1.5 * x)
    Training(players, rows, Plan(objective=objective, steps=500, penalty=0.01, **FAST)).run()
    found, moved = errors(players, rows, known)
    assert max(found) < 3.0
    cost = sum(
        w * float(((moved - rows.pixels)[own] ** 2).mean())
        for w, own in zip((0.6, 0.4), rows.members, strict=True)
    )
    truth = sum(
        w * float(((known - rows.pixels)[own] ** 2).mean())
        for w, own in zip((0.6, 0.4), rows.members, strict=True)
    )
    assert cost == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(("proximal", "share"), [(False, 0.5 / 1.5), (True, 0.0)])
def test_a_plain_penalty_leaves_a_known_share_of_the_way_and_a_proximal_one_nothing(
    proximal, share
):
    rows, codes, _ = known_gaussians(4000, 0.5)
    rows = torch.where(codes[:, None] == 1, (rows - 2) / 1.5 + 2, rows)  # means differ alone
    own = [rows[codes == z].mean() for z in (0, 1)]
    with own_randomness(CPU, 0):
        nets = MapMLP((1,), 2, 32), PotentialMLP((1,), 2, 32)
    players = Players(GroupMap(nets[0]), GroupPotential(nets[1]))
    held = Rows(rows, codes, torch.tensor([0.5, 0.5], dtype=torch.float64))
    Training(players, held, Plan(steps=400, penalty=0.5, proximal=proximal, **FAST)).run()
    with torch.no_grad():
        moved = players.shadow(rows.float(), codes)
    left = float(moved[codes == 1].mean() - moved[codes == 0].mean())
    assert left / float(own[1] - own[0]) == pytest.approx(share, abs=0.05)


def images_run(steps=6, folder=None, **more):
    images, codes = stripes(60)
    with own_randomness(CPU, 0):
        nets = MapNet((1, 8, 8), 2, 8), Potential((1, 8, 8), 2, 8)
    players = Players(GroupMap(nets[0]), GroupPotential(nets[1]))
    rows = Rows(images, codes, torch.tensor([0.5, 0.5], dtype=torch.float64), 0.4, 0.2)
    plan = Plan(steps=steps, batch_size=8, evaluate_every=2, flip=True)
    return Training(players, rows, plan, folder=folder, fingerprint="one", **more)


def same(first, second):
    a, b = first.players, second.players
    for left, right in ((a.maps, b.maps), (a.potential, b.potential), (a.shadow, b.shadow)):
        own = right.state_dict()
        assert all(torch.equal(value, own[name]) for name, value in left.state_dict().items())


def test_a_killed_run_ends_in_the_weights_of_one_that_was_not(tmp_path):
    whole, stopped = images_run(), images_run(folder=tmp_path)
    state = torch.random.get_rng_state()
    whole.run()
    assert torch.equal(state, torch.random.get_rng_state())

    def kill(row):
        if row["step"] == 4:
            raise RuntimeError("killed")

    stopped.tell = kill
    with pytest.raises(RuntimeError, match="killed"):
        stopped.run()
    again = images_run(folder=tmp_path)
    again.run()
    same(whole, again)
    assert whole.history == again.history


def test_an_interrupt_leaves_the_best_so_far():
    looks = iter([{"score": 0.4}, {"score": 0.3}, {"score": 0.1}, {"score": 0.2}])
    kept = {}

    def look(maps):
        row = next(looks)
        kept[row["score"]] = {name: value.clone() for name, value in maps.state_dict().items()}
        return row

    def stop(row):
        if row["step"] == 6:
            raise KeyboardInterrupt

    run = images_run(steps=20, evaluate=look, tell=stop)
    run.run()
    assert run.stopped == "interrupted after 6 steps"
    assert run.best_step == 4
    own = run.players.shadow.state_dict()
    assert all(torch.equal(own[name], value) for name, value in kept[0.1].items())
    assert not all(torch.equal(kept[0.2][name], value) for name, value in kept[0.1].items())


def test_patience_stops_a_run_that_gets_no_better():
    run = images_run(steps=50, evaluate=lambda maps: {"score": 0.2})
    run.plan = Plan(steps=50, batch_size=8, evaluate_every=2, patience=6)
    run.run()
    assert (run.step, run.best_step) == (6, 0)
    assert "no better since step 0" in run.stopped


def test_another_run_and_a_damaged_file_are_refused(tmp_path):
    images_run(folder=tmp_path).run()
    other = images_run(folder=tmp_path)
    other.fingerprint = "two"
    with pytest.raises(InputError, match="other images or other settings"):
        other.run()
    (tmp_path / "training.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        images_run(folder=tmp_path).run()


def test_a_loss_that_is_not_finite_stops_the_run():
    run = images_run()
    run.rows.pixels = run.rows.pixels * float("nan")
    with pytest.raises(DivergenceError, match="step 0"):
        run.run()


def test_accelerate_with_one_process_changes_nothing():
    accelerate = pytest.importorskip("accelerate")
    plain = images_run()
    plain.run()
    helped = images_run(accelerator=accelerate.Accelerator(cpu=True))
    helped.run()
    same(plain, helped)


def test_half_precision_is_near():
    plain, short = images_run(), images_run()
    plain.run()
    short.plan = Plan(steps=6, batch_size=8, evaluate_every=2, flip=True, precision="bf16")
    short.run()
    pairs = zip(plain.players.maps.parameters(), short.players.maps.parameters(), strict=True)
    assert 0 < max((a - b).detach().abs().max().item() for a, b in pairs) < 0.05


def test_the_learning_rate_falls_along_half_a_cosine():
    assert learning_share(0, 10) == 1.0
    assert learning_share(5, 10) == pytest.approx(0.525)
    assert learning_share(10, 10) == pytest.approx(0.05)
