"""The benchmarks run, compare like with like, and count right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from benchmarks import naive, timing, trial
from benchmarks.__main__ import main
from benchmarks.timing import Line, Timing, interleave, lines_of
from torch import nn

from infounlearn.experiments.networks import MNIST_MLP
from infounlearn.math import marginal_information


def test_tiny_benchmarks_run_and_write_what_they_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFOUNLEARN_DATA", str(tmp_path))  # noise: the same with and without data
    threads = torch.get_num_threads()
    try:
        assert (
            main(["--tiny", "--only", "trial", "information", "transport", "--out", str(tmp_path)])
            == 0
        )
    finally:
        torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    record = json.loads((tmp_path / "bench-tiny.json").read_text())
    assert {line["group"] for line in record["lines"]} == {"one trial", "information", "transport"}
    assert record["tiny"] is True
    assert record["threads"] == 1
    for line in record["lines"]:
        assert line["name"] in printed
        assert 0 < line["ratio"][1] <= line["ratio"][0] <= line["ratio"][2]


@pytest.mark.parametrize("name", ["MarginalInformation", "MembershipInformation"])
def test_the_engine_is_watched_step_by_step_and_left_as_it_was(name: str) -> None:
    from benchmarks import steps

    before = steps.engine._train_step
    setting = steps.Setting("tiny", MNIST_MLP, 16, 8)
    measured = steps.engine_steps(setting, name, rounds=1, steps=3)
    rows = 16 + 8 + (8 if name == "MembershipInformation" else 0)
    assert list(measured.seconds) == [f"unlearn, no objective, {rows} rows", name]
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in measured.seconds.values())
    assert steps.engine._train_step is before


def test_the_naive_way_computes_the_same_information() -> None:
    logits = 2 * torch.randn(
        80, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    is_forget = torch.arange(80) >= 64
    prior = (80 / 144, 64 / 144)
    slow = naive.information(logits, logits[:64], prior)
    fast = marginal_information(logits, is_forget, alpha=0.2, prior=prior)
    assert float(slow) == pytest.approx(float(fast), rel=1e-9)


def test_both_ways_see_the_same_pictures_and_unlearn(tmp_path: Path) -> None:
    images = torch.randint(256, (40, 28, 28), dtype=torch.uint8)
    labels = torch.arange(40) % 10
    pixels = images, labels
    shown = torch.stack([picture for picture, _ in naive.Pictures(pixels)])
    bulk = images.float().div_(255).sub_(trial.MEAN).div_(trial.SD).flatten(1)
    assert torch.allclose(shown, bulk, atol=1e-6)
    how = trial.Trial(pixels, (images[:8], labels[:8]), pixels)
    for way in (naive.run, trial.ours):
        model: nn.Module = MNIST_MLP(0)
        before = [p.clone() for p in model.parameters()]
        seen = way(how, model)
        assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
        assert 0 <= seen.remain <= 1
        assert seen.information > 0


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, *seconds: float) -> Callable[[], None]:
        """A job that takes these seconds, one after another, then starts over."""
        calls = 0

        def job() -> None:
            nonlocal calls
            self.now += seconds[calls % len(seconds)]
            calls += 1

        return job


def test_interleave_skips_the_warm_up_and_ratios_are_formed_within_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", clock)
    # After the warm-up the machine is twice as slow in the last round, for both.
    jobs = {"a": clock.work(50.0, 1.0, 1.0, 2.0), "b": clock.work(99.0, 3.0, 3.0, 6.0)}
    measured = interleave(jobs, rounds=3)
    assert measured.seconds == {"a": (1.0, 1.0, 2.0), "b": (3.0, 3.0, 6.0)}
    assert measured.baseline == "a"
    assert measured.ratio("b") == (3.0, 3.0, 3.0)


def test_speed_ups_and_costs_know_their_targets() -> None:
    measured = Timing({"slow": (8.0, 6.0, 7.0), "fast": (1.0, 1.0, 1.0)}, "slow")
    (line,) = lines_of(measured, "g", "p: ", target=5.0, is_speedup=True)
    assert line.name == "p: fast"
    assert line.ratio == pytest.approx((7.0, 6.5, 7.5))
    assert line.met is True
    (cost,) = lines_of(measured, "g", "", target=0.1)
    assert cost.met is False
    assert Line("g", "n", 1.0, 1.0, (1.0, 1.0, 1.0)).met is None


def test_a_missed_target_fails_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = Line("g", "too slow", 1.0, 9.0, (9.0, 9.0, 9.0), target=1.15)
    monkeypatch.setattr("benchmarks.__main__._benchmarks", lambda *_: {"step": lambda: [slow]})
    for extra, code in (([], 0), (["--strict"], 1)):
        assert main(["--tiny", "--only", "step", "--out", str(tmp_path), *extra]) == code
    assert "1 targets missed: too slow" in capsys.readouterr().out
