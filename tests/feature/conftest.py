"""The stand-in for the mixed-data engine, where a test asks for it."""

from __future__ import annotations

import sys

import pytest

from tests.feature import tables


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-in where the mixed-data engine is looked for."""
    monkeypatch.setitem(sys.modules, tables.PLUG, tables)
