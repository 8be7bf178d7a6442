"""The verb: what a model still knows about the records it was asked to forget."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from infounlearn.audit.bounds import bound_findings
from infounlearn.audit.case import Case, Settings
from infounlearn.audit.checks import check_aligned, check_outputs, check_references, distinct
from infounlearn.audit.collect import collect_many
from infounlearn.audit.curves import curves
from infounlearn.audit.files import load_outputs
from infounlearn.audit.leakage import calibrated, leakage_findings
from infounlearn.audit.marginal import marginal_findings
from infounlearn.audit.membership import membership
from infounlearn.audit.not_proved import not_proved
from infounlearn.audit.readings import bin_source
from infounlearn.audit.retrain_gap import gap_sets, measure_gap, retrain_gap_findings
from infounlearn.audit.utility import utility_findings
from infounlearn.audit.verdicts import verdicts
from infounlearn.errors import Problems
from infounlearn.interface import Audit, Outputs, Task

Model = nn.Module | Outputs | str | os.PathLike[str]
"""A live model, its outputs, or the path of saved outputs (.npz, .parquet)."""


def audit(
    model: Model,
    *,
    forget: Any = None,
    retain: Any = None,
    holdout: Any = None,
    test: Any = None,
    validation: Any = None,
    original: Model | None = None,
    reference: Sequence[Model] = (),
    name: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    permutations: int = 999,
    prior: tuple[float, float] = (0.5, 0.5),
    bins: int = 16,
    batch_size: int = 1024,
    device: Any = None,
    task: Task | Literal["auto"] = "auto",
) -> Audit:
    """Audit ``model``: exact information, leakage, utility, distance to retraining, verdicts.

    Outputs in, findings out: which method unlearned plays no role. No model given is changed, nor
    any global random state; the same seed gives the same audit.

    Args:
        model: the model to audit.
        forget, retain, holdout, test: record sets, needed where a live model is given: Datasets,
            DataLoaders or (inputs, targets) tensor pairs. Held-out and test records must never
            have been trained on; held-out must not have steered unlearning either.
        validation: unaudited records on which score bins are fixed; the retain set by default.
        original: the model before unlearning.
        reference: models retrained without the forget set; two or more to know their spread.
            Copies of one model count once.
        name: how the report calls the audited model; "unlearned" for a live one.
        confidence: level of intervals, certified bounds and tests.
        seed: of the permutations.
        permutations: per test.
        prior: declared weights of (pool, retain alone) in the marginal design.
        bins: soft bins of a score.
        batch_size, device: how live models are run.
        task: "classification", "regression" or "auto".

    Returns:
        Audit with findings (information in nats), verdicts, curves and what was not proved.

    Raises:
        InputError: sets missing, empty or overlapping (by SHA-256), outputs that are not finite or
            misshapen, labels out of range, models shown different records, a reference that is
            the original or the audited model, unreadable files, settings out of range.

    References:
        Xu & Strohmer (2025), arXiv:2502.05684, for marginal unlearning; the audit is this
        project's own.
    """
    settings = Settings(confidence, seed, permutations, (float(prior[0]), float(prior[1])), bins)
    _check_settings(settings, reference)
    sets = {
        "forget": forget,
        "retain": retain,
        "holdout": holdout,
        "test": test,
        "validation": validation,
    }
    given = [model, *([] if original is None else [original]), *reference]
    names = [name or "unlearned", *([] if original is None else ["original"])]
    names += [f"retrained {index}" for index in range(len(reference))]
    outputs = _outputs(given, names, sets, batch_size, device, task)
    if name is not None:
        outputs[0] = replace(outputs[0], name=name)
    first = 1 if original is None else 2
    before, given_references = None if original is None else outputs[1], outputs[first:]
    problems = Problems("audit")
    check_references(outputs[0], before, given_references, problems)
    problems.raise_if_any()
    references = tuple(distinct(given_references))
    copies = len(given_references) - len(references)
    return audit_case(Case(outputs[0], before, references, settings, copies))


def audit_case(case: Case) -> Audit:
    """The audit of outputs that are known to be valid and aligned."""
    members = [membership(model, case.settings) for model in case.each()]
    nulls = [member.nulls(case.settings) if member.classes else {} for member in members]
    references = members[len(members) - len(case.references) :]
    if references and members[0].classes:
        nulls[0]["calibrated"] = calibrated(members[0], references).nulls(case.settings)["area"]
    enough = len(case.references) >= 2
    gaps = {name: measure_gap(case, name) for name in gap_sets(case)} if enough else {}

    marginal = marginal_findings(case)
    leakage = leakage_findings(case, members, nulls)
    scores = next((one for one in leakage if one.name == "leakage/score_information"), None)
    findings = [
        *leakage,
        *retrain_gap_findings(case, gaps),
        *marginal,
        *utility_findings(case),
        *bound_findings(case, marginal[0], scores),
    ]
    found = {finding.name: finding for finding in findings}
    settings = case.settings
    return Audit(
        model=case.audited.name,
        verdicts=verdicts(case, found, members[0], nulls[0]),
        findings=tuple(findings),
        curves=curves(case, members, gaps.get("forget")),
        not_proved=not_proved(case, members[0], found),
        settings={
            "task": case.task,
            "score": "logit margin φ" if case.task == "classification" else "minus residual",
            "confidence": settings.confidence,
            "seed": settings.seed,
            "permutations": settings.permutations,
            "prior": list(settings.prior),
            "bins": settings.bins,
            "bins_fixed_on": bin_source(case.audited),
            "references": len(case.references),
            "sizes": case.sizes(*case.audited.sets),
        },
        hashes=dict(case.audited.hashes),
    )


def _outputs(
    given: Sequence[Model],
    names: Sequence[str],
    sets: dict[str, Any],
    batch_size: int,
    device: Any,
    task: Task | Literal["auto"],
) -> list[Outputs]:
    """Outputs of every model, read from files, run live (all in one pass) or taken as given."""
    found: dict[str, Outputs] = {}
    live = {}
    problems = Problems("audit")
    for name, model in zip(names, given, strict=True):
        if isinstance(model, nn.Module):
            live[name] = model
        elif isinstance(model, Outputs):
            check_outputs(model, problems)
            found[name] = model
        elif isinstance(model, str | os.PathLike):
            found[name] = load_outputs(Path(model))
        else:
            problems.add(
                f"{name} is a {type(model).__name__}",
                fix="pass a torch.nn.Module, Outputs, or a path to .npz or .parquet outputs",
            )
    problems.require(
        bool(live) or all(data is None for data in sets.values()),
        "record sets were passed, but no live model to run on them",
        fix="drop them, or pass the model in place of its outputs",
    )
    problems.raise_if_any()
    if live:
        found |= collect_many(live, sets, batch_size, device, task)
    aligned = [found[name] for name in names]
    check_aligned(aligned, problems)
    problems.raise_if_any()
    return aligned


def _check_settings(settings: Settings, reference: Any) -> None:
    problems = Problems("audit")
    problems.require(
        not isinstance(reference, nn.Module | Outputs | str | os.PathLike),
        "reference is a single model",
        fix="pass a list of retrained models",
    )
    problems.require(
        0 < settings.confidence < 1,
        f"confidence is {settings.confidence}",
        fix="pass a level such as 0.95",
    )
    problems.require(
        settings.permutations >= 1,
        f"permutations is {settings.permutations}",
        fix="pass 999 for p-values down to 0.001",
    )
    problems.require(settings.bins >= 2, f"bins is {settings.bins}", fix="pass at least 2")
    problems.require(settings.seed >= 0, f"seed is {settings.seed}", fix="pass 0 or more")
    problems.require(
        min(settings.prior) > 0 and abs(sum(settings.prior) - 1) < 1e-9,
        f"prior is {settings.prior}",
        fix="pass two positive weights that sum to one",
    )
    problems.raise_if_any()
