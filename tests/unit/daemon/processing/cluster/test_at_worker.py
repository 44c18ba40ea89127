"""What a worker of a cluster does before it serves: it sees the same files, and has the same program."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cases.stored import acquisition, register

from daemon.configuration.cluster.scheduler_access import SchedulerAccess
from daemon.configuration.config import load
from daemon.errors import ConfigError
from daemon.processing.cluster import at_worker
from daemon.processing.cluster.at_worker import MAPPED, Introduced, Places, here, introduce, moved
from daemon.processing.cluster.folder_marks import FolderMarks
from daemon.processing.messages import AnalyseTask, CannotServe, EngineSetup, PaintTask
from storage.database.catalog import Catalog

ENGINE_FOLDER = Path(__file__).parents[4] / "acceptance"
SETUP = EngineSetup("classical_engine:ClassicalEngine", "none", 1)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine is loaded, the one of the tests is found, no paths are mapped."""
    monkeypatch.syspath_prepend(str(ENGINE_FOLDER))
    monkeypatch.setattr(at_worker, "_loaded", {})
    monkeypatch.delenv(MAPPED, raising=False)


def reason(places: Places, setup: EngineSetup = SETUP) -> str:
    """Why it cannot serve."""
    said = introduce(setup, places)
    assert isinstance(said, CannotServe)
    return said.reason


def test_it_serves_where_it_sees_what_is_needed(tmp_path: Path) -> None:
    marks = FolderMarks([tmp_path / "out"], "me")
    said = introduce(SETUP, Places(marks.made(), (str(tmp_path),)))
    assert isinstance(said, Introduced)
    assert said.pid == os.getpid()
    marks.remove()
    assert not list((tmp_path / "out").iterdir())


def test_what_it_does_not_see_is_named(tmp_path: Path) -> None:
    assert f"does not see {tmp_path}/in: mount it" in reason(Places({}, (f"{tmp_path}/in",)))
    there = {str(tmp_path): (".nusetd-seen-1234", "word")}
    assert f"does not see {tmp_path}, but another folder at {tmp_path}" in reason(Places(there))


def test_another_version_and_an_engine_that_is_not_there_are_refused() -> None:
    assert "install the same there" in reason(Places({}), replace(SETUP, version="0.0.1"))
    assert "no_such_module" in reason(Places({}), replace(SETUP, factory="no_such_module:Engine"))


def test_paths_are_mapped_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAPPED, os.pathsep.join([f"/data={tmp_path}", "/archive=/mnt/a"]))
    assert moved("/data/out/x.ome.zarr") == f"{tmp_path}/out/x.ome.zarr"
    assert moved("/archive") == "/mnt/a"
    assert moved("/database/x") == "/database/x", "only whole names of folders count"
    assert moved("s3://data/out") == "s3://data/out"
    assert moved(f"{tmp_path}/in/a.tif", back=True) == "/data/in/a.tif"
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        row = replace(register(catalog, acquisition()), zarr_path="/data/out/embryo.ome.zarr")
    task = here(AnalyseTask(row, 0))
    assert isinstance(task, AnalyseTask)
    assert (task.acquisition.source_path, task.acquisition.zarr_path) == (
        f"{tmp_path}/embryo.tif", f"{tmp_path}/out/embryo.ome.zarr",
    )  # fmt: skip
    painted = here(PaintTask("/archive/b.ome.zarr", 0, {}))
    assert isinstance(painted, PaintTask)
    assert painted.zarr_path == "/mnt/a/b.ome.zarr"


@pytest.mark.parametrize(
    ("status", "state", "wanted"),
    [("running", "executing", True), ("closing", "executing", False), ("running", "cancelled", False)],
)
def test_a_task_that_nobody_waits_for_is_given_up(status: str, state: str, wanted: bool) -> None:
    tasks = {"k": SimpleNamespace(state=state)}
    worker = SimpleNamespace(status=SimpleNamespace(name=status), state=SimpleNamespace(tasks=tasks))
    assert at_worker._is_wanted(worker, "k") is wanted  # type: ignore[arg-type]
    assert not at_worker._is_wanted(worker, "another")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "more", "fault"),
    [
        ("tcp://127.0.0.1:8786", {}, None),
        ("tcp://scheduler:8786", {}, "runs code there and here"),
        ("tcp://scheduler:8786", {"insecure": True}, None),
        ("tls://scheduler:8786", {}, "needs certificates"),
        ("tls://scheduler:8786", {"ca": Path("a"), "certificate": Path("b"), "key": Path("c")}, None),
        ("scheduler:8786", {}, "is no address"),
        ("tcp://scheduler:port", {}, "is no address"),
        ("tcp://scheduler", {}, "is no address"),
    ],
)
def test_a_scheduler_elsewhere_needs_certificates(address: str, more: dict[str, object], fault: str | None) -> None:
    said = SchedulerAccess(address, **more).fault  # type: ignore[arg-type]
    assert said is None if fault is None else fault in str(said)


def config(folder: Path, engine: str) -> str:
    """What a configuration with these lines says of the cluster, or what is wrong with it."""
    path = folder / "nusetd.toml"
    path.write_text(f'[[watch]]\npath = "{folder}"\noutput = "{folder}/out"\n[engine]\n{engine}')
    try:
        cluster = load(path).engine.cluster
    except ConfigError as error:
        return str(error)
    return "none" if cluster is None else cluster.told


def test_the_configuration_names_a_cluster(tmp_path: Path) -> None:
    assert config(tmp_path, "workers = 3\n") == "none"
    assert config(tmp_path, 'workers = "dask:tcp://127.0.0.1:8786"\n') == "tcp://127.0.0.1:8786 (this computer alone)"
    assert "runs code there and here" in config(tmp_path, 'workers = "dask:tcp://10.0.0.1:8786"\n')
    insecure = 'workers = "dask:tcp://10.0.0.1:8786"\n[engine.dask]\ninsecure = true\n'
    assert "INSECURE" in config(tmp_path, insecure)
    files = "".join(f'{name} = "{name}.pem"\n' for name in ("ca", "certificate", "key"))
    safe = f'workers = "dask:tls://10.0.0.1:8786"\n[engine.dask]\n{files}'
    assert "certificates on both sides" in config(tmp_path, safe)
    assert "needs certificates" in config(tmp_path, 'workers = "dask:tls://10.0.0.1:8786"\n')
    assert "user is not a known key" in config(tmp_path, f'{insecure}user = "me"\n')
    assert "must be a whole number" in config(tmp_path, 'workers = "many"\n')


ALLOCATES = """
import resource, sys
import numpy as np
from daemon.processing.cluster.at_worker import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        np.ones(2**20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
keep_freed_memory()
faults()
print(first, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back as Dask asks it to")
def test_memory_that_is_free_is_kept_for_the_next_plane_whatever_dask_asks_the_c_library_for() -> None:
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}  # as Dask's nannies set it
    command = [sys.executable, "-c", ALLOCATES]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    given_back, kept = map(int, said.stdout.split())
    assert given_back > 50 * 200  # 256 pages of 4 kB each, every time
    assert kept < 50
