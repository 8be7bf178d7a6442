"""Table of ``figure default-unlearning``: means, spreads, and which targets are missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch


def mean_sd(values: Sequence[float], scale: float = 1.0, digits: int = 2) -> str:
    """Mean ± standard deviation as text."""
    found = torch.tensor(values, dtype=torch.float64) * scale
    sd = float(found.std()) if len(found) > 1 else 0.0
    return f"{float(found.mean()):.{digits}f}±{sd:.{digits}f}"


def table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One line per case and method; gaps in points of accuracy, distances in floors."""
    lines: list[tuple[str, ...]] = [
        ("case", "method", "forget gap", "forget JS/floor", "retain gap", "test gap",
         "rows %", "time %", "missed")
    ]  # fmt: skip
    keys = dict.fromkeys((row["data"], row["request"], row["method"]) for row in rows)
    for key in keys:
        own = [row for row in rows if (row["data"], row["request"], row["method"]) == key]

        def values(name: str, own: list[Mapping[str, Any]] = own) -> list[float]:
            return [float(row[name]) for row in own]

        ratio = [row["forget_js"] / row["forget_floor"] for row in own]
        lines.append(
            (
                f"{key[0]}, {key[1]}",
                key[2],
                mean_sd(values("forget_gap"), 100),
                mean_sd(ratio),
                mean_sd(values("retain_gap"), 100),
                mean_sd(values("test_gap"), 100),
                mean_sd(values("row_share"), 100, 1),
                mean_sd(values("time_share"), 100, 1),
                ", ".join(missed(own)) or "-",
            )
        )
    return lines


TARGETS = {
    "forget gap": ("forget_gap", 0.02),
    "retain gap": ("retain_gap", 0.005),
    "test gap": ("test_gap", 0.005),
}
LARGEST_RATIO, LARGEST_COST = 1.25, 0.10


def met(row: Mapping[str, Any]) -> dict[str, bool]:
    """Which targets a row (or a mean of rows) meets."""
    found = {name: abs(row[key]) <= limit for name, (key, limit) in TARGETS.items()}
    found["JS"] = row["forget_js"] / row["forget_floor"] <= LARGEST_RATIO
    found["cost"] = row["row_share"] <= LARGEST_COST
    return found


def missed(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Targets that the mean over seeds misses."""
    keys = ("forget_gap", "retain_gap", "test_gap", "forget_js", "forget_floor", "row_share")
    mean = {key: sum(row[key] for row in rows) / len(rows) for key in keys}
    return [name for name, good in met(mean).items() if not good]
