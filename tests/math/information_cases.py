"""Draws of logits and groups that the tests of information share."""

from __future__ import annotations

import math

import torch
from hypothesis import settings
from hypothesis import strategies as st

CASES = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def cases(draw, groups: int = 3, classes: int = 5):
    """Logits, with some probabilities of exactly 0, and groups, some of which may be absent."""
    seed = draw(st.integers(0, 10**6))
    n = draw(st.integers(2, 40))
    m = draw(st.integers(2, groups))
    c = draw(st.integers(2, classes))
    scale = draw(st.sampled_from([0.01, 1.0, 10.0, 300.0]))
    rng = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, c, generator=rng, dtype=torch.float64)
    dead = torch.rand(n, c, generator=rng) < draw(st.sampled_from([0.0, 0.3]))
    dead[torch.arange(n), torch.randint(c, (n,), generator=rng)] = False
    logits = logits.masked_fill(dead, -math.inf)
    z = torch.randint(m, (n,), generator=rng)
    return logits, z
