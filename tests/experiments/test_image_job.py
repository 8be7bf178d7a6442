"""A folder of images without a feature: what is written, what stays, what is put back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from infounlearn.errors import InputError
from infounlearn.experiments import image_job
from infounlearn.experiments.image_job import ImageResult, image_exit_code, release_images
from infounlearn.experiments.image_request import ImageRequest, released_names
from infounlearn.feature.images import NeuralBarycenter
from infounlearn.interface import Audit, Verdict
from infounlearn.report import read_record
from tests.experiments.feature_people import Ear
from tests.experiments.image_people import (
    COUNT,
    Heard,
    asked,
    digit_folder,
    drawn,
    names,
)

TRAINED: dict[str, Any] = {
    "method": "barycenter",
    "network": "tiny",
    "steps": 4,
    "evaluate_every": 2,
    "batch_size": 8,
}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """No audit, but what it would have read."""
    ear = Heard()
    monkeypatch.setattr(image_job, "audit_images", ear)
    return ear


def made(request: ImageRequest, out: Path, ear: Ear | None = None) -> ImageResult:
    return release_images(request, out=out, watch=ear or Ear())


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def pixels_in(folder: Path) -> np.ndarray:
    return np.stack([opened(path) for path in sorted(folder.glob("*.png"))])


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_image_is_released_and_nothing_of_the_users_is_changed(
    tmp_path: Path, heard: Heard
) -> None:
    folder = digit_folder(tmp_path)
    before = digests(tmp_path)
    done = made(asked(tmp_path, keep=("Large",)), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "images",
        "maps",
        "record.json",
        "report.html",
        "card.md",
    }
    assert {k: v for k, v in digests(tmp_path).items() if not k.startswith("out/")} == before
    assert sorted(path.name for path in done.images.iterdir()) == names()
    own, bright, _ = drawn()
    after = pixels_in(done.images)
    gap = abs(own[bright == 1].mean() - own[bright == 0].mean())
    assert gap > 20
    assert abs(after[bright == 1].mean() - after[bright == 0].mean()) < 0.2 * gap
    # What the saved maps do is what was released.
    again = NeuralBarycenter.load(done.maps).transform(own[:, None], sensitive=bright)
    assert np.array_equal(again[:, 0], after)
    assert pixels_in(folder).shape == after.shape


def test_the_record_tells_what_was_read_and_what_was_found(tmp_path: Path, heard: Heard) -> None:
    digit_folder(tmp_path)
    ear = Ear()
    request = asked(tmp_path, keep=("Large",), size=10, audit_images=120)
    done = made(request, tmp_path / "out", ear)
    record = read_record(tmp_path / "out")
    assert record == done.record
    assert record.run is not None
    assert record.run.settings["reading"]["enlarged"] == COUNT
    assert ear.notes == [
        "420 resized",
        "420 enlarged: smaller than asked for",
    ]
    assert list(record.run.warnings) == ear.notes
    assert record.run.settings["images fitted"] == COUNT // 2
    assert record.run.settings["images audited"] == len(heard.z) == 120
    assert record.provenance["data"]["images"]["images"] == COUNT
    told = " ".join(record.audit.not_proved)
    for part in ("10 x 10 pixels", "keep their names", "fitted on are released too"):
        assert part in told
    page = done.report.read_text(encoding="utf-8")
    assert "can no longer be read from\n      images" in page
    assert "from a table" not in page
    assert "420 enlarged: smaller than asked for" in page


def test_the_audit_reads_held_out_images_as_they_were_written(
    tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    digit_folder(tmp_path)
    fitted: list[np.ndarray] = []
    fit = NeuralBarycenter.fit

    def learning(self: NeuralBarycenter, X: Any, y: Any = None, *, sensitive: Any) -> Any:
        fitted.append(X.numpy())
        return fit(self, X, y, sensitive=sensitive)

    monkeypatch.setattr(NeuralBarycenter, "fit", learning)
    done = made(asked(tmp_path, audit_images=120, keep=("Large",)), tmp_path / "out")
    own, bright, large = drawn()
    by_bytes = {image.tobytes(): row for row, image in enumerate(own)}
    rows = [by_bytes[image.numpy().tobytes()] for image in heard.options["before"]]
    assert len(rows) == len(set(rows)) == 120
    assert not set(rows) & {by_bytes[image.tobytes()] for image in fitted[0]}
    assert np.array_equal(heard.images[:, 0], pixels_in(done.images)[rows])
    assert heard.z.tolist() == bright[rows].tolist()
    assert heard.options["others"]["Large"].tolist() == large[rows].tolist()


def test_amount_0_returns_the_images_and_the_same_seed_the_same_files(
    tmp_path: Path, heard: Heard
) -> None:
    digit_folder(tmp_path)
    done = made(asked(tmp_path, amount=0.0), tmp_path / "out")
    assert np.array_equal(pixels_in(done.images), drawn()[0])
    assert any("dial stands at 0" in told for told in done.record.audit.not_proved)
    runs = [made(asked(tmp_path, **TRAINED), tmp_path / name) for name in ("one", "two")]
    assert digests(runs[0].images) == digests(runs[1].images)
    assert len({(run.maps / "maps.safetensors").read_bytes() for run in runs}) == 1
    assert [row["step"] for row in runs[0].record.run.history] == [0, 2, 4]  # type: ignore[union-attr]


def test_a_stopped_training_releases_nothing_and_is_taken_up(tmp_path: Path, heard: Heard) -> None:
    digit_folder(tmp_path)
    out, request = tmp_path / "out", asked(tmp_path, **TRAINED)
    whole = made(request, tmp_path / "whole")

    class Stops(Ear):
        def step(self, done: int, total: int, what: str) -> None:
            if total == 4 and done == 2:
                raise KeyboardInterrupt

    ear = Stops()
    with pytest.raises(KeyboardInterrupt):
        made(request, out, ear)
    assert [path.name for path in out.iterdir()] == ["checkpoint"]
    assert "interrupted after 2 steps" in ear.notes[-1]
    with pytest.raises(InputError, match="belongs to other images or other settings"):
        made(asked(tmp_path, **{**TRAINED, "steps": 5}), out)
    seen: list[int] = []

    class Hears(Ear):
        def step(self, done: int, total: int, what: str) -> None:
            if total == 4:
                seen.append(done)

    done = made(request, out, Hears())
    assert seen == [4]
    name = "maps.safetensors"
    assert (done.maps / name).read_bytes() == (whole.maps / name).read_bytes()
    assert not (out / "checkpoint").exists()


def test_a_report_that_fails_puts_the_earlier_release_back(
    tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    digit_folder(tmp_path)
    out = tmp_path / "out"
    made(asked(tmp_path), out)
    before = digests(out)

    def fails(*_: Any, **__: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr(image_job, "write_report", fails)
    with pytest.raises(OSError, match="no room"):
        made(asked(tmp_path, amount=0.5), out)
    assert digests(out) == before
    with pytest.raises(OSError, match="no room"):
        made(asked(tmp_path), tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_a_training_that_kept_its_start_says_so(
    tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    digit_folder(tmp_path)
    fit = NeuralBarycenter.fit

    def idle(self: NeuralBarycenter, X: Any, y: Any = None, *, sensitive: Any) -> Any:
        self.lr = 1e-30  # nothing is learned, and every look is like the first
        return fit(self, X, y, sensitive=sensitive)

    monkeypatch.setattr(NeuralBarycenter, "fit", idle)
    ear = Ear()
    done = made(asked(tmp_path, **TRAINED), tmp_path / "out", ear)
    assert "closed form from which it starts" in ear.notes[-1]
    assert done.record.run is not None
    assert done.record.run.warnings[-1] == ear.notes[-1]


def test_critics_are_counted_as_steps_are(tmp_path: Path, heard: Heard) -> None:
    digit_folder(tmp_path)
    seen: list[tuple[int, int]] = []

    class Hears(Ear):
        def step(self, done: int, total: int, what: str) -> None:
            if "image" not in what:
                seen.append((done, total))

    request = asked(tmp_path, method="information", network="tiny", critics=1)
    made(request, tmp_path / "out", Hears())
    assert seen[-1] == (1, 1)
    assert (request.looks, asked(tmp_path, method="barycenter").looks) == (8, 250)
    assert request.quick().estimator().get_params()["critics"] == 1


def test_names_meet_nowhere() -> None:
    assert released_names(["a/1.jpg", "b/1.jpeg"]) == ["a/1.png", "b/1.png"]
    assert released_names(["1.jpg", "1.png", "1.png.png"]) == [
        "1.jpg.png",
        "1.png.png",
        "1.png.png.png",
    ]


@pytest.mark.parametrize(
    ("seen", "kept", "code"),
    [
        ("removed", "kept", 0),
        ("removed", "inconclusive", 0),
        ("removed", "lost", 1),
        ("still visible", "kept", 1),
        ("inconclusive", "kept", 3),
        ("inconclusive", "lost", 1),
    ],
)
def test_the_exit_code_follows_the_verdicts(seen: str, kept: str, code: int) -> None:
    questions = ("Can the feature still be read from what is shown?", "Are other attributes kept?")
    pairs = zip(questions, (seen, kept), strict=True)
    verdicts = tuple(Verdict(question, answer, "", ()) for question, answer in pairs)
    assert image_exit_code(Audit("m", verdicts, ())) == code
