"""The whole way from a trained network to a report: unlearn, audit, record, write."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from infounlearn.audit import audit, collect_outputs
from infounlearn.errors import InputError, Problems
from infounlearn.experiments.cases import Case
from infounlearn.experiments.recipe import one_thread
from infounlearn.experiments.subject import Silence, Subject, Watch
from infounlearn.files import write_atomically
from infounlearn.interface import Audit, Outputs, Record
from infounlearn.point import BlindSpotWarning, Unlearned, unlearn
from infounlearn.point.methods.verb import rehearse
from infounlearn.provenance import provenance
from infounlearn.report import check_folder, write_report

FAILED = frozenset({"not forgotten", "over-forgotten", "lost"})
INTERRUPTED = "interrupted"
"""How :attr:`Unlearned.stopped` begins after Ctrl-C."""


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished job.

    Attributes:
        record: what was written; None where the run was interrupted before its audit.
        folder: where everything lies.
        report: path of ``report.html``; None as above.
        result: the unlearning run.
    """

    record: Record | None
    folder: Path
    report: Path | None
    result: Unlearned


def run_job(
    subject: Subject,
    *,
    out: str | Path,
    seed: int = 0,
    unlearning: Mapping[str, Any] | None = None,
    auditing: Mapping[str, Any] | None = None,
    command: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
) -> Finished:
    """Unlearn, audit on held-out records that did not steer the run, and write everything.

    Writes ``weights.safetensors``, ``run.json`` (which repeats the job), ``record.json``,
    ``report.html`` and ``card.md`` into ``out``, at the end only. After Ctrl-C the best weights so
    far and ``run.json`` are written, and no report.

    Args:
        subject: what to work on.
        out: folder; made where it does not exist. Check it beforehand with
            :func:`check_out`: here it would come after training.
        seed: of unlearning and audit.
        unlearning: further arguments of :func:`infounlearn.unlearn`.
        auditing: further arguments of :func:`infounlearn.audit`.
        command, options: for the record.
        watch: told what happens.

    Raises:
        InputError: something cannot be used; nothing is written then.
        DivergenceError: the run left the finite numbers.
    """
    watch, folder = watch or Silence(), Path(out)
    with one_thread() if subject.small else nullcontext():
        watch.stage("unlearning")
        with _notes_to(watch) as told:
            result = unlearn(
                subject.model,
                forget=subject.forget,
                retain=subject.retain,
                holdout=subject.holdout,
                fresh=subject.fresh,
                seed=seed,
                progress=False,
                on_evaluation=watch.evaluation,
                **(unlearning or {}),
            )
        # What a run finds out on its way must not first be met in a file.
        for sentence in result.warnings:
            if sentence not in told:
                watch.note(sentence)
        story = {"command": list(command), "options": dict(options or {})}
        if result.stopped.startswith(INTERRUPTED):
            _save(result, folder, story)
            return Finished(None, folder, None, result)
        try:
            watch.stage("auditing")
            found = audit_subject(subject, result, seed=seed, **(auditing or {}))
        except KeyboardInterrupt:
            _save(result, folder, story)
            raise
    record = Record(
        title=subject.title,
        audit=found,
        run=replace(result.summary, cost=_cost(subject, result)),
        provenance=provenance(command=command, seed=seed, options=options, data=subject.data),
    )
    watch.stage("writing the report")
    # The report first: it refuses a folder that holds somebody else's files.
    report = write_report(record, folder)
    _save(result, folder, story)
    return Finished(record, folder, report, result)


def audit_subject(subject: Subject, result: Unlearned, **options: Any) -> Audit:
    """Audit a run beside its original and its references, on held-out records of its own.

    Raises:
        InputError: the run set no held-out records aside, or an output cannot be used.
    """
    if result.audit_holdout is None:
        raise InputError("audit: no held-out records were set aside: pass audit_share above 0")

    def show(model: nn.Module, name: str, seconds: float | None) -> Outputs:
        return collect_outputs(
            model,
            name=name,
            forget=subject.forget,
            retain=subject.retain,
            holdout=result.audit_holdout,
            test=subject.test,
            seconds=seconds,
        )

    costs = subject.reference_seconds or (None,) * len(subject.references)
    return audit(
        show(result.model, "unlearned", result.summary.cost.get("seconds")),
        original=show(subject.model, "original", subject.seconds),
        reference=[
            show(model, f"retrained {index}", cost)
            for index, (model, cost) in enumerate(zip(subject.references, costs, strict=True))
        ],
        **options,
    )


