"""Fits and readings of ``figure image-barycenter``, each made once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from infounlearn import files
from infounlearn.audit.feature.visibility import odds
from infounlearn.audit.images import audit_images
from infounlearn.audit.images.designs import FIRST, WIDER
from infounlearn.audit.images.designs import Design as DesignOfProbe
from infounlearn.audit.images.readings import Read, accuracy_interval, hits, read_networks
from infounlearn.errors import InputError
from infounlearn.experiments.figures.image_subject import Design, Subject
from infounlearn.experiments.figures.image_table import Told, told_by, wider
from infounlearn.experiments.figures.result import Progress
from infounlearn.feature.images.neural_barycenter import NeuralBarycenter
from infounlearn.math import auc

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
JUDGED = (PLAIN, OURS, ROUNDS, "Gaussian, latent")
"""What the wider network of the audit reads too: at full strength, and ours over the dial."""
LOOKS = 8
"""Critics between two looks."""


class Bench:
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
        judged = len(JUDGED) - 1 + len(dial)
        self.total = len(METHODS) + labels + labels * len(dial) + others + judged + 1
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
        if name in JUDGED and (name in (PLAIN, OURS) or amount == 1.0):
            key = [name, amount, WIDER.name, self._settings(name)]
            again = partial(self._read, images, self.known.codes, 0, WIDER)
            found[wider(self.design.attribute)] = self._kept(key, again)
            self._step(f"{name}, amount {amount:g}, read by a wider network")
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

    def _read(
        self, images: np.ndarray, codes: np.ndarray, place: int, by: DesignOfProbe = FIRST
    ) -> dict[str, float]:
        z = codes[self.known.audited]
        pixels = images.astype(np.float32) / 255
        read = Read(pixels, z, (self.seed, 1, place), "a reading", design=by)
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
