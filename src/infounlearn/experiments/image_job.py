"""The whole way from a folder of images to images without a feature: fit, release, audit, report.

    release_images(
        ImageRequest(Path("faces"), Path("list_attr_celeba.txt"), ("Smiling",), ("Young",)),
        out="runs/feature",
        watch=watch,
    )

While it trains, the folder holds the state of the training and nothing else; then images, maps,
record and report appear together, and the state goes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from infounlearn.audit.feature.verdicts import VISIBLE
from infounlearn.audit.images import audit_images
from infounlearn.data.image_labels import LabelledImages
from infounlearn.errors import Problems
from infounlearn.experiments.feature_job import FAILED, Watch
from infounlearn.experiments.image_release import Parts, images_hash, parts_of, write_images
from infounlearn.experiments.image_request import (
    CHECKPOINT,
    IMAGES,
    MAPS,
    ImageRequest,
    check_held_out,
    read_request,
)
from infounlearn.experiments.places import sha256_file, workplace
from infounlearn.feature.images.neural_barycenter import NeuralBarycenter
from infounlearn.interface import Audit, Record, RunSummary
from infounlearn.provenance import provenance
from infounlearn.report import write_report

__all__ = ["ImageResult", "image_exit_code", "release_images"]

UNTOLD = ("objective", "score")
"""Figures of the training that mean nothing to a reader of the report."""


@dataclass(frozen=True, eq=False)
class ImageResult:
    """What was written.

    Attributes:
        record: of the audit.
        images: folder of the released images.
        maps: folder of the fitted maps, for ``NeuralBarycenter.load``.
        report: path of ``report.html``.
    """

    record: Record
    images: Path
    maps: Path
    report: Path


def release_images(
    request: ImageRequest,
    *,
    out: str | Path,
    command: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    watch: Watch,
) -> ImageResult:
    """Release ``request.images`` without what they tell of the sensitive attributes.

    Writes the folders ``images`` (PNG) and ``maps``, ``record.json``, ``report.html`` and
    ``card.md`` into ``out``, together and at the end. Held-out images are released like all others,
    and the audit reads a bounded sample of them, as they were released.

    Args:
        request: what is asked for.
        out: folder; made where it does not exist. A training that was stopped is taken up there.
        command, options: for the record.
        watch: told what happens.

    Raises:
        InputError: something cannot be used; nothing is written then.
        DivergenceError: the training left the finite numbers; nothing is released then.
        KeyboardInterrupt: the training was interrupted; its state is kept, nothing is released.
    """
    began, folder = perf_counter(), Path(out)
    watch.stage(f"reading {request.images}")
    labelled = read_request(
        request, folder, lambda done, total: watch.step(done, total, f"{done:,} images read")
    )
    parts = parts_of(request, labelled)
    problems = Problems(str(request.images))
    kept = {name: labelled.attributes.columns[name][parts.audited] for name in request.keep}
    check_held_out(request, kept, problems, len(parts.audited))
    problems.raise_if_any()
    policies = labelled.facts[2:]  # the first two say how many there are and of what size
    for sentence in policies:
        watch.note(sentence)
    with workplace(folder) as work:
        estimator = _fitted(request, labelled, parts, folder / CHECKPOINT, watch)
        said = [*policies, *_said_of(estimator)]
        for sentence in said[len(policies) :]:
            watch.note(sentence)
        watch.stage("releasing")
        audited, digest = write_images(estimator, labelled, parts, work / IMAGES, watch.step)
        estimator.save(work / MAPS)
        watch.stage(f"auditing {len(parts.audited):,} held-out images")
        found = _audit(request, labelled, parts, audited, kept, watch)
        found = replace(
            found, not_proved=(*found.not_proved, *_not_proved(request), *estimator.limits_)
        )
        hashes = {
            "images": images_hash(labelled),
            "attributes": sha256_file(request.attributes.expanduser()),
            "released": digest,
        }
        record = Record(
            title=f"{request.images.name or request.images} without "
            f"{' × '.join(request.sensitive)}",
            audit=replace(found, hashes=hashes),
            run=_summary(request, labelled, parts, estimator, said, perf_counter() - began),
            provenance=provenance(
                command=command,
                seed=request.seed,
                options=options,
                data={
                    "images": {"images": len(labelled), "sha256": hashes["images"]},
                    "attributes": {
                        "rows": labelled.policy["attribute_rows"],
                        "sha256": hashes["attributes"],
                    },
                    "released": {"folder": IMAGES, "sha256": digest},
                },
            ),
        )
        watch.stage("writing the report")
        with _put_in_place(work, folder, (IMAGES, MAPS)):
            report = write_report(record, folder)
        shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return ImageResult(record, folder / IMAGES, folder / MAPS, report)


def image_exit_code(found: Audit) -> int:
    """0: removed, nothing lost; 1: still visible, or an attribute lost; 3: undecided."""
    if {verdict.answer for verdict in found.verdicts} & FAILED:
        return 1
    return 0 if found.verdict(VISIBLE).answer == "removed" else 3


def _fitted(
    request: ImageRequest, labelled: LabelledImages, parts: Parts, state: Path, watch: Watch
) -> NeuralBarycenter:
    """The maps, learned from the images that are not held out."""
    watch.stage(f"fitting {request.method} to {len(parts.fitted):,} images")

    def told(row: dict[str, float]) -> None:
        names = {"cost": "cost", "held_out_cost": "held out", "probe_accuracy": "probe accuracy"}
        figures = [f"{said} {row[name]:.4g}" for name, said in names.items() if name in row]
        counted = {"information": "critic", "marginals": "round"}.get(request.method, "step")
        if counted != "round" and "round" in row:
            figures = [f"round {row['round']:.0f} of {request.rounds}", *figures]
        watch.step(int(row.get(counted, 0)), request.turns, ", ".join(figures))

    before = state.exists()
    estimator = request.estimator(state, told)
    estimator.fit(labelled.pixels[parts.fitted], sensitive=parts.z[parts.fitted])
    stopped = str(estimator.facts_.get("stopped", ""))
    if stopped.startswith("interrupted"):
        watch.note(
            f"{stopped}: the same command takes the training up again from its last look, kept in "
            f"{state}"
        )
        raise KeyboardInterrupt
    if not before and state.is_dir():
        with suppress(OSError):
            state.rmdir()  # of a method without training, empty
    return estimator


def _said_of(estimator: NeuralBarycenter) -> list[str]:
    """What must be known of a training beside its figures."""
    facts = estimator.facts_
    if facts.get("steps", 0) > 0 and facts.get("best_step") == 0:
        return [
            "no step of the training did better, by the small probe that watches it, than the "
            "closed form from which it starts: these are the maps that were kept"
        ]
    return []


def _audit(
    request: ImageRequest,
    labelled: LabelledImages,
    parts: Parts,
    audited: np.ndarray,
    kept: dict[str, np.ndarray],
    watch: Watch,
) -> Audit:
    return audit_images(
        audited,
        parts.z[parts.audited],
        before=labelled.pixels[parts.audited],
        others=kept or None,
        feature=" × ".join(request.sensitive),
        name=f"{request.images.name or request.images} as released",
        limit=request.limit,
        margin=request.margin,
        refits=request.refits,
        folds=request.folds,
        epochs=request.epochs,
        seed=request.seed,
        jobs=request.jobs,
        device=request.device,
        progress=watch.step,
    )


def _summary(
    request: ImageRequest,
    labelled: LabelledImages,
    parts: Parts,
    estimator: NeuralBarycenter,
    said: Sequence[str],
    seconds: float,
) -> RunSummary:
    count = len(labelled)
    facts = {name: value for name, value in estimator.facts_.items() if name != "stopped"}
    stopped = estimator.facts_.get("stopped")
    told = "The maps are a closed form: there was no training." if stopped is None else ""
    return RunSummary(
        method=f"NeuralBarycenter({request.method}, amount {request.amount:g})",
        settings={
            "images": labelled.facts[0],
            "attributes kept": list(request.keep),
            "images fitted": len(parts.fitted),
            "images held out": count - len(parts.fitted),
            "images audited": len(parts.audited),
            "facts": facts,
            "reading": {key: _plain(value) for key, value in labelled.policy.items()},
            "estimator": {
                name: value
                for name, value in estimator.get_params(deep=False).items()
                if name not in ("checkpoint", "progress", "sensitive")
            },
        },
        history=[
            {name: value for name, value in row.items() if name not in UNTOLD}
            for row in estimator.history_
        ],
        stopped=f"{told or str(stopped).capitalize() + '.'} All {count:,} images were released.",
        warnings=tuple(said),
        cost={"seconds": seconds, "images_released": count},
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _not_proved(request: ImageRequest) -> list[str]:
    told = [
        f"Images were released at {request.size} x {request.size} pixels and audited so: nothing "
        "is said of larger ones, nor of files that lie beside them.",
        "Released images keep their names: who holds the attribute file knows the feature of each.",
        "The images that were fitted on are released too; the audit speaks of those held out.",
        "The released images and the maps were made from the images that were read: whoever may "
        "not have these may not have those.",
    ]
    if request.amount < 1:
        told.append(f"The dial stands at {request.amount:g}: part of the feature was to stay.")
    return told


@contextmanager
def _put_in_place(work: Path, folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Move folders out of ``work``; where anything fails within, the earlier ones come back."""
    kept = work / "kept"
    kept.mkdir()
    done: list[str] = []
    try:
        for name in names:
            if (folder / name).exists():
                os.replace(folder / name, kept / name)
            done.append(name)
            os.replace(work / name, folder / name)
        yield
    except BaseException:
        for name in done:
            shutil.rmtree(folder / name, ignore_errors=True)
            if (kept / name).exists():
                os.replace(kept / name, folder / name)
        raise
