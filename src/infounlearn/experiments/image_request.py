"""What is asked of a folder of images: whose information goes, which attributes are to stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar, cast

import numpy as np

from infounlearn.audit.feature.checks import LEAST, LEAST_GROUP
from infounlearn.audit.images.case import Settings
from infounlearn.audit.images.checks import SIDE, check_rows, read_others
from infounlearn.audit.images.checks import check_settings as check_audit
from infounlearn.data.attributes import Attributes, read_attributes
from infounlearn.data.image_files import open_images
from infounlearn.data.image_labels import LabelledImages, read_labelled_images
from infounlearn.errors import InputError, Problems, is_number
from infounlearn.feature.images.neural_barycenter import NeuralBarycenter
from infounlearn.feature.images.settings import check_settings
from infounlearn.report import check_folder

__all__ = ["CHECKPOINT", "IMAGES", "MAPS", "ImageRequest", "read_request", "released_names"]

IMAGES, MAPS, CHECKPOINT = "images", "maps", "checkpoint"
"""Folders below the one that is written to."""
MIN_GROUP = 16
"""Fitted images of a group below which no map is learned of it."""

_OPTIONS = {
    "unmatched='drop'": "--unmatched drop",
    "match='stem'": "--match stem",
    "corrupt='skip'": "--corrupt skip",
    "key= with": "--key with",
    "attributes.subset(rows)": "with --unmatched drop, by taking their rows out of the file",
}
"""Words of the readers, and what they are called here."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class ImageRequest:
    """Images, their attributes, and what is to be done with them.

    Attributes:
        images, attributes: folder or zip archive; file of CelebA's form, CSV or Parquet.
        sensitive: attributes whose information goes; several are crossed.
        keep: attributes that are to stay readable; the audit measures them.
        amount: the dial in [0, 1].
        method, network, steps, rounds, critics, batch_size, patience, flip, device, precision: of
            :class:`infounlearn.feature.images.NeuralBarycenter`.
        evaluate_every: steps between two looks, or critics; None for 250 steps or 8 critics.
        size: pixels of a side that images are cut and resized to, before anything else.
        colour, corrupt, unmatched, match, key: of the readers of images and attributes.
        holdout: share of the images that is not fitted on and may be audited.
        audit_images: most held-out images that are audited.
        refits, folds, epochs, limit, margin, jobs: of :func:`infounlearn.audit.audit_images`.
        seed: of split, fit and audit; written down.
    """

    images: Path
    attributes: Path
    sensitive: tuple[str, ...]
    keep: tuple[str, ...] = ()
    amount: float = 1.0
    method: str = "information"
    network: str = "small"
    steps: int = 2000
    batch_size: int = 64
    rounds: int = 5
    critics: int = 32
    evaluate_every: int | None = None
    patience: int | None = None
    flip: bool = False
    device: str = "cpu"
    precision: str = "float32"
    size: int = 32
    colour: Literal["auto", "rgb", "grey"] = "auto"
    corrupt: Literal["error", "skip"] = "error"
    unmatched: Literal["error", "drop"] = "error"
    match: Literal["name", "stem"] = "name"
    key: str | None = None
    holdout: float = 0.3
    audit_images: int = 3_000
    refits: int = 5
    folds: int = 5
    epochs: int = 12
    limit: float = 0.02
    margin: float = 0.05
    jobs: int = 1
    seed: int = 0

    def quick(self) -> ImageRequest:
        """The same with a short training and a small audit, which sees large leaks only."""
        return replace(
            self,
            network="tiny",
            steps=min(self.steps, 100),
            critics=min(self.critics, 6),
            evaluate_every=min(self.looks, 50),
            audit_images=min(self.audit_images, 600),
            refits=min(self.refits, 2),
            folds=min(self.folds, 3),
            epochs=min(self.epochs, 6),
        )

    @property
    def looks(self) -> int:
        """Steps, or critics, between two looks."""
        usual = 8 if self.method == "information" else 250
        return usual if self.evaluate_every is None else self.evaluate_every

    @property
    def turns(self) -> int:
        """Steps, critics or rounds of the whole training."""
        return {"information": self.critics, "marginals": self.rounds}.get(self.method, self.steps)

    @property
    def least_group(self) -> int:
        """Images of a sensitive group below which it cannot be fitted and audited."""
        audited = max(LEAST_GROUP, 2 * self.folds)
        return max(ceil(MIN_GROUP / (1 - self.holdout)), ceil(audited / self.holdout)) + 1

    def estimator(self, checkpoint: Path | None = None, progress: Any = False) -> NeuralBarycenter:
        """The transform that is asked for, not yet fitted."""
        names = ("amount", "method", "network", "steps", "rounds", "critics", "batch_size")
        more = ("patience", "flip", "device", "precision")
        settings = {name: getattr(self, name) for name in (*names, *more)}
        return NeuralBarycenter(
            **settings,
            evaluate_every=self.looks,
            min_group=MIN_GROUP,
            random_state=self.seed,
            checkpoint=checkpoint,
            progress=progress,
        )


