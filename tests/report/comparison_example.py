"""A comparison as real ones are: near ties, failures of every kind, long names, tiny numbers."""

from __future__ import annotations

import math
import random

from infounlearn.report.comparison import (
    ComparedCase,
    ComparedMethod,
    ComparedRun,
    Comparison,
    Entry,
    Yardstick,
)

BUDGETS = (0.01, 0.05, 0.2)
SEEDS = (0, 1, 2, 3, 4)
# Name, title, paper, distance at 1 %, how fast it falls with cost.
METHODS = (
    ("unlearn", "Ours: calibrated restart", "", 2.1, 0.26),
    ("warm-restart", "Warm restart", "Ash and Adams 2020, arXiv:1910.08475", 2.6, 0.29),
    ("l1-sparse", "L1-sparse", "Jia et al. 2023, arXiv:2304.04934", 3.0, 0.22),
    ("scrub", "SCRUB", "Kurmanji et al. 2023, arXiv:2302.09880", 3.6, 0.16),
    ("neg-grad-plus", "NegGrad+", "Kurmanji et al. 2023, arXiv:2302.09880", 3.2, 0.20),
    ("bad-teacher", "Bad teacher", "Chundawat et al. 2023, arXiv:2205.08096", 7.5, 0.05),
    ("ssd", "SSD", "Foster et al. 2024, arXiv:2308.07707", 4.9, 0.0),
    ("salun", "SalUn", "Fan et al. 2024, arXiv:2310.12508", 4.1, 0.11),
    ("random-label", "Random label", "Golatkar et al. 2020, arXiv:1911.04933", 5.5, 0.04),
    ("fine-tune", "Fine-tuning", "Golatkar et al. 2020, arXiv:1911.04933", 4.4, 0.17),
    ("cf-k", "CF-k", "Goel et al. 2022, arXiv:2201.06640", 4.6, 0.13),
    ("eu-k", "EU-k", "Goel et al. 2022, arXiv:2201.06640", 6.5, 0.30),
    ("influence", "WoodFisher influence", "Koh and Liang 2017, arXiv:1703.04730", 4.2, 0.0),
    ("gradient-ascent", "Gradient ascent", "Graves et al. 2021, arXiv:2010.10981", 9.0, -0.1),
    ("retrain", "Retraining", "", 1.0, 0.0),
)  # fmt: skip
CASES = (
    ("digits/random", "Digits, random", "1,797 images of digits, an MLP; 10 % at random, of which "
     "one in five has a wrong label.", 1.0, 5.2, 0.69),
    ("digits/threes", "Digits, 75 % of 3s", "The same network; three quarters of the threes.",
     1.25, 8.1, 0.91),
    ("mnist/class", "MNIST, class 3", "12,000 images of MNIST, a small CNN with batch "
     "normalisation; all threes.", 1.6, 24.0, 0.0),
    ("adult/tail", "Adult, tail", "Census rows, a tabular MLP; the 2 % farthest from the rest.",
     0.8, 3.4, 0.78),
)  # fmt: skip


def example(*, seed: int = 0, seeds: tuple[int, ...] = SEEDS) -> Comparison:
    """15 methods, 4 cases, 3 budgets; one method diverges, one needs, one is too dear."""
    draws = random.Random(seed)
    cases = tuple(_case(draws, seeds, *values) for values in CASES)
    entries, runs = [], []
    for case, (*_, factor, _original, accuracy) in zip(cases, CASES, strict=True):
        # Seeds share their original model and data order: a common part that pairing removes.
        shared = {s: math.exp(draws.gauss(0, 0.08)) for s in seeds}
        for name, _, _, start, fall in METHODS:
            for budget in BUDGETS:
                entry, values = _entry(draws, case, name, budget)
                entries.append(entry)
                if entry.status == "ok":
                    typical = factor * 0.8 + (start - 0.75) * (budget / 0.01) ** -fall * factor
                    if name in ("unlearn", "warm-restart") and case.name == "adult/tail":
                        typical = 0.9 + 0.6 * (0.01 / budget) ** 0.4
                    found = [
                        _run(draws, case, entry, s, typical * shared[s], accuracy) for s in seeds
                    ]
                    if values == "one seed":
                        found[-1] = ComparedRun(
                            case.name, name, budget, seeds[-1], 0.8 * budget, status="diverged",
                            reason="the loss was not finite at step 31",
                        )  # fmt: skip
                    runs += found
    return Comparison(
        title="Unlearning methods on digits, MNIST and Adult",
        cases=cases,
        methods=tuple(
            ComparedMethod(name, title, paper, ours=name == "unlearn")
            for name, title, paper, *_ in METHODS
        ),
        budgets=BUDGETS,
        entries=tuple(entries),
        runs=tuple(runs),
        tuning={"sampler": "TPE, seed 0", "trials": 12, "wall time": "90 s per method and budget"},
        limits=("One data split; other splits were not tried.",),
        provenance={
            "command": "infounlearn compare points --data digits mnist adult --seeds 5",
            "created": "2026-01-02T03:04:05Z",
            "versions": {"infounlearn": "0.1.0", "torch": "2.13.0"},
        },
    )


