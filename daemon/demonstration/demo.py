"""The demonstration: a synthetic microscope writes a time-lapse, the real service works on it, truth is the judge."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from daemon.demonstration.demo_service import ServiceProcess, write_config
from daemon.demonstration.microscope import Microscope
from daemon.demonstration.report import Timing, judge, paint, point, tell
from daemon.demonstration.results import ENDED, DemoProgress, DemoResults
from daemon.errors import DaemonError, UsageError
from daemon.output import complain
from storage import naming
from tracking.synthetic.movie import Movie, MovieParams, simulate

MOVIE = MovieParams(
    shape=(16, 256, 256),
    voxel_size_um=(1.0, 0.35, 0.35),
    frames=14,
    nuclei=28,
    clusters=4,
    closeness=1.04,
    divisions=2,
    drift_um=(0.0, 0.4, 0.25),
    missed_slices=1,
)
SEED = 1
PACE_S = 1.2
QUIET_S = 12.0
TIMEOUT_S = 1200.0
LOOK_S = 0.5

NOTICE_S = 30.0
"""Time in which the service must have noticed the last file: until then, an acquisition set aside may still go on."""


@dataclass(frozen=True)
class DemoFolders:
    """Where the demonstration puts everything."""

    output: Path

    @property
    def incoming(self) -> Path:
        """The watched folder."""
        return self.output / "incoming"

    @property
    def truth(self) -> Path:
        """True labels and tracks."""
        return self.output / "truth"

    @property
    def config(self) -> Path:
        """The service's configuration."""
        return self.output / "nusetd.toml"

    @property
    def log(self) -> Path:
        """What the service printed."""
        return self.output / "service.log"

    @property
    def picture(self) -> Path:
        """The picture of the result."""
        return self.output / "demo.png"

    @property
    def database(self) -> Path:
        """The service's database."""
        return naming.database_path(self.output)


def run_demo(
    output: Path,
    params: MovieParams = MOVIE,
    *,
    seed: int = SEED,
    pace_s: float = PACE_S,
    quiet_s: float = QUIET_S,
    timeout_s: float = TIMEOUT_S,
    engine: str | None = None,
) -> int:
    """Run the demonstration and print what was found.

    Parameters
    ----------
    output : Path
        A folder that does not exist yet or is empty.
    params : MovieParams
        The movie, rendered with `seed`.
    pace_s : float
        Shortest time from one file to the next.
    quiet_s : float
        The service takes the acquisition for complete when no file came for this long.
    timeout_s : float
        Longest wait for the service.
    engine : str or None
        Another segmenter as ``module:callable``; None: NuSeT.

    Returns
    -------
    int
        0: all done, and found within the bounds that a good result keeps; 1: done, but below them.

    Raises
    ------
    UsageError
        If the output holds something already.
    DaemonError
        If the folder cannot be written, the service ends early or takes longer than the timeout.
    """
    folders = prepare(output)
    movie = simulate(params, seed)
    results = DemoResults(folders.database)
    try:
        write_config(folders.config, folders.incoming, folders.output, quiet_s, engine)
        started = time.monotonic()
        acquire(movie, folders, results, pace_s, timeout_s)
        timing = Timing(results.seconds_per_stack(), time.monotonic() - started)
        complain("Comparing the result with the truth ...")
        result = judge(movie, results)
        paint(movie, results, result, folders.picture)
    except OSError as error:
        raise DaemonError(f"the demo cannot go on in {folders.output}: {error}.") from error
    tell(result, timing)
    point(results, folders.picture, folders.truth, folders.config)
    return 1 if result.faults() else 0


def prepare(output: Path) -> DemoFolders:
    """Make the demonstration's folders.

    Raises
    ------
    UsageError
        If the output is a file or a folder with something in it: nothing is ever overwritten.
    DaemonError
        If it cannot be written.
    """
    folders = DemoFolders(output.absolute())
    try:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            kind = "holds something already" if output.is_dir() else "is a file"
            raise UsageError(f"{output} {kind}, and the demo overwrites nothing: delete it or give another --output.")
        for folder in (folders.output, folders.incoming, folders.truth):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DaemonError(
            f"{output} cannot be written ({error.strerror}): give another folder with --output."
        ) from error
    return folders


def acquire(movie: Movie, folders: DemoFolders, results: DemoResults, pace_s: float, timeout_s: float) -> None:
    """Let a microscope write and the real service work until all is done, and stop both whatever happens."""
    z, y, x = movie.params.shape
    complain(f"A synthetic microscope writes {len(movie.frames)} stacks of {z} x {y} x {x} voxels into")
    complain(f"{folders.incoming}, and the service watches it. This takes a minute or two.")
    microscope = Microscope(movie, folders.incoming, folders.truth, pace_s)
    with _terminable(), ServiceProcess(folders.config, folders.log) as service:
        microscope.start()
        try:
            _wait(microscope, service, results, timeout_s)
        finally:
            microscope.stop()


def _wait(microscope: Microscope, service: ServiceProcess, results: DemoResults, timeout_s: float) -> None:
    """Wait until the database says that every stack is done and the acquisition is complete."""
    from tqdm import tqdm

    deadline = time.monotonic() + timeout_s
    total = len(microscope.movie.frames)
    with tqdm(total=total, desc="stacks done", unit="stack", disable=None, file=sys.stderr) as bar:
        shown = 0
        while True:
            progress = results.progress()
            if bar.disable and progress.done > shown:
                complain(f"{progress.done} of {total} stacks done, {microscope.written} written")
            bar.set_postfix_str(f"{microscope.written} written", refresh=False)
            bar.update(progress.done - shown)
            if shown < progress.done == total:
                bar.write("All stacks are done; the service waits for more before it ends the acquisition.", sys.stderr)
            shown = progress.done
            if _is_over(microscope, progress, time.monotonic()):
                return
            service.check()
            if time.monotonic() > deadline:
                raise DaemonError(
                    f"only {progress.done} of {total} stacks were done after {timeout_s:.0f} s{service.last_words()}"
                )
            time.sleep(LOOK_S)


def _is_over(microscope: Microscope, progress: DemoProgress, now: float) -> bool:
    """True when every stack is written, done and painted with its tracks, and the acquisition is complete.

    Raises
    ------
    DaemonError
        If the microscope could not write, or the service set something aside.
    """
    if microscope.error is not None:
        raise DaemonError(f"the synthetic images cannot be written to {microscope.incoming}: {microscope.error}.")
    total = len(microscope.movie.frames)
    if microscope.finished_at is None or progress.state not in ENDED:
        return False
    if progress.state == "complete" or now < microscope.finished_at + NOTICE_S:
        return progress.state == "complete" and progress.done == progress.painted == total
    raise DaemonError(f"the service did {progress.done} of {total} stacks and set the rest aside: {progress.error}")


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the demonstration as Ctrl-C does: the service never stays behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
