"""What `nusetd try` finds: plain values, for the table and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nuset_engine.arrays import FloatsN, LabelsYX, PlaneYX


@dataclass(frozen=True)
class Changes:
    """What became of the nuclei of the first trial in another one.

    Attributes
    ----------
    kept : int
        The same nucleus at an intersection over union of at least 0.5.
    lost, new : int
        Without anything in the other that mostly covers it, or is mostly covered by it.
    cut, merged : int
        Nuclei of the first that several of the other lie in, and nuclei of the other that several of the first lie in.
    """

    kept: int
    lost: int
    new: int
    cut: int
    merged: int


@dataclass(frozen=True)
class Trial:
    """One result.

    Attributes
    ----------
    name : str
        The settings that make it.
    diameters_um : (N,) float64
        Of all nuclei; in pixels where the image has no voxel size.
    scores : (N,) float64
    changes : Changes or None
        Against the first trial; None for that itself.
    shown : list of (Y, X)
        Labels of the slices that are shown.
    """

    name: str
    diameters_um: FloatsN
    scores: FloatsN
    changes: Changes | None
    shown: list[LabelsYX]


@dataclass(frozen=True)
class Trials:
    """All results of one time point.

    Attributes
    ----------
    title : str
    unit : str
        Of diameters.
    slices : sequence of int
        Which slices are shown.
    planes : list of (Y, X)
        Their grey values.
    levels : (float, float)
        Grey values shown as black and white, of the whole stack.
    """

    title: str
    unit: str
    slices: Sequence[int]
    planes: list[PlaneYX]
    levels: tuple[float, float]
    trials: list[Trial]
