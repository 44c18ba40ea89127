"""The demonstration's parts: its folders, its microscope, its reading of the database, its care for the service."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.configuration import config
from daemon.configuration.machine import machine_faults
from daemon.demonstration import demo, demo_service
from daemon.demonstration.demo_service import ServiceProcess, write_config
from daemon.demonstration.microscope import PIECES, Microscope, tiff_bytes, write_in_pieces
from daemon.demonstration.results import DemoProgress, DemoResults
from daemon.errors import DaemonError, UsageError
from tracking.synthetic.movie import Movie, MovieParams, simulate


@pytest.fixture(scope="module")
def movie() -> Movie:
    """Three small stacks."""
    return simulate(MovieParams(shape=(5, 48, 48), frames=3, nuclei=2, clusters=1, divisions=0), 1)


def database(path: Path, state: str, timepoints: list[tuple[int, str, str | None]]) -> DemoResults:
    """A database with one acquisition, made from the tables of the contract."""
    from sqlalchemy import create_engine, insert

    from storage.database.catalog import Catalog
    from storage.schema import tables

    with Catalog.open(path):
        engine = create_engine(f"sqlite:///{path}")
    row = {
        "id": 1, "name": "demo", "source_path": "x", "source_key": "x", "result_key": "k", "state": state,
        "voxel_source": "metadata", "channel_names": ["a"], "zarr_path": "/somewhere/demo.ome.zarr", "created_at": "x",
        "model_name": "m", "model_sha256": "s", "params": {}, "nusetd_version": "0",
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(tables.acquisitions).values(row))
        for t, timepoint_state, error in timepoints:
            values = {"acquisition_id": 1, "t": t, "state": timepoint_state, "error": error, "queued_at": "x"}
            times = {"started_at": "2026-01-01T00:00:00Z", "completed_at": "2026-01-01T00:00:02.500Z"}
            times["painted_at"] = times["completed_at"] if timepoint_state == "done" else None
            connection.execute(insert(tables.timepoints).values(values | times))
        for track, parent in ((4, None), (5, 4)):
            values = {"track_id": track, "parent_track_id": parent, "first_t": 0, "last_t": 1, "nuclei_count": 1}
            connection.execute(insert(tables.tracks).values(values | {"acquisition_id": 1, "is_final": True}))
        nuclei = [(0, 1, 4), (1, 1, 5)]
        for t, label, track in nuclei:
            values = {"acquisition_id": 1, "t": t, "label": label, "track_id": track, "centroid_y_um": 1.0}
            connection.execute(insert(tables.nuclei).values(values | {"centroid_x_um": 2.0}))
    engine.dispose()
    return DemoResults(path)


def test_folders_are_made_and_an_empty_folder_will_do(tmp_path: Path) -> None:
    for output in (tmp_path / "a" / "b", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        folders = demo.prepare(output)
        assert folders.incoming.is_dir()
        assert folders.truth.is_dir()
        assert folders.output.is_absolute()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    for output in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(UsageError, match="delete it or give another --output"):
            demo.run_demo(output)
    assert (tmp_path / "mine.txt").read_text() == "precious"
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.txt"]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # permissions do not stop the administrator, who may run the tests
    with pytest.raises(DaemonError, match=r"cannot be written \(Permission denied\): give another folder"):
        demo.prepare(tmp_path / "a")


def test_the_configuration_is_one_that_the_service_takes(tmp_path: Path) -> None:
    odd = tmp_path / 'a "quoted" folder' / "incoming"
    odd.mkdir(parents=True)
    write_config(tmp_path / "nusetd.toml", odd, odd.parent, 3, engine="somewhere:Engine")
    read = config.load(tmp_path / "nusetd.toml")
    assert read.watch[0].path == odd
    assert read.watch[0].output == odd.parent
    assert read.watch[0].acquisition_quiet_s == 3
    assert read.engine.factory == "somewhere:Engine"
    faults = [fault.key for fault in machine_faults(read)]
    assert faults == [("engine", "factory")]  # there is no module "somewhere"; all else is usable as it is
    assert read.database.endswith("/nusetd.sqlite")


def test_the_microscope_writes_every_stack_with_its_voxel_size_and_the_truth(movie: Movie, tmp_path: Path) -> None:
    incoming, truth = tmp_path / "incoming", tmp_path / "truth"
    incoming.mkdir()
    truth.mkdir()
    microscope = Microscope(movie, incoming, truth, pace_s=0.0)
    microscope.start()
    microscope.join()
    assert microscope.error is None
    assert microscope.finished_at is not None
    assert sorted(p.name for p in incoming.iterdir()) == [f"demo_t00{t}.ome.tif" for t in range(3)]
    for frame in movie.frames:
        image, labels = movie.render(frame)
        with tifffile.TiffFile(incoming / f"demo_t00{frame.t}.ome.tif") as tif:
            assert (tif.asarray() == image).all()
            assert tif.ome_metadata is not None
            assert 'PhysicalSizeZ="1.0"' in tif.ome_metadata
            assert 'PhysicalSizeX="0.35"' in tif.ome_metadata
        assert (tifffile.imread(truth / f"demo_t00{frame.t}.labels.tif") == labels).all()
    assert (truth / "tracks.csv").read_text().startswith("t,z,y,x,")


def test_a_file_is_visible_from_its_first_piece_on(movie: Movie, tmp_path: Path) -> None:
    content = tiff_bytes(movie.render(movie.frames[0])[0], movie)
    sizes: list[int] = []
    write_in_pieces(tmp_path / "a.tif", content, lambda: sizes.append((tmp_path / "a.tif").stat().st_size))
    assert len(sizes) == PIECES
    assert sizes == sorted(set(sizes))
    assert (tmp_path / "a.tif").read_bytes() == content
    with pytest.raises(FileExistsError):
        write_in_pieces(tmp_path / "a.tif", content, lambda: None)


def test_a_stopped_microscope_ends_and_a_full_disk_is_kept_as_an_error(movie: Movie, tmp_path: Path) -> None:
    patient = Microscope(movie, tmp_path, tmp_path, pace_s=3600.0)
    patient.start()
    patient.stop()
    assert not patient.is_alive()
    assert patient.finished_at is None
    failing = Microscope(movie, tmp_path / "missing", tmp_path, pace_s=0.0)
    failing.run()
    with pytest.raises(DaemonError, match="cannot be written to"):
        demo._is_over(failing, DemoProgress(), now=0.0)


def test_progress_is_read_from_the_database_from_before_it_exists(tmp_path: Path) -> None:
    results = DemoResults(tmp_path / "nusetd.sqlite")
    assert results.progress() == DemoProgress()
    sqlite3.connect(tmp_path / "nusetd.sqlite").close()
    assert results.progress() == DemoProgress()
    results = database(tmp_path / "b.sqlite", "partial", [(0, "done", None), (1, "failed", "it was cut short")])
    assert results.progress() == DemoProgress("partial", 1, 1, "it was cut short")
    assert results.name() == "demo"
    assert results.zarr() == Path("/somewhere/demo.ome.zarr")
    assert results.seconds_per_stack() == pytest.approx([2.5])
    nuclei = results.nuclei()
    assert nuclei["track_id"].tolist() == [4, 5]
    assert nuclei["parent_track_id"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("progress", "now", "over"),
    [
        (DemoProgress("processing", 3, 3), 1000.0, False),
        (DemoProgress("complete", 2, 2), 1000.0, False),
        (DemoProgress("complete", 3, 2), 1000.0, False),
        (DemoProgress("complete", 3, 3), 0.0, True),
        (DemoProgress("partial", 2, 2, "x"), 1.0, False),
    ],
)
def test_all_is_over_when_all_is_done(movie: Movie, progress: DemoProgress, now: float, over: bool) -> None:
    microscope = Microscope(movie, Path(), Path(), pace_s=0.0)
    assert demo._is_over(microscope, progress, now) is False, "not before the last file is written"
    microscope.finished_at = 0.0
    assert demo._is_over(microscope, progress, now) is over


def test_what_the_service_set_aside_is_told(movie: Movie) -> None:
    microscope = Microscope(movie, Path(), Path(), pace_s=0.0)
    microscope.finished_at = 0.0
    with pytest.raises(DaemonError, match="did 2 of 3 stacks and set the rest aside: the disk was full"):
        demo._is_over(microscope, DemoProgress("partial", 2, 2, "the disk was full"), demo.NOTICE_S)


def fake_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> ServiceProcess:
    """A service whose process runs a small program instead."""
    script = tmp_path / "program.py"
    script.write_text(program)
    launcher = tmp_path / "python"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    launcher.chmod(0o755)
    monkeypatch.setattr(demo_service.sys, "executable", str(launcher))
    return ServiceProcess(tmp_path / "nusetd.toml", tmp_path / "service.log")


def check_when_ended(service: ServiceProcess) -> None:
    """Run the service until it ends by itself, then look after it."""
    with service:
        os.waitid(os.P_PID, service.pid, os.WEXITED | os.WNOWAIT)
        service.check()


def test_a_service_that_ends_early_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    service = fake_service(monkeypatch, tmp_path, "import sys; print('nusetd: no weights.'); sys.exit(3)")
    with pytest.raises(DaemonError, match=r"before its work was done \(exit code 3\): nusetd: no weights\."):
        check_when_ended(service)


GRACEFUL = """
import signal, sys, pathlib
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(r"{mark}").write_text("in order"), sys.exit(0)))
pathlib.Path(r"{ready}").touch()
signal.pause()
"""


def wait_for(ready: Path, service: ServiceProcess) -> None:
    """Until the service's program says that it listens."""
    while not ready.exists():
        service.check()


