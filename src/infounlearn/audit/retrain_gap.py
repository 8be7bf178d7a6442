"""Distance to models retrained without the forget set, beside their distance among themselves.

The fair comparison. A reference k can only be compared with the mean q̄_{-k} of the *other* K-1
references; a mean of K-1 is noisier than a mean of K, which alone makes distances to it larger. So
the audited model is compared with the same K means q̄_{-k} and averaged over k: both sides are
distances to means of K-1 references, and a K+1st retrained model has the floor as its expectation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import special, stats

from infounlearn.audit.case import Case
from infounlearn.audit.readings import log_probabilities
from infounlearn.audit.utility import hits
from infounlearn.interface import Finding, Outputs
from infounlearn.math import jensen_shannon

ROUNDING = 1e-15  # distances of equal outputs do not come out at exactly 0

NEEDS = "not computed: needs at least two retrained references, to know their own spread"


@dataclass(frozen=True)
class Gap:
    """Per-record distances (n,) on one set.

    Attributes:
        models: of the audited (and the original) model, averaged over the K leave-one-out means.
        references: (K, n) of each reference to the mean of the others.
        exceeding: share of records, per model, beyond the 95 % quantile of ``references``.
    """

    models: tuple[np.ndarray, ...]
    references: np.ndarray
    exceeding: tuple[float, ...]

    @property
    def floor(self) -> float:
        """Mean distance of a reference to the others."""
        return float(self.references.mean())


def measure_gap(case: Case, name: str) -> Gap:
    """Distances on set ``name``: Jensen-Shannon (nats), or absolute differences of predictions."""
    anchors = _leave_one_out(case, name)
    shown = [_shown(model, name) for model in _judged(case)]
    references = np.stack(
        [
            _distance(_shown(one, name), anchor, case)
            for one, anchor in zip(case.references, anchors, strict=True)
        ]
    )
    limit = np.quantile(references, 0.95)
    means, exceeding = [], []
    for one in shown:
        each = np.stack([_distance(one, anchor, case) for anchor in anchors])
        means.append(each.mean(axis=0))
        exceeding.append(float((each > limit).mean()))
    return Gap(tuple(means), references, tuple(exceeding))


def retrain_gap_findings(case: Case, gaps: dict[str, Gap]) -> list[Finding]:
    """Distances, ratio to the floor, accuracy gaps, ToW and run-time efficiency.

    Args:
        case: the models.
        gaps: :func:`measure_gap` per set; empty with fewer than two references.
    """
    if not gaps:
        name, unit = distance_name(case, "forget"), "nats" if case.task == "classification" else ""
        found = [Finding(name, "Distance to retraining on forget", None, unit, note=NEEDS)]
    else:
        found = [_distance_finding(case, name, gap) for name, gap in gaps.items()]
        found += _ratio_findings(case, gaps["forget"])
    if case.references:
        found += [_accuracy_gap(case, name) for name in gap_sets(case)]
        if case.task == "classification":
            found.append(_tow(case))
        elif case.audited["forget"].outputs.shape[1] == 1:
            found += _distribution_findings(case)
    seconds = [one.seconds for one in case.references if one.seconds]
    if seconds and case.audited.seconds:
        found.append(
            Finding(
                name="retrain_gap/efficiency",
                title="Retraining time over unlearning time",
                value=float(np.mean(seconds)) / case.audited.seconds,
                unit="ratio",
                note="Wall time as recorded by whoever produced the outputs.",
            )
        )
    return found


def gap_sets(case: Case) -> list[str]:
    """Sets on which models are compared: forget, retain and test (held-out where none is given)."""
    return ["forget", "retain", "test" if "test" in case.audited.sets else "holdout"]


def distance_name(case: Case, name: str) -> str:
    """Name of the finding that holds the distance on set ``name``."""
    return f"retrain_gap/{'js' if case.task == 'classification' else 'distance'}_{name}"


def _judged(case: Case) -> list[Outputs]:
    return [case.audited] if case.original is None else [case.audited, case.original]


def _shown(model: Outputs, name: str) -> np.ndarray:
    """Log-probabilities of a classifier, predictions of a regressor."""
    part = model[name]
    return log_probabilities(part) if model.task == "classification" else part.outputs


def _leave_one_out(case: Case, name: str) -> list[np.ndarray]:
    """Mean output of all references but k, for each k."""
    shown = np.stack([_shown(one, name) for one in case.references])
    rest = [np.delete(shown, k, axis=0) for k in range(len(shown))]
    if case.task == "regression":
        return [others.mean(axis=0) for others in rest]
    return [special.logsumexp(others, axis=0) - np.log(len(others)) for others in rest]


def _distance(shown: np.ndarray, anchor: np.ndarray, case: Case) -> np.ndarray:
    if case.task == "regression":
        return np.sqrt(((shown - anchor) ** 2).mean(axis=1))
    return jensen_shannon(torch.from_numpy(shown), torch.from_numpy(anchor)).numpy()


def _distance_finding(case: Case, name: str, gap: Gap) -> Finding:
    classes = case.task == "classification"
    values, half = gap.models[0], 0.0
    level = case.settings.confidence
    if len(values) > 1:
        half = float(special.ndtri((1 + level) / 2) * values.std(ddof=1) / len(values) ** 0.5)
    what = "Jensen-Shannon divergence" if classes else "Prediction difference"
    return Finding(
        name=distance_name(case, name),
        title=f"{what} to the retrained models on {name}",
        value=float(values.mean()),
        unit="nats" if classes else "",
        interval=(float(values.mean()) - half, float(values.mean()) + half)
        if len(values) > 1
        else None,
        confidence=level,
        n=case.sizes(name),
        floor=gap.floor,
        ceiling=float(np.log(2)) if classes else None,
        original=float(gap.models[1].mean()) if case.original is not None else None,
        retrained=tuple(gap.references.mean(axis=1).tolist()),
        note="Mean over records; all sides are compared with means of K-1 references.",
    )


def _ratio_findings(case: Case, gap: Gap) -> list[Finding]:
    values, floor = gap.models[0], gap.floor
    n, level = len(values), case.settings.confidence
    # Identical references have no spread: any ratio to it would be without meaning.
    if floor < ROUNDING:
        title = "Distance on forget over the references' own distance"
        note = "not computed: the references are identical, so their spread is zero"
        return [Finding("retrain_gap/ratio_forget", title, None, "ratio", note=note)]
    ratio = float(values.mean()) / floor
    interval = None
    if n > 1:
        # Delta method, paired over records: both means move together with the records drawn.
        error = (values - ratio * gap.references.mean(axis=0)).std(ddof=1) / (floor * n**0.5)
        half = float(special.stdtrit(n - 1, (1 + level) / 2) * error)
        interval = (ratio - half, ratio + half)
    original = case.original is not None
    common: dict[str, Any] = {"unit": "ratio", "n": case.sizes("forget")}
    return [
        Finding(
            name="retrain_gap/ratio_forget",
            title="Distance on forget over the references' own distance",
            value=ratio,
            interval=interval,
            confidence=level,
            floor=1.0,
            original=float(gap.models[1].mean()) / floor if original else None,
            retrained=tuple((gap.references.mean(axis=1) / floor).tolist()),
            note="1 is what one more retrained model is expected to show.",
            **common,
        ),
        Finding(
            name="retrain_gap/exceeding_forget",
            title="Forget records farther from retraining than 95 % of retrained outputs",
            value=gap.exceeding[0],
            floor=0.05,
            original=gap.exceeding[1] if original else None,
            note="Averages hide single records; 5 % is what retraining itself shows.",
            **{**common, "unit": "rate"},
        ),
    ]


def _accuracy_gap(case: Case, name: str) -> Finding:
    """Signed utility gap to the mean of the references, paired over records."""
    each = np.stack([hits(one, name) for one in case.references])
    gaps = hits(case.audited, name) - each.mean(axis=0)
    level, n = case.settings.confidence, len(gaps)
    half = float(special.ndtri((1 + level) / 2) * gaps.std(ddof=1) / n**0.5) if n > 1 else None
    means = each.mean(axis=1)
    count = len(means)
    # Gap of each reference to the mean of the others, by the same leave-one-out rule.
    among = (means - means.mean()) * count / (count - 1) if count > 1 else np.empty(0)
    mean = float(gaps.mean())
    classes = case.task == "classification"
    return Finding(
        name=f"retrain_gap/{'accuracy' if classes else 'utility'}_gap_{name}",
        title=f"{'Accuracy' if classes else 'Negative MSE'} minus that of retraining on {name}",
        value=mean,
        unit="accuracy" if classes else "",
        interval=(mean - half, mean + half) if half is not None else None,
        confidence=level,
        n=case.sizes(name),
        floor=float(np.abs(among).max()) if count > 1 else None,
        original=float(hits(case.original, name).mean() - means.mean()) if case.original else None,
        retrained=tuple(among.tolist()),
        note="Paired over records. The floor is the largest gap of a reference to the others.",
    )


def _tow(case: Case) -> Finding:
    """Tug of war (2406.01257): product of 1 - |accuracy gap| over forget, retain and test."""
    names = gap_sets(case)
    means = {n: [float(hits(one, n).mean()) for one in case.references] for n in names}

    def score(model: Outputs, others: dict[str, float]) -> float:
        gaps = [abs(float(hits(model, n).mean()) - others[n]) for n in names]
        return float(np.prod([1 - gap for gap in gaps]))

    whole = {n: float(np.mean(values)) for n, values in means.items()}
    among = []
    for k, one in enumerate(case.references):
        if len(case.references) > 1:
            among.append(score(one, {n: float(np.mean(np.delete(means[n], k))) for n in names}))
    return Finding(
        name="retrain_gap/tow",
        title="Tug of war: 1 is the accuracy of retraining everywhere",
        value=score(case.audited, whole),
        unit="ratio",
        n=case.sizes(*names),
        floor=float(np.mean(among)) if among else None,
        ceiling=1.0,
        original=score(case.original, whole) if case.original is not None else None,
        retrained=tuple(among),
        note=f"Over {', '.join(names)}.",
    )


def _distribution_findings(case: Case) -> list[Finding]:
    """Wasserstein-1 and Kolmogorov-Smirnov distance of predictions on forget (one dimension)."""
    shown = [one["forget"].outputs[:, 0] for one in case.references]
    found = []
    for key, title, measure in (
        ("w1", "Wasserstein-1", stats.wasserstein_distance),
        (
            "ks",
            "Kolmogorov-Smirnov",
            lambda a, b: float(stats.ks_2samp(a, b, method="asymp").statistic),
        ),
    ):
        pairs = [measure(a, b) for i, a in enumerate(shown) for b in shown[:i]]

        def distance(model: Outputs, measure: Any = measure) -> float:
            return float(np.mean([measure(model["forget"].outputs[:, 0], b) for b in shown]))

        found.append(
            Finding(
                name=f"retrain_gap/{key}_forget",
                title=f"{title} distance of predictions to retraining on forget",
                value=distance(case.audited),
                unit="",
                n=case.sizes("forget"),
                floor=float(np.mean(pairs)) if pairs else None,
                original=distance(case.original) if case.original is not None else None,
                retrained=tuple(float(pair) for pair in pairs),
                note="Mean over references; the retrained column lists pairs of references.",
            )
        )
    return found
