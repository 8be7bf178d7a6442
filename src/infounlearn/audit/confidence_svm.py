"""Membership share by a support vector machine on confidence, as the unlearning literature has it.

*Definition.* A classifier with an RBF kernel (C = 3, γ = 1) learns to tell retained from test
records by the probability p_y that the model gives to a record's label. The result is the share of
forget records that it calls non-members, in [0, 1].

*Source.* The "MIA" of Jia et al. (2023), arXiv:2304.04934, and Fan et al. (2023), arXiv:2310.12508.
γ is scikit-learn's "auto", 1 for one feature.

*Floor.* The share of a retrained model, which is not 1: the attack is weak, and on a network that
does not overfit it guesses. Only the difference to retrained models says anything
(:func:`infounlearn.math.tow_mia`, :func:`infounlearn.math.average_gap`). It compares forget records
with records of another mix of classes; use the attacks of :func:`infounlearn.audit.audit` to find
out whether a model leaks.
"""

from __future__ import annotations

import numpy as np

from infounlearn.errors import Problems, is_number

__all__ = ["nonmember_share"]


def nonmember_share(
    forget: object, retain: object, test: object, *, rows: int = 2_000, seed: int = 0
) -> float:
    """Share of forget records that the attack calls non-members.

    Args:
        forget: (n_f,) probability the model gives to each record's label; array or tensor.
        retain: (n_r,) the same of retained records, the attack's members.
        test: (n_t,) the same of test records, its non-members.
        rows: the attack learns from min(n_r, n_t, rows) records of each kind, chosen by ``seed``.
            Published code takes n_t; the time grows with the square.
        seed: of that choice.

    Returns:
        A number in [0, 1].

    Raises:
        InputError: not vectors of probabilities, no records, or rows or seed out of range.
    """
    problems = Problems("nonmember_share")
    parts = {
        name: _probabilities(problems, name, values)
        for name, values in (("forget", forget), ("retain", retain), ("test", test))
    }
    problems.require(
        is_number(rows, whole=True) and rows >= 1, f"rows is {rows!r}", fix="pass 1 or more"
    )
    problems.require(
        is_number(seed, whole=True) and seed >= 0, f"seed is {seed!r}", fix="pass 0 or more"
    )
    problems.raise_if_any()
    from sklearn.svm import SVC

    rng = np.random.default_rng(seed)
    count = min(rows, len(parts["retain"]), len(parts["test"]))
    members, others = (rng.choice(parts[name], count, replace=False) for name in ("retain", "test"))
    attack = SVC(C=3.0, kernel="rbf", gamma="auto")
    attack.fit(np.concatenate([members, others])[:, None], np.repeat([1, 0], count))
    return float((attack.predict(parts["forget"][:, None]) == 0).mean())


def _probabilities(problems: Problems, name: str, values: object) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    vector = np.asarray(values, dtype=np.float64)
    problems.require(
        vector.ndim == 1 and len(vector) >= 1,
        f"{name} has shape {vector.shape}",
        fix="pass one probability per record",
    )
    # Rounding may lift a softmax above 1.
    problems.require(
        bool(((vector >= 0) & (vector <= 1 + 1e-6)).all()),
        f"{name} holds a number that is no probability",
        fix="pass softmax probabilities of the true label; report a diverged model as such",
    )
    return vector
