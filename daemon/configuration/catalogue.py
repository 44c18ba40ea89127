"""Every setting that decides a result, as people meet it: for `nusetd settings`, SETTINGS.md and messages."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields

from daemon.configuration.config import Processing
from daemon.errors import UsageError
from nuset_engine.settings import Setting, settings_of

UNITS = {"um": "µm"}


@dataclass(frozen=True)
class Known:
    """A setting with its place.

    Attributes
    ----------
    section, name : str
        Where it stands in the configuration.
    default : bool, int, float, str or None
    setting : Setting
    """

    section: str
    name: str
    default: bool | int | float | str | None
    setting: Setting

    @property
    def full_name(self) -> str:
        """As `--set` takes it."""
        return f"{self.section}.{self.name}"

    @property
    def default_text(self) -> str:
        """The default for people; where it is None, what happens then."""
        if self.default is None:
            return self.setting.unset
        return str(self.default).lower() if isinstance(self.default, bool) else f"{self.default}"

    @property
    def range_text(self) -> str:
        """The values that are taken."""
        return "true or false" if isinstance(self.default, bool) else self.setting.range

    @property
    def unit_text(self) -> str:
        """The unit, a dash where it is a number without one."""
        return UNITS.get(self.setting.unit, self.setting.unit) or "-"


def every_setting() -> list[Known]:
    """All of them, by section."""
    usual = Processing()
    return [
        Known(section.name, name, getattr(getattr(usual, section.name), name), one)
        for section in fields(Processing)
        for name, one in settings_of(type(getattr(usual, section.name))).items()
    ]


def found_settings(name: str) -> list[Known]:
    """The settings of that name: a full one, one without its section, or a whole section.

    Raises
    ------
    UsageError
        When there is none; the nearest names are told.
    """
    every = every_setting()
    found = [one for one in every if name in (one.full_name, one.name, one.section)]
    if found:
        return found
    known = {one.name: one.full_name for one in every} | {one.full_name: one.full_name for one in every}
    near = [known[match] for match in difflib.get_close_matches(name, known, n=3)]
    remedy = f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "see all with `nusetd settings`."
    raise UsageError(f"There is no setting {name!r}: {remedy}")
