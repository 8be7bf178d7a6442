"""Critics take away what closed forms leave, and a run is what its seed and its state say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from infounlearn.errors import DivergenceError, InputError
from infounlearn.feature.images import critics
from infounlearn.feature.images.flow import Flow, Metric
from infounlearn.feature.images.information import InformationRun, Inquiry
from infounlearn.feature.images.latent_gaussian import fit_latent_gaussian
from infounlearn.feature.images.probe import probe_groups

from .toys import stripes


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Critics of a few steps, where a test says no other number."""
    monkeypatch.setattr(critics, "LEAST_STEPS", 20)


def run_of(rows, codes, groups=2, weights=None, critics=8, rate=1.0, **more):
    rows, size = rows.float(), rows[0].numel()
    share = torch.bincount(codes, minlength=groups) / len(codes)
    flat = rows.flatten(1)
    own = flat - torch.stack([flat[codes == z].mean(0) for z in range(groups)])[codes]
    metric = Metric(torch.eye(size), own.T @ own / len(own), 0.0)
    inquiry = Inquiry(critics=critics, rate=rate)
    return InformationRun(Flow(None, metric), rows, codes, share, inquiry, **more)


def gaussians(count=1500, gap=1.5, seed=0):
    draws = torch.Generator().manual_seed(seed)
    codes = (torch.arange(count) % 5 < 2).long()
    rows = torch.randn(count, 4, generator=draws)
    return rows + gap * codes[:, None] * torch.tensor([1.0, 0.0, 0.0, 0.0]), codes


def bent(count=2400, seed=0):
    """Rows whose first coordinate bends up or down along the second: moments 1 and 2 agree."""
    draws = np.random.default_rng(seed)
    rows, codes = draws.standard_normal((count, 2)), np.arange(count) % 2
    rows[:, 0] = 0.6 * rows[:, 0] + np.where(codes == 1, 0.6, -0.6) * (rows[:, 1] ** 2 - 1)
    for z in (0, 1):
        own = rows[codes == z] - rows[codes == z].mean(0)
        rows[codes == z] = own @ np.linalg.inv(np.linalg.cholesky(own.T @ own / len(own))).T
    return torch.from_numpy(rows), torch.from_numpy(codes)


def test_a_known_shift_of_the_mean_is_removed_at_the_least_cost(monkeypatch):
    monkeypatch.setattr(critics, "LEAST_STEPS", 100)
    rows, codes = gaussians()
    run = run_of(rows, codes, critics=6)
    run.run()
    moved = run.flow(rows, codes)
    gap = (moved[codes == 1].mean(0) - moved[codes == 0].mean(0)).norm()
    assert float(gap) < 0.2
    cost = float(((moved - rows) ** 2).sum(1).mean())
    sample = rows[codes == 1].mean(0) - rows[codes == 0].mean(0)
    assert cost == pytest.approx(0.24 * float(sample @ sample), rel=0.25)
    assert run.history[0]["cost"] == 0.0
    assert run.history[-1]["cost"] == pytest.approx(cost / 4, rel=1e-5)
    assert run.history[1]["information"] > 0.1 > run.history[-1]["information"]


def test_critics_take_away_what_the_gaussian_map_cannot_see(monkeypatch):
    monkeypatch.setattr(critics, "LEAST_STEPS", 100)
    rows, codes = bent()
    fresh, marks = bent(seed=1)
    known = fit_latent_gaussian(rows.numpy(), codes.numpy(), dims=None)
    assert known.value == pytest.approx(0.0, abs=1e-6)
    run = run_of(rows, codes, critics=10, rate=0.8)
    run.run()
    before = probe_groups(fresh.float(), marks, 2, 0)["probe_auc"]
    after = probe_groups(run.flow(fresh.float(), marks), marks, 2, 0)["probe_auc"]
    assert before > 0.75
    assert abs(after - 0.5) < 0.7 * (before - 0.5)


def test_groups_that_are_alike_are_left_as_they_are():
    rows, codes = gaussians(600, gap=0.0)
    looks = []
    run = run_of(rows, codes, critics=30, evaluate=lambda maps: looks.append(1) or {})
    run.run()
    assert run.stopped == "the last 3 critics told nothing"
    assert run.step < 30
    assert float((run.flow(rows, codes) - rows).abs().mean()) < 0.05
    assert sum(row.get("share", 0) == 0 for row in run.history[-3:]) == 3


def test_critics_of_every_design_take_turns_and_all_are_asked_of_every_group():
    run = images_run()
    run.run()
    designs = [stage.critic.design for stage in run.flow.stages]
    kept = [row["critic" if "critic" in row else "step"] for row in run.history if row.get("share")]
    assert designs == [critics.DESIGNS[(int(step) - 1) % 3] for step in kept]
    assert run.patience == 9
    assert run_of(*gaussians(100)).patience == 3


def images_run(folder=None, **more):
    images, codes = stripes(120, groups=3)
    return run_of(images / 0.2, codes, 3, critics=5, rate=0.5, folder=folder, **more)


def test_a_killed_run_ends_in_the_bits_of_one_that_was_not(tmp_path):
    whole = images_run()
    state = torch.random.get_rng_state()
    whole.run()
    assert torch.equal(state, torch.random.get_rng_state())

    def kill(row):
        if row["step"] == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        images_run(tmp_path, tell=kill).run()
    told = []
    again = images_run(tmp_path, tell=told.append)
    assert again.resumed()
    again.run()
    assert [row["step"] for row in told] == [4, 5]
    assert again.history == whole.history
    own = again.flow.state_dict()
    assert len(whole.flow.stages) > 3
    assert own.keys() == whole.flow.state_dict().keys()
    assert all(torch.equal(own[name], value) for name, value in whole.flow.state_dict().items())
    other = images_run(tmp_path)
    other.fingerprint = "another"
    with pytest.raises(InputError, match="other images or other settings"):
        other.resumed()


def test_an_interrupt_keeps_what_was_taken_away():
    def stop(row):
        if row["step"] == 2:
            raise KeyboardInterrupt

    run = images_run(tell=stop)
    run.run()
    assert run.stopped == "interrupted after 2 critics"
    assert len(run.flow.stages) == 2


def test_stages_are_set_by_rows_that_nothing_was_fitted_to():
    images, codes = stripes(120, groups=3)
    fresh = torch.arange(120) >= 60
    plain = run_of(images, codes, 3)
    run = run_of(images, codes, 3, fresh=fresh)
    learn, settle = run._split(1)
    assert fresh[settle].all()
    assert set(torch.nonzero(~fresh)[:, 0].tolist()) <= set(learn.tolist())
    for own in (run._split(1), plain._split(1)):
        both = torch.cat(own)
        assert len(both) == len(both.unique()) == 120
        assert torch.bincount(codes[own[1]], minlength=3).min() >= 4
    assert not torch.equal(run._split(2)[1], settle)


def test_images_that_are_not_finite_stop_the_run():
    rows, codes = gaussians(100)
    rows[3] = float("nan")
    with pytest.raises(DivergenceError, match="critic 0"):
        run_of(rows, codes).run()
