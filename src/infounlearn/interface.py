"""The words all rooms share: frozen results that know no method, no file and no model.

An unlearning run ends in :class:`Unlearned`, an audit in :class:`Audit`; both are put into one
:class:`Record`, which is all that a report ever sees. Information is in nats everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Task = Literal["classification", "regression"]
Kind = Literal["exact", "certified", "measured"]
Answer = Literal[
    "forgotten",
    "not forgotten",
    "over-forgotten",
    "kept",
    "lost",
    "removed",
    "still visible",
    "no fingerprint",
    "fingerprint",
    "inconclusive",
]
"""What an audit may answer. ``kept`` and ``lost`` answer questions of utility; of a feature an
audit asks whether it was ``removed`` or is ``still visible``, and whether its removal left a
``fingerprint``: information that was not there before."""

SETS = ("forget", "retain", "holdout", "test")
"""Names of the record sets, in the order in which they are always shown."""


@dataclass(frozen=True)
class OutputSet:
    """What a model shows on one record set.

    Attributes:
        outputs: (n, c) unnormalised logits of a classifier, or (n, d) predictions of a regressor.
        targets: (n,) integer class labels, or (n, d) real targets of a regressor.
        groups: optional (n,) integer label on which claims are made conditional; the class label
            of a classifier where absent.
    """

    outputs: np.ndarray
    targets: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.outputs)


@dataclass(frozen=True)
class Outputs:
    """Everything an audit may read of one model: its outputs on each record set, nothing else.

    Attributes:
        name: how the report calls the model ("original", "unlearned", "retrained 0", ...).
        task: "classification" or "regression".
        sets: forget, retain, holdout (never trained on, usable by the audit) and, optionally, test.
        hashes: optional set name to SHA-256 of the records, to prove that two models were shown
            the same data and that held-out records are not training records.
        seconds: optional cost of producing the model, for run-time efficiency.
    """

    name: str
    task: Task
    sets: Mapping[str, OutputSet]
    hashes: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None

    def __getitem__(self, name: str) -> OutputSet:
        return self.sets[name]


@dataclass(frozen=True)
class Null:
    """What a statistic shows when nothing is there: its permutation law.

    ``p_value`` is (#{permuted >= observed} + 1) / (permutations + 1) and so never zero.
    """

    mean: float
    quantile95: float
    p_value: float
    permutations: int


@dataclass(frozen=True)
class Finding:
    """One number of an audit, with everything needed to read it honestly.

    Attributes:
        name: stable identifier, ``room/quantity``, for example ``leakage/score_information``.
        title: what a person reads.
        value: of the audited model; None where it could not be computed (see ``note``).
        unit: "nats", "accuracy", "AUC", "rate", "ratio", "rows" or "".
        kind: "exact" (enumerated, no sampling error), "certified" (a proven bound, with
            ``assumptions``) or "measured".
        interval: confidence interval of ``value`` at ``confidence``, where one is known.
        bound: certified upper bound of the quantity, where one holds.
        confidence: level of ``interval`` and ``bound``.
        n: sample sizes by set.
        null: permutation null.
        floor: noise floor: the value that independent retrained models show among themselves,
            or the bias of the estimator.
        ceiling: largest possible value.
        original: the same quantity of the model before unlearning.
        retrained: the same quantity of each retrained reference.
        assumptions: what must hold for ``bound`` or ``interval``.
        note: one sentence of reading help.
    """

    name: str
    title: str
    value: float | None
    unit: str
    kind: Kind = "measured"
    interval: tuple[float, float] | None = None
    bound: float | None = None
    confidence: float | None = None
    n: Mapping[str, int] = field(default_factory=dict)
    null: Null | None = None
    floor: float | None = None
    ceiling: float | None = None
    original: float | None = None
    retrained: tuple[float, ...] = ()
    assumptions: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """The answer to one question, with its reason and the findings it rests on."""

    question: str
    answer: Answer
    reason: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Curve:
    """Points to draw: one line or histogram of one panel.

    Attributes:
        panel: which drawing it belongs to: ``scores/after``, ``scores/before``, ``roc``, and of a
            feature ``beliefs/after``, ``group_scores/after``, ``planted``, ...
        label: legend text.
        x, y: coordinates, equally long (for a histogram: bin edges are one longer than heights).
        style: "line", "step" or "histogram".
    """

    panel: str
    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    style: Literal["line", "step", "histogram"] = "line"


@dataclass(frozen=True)
class Audit:
    """What was measured, what follows, and what was not proved.

    Attributes:
        model: name of the audited model.
        verdicts: one per question.
        findings: every number, in reading order.
        curves: what the report draws.
        not_proved: plain sentences an auditor must read.
        settings: confidence, seed, priors, bins, permutations and sample sizes.
        hashes: SHA-256 of the record sets, where known.
    """

    model: str
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    curves: tuple[Curve, ...] = ()
    not_proved: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    def finding(self, name: str) -> Finding:
        """The finding called ``name``; ``KeyError`` lists the known names."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        known = ", ".join(finding.name for finding in self.findings)
        raise KeyError(f"no finding {name!r}; this audit holds: {known}")

    def verdict(self, question: str) -> Verdict:
        """The verdict on ``question``; ``KeyError`` lists the known questions."""
        for verdict in self.verdicts:
            if verdict.question == question:
                return verdict
        known = ", ".join(verdict.question for verdict in self.verdicts)
        raise KeyError(f"no verdict on {question!r}; this audit answers: {known}")


@dataclass(frozen=True)
class RunSummary:
    """One unlearning run as the report tells it, without its model.

    Attributes:
        method: objective and its settings in words, for example "ScoreTransport(weight=0.1)".
        settings: every hyper-parameter.
        history: one row per evaluation: ``step``, ``epoch``, and figures by name.
        stopped: why it ended.
        warnings: blind spots and other things said before or during the run.
        cost: ``seconds``, ``rows_forward``, ``rows_backward`` and, where known,
            ``retrain_seconds``, ``retrain_rows_backward``.
    """

    method: str
    settings: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]
    stopped: str
    warnings: tuple[str, ...] = ()
    cost: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """All that is written down of one job: the run, its audit and where both came from.

    Attributes:
        title: heading of the report.
        audit: what was measured.
        run: the unlearning run; None for a bare audit.
        provenance: command, seed, versions, platform, data names and hashes, time of creation.
    """

    title: str
    audit: Audit
    run: RunSummary | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
