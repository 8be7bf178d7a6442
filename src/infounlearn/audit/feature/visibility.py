"""What fresh probes recover of the feature: information, ranking, null, power, and fingerprints."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from infounlearn.audit.feature.case import Case
from infounlearn.audit.feature.inference import gain_interval, null_of
from infounlearn.audit.feature.power import Power, find_power
from infounlearn.audit.feature.probes import Job, Reading, read_all
from infounlearn.interface import Finding, Null
from infounlearn.math import auc, auc_interval

TITLES = {
    "logistic": "logistic regression",
    "boosted-trees": "boosted trees",
    "exact-values": "exact values",
}


@dataclass(frozen=True)
class Probed:
    """One probe on the audited rows, on the rows before, on shuffled groups and planted leaks."""

    name: str
    after: Reading
    before: Reading | None
    null: Null
    power: Power

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)


def probe_all(case: Case) -> list[Probed]:
    """Every probe, refits included; decisions need none, for their information is complete."""
    if case.interface == "decisions":
        return []
    settings = case.settings
    seed = (settings.seed, 1)
    shuffles = [case.shuffled(settings.generator(2, draw)) for draw in range(settings.refits)]
    after = case.after.table
    found = []
    for probe in case.probes:
        jobs = [Job(probe, after, case.z, case.given, settings.folds, seed)]
        jobs += [
            Job(probe, after, z, case.given, settings.folds, (settings.seed, 3, draw))
            for draw, z in enumerate(shuffles)
        ]
        if case.before is not None:
            # The same folds and draws as after, so that the change is that of the rows alone.
            jobs.append(Job(probe, case.before.table, case.z, case.given, settings.folds, seed))
        readings = read_all(jobs, case.probes, settings.jobs)
        drawn = [reading.information for reading in readings[1 : settings.refits + 1]]
        null = null_of(readings[0].information, drawn)
        before = None if case.before is None else readings[-1]
        found.append(Probed(probe, readings[0], before, null, find_power(case, probe, null)))
    return found


def probe_findings(case: Case, probed: list[Probed]) -> list[Finding]:
    """Information, Z-AUROC and power of each probe, and how the transform changed the first."""
    found: list[Finding] = []
    for one in probed:
        found += [_information(case, one), _ranking(case, one), _power(case, one)]
    return found + [_fingerprint(case, one) for one in probed if one.before is not None]


def bits(nats: float) -> str:
    """``0.021 bits`` of a number of nats."""
    return f"{nats / math.log(2):.3f} bits"


def _information(case: Case, one: Probed) -> Finding:
    value = one.after.information
    note = (
        f"{bits(value)} of {bits(case.ceiling)}: H(Z) less the cross-entropy of probes trained "
        f"anew in {case.settings.folds} folds; a lower bound on what the rows tell, on average. "
        f"Null: {one.null.permutations} probes trained on shuffled groups."
    )
    if one.after.unfinished:
        note += f" It did not converge in {one.after.unfinished} folds."
    return Finding(
        name=f"probes/{one.name}",
        title=f"Information about the feature, recovered by {one.title}",
        value=value,
        unit="nats",
        interval=gain_interval(one.after.gains, one.after.folds, case.settings.confidence),
        confidence=case.settings.confidence,
        n=case.sizes,
        null=one.null,
        ceiling=case.ceiling,
        original=None if one.before is None else one.before.information,
        note=note,
    )


def ranking(case: Case, reading: Reading) -> float:
    """Z-AUROC of the out-of-fold beliefs; with several groups the mean of one against the rest."""
    areas = []
    for group in range(1 if len(case.groups) == 2 else 0, len(case.groups)):
        inside = case.z == group
        with_odds = odds(reading, group)
        areas.append(auc(with_odds[inside], with_odds[~inside]))
    return float(np.mean(areas))


def odds(reading: Reading, group: int) -> np.ndarray:
    """(n,) what a probe believes of ``group``, as log-odds: ranks stay apart where it is sure."""
    rest = np.delete(reading.log_q, group, axis=1)
    top = rest.max(axis=1)
    others = top + np.log(np.exp(rest - top[:, None]).sum(axis=1))
    return np.asarray(reading.log_q[:, group] - others)


def _ranking(case: Case, one: Probed) -> Finding:
    two = len(case.groups) == 2
    interval = None
    if two:
        inside, values = case.z == 1, odds(one.after, 1)
        interval = auc_interval(
            values[inside], values[~inside], confidence=case.settings.confidence
        )
    return Finding(
        name=f"probes/{one.name}_auc",
        title=f"Ranking of the groups by {one.title}",
        value=ranking(case, one.after),
        unit="AUC",
        interval=interval,
        confidence=case.settings.confidence if two else None,
        n=case.sizes,
        ceiling=1.0,
        original=None if one.before is None else ranking(case, one.before),
        note="One half is guessing."
        + ("" if two else " Mean over groups, each against all others."),
    )


def _power(case: Case, one: Probed) -> Finding:
    smallest = one.power.smallest
    told = (
        f"Smallest of {len(one.power.tried)} planted leaks that was found; {bits(smallest)}. One "
        "column that shows the group of some rows: the easiest form of a leak."
        if smallest is not None
        else "Not even the feature itself, planted as a column, was found: too few rows."
    )
    return Finding(
        name=f"probes/{one.name}_power",
        title=f"Smallest planted leak found by {one.title}",
        value=smallest,
        unit="nats",
        n=case.sizes,
        ceiling=case.ceiling,
        note=told,
    )


def change(
    one: Probed, confidence: float, before: Reading | None = None
) -> tuple[float, tuple[float, float]]:
    """Information after less before, paired by row, and its interval; ``before`` must be there.

    ``before`` may be what another probe read there, on the same folds.
    """
    before = one.before if before is None else before
    if before is None:
        raise ValueError(f"the probe {one.name} was not read before")
    gains = one.after.gains - before.gains
    return float(gains.mean()), gain_interval(gains, one.after.folds, confidence)


def _fingerprint(case: Case, one: Probed) -> Finding:
    value, interval = change(one, case.settings.confidence)
    return Finding(
        name=f"fingerprint/{one.name}",
        title=f"Information that the transform added, by {one.title}",
        value=value,
        unit="nats",
        interval=interval,
        confidence=case.settings.confidence,
        n=case.sizes,
        note=f"{bits(value)}. Above 0 the transform marked rows with their group; negative is what "
        "it took away. Paired by row, on the same folds.",
    )
