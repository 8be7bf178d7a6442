"""What the estimator may be set to."""

from __future__ import annotations

from typing import Any, Literal, get_args

from infounlearn.errors import Problems, is_number
from infounlearn.files import check_folder

Method = Literal[
    "barycenter",
    "pairwise",
    "marginals",
    "information",
    "latent-gaussian",
    "pixel-gaussian",
    "mean-shift",
]
CHOICES = {
    "method": get_args(Method),
    "network": ("small", "tiny"),
    "start": ("latent-gaussian", "identity"),
    "precision": ("float32", "bf16"),
}
FLOWS = ("marginals", "information")
"""Methods that move images step by step."""
WHOLE = {
    "steps": 0,
    "rounds": 0,
    "critics": 1,
    "map_steps": 1,
    "batch_size": 2,
    "evaluate_every": 1,
    "min_group": 2,
}
"""Least value of each whole number."""
POSITIVE = ("lr", "potential_lr")


def check_settings(one: Any, problems: Problems) -> None:
    """Collect every setting of a :class:`NeuralBarycenter` that is out of its range."""
    for name, known in CHOICES.items():
        value = getattr(one, name)
        problems.require(value in known, f"{name} is {value!r}", fix=f"pass one of {known}")
    for name, least in WHOLE.items():
        value = getattr(one, name)
        fine = is_number(value, whole=True) and value >= least
        problems.require(fine, f"{name} is {value!r}", fix=f"pass a whole number ≥ {least}")
    for name in POSITIVE:
        value = getattr(one, name)
        fine = is_number(value) and value > 0
        problems.require(fine, f"{name} is {value!r}", fix="pass a number above 0")
    for name, below in (("amount", None), ("ema", 1.0), ("validation", 1.0), ("penalty", None)):
        value = getattr(one, name)
        fine = is_number(value) and value >= 0 and (below is None or value < below)
        fine = fine and not (name == "amount" and value > 1)
        told = {"amount": "from 0 to 1", "penalty": "of at least 0"}.get(name, "in [0, 1)")
        problems.require(fine, f"{name} is {value!r}", fix=f"pass a number {told}")
    rate = is_number(one.rate) and 0 < one.rate <= 1
    problems.require(rate, f"rate is {one.rate!r}", fix="pass a number in (0, 1]")
    alone = not (one.method in FLOWS and one.accelerate)
    problems.require(
        alone,
        f'accelerate is True and method "{one.method}"',
        fix="pass accelerate=False: its steps follow one another",
    )
    inset = is_number(one.inset) and 0 <= one.inset < 0.5
    problems.require(inset, f"inset is {one.inset!r}", fix="pass a number in [0, 0.5)")
    whole = is_number(one.random_state, whole=True)
    problems.require(whole, f"random_state is {one.random_state!r}", fix="pass a whole number")
    patience = one.patience is None or (is_number(one.patience, whole=True) and one.patience > 0)
    problems.require(patience, f"patience is {one.patience!r}", fix="pass None, or steps above 0")
    dims = one.dims == "auto" or (is_number(one.dims, whole=True) and one.dims >= 1)
    problems.require(dims, f"dims is {one.dims!r}", fix="pass 'auto', or a whole number ≥ 1")
    if one.checkpoint is not None:
        check_folder(one.checkpoint, "checkpoint", problems)
    _check_device(one.device, problems)


def _check_device(name: Any, problems: Problems) -> None:
    import torch

    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        problems.add(f"device is {name!r}", fix="pass a device of torch, such as 'cpu' or 'cuda'")
        return
    if device.type == "cuda" and not torch.cuda.is_available():
        problems.add("device is 'cuda', which torch does not see", fix="pass 'cpu'")
