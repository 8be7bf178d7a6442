"""Regression: residuals take the place of margins, and what is not computed is said."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from infounlearn.audit import QUESTIONS, audit
from infounlearn.interface import Outputs, OutputSet

LEAKAGE, BEHAVIOUR, MARGINAL, UTILITY = QUESTIONS
SIZES = {"forget": 300, "retain": 1200, "holdout": 400, "test": 400}


def regressor(name, kind="retrained", *, records=0, model_seed=0, dims=1):
    """Members have residuals of 0.2, others of 1; "destroyed" forget records of 4."""
    noise = np.random.default_rng([records, model_seed, 5])
    sets = {}
    for index, (part, n) in enumerate(SIZES.items()):
        shared = np.random.default_rng([records, index, 6])
        truth = shared.normal(size=(n, dims))
        scale = 0.2 if part == "retain" or (part == "forget" and kind == "memorising") else 1.0
        scale = 4.0 if part == "forget" and kind == "destroyed" else scale
        error = shared.normal(size=(n, dims)) * scale + noise.normal(scale=0.1, size=(n, dims))
        sets[part] = OutputSet(truth + error, truth)
    return Outputs(name, "regression", sets)


def references(count, **options):
    return [regressor(f"r{k}", model_seed=50 + k, **options) for k in range(count)]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("retrained", "forgotten"), ("memorising", "not forgotten"), ("destroyed", "over-forgotten")],
)
@pytest.mark.parametrize("dims", [1, 3])
def test_truth_is_found(kind, answer, dims):
    found = audit(
        regressor("m", kind, model_seed=1, dims=dims),
        original=regressor("o", "memorising", model_seed=2, dims=dims),
        reference=references(3, dims=dims),
        permutations=199,
    )
    assert found.verdict(LEAKAGE).answer == answer
    assert found.verdict(BEHAVIOUR).answer == answer
    assert found.verdict(UTILITY).answer == "kept"
    if kind == "retrained":
        assert "retain squared error 0." in found.verdict(UTILITY).reason
    titles = " ".join(finding.title for finding in found.findings)
    assert "within classes" not in titles
    assert "given the class" not in titles
    names = {finding.name for finding in found.findings}
    assert not any("accuracy" in name and "attack" not in name for name in names)
    assert "leakage/label_information" not in names
    assert ("retrain_gap/w1_forget" in names) == (dims == 1)
    assert any("no label information" in sentence for sentence in found.not_proved)
    assert (found.finding("marginal/information").value is None) == (dims == 3)


def test_distances_of_predictions_in_closed_form():
    one, moved = regressor("m"), regressor("m")
    wobble = {n: OutputSet(p.outputs * (1 + 1e-3), p.targets) for n, p in one.sets.items()}
    near = Outputs("n", "regression", wobble)
    sets = {n: OutputSet(p.outputs + 0.5, p.targets) for n, p in moved.sets.items()}
    shifted = Outputs("s", "regression", sets)
    found = audit(shifted, reference=[one, near], permutations=9)
    assert found.finding("retrain_gap/w1_forget").value == pytest.approx(0.5, abs=1e-3)
    assert found.finding("retrain_gap/distance_forget").value == pytest.approx(0.5, abs=1e-3)
    assert found.finding("retrain_gap/w1_forget").floor == pytest.approx(0, abs=2e-3)


def test_live_regressors_of_either_shape_agree():
    class Flat(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x)[:, 0]

    net = nn.Linear(3, 1)
    sets = {}
    for seed, name in enumerate(("forget", "retain", "holdout")):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(30, 3, generator=generator)
        sets[name] = TensorDataset(x, x.sum(1) + torch.randn(30, generator=generator))
    column = audit(net, permutations=9, **sets)
    assert column == audit(Flat(net), permutations=9, **sets)
    assert column.settings["task"] == "regression"
    mse = column.finding("utility/mse_forget").value
    x, y = sets["forget"].tensors
    expected = ((net(x)[:, 0] - y) ** 2).mean().item()
    assert mse == pytest.approx(expected, rel=1e-5)
