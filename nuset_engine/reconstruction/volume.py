"""From the labels of slices to nuclei in three dimensions.

1. Slices that contradict those around them count as missed (`missed`); the others repair each other
   (`repair`): a section that two nuclei share is divided (`divide`), pieces of one are joined (`join`).
2. One assignment links sections over neighbouring and missed slices to columns (`link`); light that flickers from slice
   to slice is taken off their brightness (`light`).
3. Columns are cut where two nuclei are stacked, and fragments joined (`columns`).
4. Missed slices are filled in (`bridge`), surfaces smoothed over slices (`surface`), and every nucleus
   gets its trust columns (`trust`).
5. Nuclei of a size that is not wanted are dropped (`sizes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from nuset_engine.arrays import AnyFloatsN, FlagsN, LabelsYX, LabelsZYX, PlaneYX, RowsN
from nuset_engine.errors import EngineError
from nuset_engine.reconstruction.bridge import fill, gaps_of
from nuset_engine.reconstruction.columns import Scale, cut_columns, depth_of, join_fragments, measured_scale
from nuset_engine.reconstruction.divide import divide_sections
from nuset_engine.reconstruction.join import join_sections
from nuset_engine.reconstruction.light import evenly_lit
from nuset_engine.reconstruction.link import Nodes, Reach, columns_of, link
from nuset_engine.reconstruction.missed import dismiss, is_blank
from nuset_engine.reconstruction.params import VolumeParams
from nuset_engine.reconstruction.sections import SectionStack
from nuset_engine.reconstruction.sizes import kept_by_size
from nuset_engine.reconstruction.surface import smooth_surfaces
from nuset_engine.reconstruction.trust import trust_table
from nuset_engine.voxels import VoxelSize

WIDE_SECTION = 75  # percentile of the widths of sections that stands for the width of nuclei
MOST_VOTERS = 3  # slices on each side that vote on a slice
MOST_MISSED = 3  # slices in a row that are bridged
REPAIR_ROUNDS = 2  # dividing can make joins possible and the reverse; more rounds change next to nothing
THINNEST_TO_DISMISS = 2.0  # slices per nucleus: with fewer, slices two apart may show the same layer of a packing


class SliceLabels(Protocol):
    """What a segmenter says about one slice (`segment.PlaneLabels`)."""

    @property
    def labels(self) -> LabelsYX:
        """(Y, X) integers, 0 background, 1..n nuclei."""

    @property
    def scores(self) -> AnyFloatsN:
        """(n,) float, score of label i at ``scores[i - 1]``."""


class SupportsPlanes(Protocol):
    """The planes of one channel, read lazily."""

    def __getitem__(self, z: int, /) -> PlaneYX: ...


@dataclass(frozen=True)
class Volume:
    """Nuclei of one stack.

    Attributes
    ----------
    labels : (Z, Y, X) uint32
        1..N without holes, ordered by first slice, then by first pixel; 0 is background.
    trust : pandas.DataFrame
        Index `label`, columns `score` and `nuclei.TRUST_COLUMNS`.
    """

    labels: LabelsZYX
    trust: pd.DataFrame


def reconstruct(
    slices: Iterable[SliceLabels],
    voxel_size_um: VoxelSize | None,
    params: VolumeParams | None = None,
    planes: SupportsPlanes | None = None,
) -> Volume:
    """Join the labels of slices to nuclei.

    Parameters
    ----------
    slices : iterable of SliceLabels
        From the first slice to the last, read once; a single one is a plane, whose labels pass through.
    voxel_size_um : (z, y, x) or None
        None is allowed for a single plane only.
    params : VolumeParams or None
    planes : sequence of (Y, X), optional
        Grey values of the nuclear channel, read one slice at a time: where it is darker between two nuclei, they part.

    Returns
    -------
    Volume
        The same for the same slices, bit for bit.

    Raises
    ------
    EngineError
        If there is no slice, slices differ in shape, or a stack comes without a voxel size or with one not above 0.
    """
    params = params or VolumeParams()
    stack = SectionStack()
    for z, item in enumerate(slices):
        stack.append(item.labels, item.scores, None if planes is None else np.asarray(planes[z]))
    if not len(stack):
        raise EngineError("A stack without slices cannot be reconstructed; give at least one slice.")
    if len(stack) > 1 and voxel_size_um is None:
        raise EngineError(
            f"A stack of {len(stack)} slices without a voxel size cannot be joined, because their distance decides "
            "what belongs together; give the voxel size as z, y, x in micrometres."
        )
    voxel = voxel_size_um or (1.0, 1.0, 1.0)
    if len(voxel) != 3 or not all(np.isfinite(voxel)) or min(voxel) <= 0:
        raise EngineError(f"The voxel size {voxel_size_um} is not three lengths above 0; give z, y, x in micrometres.")
    scale = Scale(voxel[0], voxel[1] * voxel[2])
    nodes, columns, scale = _columns(stack, scale, params)
    found = _paint(stack, nodes, columns, scale, params.surface_blur)
    keep = kept_by_size(found.labels, voxel, params)
    return found if keep.all() else _only(found, keep)


def _columns(stack: SectionStack, scale: Scale, params: VolumeParams) -> tuple[Nodes, list[RowsN], Scale]:
    """Nuclei as columns of sections, with the scale as measured on them."""
    nodes = Nodes.of(stack)
    if len(stack) == 1 or not len(nodes.z):
        return nodes, [np.array([row]) for row in range(len(nodes.z))], scale
    nodes, columns, scale = uncut_columns(stack, nodes, scale, params)
    columns = join_fragments(stack, nodes, cut_columns(nodes, columns, scale), scale)
    return nodes, _drop_flat(nodes, columns, scale, is_blank(stack), params.min_slices_to_drop), scale


def uncut_columns(
    stack: SectionStack, nodes: Nodes, scale: Scale, params: VolumeParams
) -> tuple[Nodes, list[RowsN], Scale]:
    """Repair the slices of a stack, in place, and link their sections: columns of one nucleus or of several stacked."""
    thickness = float(scale.slices(np.percentile(nodes.area, WIDE_SECTION)))
    dismissed = dismiss(stack) if thickness >= THINNEST_TO_DISMISS else []
    if repair(stack, int(np.clip(round(thickness / 4), 1, MOST_VOTERS))) or dismissed:
        nodes = Nodes.of(stack)
    reach = _reach(is_blank(stack), thickness, params.max_missed_slices)
    columns = columns_of(link(stack, nodes, reach, params.min_iou, params.min_overlap))
    nodes = evenly_lit(nodes, columns, len(stack))
    return nodes, columns, measured_scale(scale, nodes, columns, reach.blank)


def repair(stack: SectionStack, reach: int) -> int:
    """Divide merged and join broken sections of a stack in place, as neighbouring slices vote.

    A slice says *separate* where one section covers two or more of its own sections, *whole* where it has one section
    in its place; the majority over a few slices on both sides decides, together with the shape of the pieces. So an
    error in one slice is outvoted, while the true ends of nuclei (as many slices for as against) are left alone.

    Parameters
    ----------
    stack : SectionStack
    reach : int
        Number of slices on each side that vote.

    Returns
    -------
    int
        Number of sections divided or joined.
    """
    changed = 0
    for _ in range(REPAIR_ROUNDS):
        fresh = divide_sections(stack, reach) + join_sections(stack, reach)
        changed += fresh
        if not fresh:
            break
    return changed


def _reach(blank: FlagsN, thickness: float, max_missed: int | None) -> Reach:
    """How far links go: over a part of a nucleus where others are seen, over as many blank slices as one can span."""
    if max_missed is not None:
        return Reach(blank, max_missed, max_missed)
    return Reach(blank, min(int(thickness / 3), MOST_MISSED), min(int(np.ceil(thickness)) - 2, MOST_MISSED))


def _drop_flat(nodes: Nodes, columns: list[RowsN], scale: Scale, blank: FlagsN, min_slices: float) -> list[RowsN]:
    """Without the columns of one slice where a nucleus must span more; those cut by the stack's ends may be nuclei.

    What a nucleus must span follows from the column's width or, if that is larger, from the stack's median nucleus. It
    may go on in a blank slice beside it.
    """
    inner = range(1, len(blank) - 1)
    peaks = np.array([nodes.area[column].max() for column in columns])
    width = np.maximum(peaks, np.median(peaks))
    beside = np.convolve(blank, (1, 0, 1), mode="same")
    return [
        column
        for column, slices in zip(columns, scale.slices(width), strict=True)
        if depth_of(nodes, column) > 1
        or int(nodes.z[column[0]]) not in inner
        or slices < min_slices * (1 + beside[nodes.z[column[0]]])
    ]


def _paint(stack: SectionStack, nodes: Nodes, columns: list[RowsN], scale: Scale, surface_blur: float) -> Volume:
    """Labels and trust columns; planes of sections are freed as soon as no gap needs them."""
    gaps = gaps_of(nodes, columns)
    trust = trust_table(stack, nodes, columns, gaps, scale)
    name = np.zeros(len(nodes.z), dtype=np.uint32)
    for number, column in enumerate(columns, start=1):
        name[column] = number
    names = np.split(name, nodes.offset[1:-1])
    longest = max((gap.high - gap.low for gap in gaps), default=1)
    labels = np.empty((len(stack), *stack.planes[0].shape), dtype=np.uint32)
    for z in range(len(stack)):
        labels[z] = np.concatenate([np.zeros(1, np.uint32), names[z]])[stack.planes[z]]
        fill(stack, [gap for gap in gaps if gap.low < z < gap.high], z, labels[z])
        if z >= longest:
            stack.planes[z - longest] = labels[z, :0]
    smooth_surfaces(labels, surface_blur)
    return _in_order(labels, trust)


def _only(found: Volume, keep: FlagsN) -> Volume:
    """The nuclei to keep (N,) alone, numbered 1..N again in the same order."""
    new = np.zeros(len(keep) + 1, np.uint32)
    new[1:][keep] = np.arange(1, keep.sum() + 1)
    for plane in found.labels:
        plane[...] = new[plane]
    trust = found.trust[keep].set_axis(pd.RangeIndex(1, int(keep.sum()) + 1, name="label"))
    return Volume(found.labels, trust)


def _in_order(labels: LabelsZYX, trust: pd.DataFrame) -> Volume:
    """Number nuclei by their first slice, then by their first pixel in it."""
    order: list[int] = []
    known = np.zeros(len(trust) + 1, dtype=bool)
    known[0] = True
    for plane in labels:
        present, first = np.unique(plane[~known[plane]], return_index=True)
        order += present[np.argsort(first)].tolist()
        known[present] = True
    new = np.zeros(len(trust) + 1, dtype=np.uint32)
    new[order] = np.arange(1, len(order) + 1)
    for plane in labels:
        plane[...] = new[plane]
    sorted_trust = trust.loc[order].set_axis(pd.RangeIndex(1, len(order) + 1, name="label"))
    return Volume(labels, sorted_trust)