def _case(
    draws: random.Random,
    seeds: tuple[int, ...],
    name: str,
    title: str,
    description: str,
    factor: float,
    original: float,
    accuracy: float,
) -> ComparedCase:
    def ratios() -> tuple[float, ...]:
        found = [math.exp(draws.gauss(0, 0.13)) for _ in range(8)]
        return tuple(8 * value / sum(found) for value in found)

    def around(middle: float, width: float) -> tuple[float, ...]:
        return tuple(middle + draws.gauss(0, width) for _ in range(8))

    return ComparedCase(
        name=name,
        title=title,
        description=description,
        sizes={"forget": 144, "retain": 1113, "validation": 180, "test": 360},
        seeds=seeds,
        retrained={key: ratios() for key in ("forget", "retain", "test")},
        original={"forget": original, "retain": 0.9 * factor, "test": 1.2},
        floors={"forget": 0.0312, "retain": 8.1e-4, "test": 0.0065},
        tuning_references=4,
        retraining={"rows": 100_170.0, "seconds": 22.7},
        yardsticks=(
            Yardstick("accuracy/forget", "Accuracy, forget", "accuracy", around(accuracy, 0.008),
                      0.009, 0.98),
            Yardstick("accuracy/retain", "Accuracy, retain", "accuracy", around(0.998, 0.0005),
                      6e-4, 1.0),
            Yardstick("accuracy/test", "Accuracy, test", "accuracy", around(0.958, 0.004), 0.004,
                      0.962),
            Yardstick("tow", "ToW", "", (), 0.97, 0.41, "higher", "Tug of war; 1 is best."),
            Yardstick("tow_mia", "ToW-MIA", "", (), 0.96, 0.52, "higher"),
            Yardstick("klom", "KLoM", "nats", around(0.42, 0.03), 0.42, 3.1,
                      note="Takes all seeds together."),
            Yardstick("u_lira", "U-LiRA accuracy", "accuracy", around(0.5, 0.01), 0.5, 0.71),
            Yardstick("rmia", "RMIA", "AUC", around(0.503, 0.006), 0.012, 0.662),
            Yardstick("challenge_epsilon", "Challenge ε", "nats", around(1.1, 0.1), 1.1, 4.2),
            Yardstick("relearn", "Relearn time", "steps", around(31.0, 2.0), 2.4, 3.0),
            Yardstick("marginal", "Marginal information", "nats", around(8.2e-5, 3e-6), 7.9e-5,
                      8.19e-5),
            Yardstick("leakage", "Certified leakage", "nats", (), None, 0.31, "lower"),
            Yardstick("rte", "Run-time efficiency", "ratio", (), None, None, "higher"),
        ),
        limits=("12,000 of 60,000 rows, a lossy subset.",) if name == "mnist/class" else (),
    )  # fmt: skip


def _entry(draws: random.Random, case: ComparedCase, name: str, budget: float) -> tuple[Entry, str]:
    keys = (case.name, name, budget)
    if name == "retrain":
        reason = "costs 1 of retraining"
        return Entry(*keys, "over budget", reason, source="none"), ""
    if name == "eu-k" and budget < 0.05:
        reason = "one epoch costs 0.034 of retraining"
        return Entry(*keys, "over budget", reason, source="none"), ""
    if name == "bad-teacher" and case.name == "adult/tail":
        return Entry(*keys, "needs", "a freshly initialised network", source="none"), ""
    if name == "gradient-ascent" and case.name != "digits/random":
        reason = "all trials left the finite numbers"
        return Entry(*keys, "diverged", reason, trials=12, diverged_trials=12, source="none"), ""
    settings = {"lr": float(f"{10 ** draws.uniform(-4, -2):.2g}"), "epochs": draws.randint(1, 9)}
    odd = name == "neg-grad-plus" and case.name == "mnist/class" and budget == 0.05
    return Entry(
        *keys,
        settings=settings,
        source=draws.choice(("published", "tuned", "tuned")),
        trials=12,
        diverged_trials=draws.choice((0, 0, 0, 2)),
        tuning_seconds=draws.uniform(40, 90),
        validation=draws.uniform(1, 3),
        pooled={"klom": draws.uniform(0.5, 2), "u_lira": draws.uniform(0.5, 0.7)},
    ), "one seed" if odd else ""


def _run(
    draws: random.Random, case: ComparedCase, entry: Entry, seed: int, typical: float, target: float
) -> ComparedRun:
    noise = [math.exp(draws.gauss(0, 0.05)) for _ in range(3)]
    forget = typical * noise[0]
    off = 0.01 * (forget - 1) * draws.choice((1, 1, 1, -1))
    cost = entry.budget * draws.uniform(0.9, 0.999)
    steps = 9
    history = [
        {
            "cost": cost * i / steps,
            "forget": min(
                1.0,
                max(0.0, target + off)
                + (0.98 - target) * math.exp(-0.7 * i)
                + abs(draws.gauss(0, 0.004)),
            ),
            "retain": 0.997 - 0.05 * math.exp(-abs(i - 1)) + draws.gauss(0, 0.001),
            "holdout": 0.955 - 0.03 * math.exp(-abs(i - 1)) + draws.gauss(0, 0.003),
        }
        for i in range(steps + 1)
    ]
    return ComparedRun(
        case=case.name,
        method=entry.method,
        budget=entry.budget,
        seed=seed,
        cost=cost,
        seconds=cost * draws.uniform(1.0, 1.6),
        distances={
            "forget": forget,
            "retain": 0.5 * typical * noise[1] + 0.4,
            "test": 0.4 * typical * noise[2] + 0.5,
        },
        measures={
            "accuracy/forget": history[-1]["forget"],
            "accuracy/retain": history[-1]["retain"],
            "accuracy/test": history[-1]["holdout"],
            "tow": 1 - 0.06 * forget,
            "tow_mia": 1 - 0.05 * forget,
            "rmia": 0.5 + 0.02 * forget,
            "challenge_epsilon": 1.1 * forget,
            "relearn": 30 / forget,
            "marginal": 8.2e-5 * noise[1],
            "leakage": 0.05 * forget if seed else None,
            "rte": 1 / cost,
        },
        history=tuple(history),
    )
