"""``figure image-barycenter``: images moved to the barycenter of their groups, and read afresh.

Held-out images in three rows as in the paper: X, Bary(X), T(X); beside them what an audit finds of
the networks' map. Below, over the dial ``amount``: how well a network trained afresh reads the
group, what the images changed, and whether other attributes stay; of the networks, of the
closed-form Gaussian maps in latent and in pixel space, and of the mean shift.

Faces are drawn into the folder of the run alone: their terms allow no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from infounlearn import files
from infounlearn.audit.feature.visibility import odds
from infounlearn.audit.images import audit_images
from infounlearn.audit.images.readings import Read, accuracy_interval, hits, read_networks
from infounlearn.errors import InputError
from infounlearn.experiments.figures import image_drawing
from infounlearn.experiments.figures.image_subject import Design, Subject, design_for, subject
from infounlearn.experiments.figures.image_table import Told, notes, table, told_by
from infounlearn.experiments.figures.result import (
    FigureResult,
    Progress,
    Story,
    check_folder,
    write,
)
from infounlearn.feature.images.neural_barycenter import NeuralBarycenter
from infounlearn.math import auc

NAME = "image-barycenter"
PLAIN, OURS = "originals", "networks, information"
ROUNDS = "values and moments"
TRAINED = ("networks", OURS)
METHODS: dict[str, str] = {
    "mean shift": "mean-shift",
    "Gaussian, pixels": "pixel-gaussian",
    "Gaussian, latent": "latent-gaussian",
    ROUNDS: "marginals",
    "networks": "barycenter",
    OURS: "information",
}
"""Method of NeuralBarycenter by what the figure calls it."""
LOOKS = 8
"""Critics between two looks."""


def run(
    quick: bool,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    attribute: str | None = None,
    data: str | None = None,
    design: Design | None = None,
    workers: int | None = None,
) -> FigureResult:
    """Make the figure; fits and readings are kept in ``out`` and taken up again.

    Args:
        quick: few images, a short training and three settings of the dial.
        out: folder of the files.
        seed: of split, networks and probes.
        progress: told once per fit and reading.
        attribute: a style of digits, or an attribute of CelebA; "rotated", or "Smiling".
        data: "digits" or "celeba"; by default digits, unless an attribute of faces is named.
        design: another size than the built-in ones.
        workers: processes that train probes; default one per core.

    Raises:
        InputError: ``out`` cannot be written, CelebA is absent, or it has no such attribute.
    """
    check_folder(out, seed)
    from joblib import cpu_count

    design = design or design_for(attribute, data, quick)
    known = subject(design, seed)
    stem = f"{NAME}-{design.data}-{design.attribute}".lower()
    bench = _Bench(design, known, seed, out / f"{stem}-runs", workers or cpu_count(), progress)
    moved, facts, failed = bench.releases()
    rows = [
        {"method": name, "amount": amount, "attribute": label, "cost": bench.cost(images), **found}
        for name, by_amount in {PLAIN: {0.0: bench.before}, **moved}.items()
        for amount, images in by_amount.items()
        for label, found in bench.readings(name, amount, images).items()
    ]
    audit = bench.audit(moved[OURS][1.0]) if OURS in moved else None
    bench.finished()
    story = Story(
        NAME,
        quick,
        seed,
        rows,
        table(rows, facts, failed, design.attribute),
        notes(design, known, rows, facts, failed, audit),
        {"design": asdict(design), "facts": facts, "failed": failed},
        {design.data: known.sha256},
        part=f"-{design.data}-{design.attribute}".lower(),
        options=f" --data {design.data} --attribute {design.attribute}",
    )
    full = moved.get(OURS, {}).get(1.0)
    panel = None if full is None else image_drawing.panel(known, full, design.shown)
    with image_drawing.draw(rows, facts, known, panel, audit, design, quick) as drawing:
        return write(story, drawing, out)


class _Bench:
    """Fits and readings of one subject, each made once and kept."""

    def __init__(
        self,
        design: Design,
        known: Subject,
        seed: int,
        folder: Path,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self.design, self.known, self.seed, self.folder = design, known, seed, folder
        self.workers = workers if design.device == "cpu" else 1
        self.progress, self.done = progress, 0
        self.before = known.pixels[known.audited].numpy()
        labels = 1 + len(known.others)
        dial = [amount for amount in design.amounts if amount > 0]
        # The critics' maps are read in every label at every amount, others at full strength alone.
        others = (len(METHODS) - 1) * (len(dial) - 1 + labels)
        self.total = len(METHODS) + labels + labels * len(dial) + others + 1
        folder.mkdir(parents=True, exist_ok=True)

    def releases(
        self,
    ) -> tuple[dict[str, dict[float, np.ndarray]], dict[str, dict[str, float]], dict[str, str]]:
        """Audited images by method and amount, figures of the fits, and what cannot be fitted."""
        moved: dict[str, dict[float, np.ndarray]] = {}
        facts: dict[str, dict[str, float]] = {}
        failed: dict[str, str] = {}
        z = self.known.codes[self.known.audited]
        for name in METHODS:
            try:
                one = self._fitted(name)
            except InputError as error:
                failed[name] = " ".join(str(error).split())
            else:
                facts[name] = {"value": one.value_, "bound": one.bound_}
                facts[name] |= {
                    key: float(one.facts_[key])
                    for key in ("dims", "steps", "best_step", "rounds", "stages", "map_parameters")
                    if key in one.facts_
                }
                moved[name] = {}
                for amount in self.design.amounts:
                    if amount > 0:
                        one.set_params(amount=amount)
                        moved[name][amount] = one.transform(self.before, sensitive=z)
            self._step(f"{name}, fitted")
        return moved, facts, failed

    def readings(self, name: str, amount: float, images: np.ndarray) -> dict[str, dict[str, float]]:
        """What fresh networks read in these images, by attribute."""
        labels = {self.design.attribute: self.known.codes}
        if name in (PLAIN, OURS) or amount == 1.0:
            labels |= self.known.others
        found = {}
        for place, (label, codes) in enumerate(labels.items()):
            key = [name, amount, label, place, self._settings(name)]
            found[label] = self._kept(key, partial(self._read, images, codes, place))
            self._step(f"{name}, amount {amount:g}, {label} read")
        return found

    def audit(self, images: np.ndarray) -> Told:
        """The whole audit of these images."""
        where = self.known.audited

        def made() -> dict[str, Any]:
            d = self.design
            found = audit_images(
                images,
                self.known.codes[where],
                before=self.before,
                others={name: codes[where] for name, codes in self.known.others.items()},
                feature=d.attribute,
                refits=d.refits,
                folds=d.folds,
                epochs=d.epochs,
                seed=self.seed,
                jobs=self.workers,
                device=d.device,
            )
            return told_by(found)

        told: Told = self._kept(["whole audit", self.design.refits, self._settings(OURS)], made)
        self._step("audited")
        return told

    def cost(self, images: np.ndarray) -> float:
        """Mean squared change per pixel value of the audited images."""
        change = (images.astype(np.float64) - self.before) / 255
        return float(np.mean(change**2))

    def finished(self) -> None:
        """Tell that nothing is left, whatever could not be fitted."""
        if self.progress is not None and self.done < self.total:
            self.progress(self.total, self.total, "done")

    def _read(self, images: np.ndarray, codes: np.ndarray, place: int) -> dict[str, float]:
        z = codes[self.known.audited]
        read = Read(images.astype(np.float32) / 255, z, (self.seed, 1, place), "a reading")
        reading = read_networks(
            [read],
            folds=self.design.folds,
            epochs=self.design.epochs,
            device=self.design.device,
            jobs=self.workers,
            progress=None,
        )[0]
        right = hits(reading, z)
        low, high = accuracy_interval(right, reading.folds, 0.95)
        area = float("nan")
        if int(z.max()) == 1:
            score = odds(reading, 1)
            area = auc(score[z == 1], score[z == 0])
        return {
            "accuracy": float(right.mean()),
            "low": low,
            "high": high,
            "information": reading.information,
            "auc": float(area),
        }

    def _fitted(self, name: str) -> NeuralBarycenter:
        folder = self.folder / f"fit-{self._digest(self._settings(name))}"
        if (folder / "barycenter.json").exists():
            return NeuralBarycenter.load(folder)
        trained = name in TRAINED
        one = NeuralBarycenter(
            **self._settings(name),
            checkpoint=folder / "checkpoint" if trained else None,
            progress=self._look if trained else False,
        )
        fitted = self.known.fitted
        one.fit(self.known.pixels[fitted], sensitive=self.known.codes[fitted])
        if str(one.facts_.get("stopped", "")).startswith("interrupted"):
            raise KeyboardInterrupt
        one.save(folder)
        return one

    def _settings(self, name: str) -> dict[str, Any]:
        more = self.design.networks if name in TRAINED else {}
        if name == OURS:
            more = {**more, "critics": self.design.critics, "evaluate_every": LOOKS}
        if name == ROUNDS:
            more = {key: value for key, value in self.design.networks.items() if key == "flip"}
        return {
            "method": METHODS.get(name, name),
            "dims": self.design.dims,
            "device": self.design.device,
            "random_state": self.seed,
            **more,
        }

    def _kept(self, key: Any, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        path = self.folder / f"read-{self._digest(key)}.json"
        if path.exists():
            held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return held
        made = make()
        files.write_atomically(path, json.dumps(made, indent=1).encode())
        return made

    def _digest(self, key: Any) -> str:
        d = self.design
        own = [self.known.sha256, d.fitted, d.audited, d.folds, d.epochs, self.seed, key]
        return hashlib.sha256(json.dumps(own).encode()).hexdigest()[:16]

    def _look(self, row: dict[str, float]) -> None:
        if self.progress is not None:
            figures = "  ".join(
                f"{name} {row[name]:.4g}" for name in ("cost", "probe_accuracy") if name in row
            )
            kind = next(name for name in ("step", "critic", "round") if name in row)
            self.progress(self.done, self.total, f"training, {kind} {row[kind]:.0f}  {figures}")

    def _step(self, what: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total, what)
