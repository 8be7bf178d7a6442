"""One full record for all tests of the report."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infounlearn.interface import Record

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def record() -> Record:
    """A record with three retrained references."""
    from example import example

    return example()


@pytest.fixture
def bare_record() -> Record:
    """The record of an audit that was given no retrained model."""
    from example import example

    return example(references=0)
