"""Synthetic time-lapses with known truth: clusters of nuclei that touch, move, divide and die on a drifting stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nuset_engine.arrays import IntsN, LabelsZYX, PointsZYX, RowsN, StackU16
from nuset_engine.synthetic.optics import MissedSlice, Optics
from nuset_engine.synthetic.render import render
from nuset_engine.synthetic.shapes import NucleusShapes
from tracking.errors import TrackingError
from tracking.synthetic.tissue import PhaseDurations, age, begin_mitosis, divide, grow, settle, shapes_of, turns, wander

LATE_FRAMES = 3
"""Frames between the last division and the end, so that daughters can be followed."""


@dataclass(frozen=True)
class MovieParams:
    """What happens in a movie, and how it is sampled.

    Attributes
    ----------
    shape : tuple of int
        Z, Y, X of each stack in voxels; (1, Y, X) for a movie of single planes.
    voxel_size_um : tuple of float
        z, y, x.
    frames : int
        Time points, the missed ones included.
    frame_interval_s : float
        Time from one frame to the next.
    nuclei, clusters : int
        Nuclei in the first frame, and the clusters (acini) that they form.
    diameter_um, diameter_spread : float
        Median diameter, and its relative spread.
    closeness : float
        Distance of neighbours in a cluster over that of contact: below 1 they dent each other, above they part.
    motility_um, persistence, spin, cluster_spin : float
        Own motion of a nucleus per frame, its correlation from frame to frame, turning of each nucleus and of each
        cluster in radians per frame.
    growth : float
        Relative growth of the radius per frame.
    divisions, deaths : int
        Events in the whole movie.
    mitosis_frames, dying_frames, recovery_frames : int
        Duration of each phase.
    drift_um : tuple of float
        Motion z, y, x of the whole sample per frame; `jitter_um` is its random part.
    stage_jumps, stage_jump_um : int, float
        Number of sudden moves of the whole field, and their length in the plane.
    missed_time_points, missed_slices : int
        Frames that were never recorded, and slices that came out black or shifted, in the whole movie.
    """

    shape: tuple[int, int, int] = (14, 256, 256)
    voxel_size_um: tuple[float, float, float] = (1.0, 0.35, 0.35)
    frames: int = 14
    frame_interval_s: float = 300.0
    nuclei: int = 24
    clusters: int = 3
    diameter_um: float = 9.6
    diameter_spread: float = 0.07
    closeness: float = 0.97
    motility_um: float = 0.9
    persistence: float = 0.5
    spin: float = 0.06
    cluster_spin: float = 0.02
    growth: float = 0.002
    divisions: int = 2
    deaths: int = 0
    mitosis_frames: int = 2
    dying_frames: int = 3
    recovery_frames: int = 4
    drift_um: tuple[float, float, float] = (0.0, 0.25, 0.15)
    jitter_um: float = 0.15
    stage_jumps: int = 0
    stage_jump_um: float = 6.0
    missed_time_points: int = 0
    missed_slices: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, all faults at once."""
        faults = []
        if len(self.shape) != 3 or min(self.shape) < 1:
            faults.append(f"shape = {self.shape} is not Z, Y, X of at least 1")
        if len(self.voxel_size_um) != 3 or min(self.voxel_size_um) <= 0:
            faults.append(f"voxel_size_um = {self.voxel_size_um} is not three lengths above zero")
        faults += [f"{name} = {getattr(self, name)} is below {least}" for name, least in self._least()]
        last = self.frames - LATE_FRAMES - self.mitosis_frames
        if self.divisions and last < 2:
            faults.append(f"frames = {self.frames} are too few for a division: take at least {self.frames + 2 - last}")
        if self.missed_time_points > max(self.frames - 2, 0):
            faults.append(
                f"missed_time_points = {self.missed_time_points} leaves fewer than two of {self.frames} frames"
            )
        if self.missed_slices and self.shape[0] < 3:
            faults.append("missed_slices needs stacks of at least 3 slices")
        if faults:
            raise TrackingError("Parameters of the synthetic movie are wrong: " + "; ".join(faults) + ".")

    def _least(self) -> Iterable[tuple[str, float]]:
        """Names of the values that are below what they may be, with that bound."""
        ones = ("frames", "clusters", "mitosis_frames", "dying_frames", "recovery_frames")
        zeros = ("nuclei", "divisions", "deaths", "stage_jumps", "missed_time_points", "missed_slices", "motility_um")
        return [(n, 1) for n in ones if getattr(self, n) < 1] + [(n, 0) for n in zeros if getattr(self, n) < 0]

    @property
    def pace(self) -> PhaseDurations:
        """Duration of the phases in frames."""
        return PhaseDurations(self.mitosis_frames, self.dying_frames, self.recovery_frames)


