"""Signing off a machine: a small simulated acquisition goes through this installation's real parts.

The same command that the service manager starts (`nusetd run`) watches a folder on the disk of the results, with the
database on the disk of the records, the engine, weights and parameters of the configuration; what it finds is compared
with what was rendered.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.demonstration.demo import DemoFolders, acquire
from daemon.demonstration.microscope import STEM
from daemon.demonstration.report import judge
from daemon.demonstration.results import DemoResults
from daemon.demonstration.score import BOUND, Score
from daemon.errors import DaemonError
from daemon.monitoring.pace import quantile, spoken_s
from tracking.synthetic.movie import Movie, MovieParams, simulate

if TYPE_CHECKING:
    from daemon.configuration.config import Config

MOVIE = MovieParams(
    shape=(12, 192, 192),
    voxel_size_um=(1.0, 0.35, 0.35),
    frames=8,
    nuclei=14,
    clusters=2,
    closeness=1.04,
    divisions=1,
    drift_um=(0.0, 0.4, 0.25),
    missed_slices=0,
)
SEED = 1
PACE_S = 2.0
QUIET_S = 6.0
TIMEOUT_S = 900.0

PREFIX = "nusetd-selfcheck-"
STACK_VOXELS = 30 * 1024 * 1024
"""An ordinary stack, of which people can imagine how long it takes."""


@dataclass(frozen=True)
class Finding:
    """One line of the result: what was looked at, what was found, and whether that is good (None: no judgement)."""

    name: str
    found: str
    good: bool | None = None


def run_selfcheck(
    config: Config | None,
    folder: Path | None = None,
    max_lag_s: float | None = None,
    keep: bool = False,
    params: MovieParams = MOVIE,
) -> list[Finding]:
    """Replay the acquisition and judge the result.

    Parameters
    ----------
    config : Config or None
        The installed service's configuration; None: defaults.
    folder : Path or None
        Where to work; None: where the configured results and records go, else the folder for temporary files.
    max_lag_s : float or None
        The 95th percentile of the lag that is still good.
    keep : bool
        Leave the files for a closer look.
    params : MovieParams
        The acquisition.

    Raises
    ------
    DaemonError
        When the replay cannot be done at all.
    """
    findings = [] if config is None else list(_configuration(config))
    movie = simulate(params, SEED)
    with _places(config, folder, keep) as (folders, database):
        folders.config.write_text(config_text(folders, database, config), encoding="utf-8")
        results = DemoResults(database)
        acquire(movie, folders, results, PACE_S, TIMEOUT_S)
        findings += _accuracy(judge(movie, results))
        findings += _speed(movie, results, folders, max_lag_s)
        if keep:
            findings.append(Finding("kept", f"{folders.output} and {database}"))
    return findings


def verdict(findings: list[Finding]) -> bool:
    """True when nothing that was judged is bad."""
    return all(finding.good is not False for finding in findings)


def config_text(folders: DemoFolders, database: Path, config: Config | None) -> str:
    """The configuration of the replay: folders of its own, and the engine and parameters that are checked."""
    tables: dict[str, Mapping[str, Any]] = {"service": {"rescan_s": 2.0}}
    if config is not None:
        tables["engine"] = asdict(config.engine)
        tables |= {name: asdict(getattr(config.processing, name)) for name in ("segmentation", "volume", "tracking")}
    lines = [f"database = {json.dumps(str(database))}", "[[watch]]"]
    watch = {"path": str(folders.incoming), "output": str(folders.output), "quiet_s": 1.0, "give_up_s": 60.0}
    lines += _toml({**watch, "acquisition_quiet_s": QUIET_S})
    for name, values in tables.items():
        lines += [f"[{name}]", *_toml(values)]
    return "\n".join(lines) + "\n"


@contextmanager
def _places(config: Config | None, folder: Path | None, keep: bool) -> Iterator[tuple[DemoFolders, Path]]:
    """Folders on the disks of the results and of the records, which are removed afterwards."""
    from storage import naming

    local = [watch.output for watch in config.watch if isinstance(watch.output, Path)] if config is not None else []
    results = folder or next(iter(local), Path(tempfile.gettempdir()))
    records = folder or results
    if config is not None and folder is None:
        path = naming.sqlite_path(config.database)
        records = results if path is None else path.parent
    made: list[Path] = []
    try:
        for place in (results, records):
            place.mkdir(parents=True, exist_ok=True)
            made.append(Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)))
        folders = DemoFolders(made[0])
        for inside in (folders.incoming, folders.truth):
            inside.mkdir()
        yield folders, naming.database_path(made[1])
    except OSError as error:
        raise DaemonError(
            f"The check cannot write ({error}): run it as the service's user, or give --folder."
        ) from error
    finally:
        for place in () if keep else made:
            shutil.rmtree(place, ignore_errors=True)


def _configuration(config: Config) -> Iterator[Finding]:
    from daemon.configuration.machine import machine_faults

    faults = machine_faults(config)
    yield Finding("configuration", f"{len(config.watch)} folders watched", True if not faults else None)
    yield from (Finding("configuration", fault.sentence, False) for fault in faults)


def _accuracy(score: Score) -> Iterator[Finding]:
    counts = (
        ("nuclei", score.nuclei_found, score.nuclei, score.nuclei_false),
        ("links", score.links_found, score.links, score.links_false),
        ("divisions", score.divisions_found, score.divisions, score.divisions_false),
    )
    for name, found, true, false in counts:
        least = true if name == "divisions" else BOUND * true
        yield Finding(name, f"{found} of {true} found, {false} false", found >= least)


def _speed(movie: Movie, results: DemoResults, folders: DemoFolders, max_lag_s: float | None) -> Iterator[Finding]:
    works = np.sort(results.seconds_per_stack())
    work = float(np.median(works))
    voxels = int(np.prod(movie.params.shape))
    z, y, x = movie.params.shape
    yield Finding("time per stack", f"{spoken_s(work)} for {z} x {y} x {x} voxels (median of {len(works)})")
    yield Finding("about", f"{spoken_s(work * STACK_VOXELS / voxels)} for a stack of 30 x 1024 x 1024 by voxels alone")
    lags = sorted(_lags(results, folders))
    p50, p95 = quantile(lags, 0.5) or 0.0, quantile(lags, 0.95) or 0.0
    text = f"p50 {spoken_s(p50)}, p95 {spoken_s(p95)}, a stack every {PACE_S:g} s, from its last byte to its record"
    yield Finding("lag", text, None if max_lag_s is None else p95 <= max_lag_s)


def _lags(results: DemoResults, folders: DemoFolders) -> Iterator[float]:
    """Seconds from the last byte of each file to its record."""
    for t, completed in results.completed_at().items():
        written = (folders.incoming / f"{STEM}_t{t:03d}.ome.tif").stat().st_mtime
        yield datetime.fromisoformat(completed).timestamp() - written


def _toml(values: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a table; what is None keeps its default. JSON writes texts, numbers, truth and lists as TOML does."""
    for name, value in values.items():
        if value is not None:
            yield f"{name} = {json.dumps(value)}"
