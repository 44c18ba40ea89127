"""The demonstration's microscope: a thread that writes a synthetic acquisition file by file, as slowly as real ones."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nuset_engine.arrays import StackZYX
from nuset_engine.synthetic.optics import Optics
from tracking.synthetic.movie import Movie, MovieFrame

PIECES = 6
"""Parts in which a file reaches the disk, with a pause after each: it is visible, and broken, until the last one."""

STEM = "demo"


class Microscope(threading.Thread):
    """Renders and writes the movie; the labels that are true go to another folder.

    Parameters
    ----------
    movie : Movie
    incoming, truth : Path
        Existing folders for the image files and for the true labels and tracks.
    pace_s : float
        Shortest time from the start of one file to the start of the next.
    """

    def __init__(self, movie: Movie, incoming: Path, truth: Path, pace_s: float, optics: Optics | None = None) -> None:
        super().__init__(name="microscope", daemon=True)
        self.movie, self.incoming, self.truth, self.pace_s, self.optics = movie, incoming, truth, pace_s, optics
        self.written = 0
        self.finished_at: float | None = None
        self.error: OSError | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        """Write every frame; an error of the disk ends the recording and is kept for whoever waits."""
        try:
            self.movie.table().to_csv(self.truth / "tracks.csv", index=False, lineterminator="\n")
            for frame in self.movie.frames:
                self._record(frame)
                if self._stopped.is_set():
                    return
                self.written += 1
            self.finished_at = time.monotonic()
        except OSError as error:
            self.error = error

    def stop(self) -> None:
        """End the recording within one file, and wait for it."""
        self._stopped.set()
        if self.is_alive():
            self.join()

    def _record(self, frame: MovieFrame) -> None:
        image, labels = self.movie.render(frame, self.optics)
        (self.truth / f"{STEM}_t{frame.t:03d}.labels.tif").write_bytes(tiff_bytes(labels, self.movie, "zlib"))
        path = self.incoming / f"{STEM}_t{frame.t:03d}.ome.tif"
        write_in_pieces(path, tiff_bytes(image, self.movie), lambda: self._stopped.wait(self.pace_s / PIECES))


def write_in_pieces(path: Path, content: bytes, pause: Callable[[], object]) -> None:
    """Write a file under its final name, in parts, as an acquisition program does: never by an atomic rename."""
    with path.open("xb") as file:
        for piece in np.array_split(np.frombuffer(content, dtype=np.uint8), PIECES):
            file.write(piece.tobytes())
            file.flush()
            pause()


def tiff_bytes(stack: StackZYX, movie: Movie, compression: str | None = None) -> bytes:
    """An OME-TIFF of one stack (Z, Y, X) with its voxel size."""
    import tifffile

    z, y, x = movie.params.voxel_size_um
    metadata = {
        "axes": "ZYX",
        "PhysicalSizeZ": z,
        "PhysicalSizeZUnit": "µm",
        "PhysicalSizeY": y,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeX": x,
        "PhysicalSizeXUnit": "µm",
        "TimeIncrement": movie.params.frame_interval_s,
        "TimeIncrementUnit": "s",
        "Channel": {"Name": ["Hoechst"]},
    }
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, stack, ome=True, photometric="minisblack", metadata=metadata, compression=compression)
    return buffer.getvalue()
