"""MP4, one frame at a time, through the program ffmpeg: that of this computer, or of the package imageio-ffmpeg."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon.errors import DaemonError, UsageError
from nuset_engine.arrays import PictureYX3


def ffmpeg() -> str:
    """Return the program's path.

    Raises
    ------
    UsageError
        Where there is none.
    """
    found = shutil.which("ffmpeg") or packaged()
    if found is not None:
        return found
    raise UsageError(
        "MP4 is written by ffmpeg, which is not here: install it, or `pip install 'nusetd[movie]'`, or let the name "
        "of the movie end in .gif."
    )


def packaged() -> str | None:
    """Return the path of the program that the package imageio-ffmpeg brings, None where it is not installed."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return None
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        return str(get_ffmpeg_exe())
    except RuntimeError:  # the package without its program
        return None


class Mp4Writer:
    """An MP4 that every player shows (H.264, 4:2:0).

    Parameters
    ----------
    path : Path
    fps : float
    size : (int, int)
        Width and height of frames, both even.

    Raises
    ------
    UsageError
        Where there is no ffmpeg.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        program = ffmpeg()
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", f"{fps:g}", "-i", "-"]
        coded = ["-an", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-movflags", "+faststart", "-f", "mp4"]
        name = str(path.absolute())  # so that no name looks like an option
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the program
        self._program = subprocess.Popen(
            [program, "-y", "-loglevel", "error", *source, *coded, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._told,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._told:
            if kind is not None:
                self._program.kill()
            try:
                assert self._program.stdin is not None
                self._program.stdin.close()
            except BrokenPipeError:
                pass
            code = self._program.wait()
            if kind is None and code != 0:
                raise self._failed()

    def add(self, frame: PictureYX3) -> None:
        """Append a frame, (Y, X, 3) uint8.

        Raises
        ------
        DaemonError
            When ffmpeg has given up.
        """
        assert self._program.stdin is not None
        try:
            self._program.stdin.write(frame.tobytes())
        except BrokenPipeError as error:
            self._program.wait()
            raise self._failed() from error

    def _failed(self) -> DaemonError:
        self._told.seek(0)
        lines = self._told.read().decode(errors="replace").strip().splitlines() or ["it did not say why"]
        return DaemonError(
            f"ffmpeg could not write the movie ({lines[-1]}): check disk and ffmpeg, or let the name of the movie end "
            "in .gif."
        )
