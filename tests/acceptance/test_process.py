"""`nusetd process`, `segment` and the commands that read, as people call them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
from lab import ENGINE, asked, stack, write_stack
from scipy import ndimage

FORMATS = Path(os.environ.get("NUSETD_DATA", Path(__file__).parents[3] / "shared" / "data")) / "formats"


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run over a folder with good and bad images; its output folder."""
    root = tmp_path_factory.mktemp("process")
    images = root / "images"
    (images / "inside").mkdir(parents=True)
    for t in range(3):
        write_stack(images / f"exp_t{t}.tif", stack(t))
    write_stack(images / "inside" / "plane.tif", stack(0)[3])
    good = write_stack(images / "cut.tif", stack(0))
    good.write_bytes(good.read_bytes()[:20_000])
    (images / "notes.tif").write_text("These are my notes.\n")
    (images / "empty.tif").write_bytes(b"")
    (images / "readme.txt").write_text("not an image, not named like one")
    done = asked("process", images, "--output", root / "out", "--voxel-size", "1,0.5,0.5", "--engine", ENGINE)
    (root / "out" / "said.json").write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    return root / "out"


def test_bad_files_cost_one_sentence_each_and_the_exit_code(processed: Path) -> None:
    code, out, err = json.loads((processed / "said.json").read_text())
    assert code == 1
    assert sorted(name for name in ("cut", "notes", "empty") for line in err.splitlines() if f"{name}.tif" in line) == [
        "cut",
        "empty",
        "notes",
    ]
    assert len(err.splitlines()) == 4
    assert err.count("exp_t*.tif is taken for time points of one series because its files are numbered") == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["exp", "inside/plane"]


def test_acquisitions_are_listed_in_every_format(processed: Path) -> None:
    found = json.loads(asked("acquisitions", "--database", processed, "--format", "json").stdout)
    assert {row["name"]: row["state"] for row in found if row["state"] == "complete"} == {
        "exp": "complete",
        "inside/plane": "complete",
    }
    assert asked("acquisitions", "--database", processed).stdout.splitlines()[0].split()[0] == "id"


def test_nuclei_and_tracks_of_an_acquisition_by_name(processed: Path) -> None:
    from io import StringIO

    nuclei = pd.read_csv(StringIO(asked("nuclei", "exp", "--database", processed, "--format", "csv").stdout))
    assert sorted(nuclei["t"].value_counts().items()) == [(0, 5), (1, 5), (2, 5)]
    assert (nuclei["volume_um3"] > 10).all()
    tracks = pd.read_csv(StringIO(asked("tracks", "exp", "--database", processed, "--format", "csv").stdout))
    assert len(tracks) == 5
    assert tracks["is_final"].all()


def test_an_unknown_acquisition_is_one_sentence(processed: Path) -> None:
    done = asked("nuclei", "nobody", "--database", processed)
    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_was_set_aside_is_queued_again_on_request(processed: Path) -> None:
    done = asked("retry", "--failed", "--database", processed)
    assert done.returncode == 0
    assert done.stdout.startswith("queued again: ")


def test_a_stack_without_a_voxel_size_is_told_how_to_give_it(tmp_path: Path) -> None:
    image = write_stack(tmp_path / "bare.tif", stack(0))
    done = asked("process", image, "--output", tmp_path / "out", "--engine", ENGINE)
    assert done.returncode == 1
    assert "--voxel-size Z,Y,X" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_slices_that_may_be_time_points_are_doubted_and_a_person_says_which_and_doing_it_again_does_nothing_new(
    tmp_path: Path,
) -> None:
    said = {"axes": "ZYX", "finterval": 30.0, "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", stack(0)[2:5], imagej=True, resolution=(4.0, 4.0), metadata=said)
    arguments = ("process", tmp_path / "a.tif", "--output", tmp_path / "out", "--engine", ENGINE)
    done = asked(*arguments)
    assert done.returncode == 0
    assert "3 slices, one time point and a frame interval of 30 s" in done.stderr
    again = asked(*arguments)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert len(json.loads(asked("acquisitions", "--database", tmp_path / "out", "--format", "json").stdout)) == 1
    shown = asked("status", "--database", tmp_path / "out")
    assert shown.returncode == 0
    assert "none ever worked on this database" in shown.stdout
    assert "keeps up    yes: nothing waits" in shown.stdout
    done = asked(*arguments, "--axes", "TYX")
    assert (done.returncode, done.stderr) == (0, "")
    assert "in 3 time points" in done.stdout
    (listed,) = json.loads(asked("acquisitions", "--database", tmp_path / "out", "--format", "json").stdout)
    assert (listed["name"], listed["size_t"], listed["axes_source"], listed["reading"]) == ("a", 3, "configured", 1)
    assert [one.name for one in (tmp_path / "out").glob("*.zarr")] == ["a.ome.zarr"]
    with pytest.raises(SystemExit):
        asked(*arguments, "--axes", "TT")


def test_segment_writes_labels_of_the_same_shape(tmp_path: Path) -> None:
    plane = write_stack(tmp_path / "plane.tif", stack(0)[3])
    whole = write_stack(tmp_path / "whole.tif", stack(0))
    done = asked(
        "segment", plane, whole, "--output", tmp_path / "labels", "--voxel-size", "1,0.5,0.5", "--engine", ENGINE
    )
    assert done.returncode == 0, done.stderr
    for name, shape in (("plane", (96, 96)), ("whole", (6, 96, 96))):
        labels = tifffile.imread(tmp_path / "labels" / f"{name}.labels.tif")
        assert labels.shape == shape
        assert labels.dtype == np.uint16
        assert sorted(np.unique(labels)) == [0, 1, 2, 3, 4, 5]


