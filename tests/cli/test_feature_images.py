"""``infounlearn feature images/`` through the real entry point, with what users' folders hold."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from infounlearn.cli.feature_images import is_for_images
from infounlearn.experiments import image_job
from infounlearn.report import read_record
from tests.cli.conftest import Said
from tests.data.pictures import encoded
from tests.experiments.image_people import (
    COUNT,
    LIST,
    Heard,
    attribute_lines,
    digit_folder,
    drawn,
    hasten,
    names,
)

Run = Callable[..., Said]
USUAL = ("--attributes", LIST, "--sensitive", "Bright", "--method", "latent-gaussian")
SHORT = ("--size", "8", "--holdout", "0.5", "--out", "out")
AUDIT = ("--folds", "3", "--refits", "1", "--epochs", "1", "--limit", "0.6")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with images/ and list.txt; nothing is audited."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(image_job, "audit_images", Heard())
    digit_folder(tmp_path)
    return tmp_path


def refused(said: Said, place: Path, *parts: str) -> None:
    """Bad input: one error that names all ``parts``, and nothing written."""
    assert (said.code, said.out) == (2, ""), said.err
    assert said.err.count("error:") == 1
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err
    assert not (place / "out").exists()


def policy(place: Path) -> dict[str, object]:
    """What the record says of the reading."""
    run = read_record(place / "out").run
    assert run is not None
    return dict(run.settings["reading"])


def test_the_result_is_told_on_standard_output_and_progress_is_not(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    said = run("feature", "images/", *USUAL, *SHORT, *AUDIT, "--audit-images", "100")
    assert said.code in (0, 1, 3), said.err
    for part in (
        "images without Bright",
        "Bright, accuracy of a fresh network",
        "Bright, read from single places",
        "mean squared change per pixel value",
        "images   out/images",
        "maps     out/maps",
        "report   out/report.html",
    ):
        assert part in said.out
    assert all(len(line) <= 120 for line in said.out.splitlines())
    assert "420 images released" in said.err
    assert "released" not in said.out
    assert (
        read_record(place / "out")
        .provenance["command"]
        .startswith("infounlearn feature images/ --attributes list.txt --sensitive Bright")
    )


def test_an_archive_is_read_and_json_is_one_object(run: Run, place: Path) -> None:
    with zipfile.ZipFile("faces.zip", "w") as packed:
        for path in sorted((place / "images").iterdir()):
            packed.write(path, f"align/{path.name}")
    said = run("feature", "faces.zip", *USUAL, *SHORT, "--json")
    assert said.code == said.json["exit_code"] == 3
    assert said.json["files"]["images"] == "out/images"
    assert said.json["settings"]["reading"]["source"] == "zip"
    assert len(list((place / "out/images/align").iterdir())) == COUNT


@pytest.mark.parametrize(
    ("words", "images"),
    [
        (["images/"], True),
        (["faces.zip"], True),
        (["people.csv", "--sensitive", "a"], False),
        (["--sensitive", "a", "--attributes=l.txt"], True),
        (["--help"], False),
        ([], False),
    ],
)
def test_images_are_told_from_tables(words: list[str], images: bool) -> None:
    assert is_for_images(words) is images


def test_help_of_the_table_form_points_to_that_of_images(run: Run) -> None:
    assert "infounlearn feature images/ --help" in run("feature", "--help").out
    said = run("feature", "images/", "--help")
    assert said.code == 0
    for word in ("--attributes", "--keep", "latent-gaussian", "--unmatched"):
        assert word in said.out


def test_everything_wrong_with_a_request_is_said_at_once(run: Run, place: Path) -> None:
    said = run(
        "feature", "images/", "--attributes", LIST, "--sensitive", "Brigth", "--keep", "Larg",
        "--amount", "7", "--size", "4", "--holdout", "2", "--steps", "-1", "--out", "images/out",
    )  # fmt: skip
    refused(
        said,
        place,
        "'Brigth'",
        "['Bright']",
        "'Larg'",
        "amount is 7",
        "--size is 4",
        "--holdout is 2.0",
        "steps is -1",
        "lies among the images",
    )


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("absent/", *USUAL), ("there is no absent",)),
        (("images/", "--attributes", "no.txt", "--sensitive", "a"), ("there is no file no.txt",)),
        (("images/", "--attributes", LIST), ("--sensitive",)),
        (("images/", *USUAL, "--keep", "Bright"), ("--sensitive and --keep both name",)),
        (("images/", *USUAL, "--method", "magic"), ("magic",)),
        (("images/", *USUAL, "--folds", "1"), ("folds is 1",)),
        (("images/", *USUAL, "--holdout", "0.05"), ("fewer than 401 of the 420 images",)),
    ],
)
def test_bad_words_are_one_error(
    run: Run, place: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    refused(run("feature", *words, "--out", "out"), place, *parts)


def test_somebody_elses_folders_are_left_alone(run: Run, place: Path) -> None:
    (place / "out" / "images").mkdir(parents=True)
    (place / "out" / "images" / "mine.png").write_bytes(b"mine")
    said = run("feature", "images/", *USUAL, *SHORT)
    assert said.code == 2
    assert "no record.json beside it" in said.err
    assert (place / "out" / "images" / "mine.png").read_bytes() == b"mine"
    assert run("feature", "images/", *USUAL, "--size", "8", "--out", "far").code == 3
    assert run("feature", "far/images/", *USUAL, "--size", "8", "--out", "far").code == 2
    assert run("feature", "images/", *USUAL, "--size", "8", "--out", "far").code == 3


def test_mixed_sizes_and_grey_among_colour_are_made_alike_and_counted(
    run: Run, place: Path
) -> None:
    pixels = drawn()[0]
    for row in (0, 1, 2):
        wide = np.pad(pixels[row], ((0, 0), (0, 3)))
        (place / "images" / names()[row]).write_bytes(encoded(wide))
    for row in (10, 11):
        colour = np.stack([pixels[row]] * 3, axis=2)
        colour[0, 0] = (255, 0, 0)
        (place / "images" / names()[row]).write_bytes(encoded(colour))
    said = run("feature", "images/", *USUAL, *SHORT)
    assert said.code == 3, said.err
    assert "3 cut to the centre" in said.err
    assert "418 grey, made three equal channels" in said.err
    found = policy(place)
    assert (found["source_sizes"], found["cropped"], found["grey_to_colour"]) == (2, 3, 418)
    page = (place / "out" / "report.html").read_text(encoding="utf-8")
    assert "418 grey, made three equal channels" in page
    with Image.open(place / "out" / "images" / names()[0]) as image:
        assert (image.mode, image.size) == ("RGB", (8, 8))


def test_a_corrupt_jpeg_is_named_or_left_out_and_counted(run: Run, place: Path) -> None:
    whole = encoded(np.full((8, 8), 99, np.uint8), "jpeg")
    (place / "images" / names()[3]).unlink()
    (place / "images" / "000004.jpg").write_bytes(whole[: len(whole) // 2])
    text = (place / LIST).read_text(encoding="utf-8").replace("000004.png", "000004.jpg")
    (place / LIST).write_text(text, encoding="utf-8")
    said = run("feature", "images/", *USUAL, *SHORT)
    refused(said, place, "1 of 420 images cannot be read", "000004.jpg", "--corrupt skip")
    said = run("feature", "images/", *USUAL, *SHORT, "--corrupt", "skip")
    assert said.code == 3, said.err
    assert "1 unreadable and left out" in said.err
    assert policy(place)["corrupt_skipped"] == 1
    assert len(list((place / "out" / "images").iterdir())) == COUNT - 1


def test_missing_names_are_told_or_left_out_and_counted(run: Run, place: Path) -> None:
    _, bright, large = drawn()
    files = [*names()[:-4], "x1.png", "x2.png"]
    columns = {"Bright": bright[: len(files)], "Large": large[: len(files)]}
    (place / LIST).write_text(attribute_lines(files, columns), encoding="utf-8")
    said = run("feature", "images/", *USUAL, *SHORT)
    refused(
        said,
        place,
        "4 of 420 images have no row",
        "2 of 418 rows of attributes have no image",
        "--unmatched drop",
    )
    said = run("feature", "images/", *USUAL, *SHORT, "--unmatched", "drop")
    assert said.code == 3, said.err
    assert "4 images without a row of attributes left out" in said.err
    found = policy(place)
    assert (found["images_without_row"], found["rows_without_image"]) == (4, 2)
    text = attribute_lines(files, columns).split("\n")
    text[5] = text[5].split(" ", 1)[1]
    (place / LIST).write_text("\n".join(text), encoding="utf-8")
    said = run("feature", "images/", *USUAL, "--size", "8", "--out", "other")
    assert said.code == 2
    assert "1 rows have not 3 cells" in said.err
    assert "line 6 has 2" in said.err


def test_an_empty_or_small_group_is_refused_before_any_work(run: Run, place: Path) -> None:
    _, bright, large = drawn()
    for count, told in ((0, "1 of the 2 groups of Bright"), (9, "'Bright'")):
        few = np.zeros_like(bright)
        few[:count] = 1
        text = attribute_lines(names(), {"Bright": few, "Large": large})
        (place / LIST).write_text(text, encoding="utf-8")
        said = run("feature", "images/", *USUAL, *SHORT)
        refused(said, place, "Bright", f"1: {count}" if count else told)
        assert "fitting" not in said.err
    rare = np.zeros_like(large)
    rare[:30] = 1
    text = attribute_lines(names(), {"Bright": bright, "Large": rare})
    (place / LIST).write_text(text, encoding="utf-8")
    said = run("feature", "images/", *USUAL, *SHORT, "--keep", "Large")
    refused(said, place, "--keep Large has groups of fewer than 20 images", "--holdout")
    assert "fitting" not in said.err


def test_an_interrupt_leaves_nothing_but_the_state(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(image_job, "write_report", stop)
    said = run("feature", "images/", *USUAL, *SHORT)
    assert said.code == 130
    assert not (place / "out").exists()


def test_only_the_figure_of_images_takes_an_attribute(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = run("figure", "gaussian-toy", "--attribute", "Male", "--quick", "--out", "f")
    assert said.code == 2
    assert "takes no --attribute" in said.err
    said = run(
        "figure", "image-barycenter", "--attribute", "Male", "--data", "digits", "--out", "f"
    )
    assert said.code == 2
    assert "--data celeba" in said.err
    monkeypatch.setenv("INFOUNLEARN_DATA", str(tmp_path / "none"))
    said = run("figure", "image-barycenter", "--attribute", "Male", "--out", "f")
    assert said.code == 2
    assert "list_attr_celeba.txt" in said.err