@dataclass(frozen=True)
class MovieFrame:
    """The truth of one time point: nucleus i has label i + 1 in the rendered label image."""

    t: int
    shapes: NucleusShapes
    track_ids: IntsN
    """(N,) int64."""
    missed_slices: tuple[MissedSlice, ...] = ()


@dataclass(frozen=True)
class Division:
    """A mother's last frame before it is gone is `t` - 1; its two daughters appear at `t`."""

    t: int
    parent: int
    daughters: tuple[int, int]


@dataclass(frozen=True)
class Movie:
    """A simulated time-lapse; missed time points have no frame."""

    params: MovieParams
    seed: int
    frames: tuple[MovieFrame, ...]
    divisions: tuple[Division, ...]

    def parents(self) -> dict[int, int]:
        """Mother of each track that began in a division."""
        return {daughter: division.parent for division in self.divisions for daughter in division.daughters}

    def table(self) -> pd.DataFrame:
        """The truth as a table.

        Returns
        -------
        pandas.DataFrame
            Columns t, z, y, x, diameter (micrometres), label, track_id, parent_track_id (Int64, <NA> without mother).
        """
        parents = self.parents()
        parts = []
        for frame in self.frames:
            z, y, x = frame.shapes.centres_um.T
            diameter = 2 * np.cbrt(frame.shapes.semi_axes_um.prod(axis=1))
            columns = {"t": frame.t, "z": z, "y": y, "x": x, "diameter": diameter}
            parts.append(pd.DataFrame({**columns, "label": np.arange(1, len(z) + 1), "track_id": frame.track_ids}))
        table = pd.concat(parts, ignore_index=True)
        table["parent_track_id"] = table["track_id"].map(parents).astype("Int64")
        return table

    def render(self, frame: MovieFrame, optics: Optics | None = None) -> tuple[StackU16, LabelsZYX]:
        """Image and labels (Z, Y, X) uint16 of one frame; the order in which frames are rendered plays no part."""
        params = self.params
        rng = np.random.default_rng([self.seed, frame.t, 3])
        return render(
            frame.shapes,
            params.shape,
            params.voxel_size_um,
            optics,
            rng,
            time_point=frame.t,
            missed=frame.missed_slices,
        )


def simulate(params: MovieParams | None = None, seed: int = 0) -> Movie:
    """Simulate a time-lapse.

    Parameters
    ----------
    params : MovieParams, optional
    seed : int
        The same seed gives the same movie.

    Returns
    -------
    Movie
    """
    params = params or MovieParams()
    life, stage, faults = (np.random.default_rng([seed, k]) for k in range(3))
    offsets = _stage(params, stage)
    culture = _Culture(params, life, offsets)
    recorded, missed = _recording(params, faults)
    frames = []
    for t in range(params.frames):
        if t:
            culture.advance(t)
        if t in recorded:
            shapes = shapes_of(culture.tissue, params.pace, offsets[t])
            frames.append(MovieFrame(t, shapes, culture.tissue.track_id.copy(), missed.get(t, ())))
    return Movie(params, seed, tuple(frames), tuple(culture.divisions))


