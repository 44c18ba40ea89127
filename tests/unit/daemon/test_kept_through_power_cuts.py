"""What people and the service keep is on the disk before it has its name: a power cut leaves none empty."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.installation import best_workers, kept_weights
from daemon.jobs.job_folders import JobFolders
from daemon.overrides import book
from daemon.overrides.book import Overrides
from daemon.page.live.jobs.uploads import UploadLimits, Uploads
from daemon.plots.canvas import new_figure, save
from daemon.rules.delivery import write_next
from nuset_engine.weights import int8_path, save_weights
from storage.files import replacing


def weights(folder: Path) -> set[str]:
    model = SimpleNamespace(layers=[], inputs=[SimpleNamespace(shape=(None, None, None, 4))])
    made = save_weights(model, folder / "run.npz", {"architecture": {}})  # type: ignore[arg-type]
    int8_path(made.path).touch()
    kept_weights.keep(made.path, "mine")
    return {"mine.npz", "mine.int8.npz", "mine.json"}


def rates(_: Path) -> set[str]:
    best_workers.keep_rates({1: 2.0})
    return {"workers.json"}


def overrides(folder: Path) -> set[str]:
    book.write(folder / "overrides.toml", Overrides())
    return {"overrides.toml"}


def job(folder: Path) -> set[str]:
    JobFolders(folder).new("predict", "one", {})
    return {"job.json", "state.json"}


def upload(folder: Path) -> set[str]:
    folders = JobFolders(folder)
    uploads = Uploads(folders, UploadLimits())

    async def content() -> AsyncIterator[bytes]:
        yield b"image"

    number = folders.new("predict", "one", {}).id
    uploads.finish(asyncio.run(uploads.receive(number, "a.tif", None, content())))
    return {"job.json", "state.json", "names.json", "0001.tif"}


def picture(folder: Path) -> set[str]:
    save(new_figure(1, 1), folder / "a.svg")
    return {"a.svg"}


def answer(folder: Path) -> set[str]:
    assert write_next(folder, {"t": 1}) is None
    return {"next.json"}


def exported(folder: Path) -> set[str]:
    (folder / "new.partial" / "inside").mkdir(parents=True)
    for name in ("a.csv.partial", "inside/b.csv.partial"):
        (folder / "new.partial" / name).write_text("1")
    replacing.put(folder / "new.partial", folder / "new")
    return {"a.csv.partial", "b.csv.partial"}


@pytest.mark.parametrize("keep", [weights, rates, overrides, job, upload, picture, answer, exported])
def test_all_of_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: Callable[[Path], set[str]]
) -> None:
    """Each file was written to the disk, whole, while it still had another name."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    synced: dict[int, int] = {}

    def fsync(number: int) -> None:
        status = os.fstat(number)
        if not Path(f"/proc/self/fd/{number}").readlink().is_dir():
            assert Path(f"/proc/self/fd/{number}").readlink().suffix in (".part", ".partial")
            synced[status.st_ino] = status.st_size

    monkeypatch.setattr(os, "fsync", fsync)
    wanted = keep(tmp_path)
    found = {path.name: path.stat() for path in tmp_path.rglob("*") if path.name in wanted}
    assert {name: synced.get(status.st_ino) for name, status in found.items()} == {
        name: status.st_size for name, status in found.items()
    }
    assert found.keys() == wanted
    assert not list(tmp_path.rglob(".*"))
