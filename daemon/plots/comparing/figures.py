"""From names of acquisitions to the figures that compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import UsageError
from daemon.plots.comparing.agreement import compare, draw_agreement
from daemon.plots.comparing.distribution import draw_distribution
from daemon.plots.comparing.groups import By, chosen_groups, common_measure, sampled
from daemon.plots.comparing.reference import read_reference
from storage.query.statements import TimeRange

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def distribution(
    url: str,
    names: Sequence[str],
    given: Mapping[str, Sequence[str]],
    by: By = "acquisition",
    column: str | None = None,
    t: TimeRange | None = None,
) -> Figure:
    """Sizes, or another column, of groups of acquisitions; see `daemon.plots.comparing.groups` for what is raised."""
    groups = chosen_groups(url, names, given, by)
    measure = common_measure(groups, column)
    return draw_distribution(sampled(groups, measure, t), measure)


def agreement(url: str, names: Sequence[str], reference: Path) -> Figure:
    """Counts of acquisitions against a table or a folder of labels.

    Raises
    ------
    UsageError, StorageError, EngineError
        When there is no such acquisition, or the reference is none, or counts nothing of them.
    """
    if not reference.exists():
        raise UsageError(f"{reference} does not exist: check the path.")
    groups = chosen_groups(url, names, {}, "acquisition", most=None)
    return draw_agreement(compare([one for members in groups.values() for one in members], read_reference(reference)))