class _Culture:
    """The tissue with its walls, its clusters and its calendar of events."""

    def __init__(self, params: MovieParams, rng: np.random.Generator, offsets: PointsZYX) -> None:
        """Place the nuclei and let them settle."""
        self.params, self.rng = params, rng
        # Walls stand where no drift or jump takes a nucleus out of the field.
        extent = (np.array(params.shape) - 1) * np.array(params.voxel_size_um)
        margin = np.array([min(params.voxel_size_um[0], extent[0] / 8), 1.0, 1.0])
        self.low = margin - offsets.min(axis=0)
        self.high = np.maximum(extent - margin - offsets.max(axis=0), self.low)
        self.homes = self._homes()
        cluster = np.arange(params.nuclei) % params.clusters
        scatter = rng.normal(0.0, params.diameter_um * 0.8, size=(params.nuclei, 3))
        centres = np.clip(self.homes[cluster] + scatter, self.low, self.high)
        self.tissue = grow(rng, centres, cluster, params.diameter_um / 2, params.diameter_spread)
        self.divisions: list[Division] = []
        self.next_id = params.nuclei + 1
        self.axes = rng.normal(size=(params.clusters, 3)) * [1.0, 0.3, 0.3]
        self.axes *= params.cluster_spin / np.linalg.norm(self.axes, axis=1, keepdims=True)
        last = params.frames - LATE_FRAMES - params.mitosis_frames
        self.mitoses = np.bincount(_spread(rng, params.divisions, 1, last), minlength=params.frames)
        self.deaths = np.bincount(_spread(rng, params.deaths, 1, params.frames - 1), minlength=params.frames)
        self._settle(250)

    def advance(self, t: int) -> None:
        """Live through one frame."""
        params, tissue = self.params, self.tissue
        # The highest row first, so that the rows still to come keep their numbers.
        for row in age(tissue, params.pace, params.growth)[::-1]:
            daughters = (self.next_id, self.next_id + 1)
            self.divisions.append(Division(t, int(tissue.track_id[row]), daughters))
            divide(tissue, int(row), self.next_id, self.rng)
            self.next_id += 2
        turn = turns(self.axes)[tissue.cluster]
        arm = tissue.position - self.homes[tissue.cluster]
        tissue.position = tissue.position + np.einsum("nij,nj->ni", turn, arm) - arm
        tissue.rotation = turn @ tissue.rotation
        wander(tissue, self.rng, params.motility_um, params.persistence, params.spin)
        for row in self._choose(self.mitoses[t]):
            begin_mitosis(tissue, int(row), self.rng)
        tissue.dying[self._choose(self.deaths[t])] = 0
        self._settle(25)

    def _choose(self, count: int) -> RowsN:
        """Rows of `count` quiet nuclei (fewer where there are not enough)."""
        quiet = np.flatnonzero(self.tissue.quiet())
        return self.rng.permutation(quiet)[:count] if count else quiet[:0]

    def _homes(self) -> PointsZYX:
        """Centres (C, 3) of the clusters, each the best of many candidates: far from the others and from the walls."""
        inset = np.minimum(self.params.diameter_um, (self.high - self.low) / 4)
        homes = np.empty((0, 3))
        for _ in range(self.params.clusters):
            candidates = self.rng.uniform(self.low + inset, self.high - inset, size=(64, 3))
            nearest = np.linalg.norm(candidates[:, None] - homes[None], axis=2).min(axis=1, initial=1e9)
            wall = np.minimum(candidates - self.low, self.high - candidates)[:, 1:].min(axis=1)
            homes = np.vstack([homes, candidates[np.argmax(np.minimum(nearest, 3 * wall))]])
        return homes

    def _settle(self, steps: int) -> None:
        """Relax the contacts. Where the field is deep enough, a cluster is hollow like an acinus."""
        params = self.params
        count = np.bincount(self.tissue.cluster, minlength=params.clusters)
        shell = params.diameter_um / 2 * np.sqrt(count / 2.8)
        deep = (self.high - self.low)[0] > 2 * shell + params.diameter_um
        shells, walls = np.where(deep, shell, 0.0), (self.low, self.high)
        settle(self.tissue, params.pace, self.homes, shells, walls, params.closeness, steps)


def _spread(rng: np.random.Generator, count: int, first: int, last: int) -> IntsN:
    """`count` frames between first and last, both included, spread evenly with some chance."""
    edges = np.linspace(first, max(last, first) + 1, count + 1)
    return np.floor(rng.uniform(edges[:-1], edges[1:])).astype(int) if count else np.empty(0, dtype=int)


def _stage(params: MovieParams, rng: np.random.Generator) -> PointsZYX:
    """Position (T, 3) of the sample at each frame: drift, jitter and jumps. Single planes stay in focus."""
    steps = np.tile(np.asarray(params.drift_um, dtype=float), (params.frames, 1))
    steps[0] = 0.0
    offsets = np.cumsum(steps, axis=0) + params.jitter_um * rng.normal(size=(params.frames, 3)) * [0.3, 1.0, 1.0]
    times = rng.permutation(np.arange(1, params.frames))[: params.stage_jumps]
    for t, angle in zip(times, rng.uniform(0, 2 * np.pi, size=len(times)), strict=True):
        offsets[t:] += params.stage_jump_um * np.array([0.0, np.sin(angle), np.cos(angle)])
    if params.shape[0] == 1:
        offsets[:, 0] = 0.0
    return offsets


def _recording(params: MovieParams, rng: np.random.Generator) -> tuple[set[int], dict[int, tuple[MissedSlice, ...]]]:
    """Time points that are recorded (the first and the last always), and the spoilt slices by time point."""
    inner = rng.permutation(np.arange(1, max(params.frames - 1, 1)))
    recorded = sorted(set(range(params.frames)) - set(inner[: params.missed_time_points].tolist()))
    places = [(t, z) for t in recorded for z in range(1, params.shape[0] - 1)]
    missed: dict[int, tuple[MissedSlice, ...]] = {}
    for k in rng.permutation(len(places))[: params.missed_slices]:
        t, z = places[k]
        shift = rng.choice([-1, 1], size=2) * rng.integers(8, 16, size=2)
        slice_ = (
            MissedSlice(z, "black") if rng.random() < 0.5 else MissedSlice(z, "shifted", (int(shift[0]), int(shift[1])))
        )
        missed[t] = (*missed.get(t, ()), slice_)
    return set(recorded), missed
