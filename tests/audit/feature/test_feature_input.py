"""Bad input: one clear error that names every problem, before any probe is trained."""

from __future__ import annotations

import numpy as np
import pytest

from infounlearn.audit import audit_feature
from infounlearn.errors import InputError

N = 120
TABLE = np.random.default_rng(0).normal(size=(N, 3))
Z = np.arange(N) % 2
FAST = {"refits": 1, "permutations": 9, "probes": ["logistic"]}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((TABLE, Z[:-1]), {}, "z has 119 rows, outputs have 120"),
        ((TABLE, np.zeros(N)), {}, "one value only"),
        ((TABLE[:50], Z[:50]), {}, "there are 50 rows"),
        ((TABLE, np.where(np.arange(N) < 3, "rare", "other")), {}, r"rare \(3\)"),
        ((TABLE, np.where(Z == 0, np.nan, 1.0)), {}, "60 missing values"),
        ((TABLE, TABLE[:, 0]), {}, "z_bins"),
        ((np.where(TABLE > 1, np.inf, TABLE), Z), {}, "infinite"),
        ((TABLE, Z, Z), {}, "y was passed with a table"),
        ((TABLE, Z), {"before": TABLE[:-1]}, "before has 119 rows"),
        ((TABLE, Z), {"given": Z[:-1]}, "given has 119 rows"),
        ((TABLE, Z), {"release": np.zeros(7, dtype=int)}, "release has 7 rows"),
        ((TABLE, Z), {"interface": "picture"}, "interface is 'picture'"),
        ((TABLE, Z), {"interface": "probabilities"}, "no probabilities"),
        ((TABLE[:, :1], Z), {"interface": "logits"}, "one column"),
        ((TABLE[:, 0] * np.nan, Z), {}, "no finite numbers"),
        ((TABLE, Z), {"categorical": ["job"]}, "categorical names"),
        ((TABLE, Z), {"probes": ["oracle"]}, "probes is"),
        ((TABLE, Z), {"refits": 0}, "refits is 0"),
        ((TABLE, Z), {"limit": 0}, "limit is 0"),
        ((TABLE, Z), {"confidence": "high"}, "confidence is 'high'"),
        ((TABLE, Z), {"folds": 1}, "folds is 1"),
        ((TABLE, Z), {"missing": "drop"}, "missing is 'drop'"),
        ((np.zeros((2, 2, 2)), Z), {}, "shape"),
        (({"a": TABLE[:, 0], "b": TABLE[:5, 0]}, Z), {}, "one length"),
    ],
)
def test_a_problem_is_named(arguments, options, message) -> None:
    with pytest.raises(InputError, match=message):
        audit_feature(*arguments, **(FAST | options))


def test_problems_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        audit_feature(TABLE, Z, refits=0, folds=1, seed=-1)
    assert all(word in str(caught.value) for word in ("refits", "folds", "seed"))


def test_a_table_without_anything_to_read_is_nothing_to_read() -> None:
    found = audit_feature(np.ones((N, 2)), Z, **FAST)
    assert found.finding("probes/logistic").value == pytest.approx(0, abs=1e-3)
    assert found.verdicts[0].answer != "still visible"


def test_a_column_that_is_the_feature_is_seen_whole() -> None:
    found = audit_feature(np.column_stack([TABLE, Z]), Z, **(FAST | {"refits": 19}))
    assert found.verdicts[0].answer == "still visible"
    assert found.finding("probes/logistic").value > 0.8 * np.log(2)


def test_more_columns_than_rows() -> None:
    wide = np.random.default_rng(1).normal(size=(N, 200))
    assert audit_feature(wide, Z, **FAST).verdicts[0].answer != "still visible"


def test_too_few_permutations_decide_nothing() -> None:
    found = audit_feature(Z[::-1].copy(), np.random.default_rng(0).permutation(Z), permutations=9)
    assert found.verdicts[0].answer == "inconclusive"
    assert "ask for 19 or more" in found.verdicts[0].reason
