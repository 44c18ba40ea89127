"""What is whole and not read here is refused at once, in one sentence; what is not said is not made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from cases import czi_file
from cases.stored import pixels

from storage.errors import UnreadableInputError, UnsupportedInputError
from storage.given_facts import GivenFacts
from storage.readers import open_acquisitions, probe


def refusal(path: Path) -> str:
    assert probe(path).state == "complete"  # there is nothing to wait for
    with pytest.raises(UnreadableInputError) as caught:
        open_acquisitions(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def store(path: Path, multiscale: dict) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs.update({"multiscales": [{"datasets": [{"path": "0"}], **multiscale}]})
    group.create_array("0", shape=(2, 3, 16, 24), chunks=(1, 3, 16, 24), dtype="u2", fill_value=0)[:] = 7
    return path


def axes(unit: str | None = "micrometer") -> list[dict]:
    return [{"name": "t", "type": "time", "unit": "second"}] + [
        {"name": letter, "type": "space", "unit": unit} for letter in "zyx"
    ]


def test_a_store_without_a_scale_has_no_voxel_size_and_no_interval(tmp_path: Path) -> None:
    (found,) = open_acquisitions(store(tmp_path / "a.ome.zarr", {"version": "0.4", "axes": axes()}))
    assert (found.voxel_size_um, found.voxel_source, found.frame_interval_s) == (None, "none", None)
    assert found.origins.frame_interval == "none"


def test_scales_of_a_store_and_of_its_array_are_multiplied(tmp_path: Path) -> None:
    scale = [{"type": "scale", "scale": [30.0, 2.0, 0.5, 0.25]}]
    (found,) = open_acquisitions(store(tmp_path / "a.ome.zarr", {"axes": axes(), "coordinateTransformations": scale}))
    assert (found.voxel_size_um, found.frame_interval_s) == ((2.0, 0.5, 0.25), 30.0)


@pytest.mark.parametrize(("unit", "voxel"), [(None, None), ("micrometer", (1.0, 1.0, 1.0))])
def test_a_scale_of_ones_is_no_voxel_size_without_a_unit_and_doubted_with_one(
    tmp_path: Path, unit: str | None, voxel: tuple[float, ...] | None
) -> None:
    """It is what programs write where nobody told them."""
    ones = [{"type": "scale", "scale": [1.0, 1.0, 1.0, 1.0]}]
    multiscale = {"axes": axes(unit), "coordinateTransformations": ones}
    (found,) = open_acquisitions(store(tmp_path / "a.ome.zarr", multiscale))
    assert found.voxel_size_um == voxel
    assert any("voxels are 1 x 1 x 1 um" in doubt for doubt in found.doubts) is (voxel is not None)
    (told,) = open_acquisitions(found.source_path, given=GivenFacts(voxel_size_override_um=(2.0, 0.5, 0.5)))
    assert (told.voxel_size_um, told.voxel_source, told.doubts) == ((2.0, 0.5, 0.5), "configured", ())


def test_voxels_of_one_are_doubted_in_every_format(tmp_path: Path) -> None:
    sizes = dict.fromkeys(("PhysicalSizeX", "PhysicalSizeY", "PhysicalSizeZ"), 1.0)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels(1, 1, 3)[0, 0], ome=True, metadata={"axes": "ZYX", **sizes})
    assert "voxels are 1 x 1 x 1 um" in open_acquisitions(tmp_path / "a.ome.tif")[0].doubts[0]


@pytest.mark.parametrize(
    ("multiscale", "said"),
    [
        ({"version": "0.1"}, "OME-Zarr 0.1"),
        ({"version": "0.2"}, "OME-Zarr 0.2"),
        ({}, "OME-Zarr 0.1 or 0.2"),
        ({"version": "0.3", "axes": ["t", "z", "y", "x"]}, "OME-Zarr 0.3"),
    ],
)
def test_versions_without_units_are_named(tmp_path: Path, multiscale: dict, said: str) -> None:
    assert said in refusal(store(tmp_path / "a.ome.zarr", multiscale))


def test_a_plate_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).attrs.update({"plate": {"wells": []}})
    assert "plate" in refusal(path)


def test_phases_of_a_detector_are_no_images(tmp_path: Path) -> None:
    array = pixels(1, 1, 2)
    tiles = [czi_file.Tile(array[0, 0, z], {"Z": z, "H": h}) for z in range(2) for h in range(32)]
    path = czi_file.write(tmp_path / "a.czi", tiles, czi_file.metadata(array.shape), [0.0])
    assert "32 phases" in refusal(path)


@pytest.mark.parametrize(("letter", "what"), [("A", "angles"), ("F", "phases"), ("H", "lifetimes"), ("L", "exposures")])
def test_what_has_to_be_put_together_first_is_refused(tmp_path: Path, letter: str, what: str) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", pixels(1, 1, 4)[0, 0], photometric="minisblack", metadata={"axes": f"{letter}YX"}
    )
    assert f"4 {what}" in refusal(tmp_path / "a.tif")
    (found,) = open_acquisitions(tmp_path / "a.tif", axes="ZYX")
    assert (found.size_z, found.origins.axes) == (4, "configured")


def test_wavelengths_are_channels(tmp_path: Path) -> None:
    array = pixels(1, 1, 4)[0, 0]
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", metadata={"axes": "EYX"})
    (found,) = open_acquisitions(tmp_path / "a.tif")
    with found:
        assert (found.size_c, found.size_z) == (4, 1)
        np.testing.assert_array_equal(found.plane(0, 2, 0), array[2])


@pytest.mark.parametrize("letter", ["P", "M", "R", "V"])
def test_positions_are_acquisitions(tmp_path: Path, letter: str) -> None:
    array = pixels(2, 1, 4)[:, 0]
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", metadata={"axes": f"{letter}ZYX"})
    found = open_acquisitions(tmp_path / "a.tif")
    assert [one.size_z for one in found] == [4, 4]
    for one, expected in zip(found, array, strict=True):
        with one:
            np.testing.assert_array_equal(one.plane(0, 0, 3), expected[3])


def test_pixels_of_one_bit_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((16, 24), bool), metadata=None)
    assert "export it as 8 or 16 bit grey values" in refusal(tmp_path / "a.tif")


def test_a_kind_that_is_refused_is_an_unreadable_input() -> None:
    assert issubclass(UnsupportedInputError, UnreadableInputError)
