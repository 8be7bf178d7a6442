"""The counts of what was done while images and their attributes were read, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DONE = (
    "cropped",
    "resized",
    "enlarged",
    "grey_to_colour",
    "colour_to_grey",
    "sixteen_bit",
    "transparent",
    "cmyk",
    "turned",
    "animated",
)
"""What may be done to an image; every policy counts each, be it nought."""
_WORDS = {
    "cropped": "cut to the centre",
    "resized": "resized",
    "enlarged": "enlarged: smaller than asked for",
    "grey_to_colour": "grey, made three equal channels",
    "colour_to_grey": "of colour, made grey",
    "sixteen_bit": "of 16 bits, scaled to 8",
    "transparent": "transparent, laid on white paper",
    "cmyk": "in printing colours, converted",
    "turned": "turned as EXIF asks",
    "animated": "of several pictures, the first taken",
    "corrupt_skipped": "unreadable and left out",
    "hidden_ignored": "hidden files left out",
    "other_files_ignored": "files that are no JPEG or PNG left out",
    "images_without_row": "images without a row of attributes left out",
    "rows_without_image": "rows of attributes without an image left out",
}
"""Counts, in the order they are told; those of nought are not."""


def describe(policy: Mapping[str, Any]) -> list[str]:
    """Short phrases such as "10,000 cut to the centre"; nothing is said of what did not occur."""
    told = []
    if "images" in policy:
        height, width = policy["source_size"]
        sizes = policy["source_sizes"]
        told.append(
            f"{policy['images']:,} images of {policy['channels']} x {policy['height']} x "
            f"{policy['width']}"
        )
        told.append(
            f"{'most' if sizes > 1 else 'all'} were {height} high and {width} wide"
            + (f", of {sizes} sizes" if sizes > 1 else "")
        )
    told += [f"{policy[key]:,} {words}" for key, words in _WORDS.items() if policy.get(key)]
    return told
