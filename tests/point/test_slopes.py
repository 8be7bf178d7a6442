"""Gradients written out equal those of autograd, and a run does not notice which were used."""

import warnings

import pytest
import torch

from infounlearn.experiments.networks import Mlp
from infounlearn.point import (
    BlindSpotWarning,
    MarginalInformation,
    ScoreTransport,
    Steps,
    Unlearned,
    unlearn,
)
from infounlearn.point.marginal_information import MarginalPenalty
from infounlearn.point.objective import Look, Shown, Step
from infounlearn.point.schedule import Schedule
from infounlearn.point.score_transport import TransportPenalty

CLASSES = 4


def shown(rows: int, seed: int, shift: float = 0.0) -> Shown:
    own = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, CLASSES, dtype=torch.float64, generator=own)
    targets = torch.arange(rows) % CLASSES
    logits[torch.arange(rows), targets] += shift
    return Shown(logits.requires_grad_(), targets, torch.arange(rows))


def penalties(objective) -> tuple[Step, object]:
    # Forget scores lie on both sides of their goals, some by more than 1.
    forget, retain, held = shown(24, 0, 1.0), shown(40, 1, 2.0), shown(96, 2)
    seen = [Shown(s.outputs.detach(), s.targets, s.index) for s in (forget, retain, held, held)]
    look = Look(*seen, alpha=0.1)
    step = Step(retain, forget, None, 0.1, 1, 24)
    return step, objective.start(look)


@pytest.mark.parametrize("objective", [MarginalInformation(), ScoreTransport()])
def test_slopes_are_the_gradient_of_the_penalty(objective):
    step, penalty = penalties(objective)
    found = penalty.slopes(step)
    value = penalty(step)
    wanted = torch.autograd.grad(
        value, [step.forget.outputs, step.retain.outputs], allow_unused=True
    )
    assert found.value == pytest.approx(float(value.detach()), rel=1e-12, abs=0)
    torch.testing.assert_close(found.forget, wanted[0], rtol=1e-10, atol=1e-15)
    if wanted[1] is None:
        assert found.retain is None
    else:
        torch.testing.assert_close(found.retain, wanted[1], rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    ("objective", "kind"),
    [(MarginalInformation(), MarginalPenalty), (ScoreTransport(1.0), TransportPenalty)],
)
def test_a_run_with_slopes_equals_one_through_autograd(objective, kind, monkeypatch):
    own = torch.Generator().manual_seed(0)
    inputs = torch.randn(160, 6, dtype=torch.float64, generator=own)
    targets = torch.arange(160) % CLASSES
    sets = {
        "forget": (inputs[:24], targets[:24]),
        "retain": (inputs[24:80], targets[24:80]),
        "holdout": (inputs[80:], targets[80:]),
    }
    model = Mlp((6, 16, CLASSES))(0).double()

    def weights() -> torch.Tensor:
        with warnings.catch_warnings():
            # Random labels: blind to marginal information, which is not the point here.
            warnings.simplefilter("ignore", BlindSpotWarning)
            result = run()
        return torch.cat([weight.flatten() for weight in result.model.parameters()])

    def run() -> Unlearned:
        return unlearn(
            model,
            **sets,
            objective=objective,
            stop=Steps(40),
            schedule=Schedule(epochs=10, batch_size=16, forget_batch_size=8, lr=1e-2),
        )

    fast = weights()
    monkeypatch.setattr(kind, "slopes", lambda self, step: None)
    slow = weights()
    moved = torch.cat([weight.flatten() for weight in model.parameters()])
    assert (fast - moved).abs().max() > 1e-2
    torch.testing.assert_close(fast, slow, rtol=1e-8, atol=1e-10)
