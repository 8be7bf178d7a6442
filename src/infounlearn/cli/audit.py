"""``infounlearn audit``: saved outputs in, report out; no model and no method needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from infounlearn.cli.parsing import as_plain, parse


@dataclass(frozen=True)
class Settings:
    """How numbers are computed.

    Attributes:
        confidence: level of intervals, bounds and tests.
        permutations: per test; 999 gives p-values down to 0.001.
        bins: soft bins of a score.
    """

    confidence: float = 0.95
    permutations: int = 999
    bins: int = 16


@dataclass(frozen=True)
class AuditFiles:
    """Audit saved outputs (.npz or .parquet) of any framework.

    A file holds, for each of the sets forget, retain, holdout and optionally test, the arrays
    <set>/outputs (n, classes), unnormalised logits, and <set>/targets (n,), labels from 0:

        np.savez("unlearned.npz", **{"forget/outputs": z, "forget/targets": y, ...})

    Held-out records must never have been trained on, nor have steered the unlearning. Without the
    outputs of retrained models, questions that need them are answered "inconclusive".

    Exit codes: 0 forgotten, 1 a verdict failed, 2 bad input, 3 nothing could be decided.

    Try:

        infounlearn audit unlearned.npz
        infounlearn audit unlearned.npz --original original.npz --reference r0.npz r1.npz r2.npz
        infounlearn audit unlearned.npz --json | jq '.verdicts'

    Attributes:
        outputs: outputs of the audited model.
        original: outputs of the model before unlearning.
        reference: outputs of models retrained without the forget set; two or more.
        out: folder of record.json, report.html and card.md.
        seed: of the permutations.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    outputs: Annotated[Path, tyro.conf.Positional]
    original: Path | None = None
    reference: tuple[Path, ...] = ()
    out: Path = Path("runs/audit")
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    json: bool = False


def main(words: Sequence[str]) -> int:
    """Audit the files and return the verdict's exit code."""
    options = parse(AuditFiles, words, "audit")
    from infounlearn.cli.show import (
        audit_as_plain,
        console,
        print_files,
        print_json,
        print_verdicts,
        table_of,
    )
    from infounlearn.experiments.job import audit_files, exit_code

    plain = as_plain(options)
    record, report = audit_files(
        options.outputs,
        original=options.original,
        references=options.reference,
        out=options.out,
        seed=options.seed,
        auditing=plain["settings"],
        command=["audit", *words],
        options=plain,
    )
    code = exit_code(record.audit)
    screen = console(stderr=options.json)
    screen.print(table_of(record))
    print_verdicts(screen, record.audit)
    print_files(screen, [("report", report)])
    if options.json:
        files = {"report": str(report), "record": str(options.out / "record.json")}
        print_json(
            {"command": "audit", "exit_code": code, **audit_as_plain(record.audit), "files": files}
        )
    return code
