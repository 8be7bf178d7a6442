"""Tables of any kind: a release on one support that all groups share.

``release="rows"`` writes whole rows, variable by variable, with the most left of each; what it
leaves of Z is measured. ``release="atoms"`` releases one of J fitted rows with a known probability,
so that what it leaves is certified on fresh rows, and needs no group where ``mode="blind"``.
``release="auto"`` takes atoms in blind mode and where a target is to be kept, rows otherwise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from infounlearn.errors import Problems
from infounlearn.feature.columns import MixedTable
from infounlearn.feature.engine import Fitted, Settings

__all__ = ["fit_common_support"]


def fit_common_support(
    table: MixedTable,
    codes: np.ndarray,
    weights: np.ndarray,
    *,
    target: np.ndarray | None = None,
    settings: Settings,
    seed: int,
) -> Fitted:
    """Fit the release that the option ``release`` asks for; see the module's opening.

    Args:
        table: rows to learn from.
        codes: (n,) groups 0..m-1.
        weights: (m,) shares of the groups.
        target: (n,) values to keep predictable, or None.
        settings: of the estimator.
        seed: of whatever is drawn while fitting.
    """
    from infounlearn.feature.atom_release import fit_atoms
    from infounlearn.feature.row_release import fit_rows

    options = dict(settings.options)
    release = options.pop("release", "auto")
    blind = settings.mode == "blind"
    problems = Problems("WassersteinBarycenter")
    problems.require(
        release in ("auto", "rows", "atoms"),
        f"release is {release!r}",
        fix="pass 'auto', 'rows' or 'atoms'",
    )
    problems.require(
        not (blind and release == "rows"),
        "release is 'rows' in blind mode",
        why="rows are written with their group",
        fix="pass release='atoms'",
    )
    problems.raise_if_any()
    rest = replace(settings, options=options)
    if release == "atoms" or (release == "auto" and (blind or target is not None)):
        return fit_atoms(table, codes, weights, target=target, settings=rest, seed=seed)
    return fit_rows(table, codes, weights, settings=rest, seed=seed)
