"""Synthetic models whose truth is known: who was trained on, who was forgotten, and how badly."""

from __future__ import annotations

import numpy as np

from infounlearn.audit import audit
from infounlearn.interface import Audit, Outputs, OutputSet

SIZES = {"forget": 300, "retain": 1500, "holdout": 400, "test": 600}
FAST = {"permutations": 199}


def labels(sizes=SIZES, classes=5, seed=0, forget_classes=None):
    """Targets per set; the forget set may hold only some classes."""
    rng = np.random.default_rng([seed, 1])
    found = {name: rng.integers(classes, size=n) for name, n in sizes.items()}
    if forget_classes is not None:
        found["forget"] = rng.choice(forget_classes, size=sizes["forget"])
    return found


def model(
    name, kind="retrained", *, records=0, model_seed=0, classes=5, sizes=SIZES, forget_classes=None
):
    """Outputs of one model on the records of seed ``records``.

    Every record has its own difficulty, the same for every model. Training on a record raises its
    margin by 3. Kinds: "retrained" (forget records look like held-out ones), "memorising" (they
    look like retain records), "destroyed" (a random wrong label is taught instead).
    """
    truth = labels(sizes, classes, records, forget_classes)
    noise = np.random.default_rng([records, model_seed, 2])
    outputs = {}
    for index, (part, y) in enumerate(truth.items()):
        shared = np.random.default_rng([records, index, 3])
        logits = shared.normal(size=(len(y), classes))
        rows = np.arange(len(y))
        logits[rows, y] += shared.normal(2.0, 1.0, size=len(y))
        logits += noise.normal(scale=0.4, size=logits.shape)
        if part == "retain" or (part == "forget" and kind == "memorising"):
            logits[rows, y] += 3
        if part == "forget" and kind == "destroyed":
            wrong = (y + noise.integers(1, classes, size=len(y))) % classes
            logits[rows, wrong] += 6
        outputs[part] = OutputSet(logits, y)
    return Outputs(name, "classification", outputs)


def retrained(count, **options):
    """``count`` independent retrained models."""
    return [model(f"retrained {k}", model_seed=100 + k, **options) for k in range(count)]


def run(kind, seed=0, references=3, **options) -> Audit:
    """Audit of a model of known truth beside a memorising original."""
    return audit(
        model("unlearned", kind, records=seed, model_seed=1, **options),
        original=model("original", "memorising", records=seed, model_seed=2, **options),
        reference=retrained(references, records=seed, **options),
        **FAST,
    )
