"""From an acquisition to a movie file: its time points in their order, each written before the next is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from math import ceil, log10
from pathlib import Path
from typing import Protocol

import numpy as np

import storage
from daemon.errors import UsageError
from daemon.movies.frames import PALETTE, UNTRACKED, Moment, Painter
from daemon.movies.gif import GifWriter
from daemon.movies.movie_order import SUFFIXES, MovieOptions
from daemon.movies.mp4 import Mp4Writer, ffmpeg
from daemon.movies.tails import Tails
from daemon.plots.picture import contrast
from daemon.plots.style import TimeScale, counted
from daemon.plots.subject import SMALLEST_LEVEL_PX, Stack, shown_times, stack_at
from nuset_engine.arrays import PictureYX3
from storage.errors import StorageError
from storage.files import replacing
from storage.files.whole_file import remove_unfinished, whole
from storage.results import AcquisitionResults

CLEAR_PX = 512
"""Smaller images are enlarged, so that outlines hide little."""
SAMPLES = 6
"""Time points that decide the contrast."""


class FrameWriter(Protocol):
    """What frames are given to, one after the other."""

    def add(self, frame: PictureYX3) -> None:
        """Append a frame, (Y, X, 3) uint8."""


def make_movie(
    url: str,
    acquisition: str,
    output: Path,
    options: MovieOptions,
    overwrite: bool = False,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> Path:
    """Write the movie of an acquisition, whole or not at all, and return where.

    Parameters
    ----------
    url : of the database
    acquisition : id or name
    output : Path
        A ``.gif`` or ``.mp4`` file; without an ending, ``.gif``.
    options : MovieOptions
    overwrite : bool
        Put it in the place of a file that is there.
    told : callable
        Told how many frames of how many are done.

    Raises
    ------
    UsageError, StorageError, DaemonError
    """
    output = output if output.suffix else output.with_name(f"{output.name}.gif")
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output} is no movie that can be written: let its name end in {' or '.join(SUFFIXES)}.")
    replacing.refuse(output, overwrite)
    if output.suffix.lower() == ".mp4":
        ffmpeg()  # before anything is read
    found = storage.open(url)[acquisition]
    film = Film(found, options)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished([output])
        with whole(output) as unfinished, _writer(unfinished, output.suffix.lower(), options.fps, film) as writer:
            for done, frame in enumerate(film.frames(), start=1):
                writer.add(frame)
                told(done, len(film.every))
    except OSError as error:
        raise StorageError(
            f"{output} cannot be written ({error.strerror or error}): check disk and permissions."
        ) from error
    return output


def _writer(path: Path, suffix: str, fps: float, film: Film) -> AbstractContextManager[FrameWriter]:
    if suffix == ".mp4":
        return Mp4Writer(path, fps, film.painter.frame_size)
    return GifWriter(path, fps, [*PALETTE, UNTRACKED])


class Film:
    """An acquisition as frames.

    Parameters
    ----------
    found : AcquisitionResults
    options : MovieOptions

    Raises
    ------
    UsageError
        When it has fewer than two time points within what is asked for.
    """

    def __init__(self, found: AcquisitionResults, options: MovieOptions) -> None:
        self._found = found
        self._options = options
        about = found.about
        number = about.first_number or 0
        low, high = (None if end is None else end - number for end in (options.first, options.last))
        there = shown_times(found)
        self.times = [t for t in there if (low is None or t >= low) and (high is None or t <= high)]
        if len(self.times) < 2:
            raise UsageError(
                f"{found.name} has {counted(len(self.times), 'time point')} to show, and a movie needs two: see "
                "`nusetd plot --picture nuclei`, or widen --t."
            )
        self._scale = TimeScale(about.seconds_per_t, there[-1], number)
        lineage = found.lineage()
        known = lineage[["track_id", "parent_track_id"]].dropna().astype(int)
        self._parents = dict(zip(known["track_id"].tolist(), known["parent_track_id"].tolist(), strict=True))
        roots = lineage[["track_id", "root_track_id"]].astype(int)
        self._roots = dict(zip(roots["track_id"].tolist(), roots["root_track_id"].tolist(), strict=True))
        self._level = self._chosen_level()
        self.painter = self._make_painter()

    @property
    def every(self) -> range:
        """The time points of its frames, those that are absent too."""
        return range(self.times[0], self.times[-1] + 1, self._found.about.step)

    def _chosen_level(self) -> int:
        """The smallest level of the pyramid that is not coarser than the movie."""
        level, side = 0, max(self._found.labels().shape[2:])
        while side >= 2 * self._options.largest_px and side > SMALLEST_LEVEL_PX:
            level, side = level + 1, -(-side // 2)
        return level

    def _make_painter(self) -> Painter:
        about = self._found.about
        voxel = about.voxel_size_um or (1.0, 1.0, 1.0)
        _, rows, columns = self._found.labels().shape[1:]
        extent = (rows * voxel[1], columns * voxel[2])
        longest = max(rows, columns)
        wanted = longest * -(-CLEAR_PX // longest) if longest < CLEAR_PX else longest
        side = min(wanted, self._options.largest_px)
        size = (max(round(side * extent[1] / max(extent)), 1), max(round(side * extent[0] / max(extent)), 1))
        picks = np.unique(np.linspace(0, len(self.times) - 1, SAMPLES).round().astype(int))
        levels = [contrast(self._stack(self.times[i]).image.max(axis=0)[None]) for i in picks.tolist()]
        low, high = min(one[0] for one in levels), max(one[1] for one in levels)
        return Painter(extent, size, (low, high), "µm" if about.unit == "um" else "px", self._caption())

    def _caption(self) -> Sequence[str]:
        about = self._found.about
        channel = [f"nuclei in {about.channel_in_words}"] if (about.size_c or 1) > 1 else []
        view = "maximum projection; " if (about.size_z or 1) > 1 else ""
        tail = f", tails: {counted(self._options.tail, 'time point')}" if self._options.tail else ""
        return [self._found.name, *channel, f"{view}a colour for each {self._options.by}{tail}"]

    def _stack(self, t: int) -> Stack:
        return stack_at(self._found, t, self._level)

    def frames(self) -> Iterator[PictureYX3]:
        """Give the frames, a black one for each time point that is absent."""
        from tqdm import tqdm

        about, there = self._found.about, set(self.times)
        tails = Tails(self._options.tail * about.step, self._parents)
        for t in tqdm(self.every, desc="frames", disable=not sys.stderr.isatty(), leave=False):
            yield self._frame(t, tails) if t in there else self.painter.paint_absent(self._clock(t))

    def _frame(self, t: int, tails: Tails) -> PictureYX3:
        unit = self._found.about.unit
        rows = self._found.nuclei(t=t, columns=["label", "track_id", f"centroid_x_{unit}", f"centroid_y_{unit}"])
        tracked = rows.dropna(subset=["track_id"]).astype({"track_id": int, "label": int})
        labels, tracks = tracked["label"].tolist(), tracked["track_id"].tolist()
        x, y = (tracked[f"centroid_{axis}_{unit}"].tolist() for axis in "xy")
        lately = tails.advance(t, zip(tracks, x, y, strict=True))
        moment = self._stack(t)
        return self.painter.paint(
            Moment(
                moment.image.max(axis=0),
                moment.labels,
                {label: self._number(track) for label, track in zip(labels, tracks, strict=True)},
                [(self._number(track), places) for track, places in lately.items()] if self._options.tail else [],
                (self._clock(t), counted(len(rows), "nucleus", "nuclei")),
            )
        )

    def _number(self, track: int) -> int:
        """What chooses the colour of a track."""
        return self._roots.get(track, track) if self._options.by == "lineage" else track

    def _clock(self, t: int) -> str:
        """The time point and, where it is known, the time, with as many digits at all time points."""
        scale, about = self._scale, self._found.about
        unit = scale.label.partition("(")[2].rstrip(")")
        if not unit:
            return f"t = {about.source_t(t)}"
        step = float(scale.length(np.array([about.step]))[0])
        digits = 0 if abs(step - round(step)) < 1e-6 * step else min(max(ceil(-log10(step)) + 1, 1), 3)
        return f"t = {about.source_t(t)}   {scale(t):.{digits}f} {unit}"
