"""Networks of these tests see few images and train briefly; nulls are short."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infounlearn.audit.images import probe_net, probing


@pytest.fixture(autouse=True, scope="module")
def _short() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe_net, "LEAST_STEPS", 70)
        patch.setattr(probing, "CHEAP", 2)
        yield
