"""Intensities of the other channels as columns that people can read: by the channel's name, not by its number.

They are stored by number, ``channel_1_mean``, because a channel's name may change when its image is read again with
other facts. Filters and lists of columns take these names too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement

from nuset_engine.nuclei import INTENSITY_STATISTICS, channel_columns

_LONGEST_BYTES = 40  # PostgreSQL cuts names of columns after 63
_BY_NUMBER = re.compile(r"channel_\d+")


class NamedColumns(Mapping[str, ColumnElement[Any]]):
    """Columns by the names that are shown; a name under which one is stored finds it as well, and is not listed.

    Parameters
    ----------
    columns : by the names that are shown
    stored : name under which a column is stored -> name that is shown
    """

    def __init__(self, columns: Mapping[str, ColumnElement[Any]], stored: Mapping[str, str]) -> None:
        self._columns = columns
        self._stored = stored

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        """Return a column by either of its names."""
        return self._columns[name if name in self._columns else self._stored[name]]

    def __iter__(self) -> Iterator[str]:
        """Give the names that are shown."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Number of columns."""
        return len(self._columns)


def shown_names(channel_names: Sequence[str], others: Collection[str]) -> dict[str, str]:
    """Return stored name -> shown name of the intensities of all channels that have a name.

    ``GFP`` gives ``GFP_mean``. What no filter can hold becomes ``_``, a digit at the beginning gets ``ch`` before it.
    Where the result is no channel's alone, or the name of another column, the channel's number follows its name.
    Channels that have no name keep their number, ``channel_1_mean``.

    Parameters
    ----------
    channel_names : sequence of str
    others : collection of str
        Names of all other columns.
    """
    stems = [_stem(name) if name != f"channel {i}" else "" for i, name in enumerate(channel_names)]
    times = Counter(stem.casefold() for stem in stems)
    used = {name.casefold() for name in others}
    found: dict[str, str] = {}
    for i, stem in enumerate(stems):
        alone = times[stem.casefold()] == 1 and not _BY_NUMBER.fullmatch(stem.casefold())
        for candidate in (stem, f"{stem}_{i}") if alone else (f"{stem}_{i}",):
            names = [f"{candidate}_{statistic}" for statistic in INTENSITY_STATISTICS]
            if stem and used.isdisjoint(name.casefold() for name in names):
                found |= dict(zip(channel_columns(i), names, strict=True))
                used.update(name.casefold() for name in names)
                break
    return found


def _stem(name: str) -> str:
    """Return a channel's name as the beginning of a column's: letters and digits of any script, and ``_``."""
    kept = re.sub(r"_{2,}", "_", re.sub(r"\W", "_", name)).strip("_")
    kept = f"ch{kept}" if kept[:1].isnumeric() else kept
    return kept.encode()[:_LONGEST_BYTES].decode(errors="ignore").strip("_")
