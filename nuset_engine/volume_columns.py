"""Columns of sections to nuclei: cuts where two nuclei are stacked, joins of fragments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nuset_engine.volume_link import Nodes, assign
from nuset_engine.volume_sections import SectionStack

FEWEST_FOR_SHAPE = 5  # columns from which the stack's own shape of nuclei is taken
SHAPE_LIMITS = (0.3, 3.0)  # thickness over width: flat nuclei on glass .. optics that stretch along z
NECK = 0.55  # area of the neck over the smaller of both parts' largest areas below which two nuclei are stacked
NECK_PER_EXCESS = 0.3  # more for a column thicker than nuclei are
NECK_PER_JUMP = 0.3  # more where the centroid jumps sideways
NECK_LIMIT = 0.85
THINNEST_PART = 0.3  # of the thickness that a nucleus as wide as the part has
SMOOTHED_FROM = 6  # slices per nucleus from which a dip in one slice alone is an error of that slice
FRAGMENT_VOLUME = 0.2  # of its neighbour's volume: larger pieces stay nuclei of their own
FRAGMENT_OVERLAP = 0.5


@dataclass(frozen=True)
class Scale:
    """Lengths of a stack: voxel size, and how thick its nuclei are for their width.

    Attributes
    ----------
    step_um : float
        Distance of slices.
    pixel_um2 : float
        Area of a pixel.
    thickness_per_width : float
        Along z over across, 1 for balls.
    """

    step_um: float
    pixel_um2: float
    thickness_per_width: float = 1.0

    def width_um(self, area_px: np.ndarray | float) -> np.ndarray:
        """Diameter of the circle of an area."""
        return np.sqrt(np.asarray(area_px) * self.pixel_um2 * 4 / np.pi)

    def slices(self, area_px: np.ndarray | float) -> np.ndarray:
        """Number of slices (not rounded) that a nucleus with this largest area spans."""
        return self.width_um(area_px) * self.thickness_per_width / self.step_um


def depth_of(nodes: Nodes, column: np.ndarray) -> int:
    """Slices from the first to the last of a column, missed ones included."""
    return int(nodes.z[column[-1]] - nodes.z[column[0]]) + 1


def measured_scale(scale: Scale, nodes: Nodes, columns: list[np.ndarray], slices: int) -> Scale:
    """The scale with the thickness over width that the whole columns of this stack show in the middle."""
    ratios = [
        depth_of(nodes, column) * scale.step_um / float(scale.width_um(nodes.area[column].max()))
        for column in columns
        if depth_of(nodes, column) >= 3 and nodes.z[column[0]] > 0 and nodes.z[column[-1]] < slices - 1
    ]
    if len(ratios) < FEWEST_FOR_SHAPE:
        return scale
    return Scale(scale.step_um, scale.pixel_um2, float(np.clip(np.median(ratios), *SHAPE_LIMITS)))


@dataclass(frozen=True)
class Cut:
    """The most likely place where a column is two nuclei.

    Attributes
    ----------
    position : int
        The second nucleus begins at this place in the column.
    neck : float
        Area at the cut over the smaller of both parts' largest areas.
    limit : float
        The column is cut where `neck` is below it.
    """

    position: int
    neck: float
    limit: float


def likeliest_cut(nodes: Nodes, column: np.ndarray, scale: Scale) -> Cut | None:
    """The best place to cut a column, None where no cut leaves two parts thick enough to be nuclei."""
    if len(column) < 2:
        return None
    area, z = _smoothed_area(nodes, column, scale), nodes.z[column]
    left, right = np.maximum.accumulate(area)[:-1], np.maximum.accumulate(area[::-1])[::-1][1:]
    valley = np.minimum(area[:-1], area[1:])
    neck = valley / np.minimum(left, right)
    thick_enough = ((z[:-1] - z[0] + 1) >= THINNEST_PART * scale.slices(left)) & (
        (z[-1] - z[1:] + 1) >= THINNEST_PART * scale.slices(right)
    )
    if not thick_enough.any():
        return None
    steps = np.linalg.norm(np.diff(nodes.centroid[column], axis=0), axis=1) * np.sqrt(scale.pixel_um2)
    jump = np.clip((steps - np.median(steps)) / (scale.width_um(np.minimum(left, right)) / 2), 0, 1)
    excess = np.clip(depth_of(nodes, column) / scale.slices(np.maximum(left, right)) - 1.2, 0, 1)
    limit = np.minimum(NECK + NECK_PER_EXCESS * excess + NECK_PER_JUMP * jump, NECK_LIMIT)
    best = int(np.argmin(np.where(thick_enough, neck - limit, np.inf)))
    return Cut(best + 1, float(neck[best]), float(limit[best]))


def _smoothed_area(nodes: Nodes, column: np.ndarray, scale: Scale) -> np.ndarray:
    """Areas along a column; for nuclei of many slices a median of three removes dips of one slice."""
    area = nodes.area[column]
    if len(area) < 3 or float(scale.slices(area.max())) < SMOOTHED_FROM:
        return area
    middle = ndimage.median_filter(area, 3, mode="nearest")
    middle[[0, -1]] = area[[0, -1]]
    return middle


def cut_columns(nodes: Nodes, columns: list[np.ndarray], scale: Scale) -> list[np.ndarray]:
    """Cut columns at necks until no part has one."""
    done: list[np.ndarray] = []
    waiting = list(reversed(columns))
    while waiting:
        column = waiting.pop()
        cut = likeliest_cut(nodes, column, scale)
        if cut is not None and cut.neck < cut.limit:
            waiting += [column[cut.position :], column[: cut.position]]
        else:
            done.append(column)
    return done


def join_fragments(stack: SectionStack, nodes: Nodes, columns: list[np.ndarray], scale: Scale) -> list[np.ndarray]:
    """Give fragments back to the nucleus that they lie on.

    A fragment is a column too thin for its width, with less than `FRAGMENT_VOLUME` of the volume of a neighbour that
    ends in the slice before it or begins in the slice after it, and at least `FRAGMENT_OVERLAP` of it over that
    neighbour. Hosts are larger than their fragments, so chains of fragments end in a nucleus.
    """
    options = _fragment_options(stack, nodes, columns, scale)
    if not options:
        return columns
    fragment, side, gain = (np.array(part) for part in zip(*options, strict=True))
    host_of = {int(fragment[k]): int(side[k]) // 2 for k in assign(fragment, side, gain)}
    members: dict[int, list[np.ndarray]] = {}
    for number, column in enumerate(columns):
        root = number
        while root in host_of:
            root = host_of[root]
        members.setdefault(root, []).append(column)
    return [np.sort(np.concatenate(members[root])) for root in sorted(members)]


def _fragment_options(
    stack: SectionStack, nodes: Nodes, columns: list[np.ndarray], scale: Scale
) -> list[tuple[int, int, float]]:
    """Column of a fragment, twice that of a host (plus 1 if it lies above), share of the fragment over the host."""
    volume = np.array([nodes.area[column].sum() for column in columns])
    last_row = {int(column[-1]): number for number, column in enumerate(columns)}
    first_row = {int(column[0]): number for number, column in enumerate(columns)}
    options = []
    for number, column in enumerate(columns):
        if depth_of(nodes, column) >= THINNEST_PART * float(scale.slices(nodes.area[column].max())):
            continue
        for row, step, ends in ((column[0], -1, last_row), (column[-1], 1, first_row)):
            for other, share in _beside(stack, nodes, int(row), step):
                host = ends.get(other, number)
                if share >= FRAGMENT_OVERLAP and volume[number] < FRAGMENT_VOLUME * volume[host]:
                    options.append((number, host * 2 + (step > 0), share))
    return options


def _beside(stack: SectionStack, nodes: Nodes, row: int, step: int) -> list[tuple[int, float]]:
    """Rows of the sections one slice on that share pixels with a section, and the share of it that they hold."""
    z = int(nodes.z[row])
    if not 0 <= z + step < len(stack):
        return []
    pairs = stack.pairs(z, z + step)
    mine = pairs.own == row - nodes.offset[z]
    others = pairs.other[mine] + nodes.offset[z + step]
    return list(zip(others.tolist(), pairs.share_own[mine].tolist(), strict=True))