def test_segment_goes_on_after_a_bad_image(tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_text("no image")
    plane = write_stack(tmp_path / "plane.tif", stack(0)[3])
    done = asked("segment", tmp_path / "bad.tif", plane, "--output", tmp_path / "labels", "--engine", ENGINE)
    assert done.returncode == 1
    assert "bad.tif" in done.stderr
    assert [p.name for p in (tmp_path / "labels").iterdir()] == ["plane.labels.tif"]


def test_track_keeps_rows_and_order(tmp_path: Path) -> None:
    table = pd.DataFrame({"t": [1, 0, 2], "y": [5.2, 5.0, 5.1], "x": [9.0, 9.0, 9.1], "note": ["b", "a", "c"]})
    table.to_csv(tmp_path / "in.csv", index=False)
    done = asked("track", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    tracked = pd.read_csv(tmp_path / "out.csv")
    assert list(tracked["note"]) == ["b", "a", "c"]
    assert list(tracked.columns) == [*table.columns, "track_id", "parent_track_id"]
    assert tracked["track_id"].nunique() == 1


@pytest.mark.long  # on development data; `.ci/run` runs it once
@pytest.mark.skipif(not FORMATS.is_dir(), reason=f"no real data in {FORMATS}")
def test_files_of_vendors_go_through_with_their_own_voxel_sizes(tmp_path: Path) -> None:
    done = asked("process", FORMATS, "--output", tmp_path / "out", "--engine", ENGINE, "--unclear-channel", "take")
    assert done.returncode == 0, done.stderr
    listed = json.loads(asked("acquisitions", "--database", tmp_path / "out", "--format", "json").stdout)
    found = {row["reader"]: row for row in listed}
    assert {row["state"] for row in listed} == {"complete"}
    assert {row["voxel_source"] for row in listed} == {"metadata"}
    sizes = {name: tuple(row[f"voxel_{axis}_um"] for axis in "zyx") for name, row in found.items()}
    assert sizes["czi"] == pytest.approx((0.32, 0.0906, 0.0906), rel=1e-3)
    assert sizes["oib"] == pytest.approx((0.177, 0.177, 0.177))
    assert sizes["ndtiff"] == pytest.approx((0.4, 1.0, 1.0))
    assert {name: row["size_t"] for name, row in found.items()} == {"czi": 3, "oib": 1, "ndtiff": 8}


def test_numbers_of_files_are_those_that_people_read(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for t, number in enumerate((70, 71, 73, 74)):
        write_stack(tmp_path / "images" / f"late_t{number:03d}.tif", stack(t)[3])
    for number in (1, 4, 7):
        write_stack(tmp_path / "images" / f"third_t{number}.tif", stack(number)[3])
    done = asked("process", tmp_path / "images", "--output", tmp_path / "out", "--engine", ENGINE)
    assert done.returncode == 1, "one of the time points is absent"
    assert "in 4 time points of 74 named, " in done.stdout
    assert "in 3 time points, " in done.stdout
    assert "late: time point 72 is not there and is passed over." in done.stderr
    assert "late: 1 never arrived (the first is 72)." in done.stderr
    assert "third: time points come in steps of 3" in done.stderr
    shown = asked("nuclei", "late", "--t", "73", "--database", tmp_path / "out").stdout.splitlines()
    assert shown[0].split()[0] == "source_t"
    assert {line.split()[0] for line in shown[1:]} == {"73"}
    absent = asked("nuclei", "late", "--t", "72", "--database", tmp_path / "out")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert absent.stderr == "nusetd: late has no time point 72: 70-71, 73-74 are there.\n"


def test_nuclei_are_looked_for_in_channels_without_a_name_or_asked_about(tmp_path: Path) -> None:
    """Blue nuclei in a picture are found; of two channels with the same ones a person says which, and that goes on."""
    y, x = np.indices((96, 96))
    light = np.random.default_rng(3).normal(30, 5, (4, 96, 96))
    light[2:] += 200 * (np.hypot((y % 32) - 16, (x % 32) - 16) < 6)
    light[2:] = ndimage.gaussian_filter(light[2:], (0, 1, 1))
    light[:2] = 0
    pixels = light.astype(np.uint8)
    images = tmp_path / "images"
    images.mkdir()
    (images / "picture.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(np.moveaxis(pixels[:3], 0, -1))))
    pixels[3] = pixels[3] * 0.8 + np.random.default_rng(4).uniform(0, 40, (96, 96))
    tifffile.imwrite(images / "twins.tif", pixels[2:], metadata={"axes": "CYX"}, photometric="minisblack")
    order = ("process", images, "--output", tmp_path / "out", "--engine", ENGINE)
    done = asked(*order)
    assert done.returncode == 1
    assert "picture: complete, 9 nuclei" in done.stdout
    assert "channel blue (number 2, measured)" in done.stdout
    assert "which of them shows nuclei is not clear" in done.stderr
    again = asked("process", images / "twins.tif", *order[2:], "--channel", "1")
    assert again.returncode == 0, again.stderr
    assert "channel 1 (configured)" in again.stdout
    listed = json.loads(asked("acquisitions", "--database", tmp_path / "out", "--format", "json").stdout)
    found = {row["name"]: (row["state"], row["nuclear_channel"], row["channel_source"]) for row in listed}
    assert found == {"picture": ("complete", 2, "measured"), "twins": ("complete", 1, "configured")}
