"""The release of whole rows by networks small enough for a test."""

from __future__ import annotations

from infounlearn.feature import WassersteinBarycenter

TINY = {"release": "rows", "networks": 1, "hidden": 8, "steps": 20}


def barycenter(**options: object) -> WassersteinBarycenter:
    """The release of rows with networks small enough for a test."""
    settings = {"engine_options": TINY, "random_state": 0, **options}
    return WassersteinBarycenter(method="common-support", **settings)
