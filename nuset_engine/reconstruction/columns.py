"""Columns of sections to nuclei: cuts where two nuclei are stacked, joins of fragments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, MatrixNM, RowsN
from nuset_engine.assignment import assign
from nuset_engine.reconstruction.link import Nodes
from nuset_engine.reconstruction.sections import SectionStack

Areas = TypeVar("Areas", float, FloatsN)  # one, or one of each section

FEWEST_FOR_SHAPE = 3  # columns from which the stack's own shape of nuclei is taken
FEWEST_SLICES = 3  # of a column whose thickness is measured ..
THINNEST_WHOLE = 0.4  # .. or this much of a ball as wide as it
ONE_AREA_MISFIT, ONE_CENTROID_MISFIT = 0.10, 0.15  # below both, a column counts as one nucleus for that measurement
BRIGHT = 0.3  # of the brightest section: above and below a bright nucleus, dimmer ones show it out of focus
SHAPE_LIMITS = (0.3, 3.0)  # thickness over width: flat nuclei on glass .. optics that stretch along z
# Evidence that a column is two nuclei, above 0: tests/benchmarks/fit_volume_evidence.py.
EVIDENCE = {
    "neck": -5.83,
    "excess": 4.49,
    "dip": 13.29,
    "area_misfit": 16.15,
    "centroid_misfit": 19.59,
    "constant": -5.68,
}
EXCESS_LIMIT = 1.8  # thickness alone does not cut what has no neck and fits one ellipsoid
CLEARLY_ONE = -2.0  # evidence below which the place of a cut is not worth looking for
NECK_WEIGHT = 0.2  # of the neck beside the misfits of both parts, in the choice of the place to cut
DARK_WEIGHT = 0.2  # of the darkness there, likewise
THINNEST_PART = 0.3  # of the thickness that a nucleus as wide as the part has
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
    thickness_per_width, core_per_width : float
        Along z over across, 1 for balls: of all sections, and of the bright ones alone.
    """

    step_um: float
    pixel_um2: float
    thickness_per_width: float = 1.0
    core_per_width: float = 1.0

    def width_um(self, area_px: Areas) -> Areas:
        """Diameter of the circle of an area."""
        width: Areas = np.sqrt(area_px * self.pixel_um2 * 4 / np.pi)
        return width

    def slices(self, area_px: Areas) -> Areas:
        """Number of slices (not rounded) that a nucleus with this largest area spans."""
        return self.width_um(area_px) * self.thickness_per_width / self.step_um

    def core_slices(self, area_px: Areas) -> Areas:
        """Number of slices (not rounded) in which a nucleus with this largest area is bright."""
        return self.width_um(area_px) * self.core_per_width / self.step_um


def depth_of(nodes: Nodes, column: RowsN) -> int:
    """Slices from the first to the last of a column, missed ones included."""
    return int(nodes.z[column[-1]] - nodes.z[column[0]]) + 1


def core_depth_of(nodes: Nodes, column: RowsN) -> int:
    """Slices from the first to the last bright section of a column; all of them where brightness is not known.

    Out of focus a bright nucleus is seen in more slices than a dim one. Its bright ones do not depend on that.
    """
    brightness = nodes.brightness[column]
    if not (brightness > 0).all():
        return depth_of(nodes, column)
    return depth_of(nodes, column[brightness >= BRIGHT * brightness.max()])


def measured_scale(scale: Scale, nodes: Nodes, columns: list[RowsN], blank: FlagsN) -> Scale:
    """The scale with the thickness over width that the whole columns of this stack show in the middle.

    Columns that the ends of the stack or blank slices (`blank`, (Z,) bool) may have cut do not count, nor do fragments,
    nor what does not fit one ellipsoid: in a crowd most columns are several nuclei, stacked. Where balls would span few
    slices, thin columns do count, lest only the thick ones are measured.
    """
    unseen = np.pad(blank, 1, constant_values=True)
    inside = [column for column in columns if not unseen[nodes.z[column[0]]] and not unseen[nodes.z[column[-1]] + 2]]
    peaks = [float(nodes.area[column].max()) for column in inside]
    whole = [
        (column, scale.step_um / float(scale.width_um(peak)))
        for column, peak in zip(inside, peaks, strict=True)
        if depth_of(nodes, column) >= min(FEWEST_SLICES, THINNEST_WHOLE * float(scale.slices(peak)))
        and _fits_one(misfits(nodes, column, scale))
    ]
    if len(whole) < FEWEST_FOR_SHAPE:
        return scale
    ratios = [np.median([depth(nodes, column) * unit for column, unit in whole]) for depth in (depth_of, core_depth_of)]
    return Scale(scale.step_um, scale.pixel_um2, *(float(np.clip(ratio, *SHAPE_LIMITS)) for ratio in ratios))


