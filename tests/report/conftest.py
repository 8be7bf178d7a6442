"""One full record for all tests of the report."""

from __future__ import annotations

import pytest

from infounlearn.interface import Record
from tests.report.report_example import example


@pytest.fixture
def record() -> Record:
    """A record with three retrained references."""
    return example()


@pytest.fixture
def bare_record() -> Record:
    """The record of an audit that was given no retrained model."""
    return example(references=0)
