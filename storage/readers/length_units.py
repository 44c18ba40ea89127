"""Lengths and times as files write them, in micrometres and seconds."""

from __future__ import annotations

import math
from collections.abc import Callable

MICROMETRES = {
    "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4, "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "\\u00b5m": 1.0,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3, "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "m": 1e6, "meter": 1e6, "metre": 1e6, "in": 25400.0, "inch": 25400.0, "inches": 25400.0,
}  # fmt: skip
SECONDS = {
    "ns": 1e-9, "nanosecond": 1e-9, "µs": 1e-6, "μs": 1e-6, "us": 1e-6, "microsecond": 1e-6,
    "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0,
}  # fmt: skip


def micrometres(value: object, unit: object) -> float | None:
    """Return a length in micrometres; None for one that says nothing (no length unit, no number, or 0).

    Programs write negative distances between slices where the stage went down: a length has no direction.
    """
    return _converted(value, unit, MICROMETRES, abs)


def place_um(value: object, unit: object) -> float | None:
    """Return a place in micrometres, which may be 0 or negative; None for one that says nothing."""
    length = micrometres(1, unit)
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever a file's metadata holds
    except (TypeError, ValueError):
        return None
    return number * length if length is not None and math.isfinite(number) else None


def seconds(value: object, unit: object) -> float | None:
    """Return a duration in seconds; None for one that says nothing."""
    return _converted(value, unit, SECONDS, float)


def _converted(value: object, unit: object, factors: dict[str, float], size: Callable[[float], float]) -> float | None:
    factor = factors.get(str(unit).strip().lower())
    try:
        number = size(float(value))  # type: ignore[arg-type]  # whatever a file's metadata holds
    except (TypeError, ValueError):
        return None
    if factor is None or not math.isfinite(number) or number <= 0:
        return None
    # 15 digits: 90.6 nm becomes 0.0906 um and not 0.09059999999999999.
    return float(f"{number * factor:.15g}")