def _fits_one(misfit: tuple[float, float]) -> bool:
    """Whether a column with these misfits looks like one ellipsoid."""
    return misfit[0] < ONE_AREA_MISFIT and misfit[1] < ONE_CENTROID_MISFIT


@dataclass(frozen=True)
class Cut:
    """The most likely place where a column is two nuclei.

    Attributes
    ----------
    position : int
        The second nucleus begins at this place in the column.
    evidence : float
        The column is cut where it is above 0.
    """

    position: int
    evidence: float


def column_features(nodes: Nodes, column: RowsN, scale: Scale) -> dict[str, float] | None:
    """What tells two stacked nuclei from one, None where no cut leaves two parts thick enough to be nuclei.

    Through one ellipsoid, however tilted, the areas of sections are a quadratic function of z and their centroids a
    linear one; two stacked nuclei fit neither, have a neck, are bright over too many slices for their width, and are
    darker between.
    """
    neck, possible = _necks(nodes, column, scale)
    if not possible.any():
        return None
    area_misfit, centroid_misfit = misfits(nodes, column, scale)
    thickness = core_depth_of(nodes, column) / float(scale.core_slices(nodes.area[column].max()))
    return {
        "neck": float(neck[possible].min()),
        "excess": min(thickness, EXCESS_LIMIT),
        "dip": 1 - float(_darkness(nodes.brightness[column])[possible].min()),
        "area_misfit": area_misfit,
        "centroid_misfit": centroid_misfit,
    }


def likeliest_cut(nodes: Nodes, column: RowsN, scale: Scale) -> Cut | None:
    """The best place to cut a column, None where no cut leaves two parts thick enough to be nuclei."""
    features = column_features(nodes, column, scale)
    if features is None:
        return None
    evidence = EVIDENCE["constant"] + sum(EVIDENCE[name] * value for name, value in features.items())
    neck, possible = _necks(nodes, column, scale)
    if evidence <= CLEARLY_ONE:
        return Cut(int(np.argmin(np.where(possible, neck, np.inf))) + 1, evidence)
    costs, dark = np.full(len(neck), np.inf), _darkness(nodes.brightness[column])
    for k in np.flatnonzero(possible).tolist():
        parts = (misfits(nodes, column[: k + 1], scale), misfits(nodes, column[k + 1 :], scale))
        costs[k] = max(max(part) for part in parts) + NECK_WEIGHT * neck[k] + DARK_WEIGHT * dark[k]
    return Cut(int(np.argmin(costs)) + 1, evidence)


def _necks(nodes: Nodes, column: RowsN, scale: Scale) -> tuple[FloatsN, FlagsN]:
    """Between any two sections: area there over the smaller part's largest, and whether a cut is possible."""
    area, z = nodes.area[column], nodes.z[column]
    left, right = np.maximum.accumulate(area)[:-1], np.maximum.accumulate(area[::-1])[::-1][1:]
    neck = np.minimum(area[:-1], area[1:]) / np.minimum(left, right)
    below, above = z[:-1] - z[0] + 1, z[-1] - z[1:] + 1
    possible = (below >= THINNEST_PART * scale.slices(left)) & (above >= THINNEST_PART * scale.slices(right))
    return neck, possible


