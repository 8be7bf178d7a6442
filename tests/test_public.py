"""The public list, and what importing it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from time import perf_counter

import pytest

import infounlearn

ROOMS = ("math", "data", "point", "feature", "audit", "report", "experiments")

IMPORT_SECONDS = 0.3
HELP_SECONDS = 1.0
TRIES = 5
"""The best of several tries: a busy machine must not fail this, a slow import always does."""

PUBLIC = {
    "Audit",
    "InformationPenalty",
    "InputError",
    "MarginalInformation",
    "MembershipInformation",
    "Outputs",
    "ParityHead",
    "ScoreBarycenter",
    "ScoreTransport",
    "Unlearned",
    "WassersteinBarycenter",
    "__version__",
    "audit",
    "audit_feature",
    "certify_information",
    "collect_outputs",
    "frontier",
    "marginal_information",
    "mutual_information",
    "unlearn",
    "write_report",
}


def python(code: str) -> str:
    """Standard output of a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_the_public_list_changes_on_purpose_only() -> None:
    assert set(infounlearn.__all__) == PUBLIC


def test_every_public_name_can_be_had_and_is_documented() -> None:
    for name in infounlearn.__all__:
        value = getattr(infounlearn, name)
        if name != "__version__":
            assert inspect.getdoc(value), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'forget_everything'"):
        _ = infounlearn.forget_everything  # type: ignore[attr-defined]


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_room_can_be_had_and_is_documented(room: str) -> None:
    module = import_module(f"infounlearn.{room}")
    assert inspect.getdoc(module)
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{room}.{name}"


def test_importing_the_package_is_fast_and_needs_no_torch() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import infounlearn; dir(infounlearn); "
        "print(time.perf_counter() - start, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    seconds = []
    for _ in range(TRIES):
        told, torch, numpy = python(code).split()
        assert (torch, numpy) == ("False", "False")
        seconds.append(float(told))
        if seconds[-1] < IMPORT_SECONDS:
            break
    assert min(seconds) < IMPORT_SECONDS


def test_help_is_fast() -> None:
    seconds = []
    for _ in range(TRIES):
        start = perf_counter()
        subprocess.run(
            [sys.executable, "-m", "infounlearn", "--help"], capture_output=True, check=True
        )
        seconds.append(perf_counter() - start)
        if seconds[-1] < HELP_SECONDS:
            break
    assert min(seconds) < HELP_SECONDS


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["nonsense"], ["demo", "--help"]])
def test_help_needs_no_torch(words: list[str]) -> None:
    told = python(
        "import sys\nfrom infounlearn.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules)"
    )
    assert told.splitlines()[-1] == "False"


def test_a_report_is_read_without_torch() -> None:
    told = python("import sys, infounlearn.report; print('torch' in sys.modules)")
    assert told == "False"
