"""`nusetd detect`: a table of boxes per image, in colours as well, and clear refusals."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from daemon import cli
from daemon.errors import DaemonError
from daemon.files import each_image
from daemon.files.sharing.hearing import Hearing
from nuset_engine.network import Architecture, build_network
from nuset_engine.synthetic.mitosis import mitotic_slices
from nuset_engine.weights import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights: every anchor has a score of about 0.01."""
    path = tmp_path_factory.mktemp("weights") / "events.npz"
    architecture = Architecture.of_width(4)
    save_weights(build_network(architecture), path, {"architecture": architecture.as_dict()})
    return path


def test_a_picture_gives_a_table_of_boxes(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = mitotic_slices(np.random.default_rng(1))[1].image[:96, :96]
    picture = np.repeat((255 * image / image.max()).astype(np.uint8)[..., None], 3, axis=-1)
    tifffile.imwrite(tmp_path / "cells.tif", picture, photometric="rgb")
    order = ["detect", str(tmp_path / "cells.tif"), "--output", str(tmp_path / "found"), "--weights", str(weights)]
    assert cli.main([*order, "--min-score", "0.001"]) == 0
    table = tmp_path / "found" / "cells.events.csv"
    assert capsys.readouterr().out == f"{table}\n"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert rows
    assert list(rows[0]) == ["t", "z", "y0", "x0", "y1", "x1", "score", "source_t", "event"]
    assert sorted(int(r["event"]) for r in rows) == list(range(1, len(rows) + 1))
    assert all(0 <= float(r["y0"]) < float(r["y1"]) <= 96 and 0 < float(r["score"]) < 1 for r in rows)


def test_a_file_that_is_no_image_fails_alone(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.tif").write_text("no image")
    order = ["detect", str(tmp_path / "bad.tif"), "--output", str(tmp_path / "o"), "--weights", str(weights)]
    assert cli.main(order) == 1
    assert "bad.tif" in capsys.readouterr().err
    assert list((tmp_path / "o").iterdir()) == []


def test_nothing_is_wrong_with_an_image_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> Iterator[OSError]:
        yield OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(each_image, "outcomes", full)
    wanted = {tmp_path / "cells.tif": tmp_path / "cells.events.csv"}
    assert each_image.write_each(SimpleNamespace(), wanted, [], Hearing()) == 1  # type: ignore[arg-type]
    told = f"{tmp_path}/cells.events.csv cannot be written (No space left on device): make room, or choose another"
    assert told in capsys.readouterr().err


def test_a_score_that_is_none_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((32, 32), np.uint8))
    order = ["detect", str(tmp_path / "a.tif"), "--output", str(tmp_path / "o"), "--weights", "w", "--min-score", "7"]
    assert cli.main(order) == 2
    assert "between 0 and 1" in capsys.readouterr().err


def test_detection_computes_with_what_the_configuration_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    cards: list[str | None] = []

    def detector(*given: object) -> None:
        asked.append(given[4:])
        cards.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        raise DaemonError

    monkeypatch.setattr("nuset_engine.events.EventDetector", detector)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "engine.toml").write_text('[engine]\nthreads = 3\ndevice = "gpu:1"\nruntime = "tensorflow"\n')
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), np.uint16))
    order = ["detect", str(tmp_path / "a.tif"), "--output", str(tmp_path), "--config", str(tmp_path / "engine.toml")]
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    assert cli.main(order) == 1
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert (asked, cards) == ([(3, "tensorflow")], ["1"])
