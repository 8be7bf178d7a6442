"""Networks of these tests see few images and train briefly."""

from __future__ import annotations

import pytest

from infounlearn.audit.images import probe_net


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_net, "LEAST_STEPS", 90)
