"""Samples of TIFFs: opacity is no channel, colours of print are none, white may be 0; what pages are not, is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from cases.stored import pixels

from storage.acquisition import Acquisition
from storage.errors import UnsupportedInputError
from storage.readers import open_acquisitions

GREY = pixels(1, 1, 1, 8, 9, "uint8")[0, 0, 0]
RGB = np.stack([GREY, GREY + 1, GREY + 2], axis=-1)
ALPHA = np.full((8, 9, 1), 255, np.uint8)


_OPENED: list[Acquisition] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Files that planes were read from are closed."""
    yield
    while _OPENED:
        _OPENED.pop().close()


def written(folder: Path, array: np.ndarray, axes: str | None = None, **options: Any) -> Acquisition:
    tifffile.imwrite(folder / "a.tif", array, **options)
    (found,) = open_acquisitions(folder / "a.tif", axes=axes)
    _OPENED.append(found)
    return found


@pytest.mark.parametrize("ome", [False, True])
def test_opacity_is_no_channel(tmp_path: Path, ome: bool) -> None:
    found = written(tmp_path, np.concatenate([RGB, ALPHA], -1), photometric="rgb", extrasamples=["unassalpha"], ome=ome)
    assert found.channel_names[0].endswith("red")
    assert found.size_c == 3
    for c in range(3):
        np.testing.assert_array_equal(found.plane(0, c, 0), RGB[..., c])
    assert found.fingerprint(0)


def test_opacity_of_many_planes_is_left_out_of_each(tmp_path: Path) -> None:
    stack = np.stack([np.concatenate([RGB + z, ALPHA], -1) for z in range(3)])
    found = written(tmp_path, stack, photometric="rgb", extrasamples=["unassalpha"])
    assert (found.size_c, found.size_z) == (3, 3)
    np.testing.assert_array_equal(found.plane(0, 1, 2), RGB[..., 1] + 2)


def test_samples_that_are_no_colours_have_no_names_of_colours(tmp_path: Path) -> None:
    found = written(tmp_path, np.stack([GREY] * 5), photometric="minisblack", planarconfig="separate")
    assert found.channel_names == tuple(f"channel {c}" for c in range(5))


def test_colours_of_print_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedInputError, match=r"a\.tif is not read here: its colours are those of print"):
        written(tmp_path, np.concatenate([RGB, ALPHA], -1), photometric="separated")


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_where_white_is_0_brightness_is_turned_round_and_said(tmp_path: Path, kind: str) -> None:
    array = GREY.astype(kind)
    found = written(tmp_path, array, photometric="miniswhite")
    np.testing.assert_array_equal(found.plane(0, 0, 0), np.iinfo(kind).max - array)
    assert found.plane(0, 0, 0).dtype == kind
    assert "stores white as 0" in found.remarks[0]


def test_where_white_is_0_other_pixels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedInputError, match="brightness grows downwards"):
        written(tmp_path, GREY.astype(np.float32), photometric="miniswhite")


def test_a_table_of_colours_is_a_scale_or_said(tmp_path: Path) -> None:
    table = np.zeros((3, 256), np.uint16)
    table[2] = np.arange(256) * 257
    assert written(tmp_path, GREY, photometric="palette", colormap=table).remarks == ()
    table[0] = np.random.default_rng(0).integers(0, 65535, 256)
    assert "no scale of brightness" in written(tmp_path, GREY, photometric="palette", colormap=table).remarks[0]


def test_three_planes_that_a_writer_took_for_colours_are_doubted(tmp_path: Path) -> None:
    three = np.stack([GREY] * 3).astype(np.uint16)
    options = {"photometric": "rgb", "planarconfig": "separate"}
    found = written(tmp_path, three, **options)
    assert found.size_c == 3
    assert "--axes ZYX" in found.doubts[0]
    told = written(tmp_path, three, "ZYX", **options)
    assert (told.size_z, told.origins.axes, told.doubts) == (3, "configured", ())
    assert written(tmp_path, three.astype(np.uint8), **options).doubts == ()


def test_of_two_dimensions_without_names_the_slower_one_is_time(tmp_path: Path) -> None:
    found = written(tmp_path, pixels(4, 1, 2, 8, 9)[:, 0], photometric="minisblack")
    assert (found.size_t, found.size_z, found.origins.axes) == (4, 2, "guessed")
    assert "2 slices and 4 time points without --axes" in found.doubts[0]


def test_the_slide_alone_is_taken_of_a_slide_by_aperio(tmp_path: Path) -> None:
    big = np.tile(RGB, (64, 64, 1))
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        said = "Aperio Image Library v12\n576x512 |AppMag = 20|MPP = 0.499"
        writer.write(big, photometric="rgb", tile=(128, 128), metadata=None, description=said)
        writer.write(big[::4, ::4], photometric="rgb", metadata=None)  # its thumbnail
        writer.write(RGB, photometric="rgb", metadata=None, subfiletype=1, description="Aperio\nlabel 9x8")
    (found,) = open_acquisitions(tmp_path / "a.tif")
    assert (found.name, found.size_y, found.voxel_size_um) == ("a", 512, (0.499, 0.499, 0.499))


def test_inches_of_imagej_are_no_voxel_size(tmp_path: Path) -> None:
    array = pixels(1, 1, 3, 8, 9)[0, 0]
    found = written(tmp_path, array, imagej=True, resolution=(72, 72), metadata={"axes": "ZYX", "unit": "inch"})
    assert (found.voxel_size_um, found.voxel_source) == (None, "none")
    assert "a size for printing" in found.remarks[0]


@pytest.mark.parametrize(
    ("voxel", "doubted"),
    [
        ((2.0, 0.3, 0.3), False),
        ((0.1, 0.02, 0.05), False),
        ((2000.0, 300.0, 300.0), True),
        ((2.0, 3.0, 0.3), True),
        ((0.001, 0.3, 0.3), True),
    ],
)
def test_voxels_that_no_microscope_has_are_doubted(
    tmp_path: Path, voxel: tuple[float, float, float], doubted: bool
) -> None:
    said = {f"PhysicalSize{letter}": size for letter, size in zip("ZYX", voxel, strict=True)}
    found = written(tmp_path, pixels(1, 1, 3, 8, 9)[0, 0], ome=True, metadata={"axes": "ZYX", **said})
    assert any("--voxel-size-override" in doubt for doubt in found.doubts) == doubted
