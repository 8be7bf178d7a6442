"""What an auditor must not read into the numbers of an image audit, only where it applies."""

from __future__ import annotations

from infounlearn.audit.feature.not_proved import AVERAGE, JOINED, PARITY
from infounlearn.audit.images.case import Case

STRONGER = (
    "All numbers are measured, none is certified: probes that find nothing prove nothing about "
    "larger or pretrained networks, about marks that several places tell only together or that lie "
    "in the order of the images, or about people."
)
FRESH = (
    "That the audited images are held out is taken on trust: images that the maps were fitted to, "
    "or their settings chosen on, make every number too kind."
)
LABELS = (
    "The feature is what its labels say. Wrong labels hide what can be seen, and things that are "
    "not labelled are not looked for."
)
LOOKS = (
    "That the images look natural is not shown: a Fréchet distance compares two moments of "
    "features and knows nothing else."
)
ROUNDED = (
    "The images were rounded to float32 to be audited: what finer digits tell is unknown. Release "
    "what was audited."
)
BOUND = (
    "The Gaussian lower bound is an estimate from a few leading components; a map may need to pay "
    "more."
)


def not_proved(case: Case) -> tuple[str, ...]:
    """Sentences that apply to this audit, most general first."""
    s = case.settings
    told = [FRESH, STRONGER]
    if not case.extractor.given:
        told.append(
            "No feature extractor was given: the line and the distances read random filters, which "
            "are blind to most of what a trained extractor sees. The distance is no FID."
        )
    told.append(
        f"Each null rests on {s.refits} refits, so its p-value cannot fall below "
        f"{1 / (s.refits + 1):.2g}."
    )
    if case.rounded:
        told.append(ROUNDED)
    if case.before is None:
        told.append(
            "The images before were not given: whether the probe can read the feature at all, and "
            "what the change cost, is unknown."
        )
        if case.others:
            told.append("Nor what other attributes lost, which needs them.")
    else:
        told.append(BOUND)
    return (*told, LABELS, LOOKS, AVERAGE, JOINED, PARITY)
