"""What the demonstration tells at its end: a table of found against true, where everything is, and what to do next."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daemon.demonstration.results import DemoResults
from daemon.demonstration.score import BOUND, IOU, Score, match, score
from daemon.output import say
from nuset_engine.arrays import FloatsN
from storage.spans import counted
from tracking.synthetic.movie import Movie


@dataclass(frozen=True)
class Timing:
    """Seconds: of each stack in the service, and of the whole demonstration up to the result."""

    stacks: FloatsN
    whole_s: float


def judge(movie: Movie, results: DemoResults) -> Score:
    """Compare the service's results with the truth, one time point in memory at a time."""
    pairs = {frame.t: match(movie.render(frame)[1], results.stack(frame.t)[1]) for frame in movie.frames}
    return score(movie, pairs, results.nuclei())


def paint(movie: Movie, results: DemoResults, result: Score, path: Path) -> None:
    """Save the picture of the result."""
    from daemon.plots.picture import TrackPicture, draw

    table = results.nuclei()
    last = movie.frames[-1].t
    image, labels = results.stack(last)
    track_of = np.zeros(int(labels.max(initial=0)), dtype=np.int64)
    now = table[table["t"] == last]
    track_of[now["label"].to_numpy() - 1] = now["track_id"]
    z, y, x = movie.params.shape
    found = f"{result.nuclei_found} of {result.nuclei} nuclei and {result.links_found} of {result.links} links found"
    scene = TrackPicture(
        image,
        labels,
        movie.params.voxel_size_um,
        table,
        track_of,
        movie.params.frame_interval_s,
        f"nusetd demo: {len(movie.frames)} synthetic stacks of {z} x {y} x {x} voxels",
        f"{found}, {result.divisions_found} of {counted(result.divisions, 'division')}",
    )
    draw(scene, path)


def tell(result: Score, timing: Timing) -> None:
    """Print the table and the verdict."""
    rows = [
        ("", "true", "found", "", "false"),
        ("nuclei", *_counts(result.nuclei, result.nuclei_found), f"{result.nuclei_false}"),
        ("links", *_counts(result.links, result.links_found), f"{result.links_false}"),
        ("divisions", *_counts(result.divisions, result.divisions_found), f"{result.divisions_false}"),
        ("tracks", f"{result.tracks}", f"{result.tracks_found}", "", ""),
    ]
    for name, true, found, share, false in rows:
        say(f"{name:<12}{true:>8}{found:>8}{share:>9}{false:>8}".rstrip())
    say("")
    if len(timing.stacks):
        first, rest = timing.stacks[0], float(np.median(timing.stacks[1:])) if len(timing.stacks) > 1 else np.nan
        say(f"seconds per stack: {rest:.1f} (median; the first {first:.1f}), all in all {timing.whole_s:.0f} s")
    faults = result.faults()
    good = f"good: at least {BOUND:.0%} of nuclei (IoU {IOU} in 3D) and of links, and every division"
    say(f"verdict: {'not good: ' + '; '.join(faults) if faults else good}")


def point(results: DemoResults, picture: Path, truth: Path, config: Path) -> None:
    """Print where everything is and the commands that show it."""
    store, database, name = results.zarr(), results.database, shlex.quote(results.name())
    say("")
    for what, path in (("OME-Zarr", store), ("database", database), ("picture", picture), ("truth", truth)):
        say(f"{what:<10}{path}")
    where, command = shlex.quote(str(database)), _own_command()
    say("")
    say("Look at it in a browser, and try other settings on it; it prints the address to open:")
    say(f"  {command} page --database {where}")
    say("Settings that were tried there are put to use by the service; start it in another terminal:")
    say(f"  {command} run --config {shlex.quote(str(config))}")
    say("Query it:")
    say(f"  {command} acquisitions --database {where}")
    say(f"  {command} tracks {name} --database {where}")
    say(f"  {command} nuclei {name} --database {where} --format csv")
    say("Open it in napari, or get links for web viewers:")
    say(f"  {command} view {name} --database {where}")


def _own_command() -> str:
    """How to call this nusetd in a shell: by its path, where its environment is not in the search path."""
    own = Path(sys.executable).with_name("nusetd")
    found = shutil.which("nusetd")
    return shlex.quote(str(own)) if own.is_file() and (found is None or not own.samefile(found)) else "nusetd"


def _counts(true: int, found: int) -> tuple[str, str, str]:
    """True and found counts, and the share that was found."""
    return f"{true}", f"{found}", f"{found / true:.1%}" if true else ""