def end_when_ready(service: ServiceProcess, ready: Path, number: signal.Signals) -> None:
    """Send this process a signal that ends a demonstration."""
    with demo._terminable(), service:
        wait_for(ready, service)
        os.kill(os.getpid(), number)
        signal.pause()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_service_is_stopped_in_order_on_every_signal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    mark, ready = tmp_path / "mark", tmp_path / "ready"
    service = fake_service(monkeypatch, tmp_path, GRACEFUL.format(mark=mark, ready=ready))
    with pytest.raises(KeyboardInterrupt):
        end_when_ready(service, ready, number)
    assert mark.read_text() == "in order"
    assert signal.getsignal(number) is before


def test_a_service_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = "import signal, pathlib\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    stubborn += f"pathlib.Path(r'{ready}').touch()\nwhile True: signal.pause()\n"
    monkeypatch.setattr(demo_service, "STOP_S", 0.2)
    service = fake_service(monkeypatch, tmp_path, stubborn)
    with pytest.raises(DaemonError, match="did not stop in order"), service:
        wait_for(ready, service)
    with pytest.raises(ProcessLookupError):
        os.kill(service.pid, 0)


def test_the_demo_s_movie_has_all_that_is_promised() -> None:
    movie = simulate(demo.MOVIE, demo.SEED)
    assert len(movie.frames) >= 12
    assert len(movie.frames[0].track_ids) >= 20
    assert len(movie.divisions) == 2
    assert sum(len(frame.missed_slices) for frame in movie.frames) == 1
    assert np.ptp(movie.table().groupby("t")["x"].mean()) > 1, "the sample drifts"
    assert demo.MOVIE.voxel_size_um[0] > demo.MOVIE.voxel_size_um[2]
