"""Small groups of values on the line, with many ties."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

CASES = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def tables(draw, groups=3, rows=6):
    """Small groups with many ties: values, labels."""
    parts = draw(
        st.lists(
            st.lists(st.integers(-4, 4), min_size=1, max_size=rows), min_size=1, max_size=groups
        )
    )
    labels = np.repeat(list("bac")[: len(parts)], [len(part) for part in parts])
    return np.concatenate(parts).astype(float), labels
