"""What `nusetd process` takes up: each image once, however many files it has; without a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from cases import images, pictures
from cases.actor import MODEL
from cases.stored import pixels

from daemon import process
from daemon.configuration.config import Processing
from daemon.configuration.service_config import EngineConfig
from daemon.errors import EngineFailedError
from daemon.processing.steps.books import Seen
from daemon.watching.inspection import Answer, InspectionRequest, Open, inspect


class Parts:
    """What looks into files at once, and a queue loop that does nothing."""

    connections = told = troubles = ()
    model, unfinished = MODEL, False

    def __init__(self) -> None:
        self.opened: list[tuple[Path, ...]] = []
        self.ended: list[int] = []
        self.inspection_client = self.queue_loop = self

    def ask(self, request: InspectionRequest, then: Callable[[Answer], None]) -> None:
        if isinstance(request, Open):
            self.opened.append(request.paths)
        then(inspect(request))

    def turn(self) -> None: ...

    def step(self, wait_s: float) -> None: ...

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


def test_what_an_earlier_run_left_and_is_set_aside_now_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is another result than those that the command was given: their lines tell nothing of it."""
    left = SimpleNamespace(id=9, name="exp", source_path="exp_t*.tif")

    def assembled(*given: object) -> Parts:
        for t in (2, 3):
            given[-1].observer(Seen("failed", left, t, reason="It was begun with other weights."))  # type: ignore[attr-defined, arg-type]
        return Parts()

    monkeypatch.setattr(process, "assemble", assembled)
    images.imagej_tiff(tmp_path, pixels(2, 1, 2))
    process.process(process.ProcessOptions([tmp_path], tmp_path / "out", EngineConfig(), Processing()))
    sentence = "exp: 2 time points that an earlier run left were set aside: It was begun with other weights."
    assert sentence in capsys.readouterr().err


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


def processed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> int:
    """Take up what is in a folder."""
    monkeypatch.setattr(process, "assemble", lambda *given: Parts())
    wanted = process.ProcessOptions([tmp_path / "in"], tmp_path / "out", EngineConfig(), Processing(), **options)  # type: ignore[arg-type]
    return process.process(wanted)


def test_pictures_that_are_left_out_as_previews_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(folder / name, pixels(1, 1, 1)[0, 0, 0])
    for name in ("a.png", "b.png", "c.png"):
        pictures.png(folder, pixels(1, 1, 1)).rename(folder / name)
    processed(tmp_path, monkeypatch)
    said = capsys.readouterr()
    assert f"{folder / 'a.png'} and 1 more are taken for previews" in said.err
    assert said.out.count("queued") == 3


def test_series_that_differ_in_capitals_alone_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("A_T1.tif", "a_t2.tif", "a_t3.tif"):
        tifffile.imwrite(folder / name, pixels(1, 1, 1)[0, 0, 0])
    processed(tmp_path, monkeypatch)
    assert "a_t*.tif are taken for two series" in capsys.readouterr().err


def test_one_image_of_a_file_that_cannot_be_processed_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with tifffile.TiffWriter(folder / "two.ome.tif") as writer:
        writer.write(np.ones((3, 16, 16), np.uint16), metadata={"axes": "ZYX", "Name": "unmeasured"})
        writer.write(np.ones((16, 16), np.uint16), metadata={"axes": "YX", "Name": "plane"})
    assert processed(tmp_path, monkeypatch) == 1
    said = capsys.readouterr()
    assert "two_plane: queued" in said.out
    assert "two_unmeasured is a stack of 3 slices" in said.err


def test_what_is_wrong_with_hundreds_of_files_is_a_few_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(40):
        tifffile.imwrite(folder / f"field{number}.tif", np.ones((3, 16, 16), np.uint16), photometric="minisblack")
    assert processed(tmp_path, monkeypatch) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "does not give the voxel size" in line]) == 3
    assert any("so it is with 37 more images" in line for line in lines)
    assert len(lines) <= 10


def test_files_are_opened_ahead_and_the_queue_goes_on_between_any_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else workers wait for what looks into files, or thousands of files are queued before the first is processed."""
    told: list[tuple[str, int]] = []

    class Watched(Parts):
        def step(self, wait_s: float) -> None:
            told.append(("step", len(self.opened)))

        def end(self, acquisition_id: int) -> None:
            super().end(acquisition_id)
            told.append(("queued", len(self.ended)))

    monkeypatch.setattr(process, "assemble", lambda *given: Watched())
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abcdefghijklmn":
        images.imagej_tiff(folder, pixels(1, 1, 2)).rename(folder / f"{name}.tif")
    process.process(process.ProcessOptions([folder], tmp_path / "out", EngineConfig(), Processing()))
    queued = [place for place, (what, _) in enumerate(told) if what == "queued"]
    assert [told[place] for place in queued] == [("queued", number) for number in range(1, 15)]
    assert all(told[place - 1][0] == "step" for place in queued), "the queue loop turned since the one before"
    assert [told[place - 1][1] for place in queued][:6] == [8, 9, 10, 11, 12, 13], "so many are opened by then"
