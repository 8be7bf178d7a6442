"""``figure image-barycenter``: its panel, its table, what it keeps and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from infounlearn.audit.feature.probes import Reading
from infounlearn.audit.images.readings import Read
from infounlearn.data.toy_images import styled_digits
from infounlearn.errors import InputError
from infounlearn.experiments.figures import image_bench
from infounlearn.experiments.figures.image_barycenter import run
from infounlearn.experiments.figures.image_bench import OURS
from infounlearn.experiments.figures.image_drawing import panel
from infounlearn.experiments.figures.image_subject import Design, design_for, subject
from infounlearn.experiments.figures.image_table import in_words
from tests.experiments.image_people import Heard

TINY = Design(
    rows=400,
    audited=120,
    dims=8,
    networks={"network": "tiny", "steps": 2, "batch_size": 8, "evaluate_every": 1},
    critics=1,
    amounts=(0.0, 1.0),
    folds=3,
    epochs=1,
    shown=2,
)
STEM = "image-barycenter-digits-rotated"


def guessed(reads: list[Read], **_: Any) -> list[Reading]:
    """Readings that take no training: the brighter an image, the likelier the last group."""
    found = []
    for read in reads:
        bright = read.images.mean((1, 2, 3))
        high = 0.2 + 0.6 * (bright - bright.min()) / np.ptp(bright)
        rest = np.repeat(((1 - high) / read.z.max())[:, None], read.z.max(), axis=1)
        log_q = np.log(np.column_stack([rest, high]))
        shares = np.bincount(read.z) / len(read.z)
        gains = log_q[np.arange(len(read.z)), read.z] - np.log(shares[read.z])
        found.append(Reading(gains, log_q, np.arange(len(read.z)) % 3, 0))
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_the_figure_is_whole_told_and_taken_up_from_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard("still visible")
    monkeypatch.setattr(image_bench, "audit_images", heard)
    monkeypatch.setattr(image_bench, "read_networks", guessed)
    said: list[tuple[int, int, str]] = []
    done = run(False, tmp_path, 0, lambda *step: said.append(step), design=TINY, workers=1)
    assert [path.name for path in done.files] == [
        f"{STEM}.{kind}" for kind in ("svg", "png", "csv", "json")
    ]
    # Rotated digits leave pixels dark in one group alone, where no Gaussian map can make variance.
    names = [row[0] for row in done.table[1:]]
    assert names == [
        "originals",
        "mean shift",
        "Gaussian, latent",
        "values and moments",
        "networks",
        OURS,
        "Gaussian, pixels",
    ]
    assert done.table[-1][1] == "not possible"
    assert any("not possible here" in note for note in done.notes)
    assert any("still visible" in note for note in done.notes)
    assert said[-1][0] == said[-1][1]
    with open(tmp_path / f"{STEM}.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    seen = {(row["method"], row["amount"], row["attribute"]) for row in rows}
    assert seen == {
        (name, amount, label)
        for name, amount in [("originals", "0"), *((name, "1") for name in names[1:6])]
        for label in ("rotated", "digit")
    } | {
        (name, "0" if name == "originals" else "1", "rotated, wider network")
        for name in ("originals", "Gaussian, latent", "values and moments", OURS)
    }
    record = json.loads((tmp_path / f"{STEM}.json").read_text(encoding="utf-8"))
    assert record["command"].endswith("image-barycenter --data digits --attribute rotated --seed 0")
    assert heard.images.shape == (120, 1, 8, 8)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("made again")

    for name in ("audit_images", "read_networks"):
        monkeypatch.setattr(image_bench, name, never)
    before = files(tmp_path)
    run(False, tmp_path, 0, design=TINY, workers=1)
    assert files(tmp_path) == before
    with pytest.raises(AssertionError, match="made again"):
        run(False, tmp_path, 1, design=TINY, workers=1)


def test_the_third_row_is_the_image_of_the_other_group() -> None:
    design = Design(attribute="brightness", rows=600, audited=100)
    known = subject(design, 3)
    toy = styled_digits("brightness", seed=3)
    rows = known.audited
    # Of these images the maps have these weights, whatever the share of the whole.
    weight = float((known.codes[known.fitted] == 1).mean())
    plain = toy.plain[:600][rows]
    full = (1 - weight) * plain + weight * toy.forward(plain)
    shown = panel(known, (full * 255).round().to(torch.uint8).numpy(), 4)
    assert shown.shape == (3, 8, 8, 8, 3)
    z = known.codes[rows]
    chosen = np.concatenate([np.flatnonzero(z == group)[:4] for group in (0, 1)])
    other = torch.where(
        torch.from_numpy(z[chosen] == 0).view(-1, 1, 1, 1),
        toy.forward(plain[chosen]),
        plain[chosen],
    )
    assert np.abs(shown[0, ..., 0] - known.pixels[rows[chosen], 0].numpy() / 255).max() == 0
    assert np.abs(shown[2, ..., 0] - other[:, 0].numpy()).max() < 4 / 255


def test_parts_are_disjoint_and_mix_the_styles() -> None:
    for seed in (0, 1):
        known = subject(TINY, seed)
        assert not set(known.fitted) & set(known.audited)
        for part in (known.fitted, known.audited):
            assert 0.4 < known.codes[part].mean() < 0.6
    assert subject(TINY, 0).sha256 != subject(TINY, 1).sha256


def test_the_attribute_says_which_data() -> None:
    assert design_for(None, None, False).data == "digits"
    assert design_for("inverted", None, False).attribute == "inverted"
    faces = design_for("Male", None, False)
    assert (faces.data, faces.attribute) == ("celeba", "Male")
    assert design_for(None, "celeba", True).attribute == "Smiling"
    assert design_for(None, "celeba", True).networks["steps"] < faces.networks["steps"]
    with pytest.raises(InputError, match=r"digits have none(?s:.*)--data celeba"):
        design_for("Smiling", "digits", False)


def test_absent_faces_are_told_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFOUNLEARN_DATA", str(tmp_path / "data"))
    with pytest.raises(InputError, match=r"img_align_celeba(?s:.*)by hand"):
        run(True, tmp_path / "out", 0, attribute="Smiling")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (None, "nats", "–"),
        (0.5, "accuracy", "50.0 %"),
        (-1e-5, "nats", "0.000"),
        (-0.25, "nats", "−0.250"),
        (0.04133, "", "0.0413"),
    ],
)
def test_numbers_of_the_panel(value: float | None, unit: str, told: str) -> None:
    assert in_words(value, unit) == told
