"""What every test relies on: one torch thread, repeatable examples, data sets skipped by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
settings.register_profile(
    "infounlearn",
    deadline=None,  # a slow machine is not a wrong result
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("infounlearn")


def require_data(name: str) -> Path:
    """The folder that holds data set ``name``, or a skip that names it. Never downloads."""
    home = os.environ.get("INFOUNLEARN_DATA")
    if home is None or not (Path(home) / name).is_dir():
        pytest.skip(
            f"data set {name!r} is absent; set INFOUNLEARN_DATA to the folder above {name}/"
        )
    return Path(home)


@pytest.fixture
def data_home() -> Callable[[str], Path]:
    """``data_home("mnist")`` is the folder above mnist/, to be passed on as ``data_home=``."""
    return require_data


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked ``@pytest.mark.data("mnist")`` where the data set is absent."""
    for mark in item.iter_markers("data"):
        require_data(mark.args[0])
