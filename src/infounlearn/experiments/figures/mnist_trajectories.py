"""``figure mnist-trajectories``: accuracy and information while 75% of the 3s are unlearned."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed

from infounlearn.experiments.cases import Case
from infounlearn.experiments.ensemble import trained
from infounlearn.experiments.figures import mnist_drawing
from infounlearn.experiments.figures.mnist_protocol import (
    BASELINES,
    SECOND_LOG,
    TRAJECTORIES,
    Protocol,
    Published,
    baseline,
    mean_sd,
    trajectory,
)
from infounlearn.experiments.figures.result import (
    FigureResult,
    Progress,
    Story,
    check_folder,
    write,
)
from infounlearn.experiments.recipe import TrainedModel

NAME = "mnist-trajectories"
FULL = Protocol()
QUICK = Protocol(quick=True, repeats=2, looks=(1, 2, 3, 5, 7, 10, 15))
HEADER = (
    "model",
    "forget %", "published",
    "remain %", "published",
    "test %", "published",
    "batch MI", "published",
    "exact MI",
)  # fmt: skip

Rows = list[dict[str, Any]]


def run(
    quick: bool,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    how: Protocol | None = None,
    workers: int | None = None,
) -> FigureResult:
    """Make the figure: ten originals and retrained networks, and one run per original and gamma.

    The full form trains twenty networks for 100 epochs, about half an hour on two cores; they are
    kept in ``out``/mnist-trajectories-networks, and a run that was broken off goes on from there.

    Args:
        quick: 12,000 records, 30 epochs of training and 2 repeats; under a minute.
        out: folder of the files.
        seed: of the forget set, the networks and the runs.
        progress: told once per network and run.
        how: another protocol than the two built in.
        workers: processes; default one per core.

    Raises:
        InputError: ``out`` cannot be written, or MNIST is neither present nor downloadable.
    """
    check_folder(out, seed)
    how = how or (QUICK if quick else FULL)
    workers = workers or cpu_count()
    built = how.case(seed)
    total = how.repeats * (2 + len(how.gammas))
    done = 0

    def tell(_: int, __: int, what: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total, what)

    seeds = [1000 * seed + repeat for repeat in range(how.repeats)]
    networks = {
        kind: trained(
            built,
            kind,
            seeds,
            cache_dir=None if quick else out / f"{NAME}-networks",
            workers=workers,
            progress=tell,
        )
        for kind in ("original", "retrained")
    }
    rows: Rows = []
    for kind, models in networks.items():
        for repeat, network in enumerate(models):
            seen = baseline(network.model, how, seed)
            common = {"model": kind, "gamma": "", "repeat": repeat, "epoch": ""}
            rows.append({**common, **seen, "batch": ""})
    jobs = _jobs(how, seed, networks["original"])
    for finished in _run(jobs, min(workers, len(jobs))):
        rows += [{"model": "unlearned", **row} for row in finished]
        tell(0, 0, f"gamma {finished[0]['gamma']:g}, repeat {finished[0]['repeat']}: unlearned")
    order = {"original": 0, "retrained": 1, "unlearned": 2}
    rows.sort(key=lambda r: (order[r["model"]], r["gamma"] or 0, r["repeat"], r["epoch"] or 0))
    rows = [{**row, "batch": "" if row["batch"] != row["batch"] else row["batch"]} for row in rows]
    story = Story(
        NAME,
        quick,
        seed,
        rows,
        table(rows, how),
        notes(rows, how, built),
        {**vars(how), "network_seeds": seeds, "recipe": vars(built.recipe)},
        {part: getattr(built, part).sha256() for part in ("forget", "retain", "holdout", "test")},
    )
    with mnist_drawing.draw(rows, how, built.description) as drawing:
        return write(story, drawing, out)


def _jobs(how: Protocol, seed: int, originals: list[TrainedModel]) -> list[tuple[Any, ...]]:
    """One job per repeat and gamma; runs from one original share their batches."""
    own = np.random.SeedSequence([seed, 75]).generate_state(how.repeats)
    return [
        (how, seed, repeat, gamma, network.model.state_dict(), int(own[repeat]))
        for repeat, network in enumerate(originals)
        for gamma in how.gammas
    ]


def _run(jobs: list[tuple[Any, ...]], workers: int) -> Iterable[Rows]:
    if workers <= 1:
        return map(trajectory, jobs)
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
    finished: Iterable[Rows] = parallel(delayed(trajectory)(job) for job in jobs)
    return finished


def table(rows: Rows, how: Protocol) -> list[tuple[str, ...]]:
    """Ours, mean ± one sd over the repeats, beside the published numbers."""
    lines: list[tuple[str, ...]] = [HEADER]
    for name in ("original", "retrained"):
        lines.append(_line(name, [r for r in rows if r["model"] == name], BASELINES[name]))
    if 0.0 in how.gammas:
        last = _at(rows, 0.0, how.epochs)
        lines.append(_line(f"fine-tuned, {how.epochs} epochs", last, BASELINES["fine-tuned"]))
    for (gamma, epoch), published in TRAJECTORIES.items():
        ours = _at(rows, gamma, epoch)
        if ours:
            lines.append(_line(f"γ {gamma:g}, epoch {epoch}", ours, published))
    return lines


def _at(rows: Rows, gamma: float, epoch: int) -> Rows:
    return [r for r in rows if r["gamma"] == gamma and r["epoch"] == epoch]


def _line(name: str, ours: Rows, published: Published) -> tuple[str, ...]:
    cells = [name]
    for key, value, sd in (
        ("forget", published.forget, published.forget_sd),
        ("remain", published.remain, None),
        ("test", published.test, published.test_sd),
    ):
        mean, spread = mean_sd([100 * row[key] for row in ours])
        cells.append(f"{mean:.2f} ± {spread:.2f}")
        cells.append(f"{value:.2f}" + (f" ± {sd:.2f}" if sd is not None else ""))
    batch = [row["batch"] for row in ours if row["batch"] != ""]
    cells.append(f"{mean_sd(batch)[0]:.4f}" if batch else "–")
    cells.append(f"{published.information:.4f}" if published.information is not None else "–")
    cells.append(f"{mean_sd([row['information'] for row in ours])[0]:.4f}")
    return tuple(cells)


def notes(rows: Rows, how: Protocol, built: Case) -> list[str]:
    """What must be known to read the table."""
    said = [
        f"{built.description}; {how.repeats} repeats, each from an original of its own; mean ± one "
        "standard deviation over them. The published baselines are single numbers.",
        "Not published, so ours: Adam 1e-3 for unlearning, batches of 128 for training, inputs "
        "scaled to [0, 1], and how long the fine-tuning was.",
        "Batch MI is the mean over the batches of an epoch, the published quantity: biased upwards "
        "by 0.002 to 0.004 nats. Exact MI is that of all forget and remain records, "
        f"at the same design (forget share {how.alpha:g}, prior 80:64). A perfect classifier has "
        "0.0466 nats, a retrained one about 0.043, the ceiling is 0.0708.",
        f"The authors logged (3.5, 5) twice: forget {SECOND_LOG.forget} ± {SECOND_LOG.forget_sd} "
        "in the second log. Two means of ten repeats of theirs differ by two points.",
        "The right target is the retrained network, not zero information: beyond it, this "
        "objective unlearns the digit itself.",
    ]
    both = [(key, ours) for key in TRAJECTORIES if (ours := _at(rows, *key))]
    if both and not how.quick:
        gaps = {
            key: mean_sd([100 * row["forget"] for row in ours])[0] - TRAJECTORIES[key].forget
            for key, ours in both
        }
        (gamma, epoch), gap = max(gaps.items(), key=lambda item: abs(item[1]))
        said.append(
            f"Farthest from the published forget accuracy: γ {gamma:g}, epoch {epoch}, by "
            f"{gap:+.1f} points."
        )
    if how.quick:
        said.insert(
            0,
            "QUICK form: 12,000 records, 30 epochs of training, and short epochs "
            f"({-(-len(built.forget) // how.forget_batch)} steps instead of 288). The published "
            "numbers are those of the full protocol and stand beside for orientation only.",
        )
    return said
