"""A fit that is killed outright is taken up where it was."""

from __future__ import annotations

import subprocess
import sys

import torch

from infounlearn.feature.images import NeuralBarycenter

from .toys import stripes

SETTINGS = {"steps": 8, "batch_size": 12, "evaluate_every": 2, "network": "tiny", "dims": 6}
CHILD = """
import sys, torch
torch.set_num_threads(1)
from infounlearn.feature.images import NeuralBarycenter
images, codes = torch.load(sys.argv[1] + "/images.pt", weights_only=True)
settings = {settings!r}
tell = lambda row: print(row["step"], flush=True)
NeuralBarycenter(**settings, checkpoint=sys.argv[1], progress=tell).fit(images, sensitive=codes)
"""


def test_a_fit_after_sigkill_ends_in_the_same_weights(tmp_path):
    images, codes = stripes()
    torch.save((images, codes), tmp_path / "images.pt")
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.replace("{settings!r}", repr(SETTINGS)), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        for line in child.stdout:
            if float(line) >= 4:
                child.kill()
                break
    assert child.returncode != 0
    taken_up = []
    again = NeuralBarycenter(**SETTINGS, checkpoint=tmp_path, progress=taken_up.append)
    again.fit(images, sensitive=codes)
    whole = NeuralBarycenter(**SETTINGS).fit(images, sensitive=codes)
    assert 0 < len(taken_up) < len(whole.history_) == len(again.history_)
    assert torch.equal(
        again.transform(images, sensitive=codes), whole.transform(images, sensitive=codes)
    )
