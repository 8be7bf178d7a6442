"""Distances of laws of images, named after their features, and what the change cost."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from infounlearn.audit.feature.inference import null_of
from infounlearn.audit.images.case import Case
from infounlearn.audit.images.cost import Bound, change, gaussian_bound
from infounlearn.audit.images.probing import Probing
from infounlearn.interface import Finding
from infounlearn.math import mean_interval
from infounlearn.math.frechet import frechet_distance

WIDE, FEW = 256, 3
"""Of more features than this, this many splits have to do: each costs the cube of their number."""


def distance_findings(case: Case, probing: Probing) -> list[Finding]:
    """Between the groups, and to the reference where there is one."""
    found = [_between(case, probing)]
    if case.reference is not None:
        found.append(_to_reference(case, probing, case.reference))
    return found


def cost_findings(case: Case) -> list[Finding]:
    """What the change cost, and the least that independence can cost."""
    if case.before is None:
        return []
    s = case.settings
    costs = change(case.after, case.before)
    bound = gaussian_bound(case.before, case.z, s.dimensions, s.seed)
    found = [
        Finding(
            name="cost/transport",
            title="Mean squared change per pixel value",
            value=float(costs.mean()),
            unit="",
            interval=mean_interval(costs, s.confidence),
            confidence=s.confidence,
            n=case.sizes,
            note="Values from 0 to 1. What is needed at least: see the Gaussian lower bound.",
        ),
        Finding(
            name="cost/gaussian_bound",
            title="Least cost at which the feature can be hidden (Gaussian lower bound)",
            value=bound.value,
            unit="",
            n=case.sizes,
            floor=bound.floor,
            note=_told(bound, len(case.groups)),
        ),
    ]
    if bound.value > 0:
        found.append(
            Finding(
                name="cost/ratio",
                title="Cost beside the Gaussian lower bound",
                value=float(costs.mean()) / bound.value,
                unit="ratio",
                n=case.sizes,
                note="Below 1 no release can be independent of the feature; above 1 is what the "
                "map pays beyond the bound, which no map need attain.",
            )
        )
    return found


def _told(bound: Bound, groups: int) -> str:
    told = (
        f"Estimated from the images before, in {bound.dimensions} principal components, beyond "
        f"which the bound neglects everything: {bound.plug_in:.3g} from sample moments, less "
        f"{bound.floor:.3g} that shuffled groups show. No image law costs less than Gaussians of "
        "its means and covariances (Gelbrich 1990)"
    )
    if bound.means_only:
        return told + "; here of the means alone, for a group is singular."
    return told + (", which holds for any number of groups." if groups > 2 else ".")


def _between(case: Case, probing: Probing) -> Finding:
    s, name = case.settings, case.extractor.name
    after, before = probing.features
    value = _largest(after, case.z)
    splits = _splits(s.splits, after.shape[1])
    drawn = [_largest(after, s.generator(30, split).permutation(case.z)) for split in range(splits)]
    null = null_of(value, drawn)
    several = " Of the two groups that are farthest apart." if len(case.groups) > 2 else ""
    return Finding(
        name="distance/between_groups",
        title=f"Fréchet distance between the groups, in features of {name}",
        value=value,
        unit="",
        n=case.sizes,
        null=null,
        floor=null.mean,
        original=None if before is None else _largest(before, case.z),
        note=f"{_features(case, after)} The floor is the mean over {splits} random splits into "
        f"parts of the same sizes: what it shows where nothing is there.{several}",
    )


def _largest(rows: np.ndarray, z: np.ndarray) -> float:
    parts = [rows[z == group] for group in range(int(z.max()) + 1)]
    return max(frechet_distance(*pair) for pair in combinations(parts, 2))


def _to_reference(case: Case, probing: Probing, images: np.ndarray) -> Finding:
    s, name = case.settings, case.extractor.name
    after, before = probing.features
    known = before if case.paired and before is not None else case.extractor.apply(images)
    splits = _splits(s.splits, after.shape[1])
    half = min(len(known), len(after)) // 2
    values, floors = [], []
    for split in range(splits):
        rng = s.generator(31, split)
        order = rng.permutation(len(known))
        mine, theirs = order[:half], order[half : 2 * half]
        # Of paired images no image may stand on both sides.
        shown = theirs if case.paired else rng.permutation(len(after))[:half]
        values.append(frechet_distance(after[shown], known[mine]))
        floors.append(frechet_distance(known[theirs], known[mine]))
    reference = "the originals" if case.paired else "the reference"
    return Finding(
        name="distance/to_reference",
        title=f"Fréchet distance to {reference}, in features of {name}",
        value=float(np.mean(values)),
        unit="",
        n={"audited": half, "reference": half},
        floor=float(np.mean(floors)),
        note=f"{_features(case, after)} Mean over {splits} pairs of random halves of {half} "
        f"images; two such halves of {reference} themselves are {np.mean(floors):.3g} apart "
        f"({min(floors):.3g} to {max(floors):.3g}), the floor.",
    )


def _splits(asked: int, width: int) -> int:
    return asked if width <= WIDE else min(asked, FEW)


def _features(case: Case, rows: np.ndarray) -> str:
    told = f"{rows.shape[1]} features: {case.extractor.detail}."
    least = int(case.groups.counts.min())
    if least <= rows.shape[1]:
        told += (
            f" A group has {least} images, so that covariances are singular and the value means "
            "nothing without its floor."
        )
    return told + " Not comparable across features or sample sizes."
