"""``python -m benchmarks [--tiny] [--only step trial ...] [--out runs/bench]``."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.timing import Line
from infounlearn import __version__

HEADER = ("what", "compared with", "own", "ratio", "quartiles", "target")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print and write; 1 where a target is missed and ``--strict`` was given."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    rounds, steps = (2, 10) if options.tiny else (options.rounds, 200)
    lines: list[Line] = []
    if "known-maps" in options.only:
        from benchmarks import known_maps

        print(known_maps.run(tiny=options.tiny, out=options.out))
        if options.only == ["known-maps"]:
            return 0
    for name, measure in _benchmarks(rounds, steps, options.tiny).items():
        if name in options.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            lines += measure()
    print(text(lines))
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / ("bench-tiny.json" if options.tiny else "bench.json")
    record = {
        "lines": [{**asdict(line), "met": line.met} for line in lines],
        "rounds": rounds,
        "threads": options.threads,
        "tiny": options.tiny,
        "versions": {
            "infounlearn": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "processor": platform.machine(),
    }
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}")
    missed = [line.name for line in lines if line.met is False]
    if missed:
        print(f"{len(missed)} targets missed: {'; '.join(missed)}")
    return 1 if missed and options.strict else 0


def _benchmarks(rounds: int, steps: int, tiny: bool) -> dict[str, Callable[[], list[Line]]]:
    from benchmarks import challenge, images, information, penalty, transport, trial
    from benchmarks import steps as step_cost

    few, rows = max(2, rounds // 4), 500 if tiny else None
    epochs = 1 if tiny else 5
    return {
        "step": lambda: step_cost.run(rounds=rounds, steps=steps),
        "trial": lambda: trial.run(rounds=few, epochs=epochs, rows=rows),
        "information": lambda: information.run(rounds=rounds, steps=steps),
        "transport": lambda: transport.run(rounds=rounds, tiny=tiny),
        "penalty": lambda: penalty.run(rounds=rounds, steps=steps),
        "challenge": lambda: challenge.run(rounds=few, tiny=tiny),
        "images": lambda: images.run(rounds=few, tiny=tiny),
    }


def text(lines: Sequence[Line]) -> str:
    """The table, groups in order; ratios of times, or of speeds where marked with x."""
    table = [HEADER]
    for line in lines:
        middle, low, high = line.ratio
        mark = "x" if line.is_speedup else ""
        target = "–"
        if line.target is not None:
            sign = "≥" if line.is_speedup else "≤"
            target = f"{sign} {line.target:g}{mark} {'met' if line.met else 'MISSED'}"
        table.append(
            (
                line.name,
                _seconds(line.baseline),
                _seconds(line.seconds),
                f"{middle:.2f}{mark}",
                f"{low:.2f} to {high:.2f}",
                target,
            )
        )
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in (0, 5) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.3f} ms"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of the JSON")
    parser.add_argument("--rounds", type=int, default=12, help="rounds of A and B in turn")
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--tiny", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--strict", action="store_true", help="exit 1 where a target is missed")
    names = ("step", "trial", "information", "transport", "penalty", "challenge", "images")
    more = "known-maps, which measures errors and no time, runs where it is asked for"
    parser.add_argument(
        "--only", nargs="+", choices=(*names, "known-maps"), default=names, help=more
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
