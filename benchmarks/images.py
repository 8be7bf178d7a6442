"""What a trained map of images costs, against the closed-form map in a latent space.

At inference: seconds per image, of the whole transform; of the rounds that need no training
("marginals"), and of these with a stage of every design of critics ("information"), too. In
training: one step of the saddle (two of the maps, one of the potential) against the closed form's
pass over one batch of the same size, and against its whole fit. Digits enlarged to 32 x 32 stand
for any images: only their shape counts.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import torch

from benchmarks.timing import Line, Timing, interleave, lines_of
from infounlearn.data.toy_images import styled_digits
from infounlearn.feature.images.critics import DESIGNS
from infounlearn.feature.images.neural_barycenter import NeuralBarycenter

BATCH = 64
SHAPES = ((32, 1), (32, 3))
"""Pixels of a side, and channels."""
DIMS = 32  # enlarged digits have 64 directions at most, and fewer in one group
Pictures = tuple[torch.Tensor, torch.Tensor]


def run(*, rounds: int, tiny: bool) -> list[Line]:
    """All that is trained, grey and colour; ``tiny`` only to see that it runs."""
    lines = []
    count, steps = (160, 2) if tiny else (512, 8)
    for side, channels in ((8, 1),) if tiny else SHAPES:
        data = pictures(count, side, channels)
        shape = f"{channels} x {side} x {side}"
        lines += inference(data, shape, rounds)
        lines += training(data, shape, rounds, steps)
    return lines


def pictures(count: int, side: int, channels: int) -> Pictures:
    """(n, c, h, w) bytes and (n,) groups."""
    toy = styled_digits("inverted", enlarge=side // 8)
    images = (toy.images[:count] * 255).round().to(torch.uint8)
    return images.repeat(1, channels, 1, 1), toy.z[:count]


def inference(data: Pictures, shape: str, rounds: int) -> list[Line]:
    """One image, among as many as are moved at once."""
    pixels, z = data
    contestants = {"closed form": _fitted(data, None, 0)}
    contestants |= {name: _fitted(data, name, 1) for name in ("tiny", "small")}
    contestants |= {name: _flow(data, name) for name in ("marginals", "information")}
    count = len(pixels)

    def moves(one: NeuralBarycenter) -> Callable[[], object]:
        return lambda: one.transform(pixels, sensitive=z)

    timing = interleave({name: moves(one) for name, one in contestants.items()}, rounds=rounds)
    each = {name: tuple(s / count for s in some) for name, some in timing.seconds.items()}
    per_image = Timing(each, timing.baseline)
    return lines_of(per_image, "images", f"one image {shape}, closed form: ", target=None)


def training(data: Pictures, shape: str, rounds: int, steps: int) -> list[Line]:
    """A step of each network, timed inside a fit, between passes of the closed form."""
    pixels, z = data
    closed = _fitted(data, None, 0)
    seconds: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        spent = {
            "pass": _clock(lambda: closed.transform(pixels[:BATCH], sensitive=z[:BATCH])),
            "fit": _clock(lambda: _fitted(data, None, 0)),
            **{name: _step_seconds(data, name, steps) for name in ("tiny", "small")},
        }
        if turn:  # the first round warms up
            for name, value in spent.items():
                seconds.setdefault(name, []).append(value)
    lines = []
    for what, baseline in ((f"pass of {BATCH}", "pass"), (f"fit of {len(z)}", "fit")):
        named = (baseline, "tiny", "small")
        timing = Timing({name: tuple(seconds[name]) for name in named}, baseline)
        prefix = f"training step, {shape}, closed form's {what}: "
        lines += lines_of(timing, "images", prefix, target=None)
    return lines


def _flow(data: Pictures, method: str) -> NeuralBarycenter:
    """Rounds, and a stage for each design of critics, if they tell anything."""
    pixels, z = data
    settings = {"dims": min(DIMS, len(z) // 10), "critics": len(DESIGNS)}
    one = NeuralBarycenter(method=method, **settings)  # type: ignore[arg-type]
    return one.fit(pixels, sensitive=z)


def _clock(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began


def _step_seconds(data: Pictures, network: str, steps: int) -> float:
    """Seconds of a step, by the clock between the first look and the last."""
    clock: list[float] = []
    _fitted(data, network, steps + 1, lambda row: clock.append(perf_counter()))
    return (clock[-1] - clock[0]) / (len(clock) - 1)


def _fitted(
    data: Pictures,
    network: str | None,
    steps: int,
    progress: Callable[[dict[str, float]], None] | bool = False,
) -> NeuralBarycenter:
    pixels, z = data
    one = NeuralBarycenter(
        method="latent-gaussian" if network is None else "barycenter",
        network="small" if network is None else network,  # type: ignore[arg-type]
        dims=min(DIMS, len(z) // 10),
        steps=steps,
        batch_size=BATCH,
        validation=0.0,
        evaluate_every=1,
        progress=progress,
    )
    return one.fit(pixels, sensitive=z)
