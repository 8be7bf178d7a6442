"""The verb: what images still tell about a feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infounlearn.audit.feature.groups import read_groups
from infounlearn.audit.images.case import Case, Progress, Settings
from infounlearn.audit.images.checks import (
    check_group_sizes,
    check_rows,
    check_settings,
    is_rounded,
    read_others,
    read_pixels,
)
from infounlearn.audit.images.curves import believed, curves
from infounlearn.audit.images.distances import cost_findings, distance_findings
from infounlearn.audit.images.features import given_extractor, random_filters
from infounlearn.audit.images.findings import probe_findings
from infounlearn.audit.images.kept import kept_findings
from infounlearn.audit.images.not_proved import not_proved
from infounlearn.audit.images.probing import probe_all
from infounlearn.audit.images.verdicts import verdicts
from infounlearn.errors import Problems
from infounlearn.interface import Audit


def audit_images(
    images: Any,
    z: Any,
    *,
    before: Any = None,
    others: Mapping[str, Any] | None = None,
    extractor: Any = None,
    extractor_name: str | None = None,
    reference: Any = None,
    feature: str = "the feature",
    name: str = "transformed",
    limit: float = 0.02,
    margin: float = 0.05,
    confidence: float = 0.95,
    refits: int = 5,
    folds: int = 5,
    epochs: int = 12,
    splits: int = 19,
    dimensions: int = 64,
    seed: int = 0,
    jobs: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Audit:
    """Audit what ``images`` tell about ``z``: fresh networks, distances, cost, verdicts.

    The images must be held out: used neither to fit nor to choose the map. Small networks are
    trained anew inside them by cross-validation, so that each image is judged by one that never saw
    it. Nothing given is changed, nor any global random state; the same seed gives the same audit
    on a CPU, whatever ``jobs``.

    Args:
        images: (n, c, h, w) images, float in [0, 1] or uint8, or an object with such ``pixels``.
        z: (n,) feature of each image: numbers, texts or truth values; (n, k) are crossed.
        before: the same images before the feature was removed. Without them nothing counts as
            removed: a probe that cannot read them proves nothing.
        others: names and (n,) labels of attributes that should be kept; needs ``before``.
        extractor: module or function from (n, c, h, w) images in [0, 1] to (n, d) features, for
            the linear probe and the distances; nothing is downloaded. Absent: random filters.
        extractor_name: what the report calls it.
        reference: images that the audited ones are to resemble; ``before`` where absent.
        feature: what the report calls z.
        name: what the report calls the audited images.
        limit: nats of a planted leak that must be found before anything counts as removed.
        margin: accuracy above the majority rate, and lost by other attributes, that is tolerated.
        confidence: level of intervals.
        refits: cross-fitted probes on shuffled groups, for the nulls. Each costs ``folds``
            trainings, which stop early.
        folds: of the cross-validation within the images, 3 or more.
        epochs: longest training of a network.
        splits: random splits for the floors of distances.
        dimensions: principal components in which the lower bound of the cost is computed.
        seed: of folds, networks, shuffles and planted leaks.
        jobs: processes that train probes; -1 for all cores.
        device: where networks are trained.
        progress: told (trainings done, of how many in this stage, of what).

    Returns:
        Audit with findings (information in nats), verdicts, curves and what was not proved.

    Raises:
        InputError: shapes and lengths that differ, one group only, groups too small, values that
            are not finite, settings out of range; all problems at once.
        DivergenceError: the training of a probe left the finite numbers.

    References:
        Barber & Agakov (2003) for the information of a probe; Bayle et al. (2020) for intervals
        under cross-validation; Gelbrich (1990) for the bound of the cost.
    """
    settings = Settings(
        confidence, limit, margin, refits, folds, epochs, splits, dimensions, seed, jobs, device
    )
    problems = Problems("audit_images")
    check_settings(problems, settings)
    problems.raise_if_any()
    after = read_pixels(problems, "images", images)
    old = None if before is None else read_pixels(problems, "before", before)
    known = None if reference is None else read_pixels(problems, "reference", reference)
    groups = read_groups(problems, "z", z)
    problems.require(
        extractor is None or callable(extractor),
        f"extractor is {type(extractor).__name__}",
        fix="pass a module or a function from (n, c, h, w) images to (n, d) features",
    )
    problems.raise_if_any()
    check_rows(problems, len(after))
    check_group_sizes(problems, "z", groups, len(after), folds)
    attributes = read_others(problems, others, len(after), folds)
    problems.require(
        old is None or old.shape == after.shape,
        f"before has shape {None if old is None else old.shape}, images {after.shape}",
        fix="pass the same images in the same order",
    )
    problems.require(
        known is None or (known.shape[1:] == after.shape[1:] and len(known) >= LEAST_REFERENCE),
        f"reference has shape {None if known is None else known.shape}, images {after.shape}",
        fix=f"pass at least {LEAST_REFERENCE} images of the same size and colours",
    )
    problems.raise_if_any()
    return audit_image_case(
        Case(
            name=name,
            feature=feature,
            after=after,
            before=old,
            reference=old if known is None else known,
            paired=known is None,
            groups=groups,
            others=attributes,
            extractor=random_filters(after.shape[1], seed)
            if extractor is None
            else given_extractor(extractor, extractor_name, device),
            settings=settings,
            progress=progress,
            rounded=is_rounded(images),
        )
    )


LEAST_REFERENCE = 20
"""Images of a reference below which half of them say nothing."""


def audit_image_case(case: Case) -> Audit:
    """The audit of arguments that are known to be valid."""
    probing = probe_all(case)
    findings = [
        *probe_findings(case, probing),
        *kept_findings(case, probing),
        *distance_findings(case, probing),
        *cost_findings(case),
    ]
    s = case.settings
    return Audit(
        model=case.name,
        verdicts=verdicts(case, findings, probing),
        findings=tuple(findings),
        curves=curves(case, probing),
        not_proved=not_proved(case),
        settings={
            "subject": "feature",
            "feature": case.feature,
            "groups": list(case.groups.names),
            "believed": case.groups.names[believed(case)],
            "interface": "images",
            "pixels": list(case.after.shape[1:]),
            "others": list(case.others),
            "extractor": {"name": case.extractor.name, "detail": case.extractor.detail},
            "limit": s.limit,
            "margin": s.margin,
            "confidence": s.confidence,
            "refits": s.refits,
            "folds": s.folds,
            "epochs": s.epochs,
            "splits": s.splits,
            "dimensions": s.dimensions,
            "seed": s.seed,
            "device": s.device,
        },
    )