def read_request(
    request: ImageRequest, out: Path, progress: Callable[[int, int], None] | None = None
) -> LabelledImages:
    """The images with their attributes, everything about the request and its files checked.

    Raises:
        InputError: settings, names and folders that cannot be used, all at once; then images and
            rows that do not fit together, and groups too small, all at once; then images that
            cannot be read, all at once. Nothing was trained or written.
    """
    problems = Problems(str(request.images))
    _check_settings(request, problems)
    table = _tried(problems, lambda: read_attributes(request.attributes, key=request.key))
    _tried(problems, lambda: _names_in(request.images))
    _check_out(request, out, problems)
    if table is not None:
        _check_names(request, table, problems)
    problems.raise_if_any()
    # What could not be read is a problem, and was raised.
    known = cast("Attributes", table)
    found = _tried(
        problems,
        lambda: read_labelled_images(
            request.images,
            known,
            sensitive=request.sensitive,
            min_count=request.least_group,
            unmatched=request.unmatched,
            match=request.match,
            size=request.size,
            colour=request.colour,
            corrupt=request.corrupt,
            progress=progress,
        ),
    )
    problems.raise_if_any()
    return cast("LabelledImages", found)


def released_names(names: Sequence[str]) -> list[str]:
    """Where each image goes: its own path with the suffix .png, added where two would meet."""
    short = [str(PurePosixPath(name).with_suffix(".png")) for name in names]
    return short if len(set(short)) == len(short) else [f"{name}.png" for name in names]


def check_held_out(
    request: ImageRequest, kept: dict[str, np.ndarray], problems: Problems, count: int
) -> None:
    """Collect why ``count`` audited images, with these values to be kept, cannot be audited.

    The audit would say so itself, but after hours of training.
    """
    theirs = Problems("")
    check_rows(theirs, count)
    if kept:
        read_others(theirs, kept, count, request.folds)
    more = " (of those held out and audited: raise --holdout or --audit-images, or add images)"
    for line in theirs.found:
        problems.found.append(re.sub(r"^others\['(.*?)'\]", r"--keep \1", line) + more)


def _names_in(images: Path) -> tuple[str, ...]:
    with open_images(images, recursive=True, where="images") as store:
        return store.names


def _tried(problems: Problems, call: Callable[[], Result]) -> Result | None:
    """What ``call`` returns; its problems join the others, in the words of the command."""
    try:
        return call()
    except InputError as error:
        text = str(error)
        for theirs, ours in _OPTIONS.items():
            text = text.replace(theirs, ours)
        head, *lines = text.split("\n  - ")
        where = head.rsplit(": ", 1)[0]
        problems.found += [f"{where}: {line}" for line in lines] or [text]
        return None


def _check_settings(request: ImageRequest, problems: Problems) -> None:
    check_settings(request.estimator(), problems)
    # The device was checked with the transform.
    audit = Settings(
        limit=request.limit,
        margin=request.margin,
        refits=request.refits,
        folds=request.folds,
        epochs=request.epochs,
        seed=request.seed,
        jobs=request.jobs,
    )
    check_audit(problems, audit)
    problems.require(
        request.device == "cpu" or request.jobs == 1,
        f"--jobs is {request.jobs} on --device {request.device}",
        fix="pass --jobs 1: one process trains on a device",
    )
    problems.require(
        is_number(request.holdout) and 0.05 <= request.holdout <= 0.9,
        f"--holdout is {request.holdout!r}",
        fix="pass a share in [0.05, 0.9]",
    )
    for name, least in (("size", SIDE), ("audit_images", LEAST)):
        value = getattr(request, name)
        problems.require(
            is_number(value, whole=True) and value >= least,
            f"--{name.replace('_', '-')} is {value!r}",
            fix=f"pass a whole number of at least {least}",
        )
    problems.require(
        0 < len(set(request.sensitive)) == len(request.sensitive),
        f"--sensitive names {list(request.sensitive)}",
        fix="name one attribute or several, each once",
    )
    both = sorted(set(request.sensitive) & set(request.keep))
    problems.require(
        not both,
        f"--sensitive and --keep both name {both}",
        why="what is removed cannot be kept",
        fix="name each attribute in one of them",
    )


def _check_names(request: ImageRequest, attributes: Attributes, problems: Problems) -> None:
    known = attributes.require_known([*request.sensitive, *request.keep], problems)
    if known and request.sensitive and request.method == "pairwise":
        cells = zip(*(attributes.columns[name].tolist() for name in request.sensitive), strict=True)
        groups = len(set(cells))
        problems.require(
            groups <= 2,
            f"{', '.join(request.sensitive)} makes {groups} groups and --method is pairwise",
            fix="use --method barycenter, which takes any number",
        )


def _check_out(request: ImageRequest, out: Path, problems: Problems) -> None:
    """The folder takes a report, holds nothing of somebody else's, and is apart from the images."""
    _tried(problems, lambda: check_folder(out))
    for name in (IMAGES, MAPS):
        problems.require(
            not (out / name).exists() or (out / "record.json").exists(),
            f"{str(out / name)!r} exists and no record.json beside it says that it is an earlier "
            "result",
            fix="choose another folder with --out, or move that one away",
        )
    source, target = request.images.expanduser().resolve(), out.expanduser().resolve()
    problems.require(
        not source.is_relative_to(target / IMAGES),
        f"{str(request.images)!r} lies in {str(out / IMAGES)!r}, which would be replaced",
        fix="choose another folder with --out",
    )
    problems.require(
        not source.is_dir() or not target.is_relative_to(source),
        f"--out {str(out)!r} lies among the images that are read",
        why="what is released would be read as an image by the next run",
        fix="choose a folder outside of them",
    )
