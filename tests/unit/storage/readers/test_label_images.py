"""Labels and masks beside images are found out, never images; what may be either is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases import images
from PIL import Image
from scipy import ndimage

from daemon.errors import DaemonError
from daemon.processing.recipe import refuse_unmeasurable
from storage.acquisition import Acquisition
from storage.given_facts import GivenFacts
from storage.readers import open_acquisitions

LABELS, COUNT = ndimage.label(np.kron(np.eye(6), np.ones((9, 9))))
MASK = (LABELS > 0).astype(np.uint8) * 255
NUCLEI = np.random.default_rng(0).poisson(100 + 900 * (LABELS > 0)).astype(np.uint16)


def looked_at(path: Path, **given: bool) -> Acquisition:
    (found,) = open_acquisitions(path, given=GivenFacts(**given), pattern="none")  # type: ignore[arg-type]
    return found


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".png":
        Image.fromarray(pixels).save(path)
    else:
        tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "ZYX"[-pixels.ndim :]})
    return path


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("a.tif", LABELS.astype(np.uint16)),  # the pixels say it
        ("a_cp_masks.png", LABELS.astype(np.uint8)),
        ("a.tif", np.stack([0 * LABELS, LABELS, LABELS, 0 * LABELS]).astype(np.int32)),
        ("a.tif", LABELS.astype(np.float32)),
        ("a_mask.tif", MASK),  # so does the name
        ("seg_a.png", MASK),
        ("man_seg003.tif", MASK // 255),
        ("labels/a.tif", MASK),
        ("a_outlines.tif", MASK ^ (ndimage.binary_erosion(MASK) * np.uint8(255))),
        ("a_Simple Segmentation.tif", MASK // 255 + np.uint8(1)),
        ("a_Probabilities.tif", (NUCLEI / NUCLEI.max()).astype(np.float32)),
    ],
)
def test_what_was_drawn_is_refused_with_what_to_say_where_it_is_an_image(
    tmp_path: Path, name: str, pixels: np.ndarray
) -> None:
    path = write(tmp_path / name, pixels)
    found = looked_at(path)
    with pytest.raises(DaemonError, match=r"is taken for no image: .* give --as-image") as refused:
        refuse_unmeasurable(found)
    assert str(refused.value).startswith(str(path))
    assert looked_at(path, as_image=True).drawn is None
    (unasked,) = open_acquisitions(path, pattern="none")
    assert unasked.drawn is None


@pytest.mark.parametrize("name", ["a.tif", "a_mask.tif", "seg_a.png", "labels/a.tif", "mask.tif"])
def test_a_name_alone_makes_no_mask_of_an_image(tmp_path: Path, name: str) -> None:
    found = looked_at(write(tmp_path / name, NUCLEI))
    assert (found.drawn, found.remarks) == (None, ())


@pytest.mark.parametrize(("name", "scale"), [("a_prob.tif", 1.0), ("a_norm.tif", 1e-4), ("a_problem.tif", 1e-4)])
def test_numbers_with_fractions_are_an_image_unless_name_and_range_say_otherwise(
    tmp_path: Path, name: str, scale: float
) -> None:
    assert looked_at(write(tmp_path / name, (NUCLEI * scale).astype(np.float32))).drawn is None


def test_what_may_be_an_image_of_two_values_is_taken_and_said(tmp_path: Path) -> None:
    found = looked_at(write(tmp_path / "masked man.tif", MASK))
    assert found.drawn is None
    (remark,) = found.remarks
    assert "as masks have" in remark


def test_channels_count_together_and_empty_planes_tell_nothing(tmp_path: Path) -> None:
    both = np.stack([LABELS, NUCLEI]).astype(np.uint16)[None, :, None]
    assert looked_at(images.ome_tiff(tmp_path, both)).drawn is None
    labels = np.stack([LABELS, 0 * LABELS]).astype(np.uint16)[None, :, None]
    assert looked_at(images.ome_tiff(tmp_path, labels)).drawn is not None
    assert looked_at(images.ome_zarr_05(tmp_path, labels)).drawn is not None
    assert looked_at(images.ome_zarr_04(tmp_path, 0 * labels + 1)).drawn is None


def test_of_a_series_that_is_drawn_each_file_is(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / f"a_t{number}.tif", LABELS.astype(np.uint16))
    (found,) = open_acquisitions(tmp_path, given=GivenFacts())
    assert (found.size_t, found.drawn is None) == (2, False)


def test_planes_that_cannot_be_read_tell_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", LABELS.astype(np.uint16))
    found = looked_at(path)
    tifffile.imwrite(tmp_path / "b.tif", NUCLEI, compression="zlib", metadata=None)
    data = (tmp_path / "b.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        start = file.pages[0].dataoffsets[0]  # type: ignore[union-attr]
    (tmp_path / "b.tif").write_bytes(data[:start] + bytes(30) + data[start + 30 :])
    assert found.drawn is not None
    assert looked_at(tmp_path / "b.tif").drawn is None
