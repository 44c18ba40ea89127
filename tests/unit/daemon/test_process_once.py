"""What `nusetd process` takes up: each image once, however many files it has; without a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cases import images
from cases.actor import MODEL
from cases.stored import pixels

from daemon import process
from daemon.configuration.config import EngineConfig, Processing
from daemon.errors import EngineFailedError
from daemon.watching.inspection import Answer, InspectionRequest, Open, inspect


class Parts:
    """What looks into files at once, and a queue loop that does nothing."""

    connections = ()
    model, unfinished = MODEL, False

    def __init__(self) -> None:
        self.opened: list[tuple[Path, ...]] = []
        self.ended: list[int] = []
        self.inspection_client = self.queue_loop = self

    def ask(self, request: InspectionRequest, then: Callable[[Answer], None]) -> None:
        if isinstance(request, Open):
            self.opened.append(request.paths)
        then(inspect(request))

    def end(self, acquisition_id: int) -> None:
        self.ended.append(acquisition_id)

    def stop(self) -> None: ...


def test_an_image_in_several_files_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = Parts()
    monkeypatch.setattr(process, "assemble", lambda *given: parts)
    folder = tmp_path / "in"
    folder.mkdir()
    images.ome_tiff_files(folder, pixels(5, 1, 2))
    alone = images.imagej_tiff(folder, pixels(2, 1, 2))
    options = process.ProcessOptions([folder], tmp_path / "out", EngineConfig(), Processing())
    process.process(options)
    assert parts.opened == [(folder / "embryo-0.ome.tif",), (alone,)]
    assert len(set(parts.ended)) == 2
    assert capsys.readouterr().out.count("queued") == 2


def test_a_worker_that_can_do_nothing_is_no_fault_of_the_file_that_is_taken_up_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue loop turns while it is looked whether a file was moved; its end must not be lost among the files'."""

    def admit(*given: object) -> None:
        raise EngineFailedError("The files of nusetd were exchanged.")

    monkeypatch.setattr(process, "assemble", lambda *given: Parts())
    monkeypatch.setattr(process, "_admit", admit)
    images.imagej_tiff(tmp_path, pixels(2, 1, 2))
    with pytest.raises(EngineFailedError, match="exchanged"):
        process.process(process.ProcessOptions([tmp_path], tmp_path / "out", EngineConfig(), Processing()))
