"""Numbers as a person reads them: three significant digits, the unit always, never a false zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

MISSING = "—"
MINUS = "−"
NARROW_SPACE = "\u202f"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(exponent: int) -> str:
    """``10⁻⁵`` for -5, in plain Unicode, so that it reads alike in a browser and on a console."""
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def significant(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits; scientific below 0.001 and from 100,000 on.

    Whole numbers given as ``int`` are kept whole, with a narrow space between thousands.
    """
    if isinstance(value, int):
        return f"{value:,}".replace(",", NARROW_SPACE).replace("-", MINUS)
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else MINUS + "∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -3 <= power < 5:
        # Rounding first (in the mantissa) keeps 0.9999 from being printed with a digit too many.
        text = f"{float(f'{mantissa}e{power}'):,.{max(0, digits - 1 - power)}f}"
        text = text.replace(",", NARROW_SPACE)
    else:
        text = f"{mantissa}×{power_of_ten(power)}"
    return text.replace("-", MINUS)


def _fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    if not math.isfinite(value):
        return significant(value)
    # Adding zero turns the negative zero that rounding leaves into a plain one.
    rounded = round(value, decimals) + 0.0
    sign = "+" if signed and rounded else ""
    return f"{rounded:{sign}.{decimals}f}".replace("-", MINUS)


def bare(value: float | None, unit: str, *, gap: bool = False) -> str:
    """``value`` in the digits that suit ``unit``, without the unit itself; an em dash if None."""
    if value is None:
        return MISSING
    if unit == "accuracy":
        return _fixed(100 * value, 2, signed=gap)
    if unit == "rate":
        return significant(100.0 * value)
    if unit == "AUC":
        return _fixed(float(value), 3)
    if unit == "rows" and float(value).is_integer():
        return significant(int(value))
    return significant(float(value))


def suffix(unit: str, *, gap: bool = False) -> str:
    """What follows the digits of ``unit``: `` %`` for shares, `` nats``, nothing for an AUC."""
    if unit == "accuracy" and gap:
        return NARROW_SPACE + "points"
    if unit in ("accuracy", "rate"):
        return NARROW_SPACE + "%"
    if unit in ("AUC", "ratio", ""):
        return ""
    return NARROW_SPACE + unit


def quantity(value: float | None, unit: str, *, gap: bool = False) -> str:
    """``value`` with its unit, for example ``8.19×10⁻⁵ nats`` or ``98.41 %``."""
    if value is None:
        return MISSING
    return bare(value, unit, gap=gap) + suffix(unit, gap=gap)


def interval(bounds: tuple[float, float] | None, unit: str, *, gap: bool = False) -> str:
    """``low to high`` with the unit once; an em dash if None."""
    if bounds is None:
        return MISSING
    low, high = (bare(bound, unit, gap=gap) for bound in bounds)
    return f"{low} to {high}{suffix(unit, gap=gap)}"


def mean(values: Sequence[float], unit: str, *, gap: bool = False) -> str:
    """The mean with its unit; an em dash without values."""
    return quantity(math.fsum(values) / len(values) if values else None, unit, gap=gap)


def extent(values: Sequence[float], unit: str, *, gap: bool = False) -> str:
    """``lowest to highest`` without the unit; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    return f"{bare(min(values), unit, gap=gap)} to {bare(max(values), unit, gap=gap)}"


def spread(values: Sequence[float], unit: str, *, gap: bool = False) -> str:
    """Mean and range, ``94.10 % (93.80 to 94.60)``; an em dash without values."""
    around = extent(values, unit, gap=gap)
    return mean(values, unit, gap=gap) + (f" ({around})" if around else "")


def share(part: float | None, whole: float | None) -> str:
    """``part`` as a percentage of ``whole``; an em dash where either is unknown or whole is 0."""
    if part is None or not whole:
        return MISSING
    return significant(100.0 * part / whole) + NARROW_SPACE + "%"


def duration(seconds: float | None) -> str:
    """``12.1 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    if seconds is None:
        return MISSING
    if not math.isfinite(seconds) or seconds < 120:
        return significant(float(seconds)) + NARROW_SPACE + "s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
