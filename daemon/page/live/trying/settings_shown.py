"""What can be set, as the page shows it: with meaning, unit, default, range, and the values that count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon.configuration.advice import ADVICE
from daemon.configuration.catalogue import Known, every_setting
from storage.schema.rows import AcquisitionRow

_AT_MOST = {"px": 200.0, "um": 60.0, "frames": 20.0}
"""Where a slider ends whose setting has no limit, by the unit; the number beside it takes more."""


def settings_shown(row: AcquisitionRow, in_use: Mapping[str, Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Every setting, with its value in an acquisition and, of a watched folder, the one that is in use now.

    Parameters
    ----------
    row : AcquisitionRow
    in_use : mapping or None
        The settings of the folder that are no defaults, by full name; None: it comes from no watched folder.
    """
    return [_shown(one, row, in_use) for one in every_setting()]


def advice_shown() -> list[dict[str, Any]]:
    """What people see, and which settings to change."""
    return [{"seen": one.seen, "settings": list(one.settings), "change": one.change} for one in ADVICE]


def _shown(one: Known, row: AcquisitionRow, in_use: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    stored = row.params.get(one.section)
    used = None if in_use is None else in_use.get(one.full_name, {"value": one.default, "origin": "default"})
    return {
        "name": one.full_name,
        "section": one.section,
        "meaning": one.setting.meaning,
        "change": one.setting.change,
        "unit": one.unit_text if one.setting.unit else "",
        "default": one.default,
        "unset": one.setting.unset or None,
        "range": one.range_text,
        "choices": one.setting.choices,
        "kind": _kind(one),
        "stored": (stored or {}).get(one.name, one.default),
        "in_use": used,
        "slider": _slider(one),
        "tried": one.section != "tracking",
    }


def _kind(one: Known) -> str:
    if isinstance(one.default, bool):
        return "switch"
    if one.setting.choices:
        return "choice"
    whole = isinstance(one.default, int) or one.setting.multiple is not None
    return "text" if isinstance(one.default, str) else "whole" if whole else "number"


def _slider(one: Known) -> dict[str, float] | None:
    """Where a slider begins and ends, and its step."""
    if isinstance(one.default, (bool, str)):
        return None
    low = one.setting.low if one.setting.low is not None else 0.0
    usual = float(one.default) if one.default is not None else 0.0
    high = one.setting.high
    if high is None:
        high = max(_AT_MOST.get(one.setting.unit, 1.0), 3 * usual)
    if _kind(one) == "whole":
        step = float(one.setting.multiple or 1)
    else:
        step = next(size for size in (0.01, 0.05, 0.1, 0.5, 1.0) if (high - low) / size <= 200 or size == 1.0)
    first = low + step if one.setting.low_excluded else low
    return {"low": first, "high": high, "step": step}
