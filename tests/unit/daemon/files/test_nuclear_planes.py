"""Which planes `segment` and `detect` look at, where an image has several channels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from cases.ome_set_file import SPLITS, ome_set
from cases.stored import acquisition, pixels
from cases.threshold import ThresholdSegmenter
from scipy import ndimage

from daemon.errors import DaemonError
from daemon.files.each_image import images_of
from daemon.files.nuclear_planes import COLOURS, NuclearPlanes
from daemon.processing.recipe import NotProcessableError
from storage.acquisition import Acquisition

SEGMENTER = ThresholdSegmenter


def discs(seed: int) -> np.ndarray:
    y, x = np.indices((96, 96))
    drawn = 220 * (np.hypot((y % 32) - 16, (x % 32) - 16) < 6) + np.random.default_rng(seed).normal(20, 4, (96, 96))
    return np.clip(ndimage.gaussian_filter(drawn, 1), 0, 255).astype(np.uint8)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(30, 5, (96, 96)).astype(np.uint8)


def picture(*planes: np.ndarray, names: tuple[str, ...] = COLOURS) -> Acquisition:
    return replace(acquisition(np.stack(planes)[None, :, None]), channel_names=names)


def test_blue_nuclei_in_a_picture_are_found() -> None:
    image = picture(noise(1), noise(2), discs(3))
    planes = NuclearPlanes(None, "ask", SEGMENTER).of(image)(0)
    np.testing.assert_array_equal(planes[0], discs(3))


def test_of_tissue_on_light_ground_all_colours_count() -> None:
    image = picture(*(255 - discs(seed) // 2 for seed in (1, 2, 3)))
    planes = NuclearPlanes(None, "ask", SEGMENTER).of(image)(0)
    np.testing.assert_allclose(planes[0], np.mean([image.plane(0, c, 0) for c in range(3)], axis=0))


def test_a_name_or_a_person_decides_without_a_look() -> None:
    image = picture(discs(1), noise(2), names=("GFP", "DAPI"))
    for wanted, channel in ((None, 1), ("gfp", 0), (0, 0)):
        planes = NuclearPlanes(wanted, "ask", None).of(image)(0)  # type: ignore[arg-type]  # nobody is asked to segment
        np.testing.assert_array_equal(planes[0], image.plane(0, channel, 0))
    with pytest.raises(NotProcessableError, match="no channel 'Cy5'"):
        NuclearPlanes("Cy5", "ask", SEGMENTER).of(image)


def test_what_is_not_clear_is_asked_or_taken_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    other = (discs(2) * 0.8 + np.random.default_rng(9).uniform(0, 40, (96, 96))).astype(np.uint8)
    image = picture(discs(1), other, names=("channel 0", "channel 1"))
    with pytest.raises(NotProcessableError, match=r"is not clear.*--channel"):
        NuclearPlanes(None, "ask", SEGMENTER).of(image)
    NuclearPlanes(None, "take", SEGMENTER).of(image)
    assert "is taken for the one with nuclei" in capsys.readouterr().err


def test_an_empty_time_point_leaves_it_to_the_next() -> None:
    empty, full = np.stack([noise(1), noise(2)]), np.stack([noise(3), discs(4)])
    image = replace(acquisition(np.stack([empty, full])[:, :, None]), channel_names=("a", "b"))
    np.testing.assert_array_equal(NuclearPlanes(None, "ask", SEGMENTER).of(image)(0)[0], noise(2))


def test_a_folder_stands_for_the_images_in_it(tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(imagecodecs.png_encode(discs(1)))
    (tmp_path / "notes.txt").write_text("no image")
    other = tmp_path / "a.png"
    assert images_of([tmp_path, other]) == [tmp_path / "a.png", tmp_path / "b.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DaemonError, match="no image"):
        images_of([tmp_path / "empty"])


@pytest.mark.parametrize("missing", [None, 0, 1])
def test_of_files_that_are_one_image_one_is_taken(tmp_path: Path, missing: int | None) -> None:
    files = ome_set(tmp_path, pixels(3, 1, 2), SPLITS["t"], "companion")
    tifffile.imwrite(tmp_path / "other.tif", pixels(1, 1, 2)[0, 0])
    if missing is not None:
        files[missing].unlink()
    expected = files[0] if missing != 0 else files[-1]
    assert images_of([tmp_path]) == [expected, tmp_path / "other.tif"]
    assert images_of([files[2]]) == [files[2]]
