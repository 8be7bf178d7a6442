"""Where a result comes from: enough to repeat it, and nothing that names a person or a machine."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from infounlearn import __version__

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "safetensors")
"""What decides the numbers, beside this package and Python."""


def provenance(
    *,
    command: Sequence[str] = (),
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Command, seed, options, versions, platform, data and time of creation, for a record.

    The time is that of ``SOURCE_DATE_EPOCH`` where this variable is set, so that a repeated job
    can give the same bytes. Host and user are left out.

    Args:
        command: the words of the command line, without the program's name.
        seed: of the job.
        options: every setting of the job.
        data: names and SHA-256 of the record sets.
    """
    found: dict[str, Any] = {
        "command": shlex.join(["infounlearn", *command]) if command else "Python",
        "created": _now(),
        "versions": {"infounlearn": __version__, "python": platform.python_version()}
        | {name: _version(name) for name in PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    if seed is not None:
        found["seed"] = seed
    if data:
        found["data"] = dict(data)
    if options:
        found["options"] = dict(options)
    return found


def _now() -> str:
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = (
        datetime.fromtimestamp(int(fixed), timezone.utc)
        if fixed.isdigit()
        else datetime.now(timezone.utc)
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _version(name: str) -> str:
    """The installed version, read without importing the package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
