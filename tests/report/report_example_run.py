"""Curves and trajectories of the example record."""

from __future__ import annotations

import math
import random

from infounlearn.interface import Curve, RunSummary


def example_curves(draws: random.Random, references: int) -> tuple[Curve, ...]:
    edges = tuple(-8 + 0.8 * i for i in range(31))
    curves = []
    for panel, middle in (("before", 9.0), ("after", 4.4), ("retrained", 4.0)):
        if panel == "retrained" and not references:
            continue
        for label, center, width, n in (
            ("forget", middle, 3.3, 144),
            ("held-out", 4.2, 3.6, 180),
            ("retain", 9.5, 2.4, 1113),
        ):
            curves.append(
                Curve(
                    f"scores/{panel}",
                    label,
                    edges,
                    _density(draws, edges, center, width, n),
                    "histogram",
                )
            )
    for label, power in (
        ("before", 0.45),
        ("after", 0.96),
        ("retrained 0", 1.0),
        ("retrained 1", 0.98),
    )[: 4 if references else 2]:
        x = tuple(i / 180 for i in range(181))
        curves.append(Curve("roc", label, x, tuple(value**power for value in x), "step"))
    bins = tuple(0.02 * i for i in range(26))
    for label, center in (("after", 0.05), ("retrained floor", 0.03)):
        curves.append(
            Curve(
                "per_record_js", label, bins, _density(draws, bins, center, 0.06, 144), "histogram"
            )
        )
    curves.append(
        Curve("relearn_time", "steps to relearn", (0.0, 1.0, 2.0, 4.0), (0.2, 0.5, 0.8, 0.9))
    )
    return tuple(curves)


def _density(
    draws: random.Random, edges: tuple[float, ...], center: float, width: float, n: int
) -> tuple[float, ...]:
    step = edges[1] - edges[0]
    counts = [0] * (len(edges) - 1)
    for _ in range(n):
        place = int((abs(draws.gauss(center, width)) - edges[0]) / step)
        counts[min(max(place, 0), len(counts) - 1)] += 1
    return tuple(count / n / step for count in counts)


def example_run(draws: random.Random) -> RunSummary:
    history = []
    for i in range(25):
        decay = math.exp(-i / 6)
        history.append(
            {
                "step": 8 * i,
                "epoch": i / 2,
                "information": 0.0113 + 0.076 * decay,
                "forget_accuracy": 0.69 + 0.288 * decay + draws.gauss(0, 0.006),
                "holdout_accuracy": 0.965 + draws.gauss(0, 0.002),
                "retain_accuracy": 0.999 + draws.gauss(0, 0.0004),
                "validation_auc": 0.51 + 0.16 * decay + draws.gauss(0, 0.004),
                "loss": 0.05 + 0.8 * decay,
                "gamma": 1.5 * (1 - decay),
            }
        )
    return RunSummary(
        method="ScoreTransport(weight=0.1, per_class=True)",
        settings={
            "learning_rate": 1e-3,
            "batch_size": 128,
            "seed": 0,
            "stop": {"tolerance": 0.041, "patience": 3},
        },
        history=tuple(history),
        stopped="The forget records could not be told from the validation part of the held-out "
        "records for 3 evaluations in a row (AUC within 0.041 of one half).",
        warnings=(
            "No marginal signal: the marginal information (8.2×10⁻⁵ nats) lies inside its "
            "permutation null, so MarginalInformation cannot see this forget set; "
            "ScoreTransport was chosen instead.",
        ),
        cost={
            "seconds": 1.83,
            "rows_forward": 41_216,
            "rows_backward": 38_400,
            "retrain_seconds": 22.7,
            "retrain_rows_backward": 1_113_000,
        },
    )
