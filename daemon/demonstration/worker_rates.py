"""How many time points an hour so many workers serve on this machine: rendered stacks go through the real parts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.assembly import Assembly, Hooks, Rules, Where, assemble
from daemon.demonstration.microscope import tiff_bytes
from daemon.errors import DaemonError
from daemon.pipeline import admit
from daemon.processing.recipe import Recipe
from storage import naming, readers
from storage.database.catalog import Catalog
from tracking.synthetic.movie import Movie, MovieParams, simulate

if TYPE_CHECKING:
    from daemon.configuration.config import Processing
    from daemon.configuration.service_config import EngineConfig
    from storage.schema.rows import AcquisitionRow

STACKS = MovieParams(
    shape=(16, 256, 256), voxel_size_um=(1.0, 0.35, 0.35), frames=8, nuclei=28, clusters=4, divisions=0
)
_RULES = Rules(worker_silence_s=900.0, reader_limit_s=300.0)
_LIMIT_S = 3600.0
_SEED = 1


def measured_rates(
    counts: Sequence[int],
    engine: EngineConfig,
    processing: Processing,
    folder: Path,
    params: MovieParams | None = None,
    each: Callable[[int, float], None] = lambda count, rate: None,
) -> dict[int, float]:
    """Return time points an hour by the number of workers; starts, and the first stack of each worker, do not count.

    Parameters
    ----------
    counts : sequence of int
        The numbers of workers.
    engine, processing : the segmenter and its settings
    folder : Path
        On the disk of the results; what is made there is removed.
    params : MovieParams, optional
        The stacks, one time point each; None: `STACKS`.
    each : callable, optional
        Told each number with its rate.

    Raises
    ------
    DaemonError
        When a time point is not done.
    """
    movie, rates = simulate(params or STACKS, _SEED), dict[int, float]()
    with tempfile.TemporaryDirectory(prefix="nusetd-workers-", dir=folder) as name:
        files = _written(movie, Path(name), max(counts))
        for count in counts:
            place = Path(name) / f"with-{count}"
            place.mkdir()
            rates[count] = _rate(count, engine, processing, place, files)
            each(count, rates[count])
    return rates


def _written(movie: Movie, folder: Path, most: int) -> dict[str, list[Path]]:
    """Files of two series: one with a stack for each worker, and one that is measured."""
    stacks = [tiff_bytes(movie.render(frame)[0], movie) for frame in movie.frames]
    series: dict[str, list[Path]] = {"warm": [], "work": []}
    for name, count in (("warm", most), ("work", len(stacks))):
        for t in range(count):
            series[name].append(folder / f"{name}_t{t:03d}.ome.tif")
            series[name][-1].write_bytes(stacks[t % len(stacks)])
    return series


def _rate(
    count: int, engine: EngineConfig, processing: Processing, folder: Path, files: dict[str, list[Path]]
) -> float:
    with Catalog.open(naming.database_path(folder)) as catalog:
        parts = assemble(catalog, replace(engine, workers=count), Where([folder]), _RULES, Hooks())
        try:
            _turn(parts, lambda: len(parts.workers.idle()) == count and parts.queue_loop.model is not None)
            _done(catalog, parts, processing, folder, files["warm"][:count])
            begun = time.monotonic()
            _done(catalog, parts, processing, folder, files["work"])
            return 3600.0 * len(files["work"]) / (time.monotonic() - begun)
        finally:
            parts.stop()


def _done(catalog: Catalog, parts: Assembly, processing: Processing, folder: Path, files: list[Path]) -> None:
    """Have a series done: until its last time point is committed and shown."""
    model = parts.queue_loop.model
    assert model is not None  # it was waited for
    (image,) = readers.open_acquisitions(files)
    row = admit(catalog, image, Recipe(model, processing, nuclear_channel=0), folder)
    _turn(parts, lambda: not catalog.is_waiting(row.id) and not parts.queue_loop.working)
    _refuse_failures(catalog, row)


def _refuse_failures(catalog: Catalog, row: AcquisitionRow) -> None:
    failed = [point for point in catalog.timepoints(row.id) if point.nuclei_count is None]
    if failed:
        raise DaemonError(f"A time point that was to be measured was not done ({failed[0].error}): see the log above.")


def _turn(parts: Assembly, reached: Callable[[], bool]) -> None:
    until = time.monotonic() + _LIMIT_S
    while not reached():
        if time.monotonic() > until:
            raise DaemonError(f"The workers took longer than {_LIMIT_S:g} s: this machine is too slow or too busy.")
        parts.queue_loop.step(0.05)
