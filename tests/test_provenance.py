"""Provenance: enough to repeat a result, nothing about who or where."""

from __future__ import annotations

import getpass
import json
import platform
import re
import shlex

import pytest

from infounlearn import __version__
from infounlearn.provenance import PACKAGES, provenance


def test_versions_are_those_installed() -> None:
    import numpy
    import torch

    found = provenance()["versions"]
    assert found["infounlearn"] == __version__
    assert found["torch"] == torch.__version__
    assert found["numpy"] == numpy.__version__
    assert set(PACKAGES) < set(found)


def test_the_command_can_be_typed_again() -> None:
    words = ["points", "--out", "a folder", "--data", "x:y"]
    command = provenance(command=words)["command"]
    assert shlex.split(command) == ["infounlearn", *words]


def test_neither_host_nor_user_is_named() -> None:
    text = json.dumps(provenance(command=["demo"], seed=1, options={"a": 1}, data={"b": 2}))
    host = platform.node()
    assert not host or not re.search(rf"\b{re.escape(host)}\b", text)
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", text)


def test_what_is_not_known_is_left_out() -> None:
    assert not {"seed", "options", "data"} & provenance().keys()
    assert provenance(seed=0)["seed"] == 0


def test_the_time_can_be_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert provenance()["created"] == "1970-01-02T00:00:00Z"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", provenance()["created"])
