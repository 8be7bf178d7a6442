"""Everything or nothing, the same bytes every time, and never over somebody else's file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from infounlearn.errors import InputError
from infounlearn.interface import Record
from infounlearn.report import files, page, write_report
from tests.report.report_example import example


@pytest.fixture
def record() -> Record:
    """A record without drawings, which take most of the time and nothing here depends on."""
    full = example()
    return replace(full, audit=replace(full.audit, curves=()), run=None)


NAMES = {"record.json", "report.html", "card.md"}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_writes_three_files_and_returns_the_page(record: Record, tmp_path: Path) -> None:
    assert (
        write_report(record, tmp_path / "new" / "out") == tmp_path / "new" / "out" / "report.html"
    )
    assert set(contents(tmp_path / "new" / "out")) == NAMES


def test_same_record_same_bytes(tmp_path: Path) -> None:
    write_report(example(), tmp_path / "a")
    write_report(example(), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_callers_matplotlib_style_changes_nothing(tmp_path: Path) -> None:
    import matplotlib

    write_report(example(), tmp_path / "a", formats=("html",))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "lines.marker": "o"}):
        write_report(example(), tmp_path / "b", formats=("html",))
        assert matplotlib.rcParams["font.size"] == 30
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_replaces_an_earlier_report_of_ours(record: Record, tmp_path: Path) -> None:
    write_report(record, tmp_path)
    first = contents(tmp_path)
    write_report(replace(record, title="another"), tmp_path)
    second = contents(tmp_path)
    assert set(second) == NAMES
    assert all(first[name] != second[name] for name in NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_never_replaces_a_file_of_others(record: Record, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("my thesis")
    with pytest.raises(InputError, match="is not ours"):
        write_report(record, tmp_path)
    assert contents(tmp_path) == {name: b"my thesis"}


def test_never_follows_a_link_or_replaces_a_folder(record: Record, tmp_path: Path) -> None:
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    (tmp_path / "out" / "card.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="2 problems"):
        write_report(record, tmp_path / "out")


def test_failing_render_leaves_the_old_report(record: Record, tmp_path, monkeypatch) -> None:
    write_report(record, tmp_path / "old")
    before = contents(tmp_path / "old")

    def fail(*args: object) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr(page, "render_page", fail)
    for folder in ("old", "new/deep"):
        with pytest.raises(RuntimeError, match="no ink"):
            write_report(replace(record, title="another"), tmp_path / folder)
    assert contents(tmp_path / "old") == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("earlier", [True, False])
def test_failing_replacement_brings_all_files_back(record, tmp_path, monkeypatch, earlier) -> None:
    if earlier:
        write_report(record, tmp_path)
    before = contents(tmp_path)
    replace_file = os.replace

    def fail_on_page(source: Path, target: Path) -> None:
        if Path(target).name == "report.html":
            raise PermissionError(13, "Permission denied")
        replace_file(source, target)

    monkeypatch.setattr(files.os, "replace", fail_on_page)
    with pytest.raises(InputError, match=r"cannot replace .*report\.html \(Permission denied\)"):
        write_report(replace(record, title="another"), tmp_path)
    assert contents(tmp_path) == before


def test_unwritable_folder_is_told_before_rendering(record, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(page, "render_page", lambda *_: pytest.fail("rendered"))
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(InputError, match="cannot write to"):
            write_report(record, folder)

    def refuse(**kwargs: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        write_report(record, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_formats_are_checked_and_honoured(record: Record, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'pdf' is unknown"):
        write_report(record, tmp_path / "a", formats=("pdf",))
    with pytest.raises(InputError, match="formats is empty"):
        write_report(record, tmp_path / "a", formats=())
    assert write_report(record, tmp_path / "b", formats=("card",)) == tmp_path / "b" / "card.md"
    assert set(contents(tmp_path / "b")) == {"card.md"}