def _darkness(brightness: FloatsN) -> FloatsN:
    """Between any two sections: brightness there over the darker part's brightest section; 1 where it is not known."""
    if not (brightness > 0).all():
        return np.ones(len(brightness) - 1)
    left, right = np.maximum.accumulate(brightness)[:-1], np.maximum.accumulate(brightness[::-1])[::-1][1:]
    return np.minimum(brightness[:-1], brightness[1:]) / np.minimum(left, right)


def misfits(nodes: Nodes, column: RowsN, scale: Scale) -> tuple[float, float]:
    """How far a column is from one ellipsoid.

    Returns
    -------
    area, centroid : float
        Root mean square distance of the areas from a parabola, over the largest area; of the centroids (weighted by
        area) from a line, over the largest radius.
    """
    z, area = nodes.z[column].astype(np.float64), nodes.area[column]
    width_px = float(scale.width_um(area.max())) / np.sqrt(scale.pixel_um2)
    bend = _residuals(z, area[:, None] / area.max(), np.ones(len(z)), degree=2)
    drift = _residuals(z, nodes.centroid[column] / (width_px / 2), area / area.sum(), degree=1)
    return float(np.sqrt((bend**2).mean())), float(np.sqrt((drift**2).sum()))


def _residuals(z: FloatsN, values: MatrixNM, weights: FloatsN, degree: int) -> MatrixNM:
    """(n, k) residuals of a weighted polynomial fit, times the root of the weights."""
    root = np.sqrt(weights)[:, None]
    powers = np.vander(z - z.mean(), degree + 1) * root
    solution: MatrixNM = np.linalg.lstsq(powers, values * root, rcond=None)[0]
    rest: MatrixNM = values * root - powers @ solution
    return rest


def cut_columns(nodes: Nodes, columns: list[RowsN], scale: Scale) -> list[RowsN]:
    """Cut columns at necks until no part has one."""
    done: list[RowsN] = []
    waiting = list(reversed(columns))
    while waiting:
        column = waiting.pop()
        cut = likeliest_cut(nodes, column, scale)
        if cut is not None and cut.evidence > 0:
            waiting += [column[cut.position :], column[: cut.position]]
        else:
            done.append(column)
    return done


def join_fragments(stack: SectionStack, nodes: Nodes, columns: list[RowsN], scale: Scale) -> list[RowsN]:
    """Give fragments back to the nucleus that they lie on.

    A fragment is a column too thin for a nucleus of its neighbour's width, with less than `FRAGMENT_VOLUME` of the
    volume of a neighbour that ends in the slice before it or begins in the slice after it, and at least
    `FRAGMENT_OVERLAP` of it over that neighbour. Hosts are larger than their fragments, so chains of fragments end in
    a nucleus.
    """
    options = _fragment_options(stack, nodes, columns, scale)
    if not options:
        return columns
    fragment, side, gain = (np.array(part) for part in zip(*options, strict=True))
    host_of = {int(fragment[k]): int(side[k]) // 2 for k in assign(fragment, side, gain)}
    members: dict[int, list[RowsN]] = {}
    for number, column in enumerate(columns):
        root = number
        while root in host_of:
            root = host_of[root]
        members.setdefault(root, []).append(column)
    return [np.sort(np.concatenate(members[root])) for root in sorted(members)]


def _fragment_options(
    stack: SectionStack, nodes: Nodes, columns: list[RowsN], scale: Scale
) -> list[tuple[int, int, float]]:
    """Column of a fragment, twice that of a host (plus 1 if it lies above), share of the fragment over the host."""
    volume = np.array([nodes.area[column].sum() for column in columns])
    last_row = {int(column[-1]): number for number, column in enumerate(columns)}
    first_row = {int(column[0]): number for number, column in enumerate(columns)}
    options = []
    for number, column in enumerate(columns):
        for row, step, ends in ((column[0], -1, last_row), (column[-1], 1, first_row)):
            for other, share in _beside(stack, nodes, int(row), step):
                host = ends.get(other, number)
                thin = depth_of(nodes, column) < THINNEST_PART * float(scale.slices(nodes.area[columns[host]].max()))
                if thin and share >= FRAGMENT_OVERLAP and volume[number] < FRAGMENT_VOLUME * volume[host]:
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
