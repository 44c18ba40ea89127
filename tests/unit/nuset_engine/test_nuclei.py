"""The nuclei table and its measurement, against scikit-image's regionprops and hand-made cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops

from nuset_engine.errors import EngineError
from nuset_engine.measure import measure
from nuset_engine.nuclei import NUCLEI_COLUMNS, TRUST_COLUMNS, Nuclei
from nuset_engine.reconstruction.volume import Volume

VOXEL = (2.0, 0.5, 0.25)


def volume_of(labels: np.ndarray) -> Volume:
    index = pd.RangeIndex(1, int(labels.max()) + 1, name="label")
    trust = pd.DataFrame({name: np.zeros(len(index)) for name in ("score", *TRUST_COLUMNS)}, index=index)
    return Volume(labels.astype(np.uint32), trust.astype({"score": "float64", **TRUST_COLUMNS}))


@pytest.fixture
def stack():
    """Labels of three nuclei of random voxels in boxes, and a channel of each usual type."""
    rng = np.random.default_rng(1)
    labels = np.zeros((9, 40, 50), int)
    for number, (z, y, x) in enumerate([(0, 2, 3), (4, 10, 30), (2, 25, 8)], start=1):
        labels[z : z + 4, y : y + 12, x : x + 15] = number * (rng.random((4, 12, 15)) > 0.4)
    channels = {
        0: rng.integers(0, 255, labels.shape).astype(np.uint8),
        1: rng.integers(40_000, 65_535, labels.shape).astype(np.uint16),
        4: (rng.normal(size=labels.shape) + 1e6).astype(np.float32),
    }
    return labels, channels


def test_sizes_positions_boxes_and_intensities_equal_regionprops(stack):
    labels, channels = stack
    table = measure(volume_of(labels), channels, 1, VOXEL, t=7).table.set_index("label")
    names = {0: "channel_0_", 1: "intensity_", 4: "channel_4_"}
    for region in regionprops(labels, channels[1], spacing=VOXEL):
        row = table.loc[region.label]
        assert row["volume_px"] == region.num_pixels
        assert row["volume_um3"] == pytest.approx(region.area)
        assert np.isnan(row["area_um2"])
        assert row["equivalent_diameter_um"] == pytest.approx(region.equivalent_diameter_area)
        np.testing.assert_allclose(row[[f"centroid_{a}_um" for a in "zyx"]].tolist(), region.centroid)
        np.testing.assert_allclose(row[[f"centroid_{a}_px" for a in "zyx"]].tolist(), np.array(region.centroid) / VOXEL)
        assert row[["bbox_z0", "bbox_y0", "bbox_x0", "bbox_z1", "bbox_y1", "bbox_x1"]].tolist() == list(region.bbox)
        assert row["extent"] == pytest.approx(region.extent)
        for channel, image in channels.items():
            values = image[labels == region.label].astype(np.float64)
            got = row[[names[channel] + s for s in ("mean", "std", "min", "max")]].tolist()
            np.testing.assert_allclose(got, [values.mean(), values.std(), values.min(), values.max()], rtol=1e-7)


def test_axes_are_those_of_an_ellipsoid_of_known_size():
    z, y, x = np.mgrid[-20:21, -40:41, -80:81]
    voxel = (0.5, 0.25, 0.125)
    inside = (z * voxel[0] / 8) ** 2 + (y * voxel[1] / 6) ** 2 + (x * voxel[2] / 4) ** 2 < 1
    row = measure(volume_of(inside.astype(int)), {0: inside}, 0, voxel, 0).table.iloc[0]
    assert row["axis_major_length_um"] == pytest.approx(16, rel=0.01)
    assert row["axis_minor_length_um"] == pytest.approx(8, rel=0.01)
    assert row["elongation"] == pytest.approx(2, rel=0.01)
    assert row["volume_um3"] == pytest.approx(4 / 3 * np.pi * 8 * 6 * 4, rel=0.01)


def test_axes_equal_regionprops_for_cubic_voxels(stack):
    labels, channels = stack
    table = measure(volume_of(labels), channels, 1, (1.0, 1.0, 1.0), 0).table
    for row, region in zip(table.itertuples(), regionprops(labels), strict=True):
        # Ours adds the second moment of a voxel, 1/12: 20/12 in the square of an axis.
        assert row.axis_major_length_um**2 - 20 / 12 == pytest.approx(region.axis_major_length**2)
        assert row.axis_minor_length_um**2 - 20 / 12 == pytest.approx(region.axis_minor_length**2)


def test_a_single_plane_has_areas_and_no_volumes(stack):
    labels, channels = stack
    planes = {c: image[5:6] for c, image in channels.items()}
    flat = labels[5:6].copy()
    flat[flat == 2], flat[flat == 3] = 1, 2
    table = measure(volume_of(flat), planes, 1, VOXEL, 0).table
    for row, region in zip(table.itertuples(), regionprops(flat[0], spacing=VOXEL[1:]), strict=True):
        assert row.area_um2 == pytest.approx(region.area)
        assert row.equivalent_diameter_um == pytest.approx(region.equivalent_diameter_area)
        assert row.axis_major_length_um == pytest.approx(region.axis_major_length, rel=0.01)
    assert table["volume_um3"].isna().all()


def test_without_a_voxel_size_only_pixels_are_filled(stack):
    labels, channels = stack
    nuclei = measure(volume_of(labels), channels, 1, None, 0)
    assert nuclei.unit == "px"
    lengths = [c for c in NUCLEI_COLUMNS if c.endswith(("_um", "_um2", "_um3"))]
    assert nuclei.table[lengths].isna().all(axis=None)
    assert nuclei.table.drop(columns=lengths).notna().all(axis=None)
    np.testing.assert_array_equal(nuclei.positions(), nuclei.table[[f"centroid_{a}_px" for a in "zyx"]])


def test_pixels_that_are_not_finite_are_left_out():
    labels = np.array([[[1, 1, 1, 2, 2]]])
    image = np.array([[[1.0, np.nan, 3.0, np.inf, np.nan]]])
    table = measure(volume_of(labels), {0: image}, 0, (1, 1, 1), 0).table
    assert table.loc[0, ["intensity_mean", "intensity_min", "intensity_max"]].tolist() == [2.0, 1.0, 3.0]
    assert table.loc[1, ["intensity_mean", "intensity_std"]].isna().all()


class CountingPlanes:
    """Planes that count how often each is read."""

    def __init__(self, image: np.ndarray) -> None:
        self.image, self.reads = image, np.zeros(len(image), int)

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, z: int) -> np.ndarray:
        self.reads[z] += 1
        return self.image[z]


def test_every_plane_is_read_at_most_once_and_empty_ones_never(stack):
    labels, channels = stack
    planes = {c: CountingPlanes(image) for c, image in channels.items()}
    measure(volume_of(labels), planes, 1, VOXEL, 0)
    for reads in (p.reads for p in planes.values()):
        assert reads.tolist() == [int(plane.any()) for plane in labels]


def test_a_stack_without_nuclei_gives_an_empty_table_of_the_same_columns(stack):
    _, channels = stack
    nuclei = measure(volume_of(np.zeros((9, 40, 50), int)), channels, 1, VOXEL, 3)
    assert len(nuclei) == 0
    assert nuclei.positions().shape == (0, 3)
    assert nuclei.table.columns[: len(NUCLEI_COLUMNS)].tolist() == list(NUCLEI_COLUMNS)
    assert nuclei.table.dtypes[list(NUCLEI_COLUMNS)].astype(str).to_dict() == dict(NUCLEI_COLUMNS)


def test_what_does_not_belong_together_is_refused(stack):
    labels, channels = stack
    with pytest.raises(EngineError, match="Channel 2 holds no image"):
        measure(volume_of(labels), channels, 2, VOXEL, 0)
    with pytest.raises(EngineError, match="8 planes but the labels 9"):
        measure(volume_of(labels), {0: channels[0][:8]}, 0, VOXEL, 0)
    with pytest.raises(EngineError, match="has shape"):
        measure(volume_of(labels), {0: channels[0][:, :30]}, 0, VOXEL, 0)


def test_positions_alone_make_nuclei():
    nuclei = Nuclei.from_positions(4, np.array([[1.0, 2.0], [3.0, 4.0]]), unit="px", volume_px=[10, 20], colour="red")
    assert nuclei.positions().tolist() == [[0, 1, 2], [0, 3, 4]]
    assert nuclei.table["label"].tolist() == [1, 2]
    assert nuclei.table["volume_px"].tolist() == [10, 20]
    assert nuclei.table["colour"].tolist() == ["red", "red"]
    assert nuclei.table["centroid_y_um"].isna().all()
    assert Nuclei.from_positions(0, []).positions().shape == (0, 3)


def test_tables_that_are_not_nuclei_are_refused():
    with pytest.raises(EngineError, match="shape"):
        Nuclei.from_positions(0, np.zeros((3, 4)))
    with pytest.raises(EngineError, match="same label"):
        Nuclei.from_positions(0, np.zeros((2, 3)), label=[1, 1])
    with pytest.raises(EngineError, match="lacks the columns"):
        Nuclei(0, pd.DataFrame({"label": [1]}))
    with pytest.raises(EngineError, match="not known"):
        Nuclei.empty(0, "mm")