def audit_files(
    outputs: Path,
    *,
    original: Path | None = None,
    references: Sequence[Path] = (),
    out: str | Path,
    seed: int = 0,
    auditing: Mapping[str, Any] | None = None,
    command: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> tuple[Record, Path]:
    """Audit saved outputs and write the report.

    Returns:
        The record and the path of ``report.html``.

    Raises:
        InputError: a file cannot be audited or the folder cannot be written; nothing is written.
    """
    check_folder(out)
    found = audit(outputs, original=original, reference=references, seed=seed, **(auditing or {}))
    record = Record(
        title=f"Audit of {found.model}",
        audit=found,
        provenance=provenance(command=command, seed=seed, options=options),
    )
    return record, write_report(record, out)


def exit_code(found: Audit) -> int:
    """0: no verdict fails and forgetting is confirmed; 1: a verdict fails; 3: nothing is decided.

    ``inconclusive`` alone never fails: an audit without references, or an objective's blind spot,
    leaves a question open without saying anything against the model.
    """
    answers = {verdict.answer for verdict in found.verdicts}
    if answers & FAILED:
        return 1
    return 0 if "forgotten" in answers else 3


def check_out(folder: Path, inputs: Sequence[Path | None] = ()) -> None:
    """Try, before any training, whether :func:`run_job` may write into ``folder``.

    Args:
        folder: the output folder; nothing is left there.
        inputs: files that the job reads and therefore must not replace.

    Raises:
        InputError: the folder cannot be written, or a file there is not an earlier result.
    """
    problems, weights = Problems("out"), folder / "weights.safetensors"
    read = {path.resolve() for path in inputs if path is not None}
    problems.require(
        weights.resolve() not in read,
        f"{str(weights)!r} is an input of this job and would be replaced",
        fix="choose another folder",
    )
    problems.require(
        not weights.exists() or (folder / "run.json").exists(),
        f"{str(weights)!r} exists and no run.json beside it says that it is an earlier result",
        fix="choose another folder, or move that file away",
    )
    problems.raise_if_any()
    check_folder(folder)


def check_method(method: Any, case: Case, seed: int = 0) -> None:
    """Try, before any network is trained, whether ``method`` can unlearn from those of a case.

    Raises:
        InputError: the method has no use for such a network.
    """
    rehearse(
        method,
        case.factory(0),
        forget=case.forget,
        retain=case.retain,
        fresh=case.factory,
        seed=seed,
    )


def _cost(subject: Subject, result: Unlearned) -> dict[str, float]:
    cost = dict(result.summary.cost)
    if subject.reference_seconds:
        cost["retrain_seconds"] = sum(subject.reference_seconds) / len(subject.reference_seconds)
    if subject.reference_rows is not None:
        cost["retrain_rows_backward"] = subject.reference_rows
    return cost


def _save(result: Unlearned, folder: Path, story: Mapping[str, Any]) -> None:
    """Weights, and ``run.json`` with what repeats the run beside its story."""
    result.save(folder)
    document = {**story, **asdict(result.summary)}
    write_atomically(
        folder / "run.json", json.dumps(document, indent=2, default=str).encode() + b"\n"
    )


@contextmanager
def _notes_to(watch: Watch) -> Iterator[set[str]]:
    """Pass blind-spot warnings on as sentences, without file names and line numbers.

    Yields:
        The sentences that were passed on.
    """
    told: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", BlindSpotWarning)
        usual = warnings.showwarning

        def show(message: Any, category: Any, *rest: Any, **more: Any) -> None:
            if issubclass(category, BlindSpotWarning):
                told.add(str(message))
                watch.note(str(message))
            else:
                usual(message, category, *rest, **more)

        warnings.showwarning = show
        yield told
