"""Which acquisitions belong together, and the values of their nuclei."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

import storage
from daemon.errors import UsageError
from daemon.plots.style import short_name
from nuset_engine.arrays import FloatsN
from storage.query.question import Question
from storage.query.statements import Selection, TimeRange
from storage.results import AcquisitionResults, Results

By = Literal["acquisition", "folder"]
MOST_GROUPS = 12
"""More could not be told apart in one panel."""
UNITS = {"_um3": "µm³", "_um2": "µm²", "_um": "µm", "_px": "px"}


@dataclass(frozen=True)
class Sample:
    """An acquisition with the values of its nuclei, one for each nucleus at each time point; (N,) float64."""

    acquisition: AcquisitionResults
    values: FloatsN
    timepoints: int


@dataclass(frozen=True)
class Condition:
    """Acquisitions that are one condition.

    Attributes
    ----------
    name : str
    samples : sequence of Sample
    """

    name: str
    samples: Sequence[Sample]

    @property
    def values(self) -> FloatsN:
        """Those of all its acquisitions, (N,) float64."""
        return np.concatenate([one.values for one in self.samples])


@dataclass(frozen=True)
class Measure:
    """What is compared: a column of nuclei, its name and its unit."""

    column: str
    name: str
    unit: str

    @property
    def axis(self) -> str:
        """As an axis is called."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def chosen_groups(
    url: str, names: Sequence[str], given: Mapping[str, Sequence[str]], by: By, most: int | None = MOST_GROUPS
) -> Mapping[str, Sequence[AcquisitionResults]]:
    """Return acquisitions by the name of their group.

    Parameters
    ----------
    url : of the database
    names : ids or names
        Nothing, where there are no groups either: all acquisitions that have results.
    given : mapping of a group's name to ids or names
    by : what groups are made of, where none are given
    most : so many groups at most, None for any number

    Raises
    ------
    UsageError
        When nothing is left to compare, one acquisition is in two groups, or there are too many groups.
    StorageError
        When there is no such acquisition.
    """
    results = storage.open(url)
    if given and names:
        raise UsageError("Acquisitions are named before the options or in --group, not both: put all into groups.")
    if given:
        found = {name: [results[one] for one in members] for name, members in given.items()}
    else:
        found = {}
        for one in [results[name] for name in names] or _with_results(results):
            found.setdefault(_folder(one) if by == "folder" else one.name, []).append(one)
    ids = [one.about.id for members in found.values() for one in members]
    twice = next((number for number in ids if ids.count(number) > 1), None)
    if twice is not None:
        raise UsageError(f"{short_name(results[twice].name, 60)} is named twice: name each acquisition once.")
    if not found:
        raise UsageError("There is nothing to compare: no acquisition has results yet.")
    if most is not None and len(found) > most:
        raise UsageError(f"{len(found)} groups cannot be told apart: choose at most {most}, or use --by folder.")
    return found


def _with_results(results: Results) -> list[AcquisitionResults]:
    table = results.acquisitions()
    return [results[int(number)] for number in table.loc[table["nuclei_count"] > 0, "id"]]


def _folder(one: AcquisitionResults) -> str:
    """The folders in its name, which are those below the watched one; else the folder of its source."""
    before, slash, _ = one.name.rpartition("/")
    return before if slash else one.about.source_path.rpartition("/")[0].rpartition("/")[2]


def common_measure(groups: Mapping[str, Sequence[AcquisitionResults]], column: str | None) -> Measure:
    """Return what is compared: the column that was asked for, else volumes of stacks, areas of planes.

    Raises
    ------
    UsageError
        When the acquisitions have not the same one.
    """
    if column is not None:
        unit = next((unit for ending, unit in UNITS.items() if column.endswith(ending)), "")
        ending = next((ending for ending in UNITS if column.endswith(ending)), "")
        name = column.removesuffix(ending).replace("_", " ")
        return Measure(column, name, "voxels" if column == "volume_px" else unit)
    kinds: dict[Measure, str] = {}
    for one in (one for members in groups.values() for one in members):
        kinds.setdefault(_usual_measure(one), one.name)
    if len(kinds) > 1:
        said = ", ".join(f"{short_name(name, 60)} has {kind.axis}" for kind, name in kinds.items())
        raise UsageError(f"These cannot be compared ({said}): choose acquisitions of one kind, or a --column.")
    return next(iter(kinds))


def _usual_measure(one: AcquisitionResults) -> Measure:
    flat = (one.about.size_z or 1) == 1
    if one.about.unit == "um":
        return Measure("area_um2", "area", "µm²") if flat else Measure("volume_um3", "volume", "µm³")
    return Measure("volume_px", "area", "px²") if flat else Measure("volume_px", "volume", "voxels")


def sampled(
    groups: Mapping[str, Sequence[AcquisitionResults]], measure: Measure, t: TimeRange | None = None
) -> list[Condition]:
    """Return the groups with their values.

    Parameters
    ----------
    groups, measure
    t : time points as people write them, or None for all

    Raises
    ------
    UsageError
        For a column that holds no numbers, or a group without any.
    StorageError
        For a column or a time point that is not there.
    """
    found = [Condition(name, [_sample(one, measure, t) for one in members]) for name, members in groups.items()]
    empty = next((group.name for group in found if not len(group.values)), None)
    if empty is not None:
        raise UsageError(f"{short_name(empty, 60)} has no {measure.name} to draw: nothing was found, or not measured.")
    return found


def _sample(one: AcquisitionResults, measure: Measure, t: TimeRange | None) -> Sample:
    wanted = Selection(source_t=t, columns=["t", measure.column])
    table = Question.nuclei(one.url, one.about.id, wanted).frame()
    try:
        values = table[measure.column].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise UsageError(f"Column {measure.column} holds no numbers: choose another --column.") from error
    return Sample(one, values[np.isfinite(values)], int(table["t"].nunique()))
