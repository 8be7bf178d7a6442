"""What the audit refuses: settings, outputs that cannot be judged, models of unlike records."""

import dataclasses

import numpy as np
import pytest

from infounlearn.audit import audit
from infounlearn.errors import InputError
from infounlearn.interface import OutputSet
from tests.audit.worlds import SIZES, model


def test_settings_and_kinds_of_model_are_checked_together():
    with pytest.raises(InputError, match="4 problems"):
        audit(model("m"), confidence=1.0, permutations=0, bins=1, prior=(0.7, 0.7))
    with pytest.raises(InputError, match="reference is a single model"):
        audit(model("m"), reference=model("r"))
    with pytest.raises(InputError, match="unlearned is a dict"):
        audit({"logits": 1})
    with pytest.raises(InputError, match="no live model"):
        audit(model("m"), forget=[1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.pop("holdout"), "has no holdout outputs"),
        (lambda s: s.update(forget=OutputSet(np.zeros((0, 5)), np.zeros(0, int))), "no records"),
        (lambda s: s.update(forget=OutputSet(np.zeros((3, 5)), np.zeros(2, int))), "2 targets"),
        (lambda s: s.update(forget=OutputSet(np.zeros((3, 4)), np.zeros(3, int))), "different sh"),
        (lambda s: s.update(forget=OutputSet(np.zeros((3, 5)), np.full(3, 5))), "outside 0..4"),
        (lambda s: s.update(forget=OutputSet(np.zeros((3, 5)), np.zeros(3))), "integer class"),
        (lambda s: s.update(extra=s["forget"]), "unknown record set 'extra'"),
        (
            lambda s: s.update(
                forget=OutputSet(np.zeros((3, 5)), np.zeros(3, int), np.zeros(2, int))
            ),
            "groups have shape",
        ),
    ],
)
def test_outputs_that_cannot_be_audited(spoil, message):
    one = model("m")
    sets = dict(one.sets)
    spoil(sets)
    with pytest.raises(InputError, match=message):
        audit(dataclasses.replace(one, sets=sets))


def test_models_must_have_been_shown_the_same_records():
    with pytest.raises(InputError, match="not shown the same forget records"):
        audit(model("m"), original=model("o", records=1))
    a = dataclasses.replace(model("m"), hashes={"test": "aa"})
    b = dataclasses.replace(model("o", model_seed=1), hashes={"test": "bb"})
    with pytest.raises(InputError, match="not shown the same test records"):
        audit(a, original=b)
    same = dataclasses.replace(model("m"), hashes={"forget": "aa", "holdout": "aa"})
    with pytest.raises(InputError, match="forget and holdout are the same records"):
        audit(same)
    short = model("o", sizes={k: v for k, v in SIZES.items() if k != "test"})
    with pytest.raises(InputError, match="only one of"):
        audit(model("m"), original=short)
    other = model("o")
    real = {n: OutputSet(p.outputs, p.outputs + 1) for n, p in other.sets.items()}
    with pytest.raises(InputError, match="different tasks"):
        audit(model("m"), original=dataclasses.replace(other, task="regression", sets=real))
