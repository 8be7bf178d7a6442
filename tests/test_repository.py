"""What is committed: nothing of one machine, nothing large, nothing that should not be shared."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 500_000
"""Bytes: a figure of the documentation fits, a data set or weights do not."""

# Written in pieces, so that this file does not find itself.
MACHINE = re.compile(
    r"(?<![\w.])/(?:" + "|".join(("work/", "home/", "root/", "Users/", "mnt/", r"tmp/\w")) + ")"
    r"|[A-Z]:\\\\Users|(?<![\d.])(?!127\.)(?:\d{1,3}\.){3}\d{1,3}:\d+"
)
BINARY = {".png", ".svg", ".npz", ".safetensors", ".ico", ".gz", ".parquet"}
FORBIDDEN = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}


def committed() -> list[Path]:
    """Files under version control; a skip where there is no git or no history."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_committed_file_is_large() -> None:
    large = {path.name: path.stat().st_size for path in committed()}
    assert {name: size for name, size in large.items() if size > LARGEST} == {}


def test_nothing_that_runs_code_when_it_is_read_is_committed() -> None:
    assert [path.name for path in committed() if path.suffix in FORBIDDEN] == []


def test_no_committed_file_names_a_path_or_host_of_a_machine() -> None:
    found = []
    for path in committed():
        if path.suffix in BINARY:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if MACHINE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


@pytest.mark.parametrize(
    "line", ["see /" + "work/x", "open('/" + "tmp/a')", "/" + "home/me", "C:\\\\" + "Users"]
)
def test_the_search_finds_a_path_of_a_machine(line: str) -> None:
    assert MACHINE.search(line)


@pytest.mark.parametrize(
    "line", ["a/tmp/x", "https://example.org/work/", "and /or", "tmp_path / name"]
)
def test_the_search_leaves_other_text_alone(line: str) -> None:
    assert not MACHINE.search(line)


def test_no_source_file_is_longer_than_it_should_be() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in committed()
        if path.suffix == ".py"
        and "src" in path.relative_to(ROOT).parts
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert long == {}


def test_the_changelog_and_the_citation_name_the_version() -> None:
    version = re.search(
        r'__version__ = "(.+)"', (ROOT / "src/infounlearn/__init__.py").read_text(encoding="utf-8")
    )
    assert version is not None
    assert version[1] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"version: {version[1]}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_every_direct_dependency_is_pinned() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = set(re.findall(r'^ *"?([a-z][a-z0-9-]+)>=', text, flags=re.MULTILINE))
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert len(wanted) >= 15
    assert {name for name in wanted if f"\n{name}==" not in pins} <= {"hatchling"}
