"""A folder as a user has it: a module with a network and records, weights, ids."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from infounlearn.cli import main

NETS = """
import torch
from torch import nn

FIVE = 5

def build():
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))

def seeded(seed):
    torch.manual_seed(seed)
    return build()

def wide():
    return nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))

def number():
    return 5

class Infinite(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = build()

    def forward(self, x):
        return self.net(x) / 0.0

def draw(n, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    return torch.randn(n, 2, generator=generator) + 1.5 * labels[:, None], labels

def datasets():
    return {"train": draw(240, 0), "holdout": draw(120, 1), "test": draw(60, 2)}

def leaking():
    train = draw(240, 0)
    return {"train": train, "holdout": tuple(part[:120] for part in train)}

def half():
    return {"train": draw(240, 0)}

def far_labels():
    inputs, labels = draw(240, 0)
    return {"train": (inputs, labels + 5), "holdout": draw(120, 1)}
"""


@dataclass(frozen=True)
class Workplace:
    """The folder, and the words that name everything in it."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def words(self, **changed: str | None) -> list[str]:
        """A complete command line; ``weights="x"`` replaces an option, None leaves it out."""
        given: dict[str, str | None] = {
            "model": "own_nets:build",
            "weights": "w.safetensors",
            "data": "own_nets:datasets",
            "forget": "ids.csv",
            "out": "out",
            "schedule.epochs": "2",
            "audit.permutations": "49",
            **changed,
        }
        return [
            "points",
            *(word for name, value in given.items() if value for word in (f"--{name}", value)),
        ]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    """A folder with own_nets.py, trained weights, one retrained reference and ids."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "own_nets.py").write_text(NETS, encoding="utf-8")
    (tmp_path / "ids.csv").write_text("id\n" + "\n".join(map(str, range(48))), encoding="utf-8")
    save_file(_fit(0, slice(None)).state_dict(), tmp_path / "w.safetensors")
    for index in (1, 2):
        save_file(_fit(index, slice(48, None)).state_dict(), tmp_path / f"r{index}.safetensors")
    yield Workplace(tmp_path)
    sys.modules.pop("own_nets", None)


def _fit(seed: int, rows: slice) -> nn.Module:
    space: dict[str, Any] = {}
    exec(NETS, space)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network: nn.Module = space["build"]()
    inputs, labels = (part[rows] for part in space["draw"](240, 0))
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return network


@dataclass(frozen=True)
class Said:
    """What a command line returned and said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run words through the real entry point, in this process."""

    def command(*words: str) -> Said:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as stop:  # tyro's --help
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return command
