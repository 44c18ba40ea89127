"""What every reader promises. A new format gets a class here and inherits all of it."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from cases import (
    czi_file,
    images,
    imaris_file,
    leica_file,
    lsm_file,
    metamorph_file,
    mmstack_file,
    ndtiff_file,
    nikon_file,
    oir_file,
    olympus_file,
    pictures,
)
from cases.stored import pixels, row_of

from storage.acquisition import Acquisition
from storage.errors import StorageError
from storage.readers import companions, discover, open_acquisitions, probe, reopen
from storage.readers.fingerprint import is_former, same_content


class ReaderContract:
    """The battery. `says_*` tell what the format can carry."""

    write: ClassVar[images.Writer]
    reader: ClassVar[str]
    name: ClassVar[str] = "embryo"
    shape: ClassVar[tuple[int, int, int]] = (3, 2, 5)  # T, C, Z
    voxel: ClassVar[tuple[float, float, float]] = (2.0, 0.5, 0.25)
    says_voxel: ClassVar[bool] = True
    says_interval: ClassVar[bool] = True
    says_names: ClassVar[bool] = True

    @pytest.fixture
    def array(self) -> np.ndarray:
        """The pixels (T, C, Z, Y, X) that are to be read."""
        t, c, z = self.shape
        return pixels(t, c, z, 33, 50)

    @pytest.fixture
    def path(self, tmp_path: Path, array: np.ndarray) -> Path:
        """The file or folder."""
        folder = tmp_path / "input"
        folder.mkdir()
        return type(self).write(folder, array)

    @pytest.fixture
    def parts(self, path: Path) -> list[Path]:
        """The files that hold it."""
        return [file for one in discover(path) for file in (one, *companions(one)) if file.is_file()]

    @pytest.fixture
    def opened(self, path: Path) -> Acquisition:
        """The one acquisition in it."""
        (found,) = open_acquisitions(path)
        return found

    def test_sizes_and_type(self, opened: Acquisition, array: np.ndarray) -> None:
        assert opened.reader == self.reader
        assert opened.name == self.name
        sizes = (opened.size_t, opened.size_c, opened.size_z, opened.size_y, opened.size_x)
        assert sizes == array.shape
        assert opened.dtype == array.dtype
        assert opened.time_points == tuple(range(array.shape[0]))

    def test_every_plane_is_the_right_one(self, opened: Acquisition, array: np.ndarray) -> None:
        with opened:
            for t, c, z in np.ndindex(array.shape[:3]):
                plane = opened.plane(t, c, z)
                np.testing.assert_array_equal(plane, array[t, c, z])
                assert plane.dtype == array.dtype

    def test_planes_in_any_order(self, opened: Acquisition, array: np.ndarray) -> None:
        with opened:
            for t, c, z in reversed(list(np.ndindex(array.shape[:3]))):
                np.testing.assert_array_equal(opened.plane(t, c, z), array[t, c, z])

    def test_slices_are_a_sequence(self, opened: Acquisition, array: np.ndarray) -> None:
        with opened:
            slices = opened.planes(0, 0)
            assert len(slices) == array.shape[2]
            np.testing.assert_array_equal(slices[-1], array[0, 0, -1])
            np.testing.assert_array_equal(np.stack(list(slices)), array[0, 0])
            np.testing.assert_array_equal(np.stack(slices[-1:]), array[0, 0, -1:])
            with pytest.raises(IndexError):
                slices[len(slices)]

    def test_what_is_not_there_is_refused(self, opened: Acquisition, array: np.ndarray) -> None:
        t, c, z = array.shape[:3]
        with opened:
            for place in ((t, 0, 0), (0, c, 0), (0, 0, z), (-1, 0, 0)):
                with pytest.raises(StorageError, match="has no"):
                    opened.plane(*place)

    def test_voxel_size_is_that_of_the_file_or_none(self, opened: Acquisition) -> None:
        if self.says_voxel:
            assert opened.voxel_size_um == pytest.approx(self.voxel)
            assert opened.voxel_source == "metadata"
        else:
            assert (opened.voxel_size_um, opened.voxel_source) == (None, "none")

    def test_a_configured_voxel_size_fills_in_only(self, path: Path) -> None:
        (found,) = open_acquisitions(path, voxel_size_um=(9, 8, 7))
        expected = ("metadata", self.voxel) if self.says_voxel else ("configured", (9.0, 8.0, 7.0))
        assert (found.voxel_source, found.voxel_size_um) == (expected[0], pytest.approx(expected[1]))

    def test_interval_and_channel_names(self, opened: Acquisition) -> None:
        assert opened.frame_interval_s == (60.0 if self.says_interval else None)
        default = tuple(f"channel {i}" for i in range(opened.size_c))
        assert opened.channel_names == (("dye 0", "dye 1") if self.says_names else default)

    def test_it_travels_to_another_process(self, opened: Acquisition, array: np.ndarray) -> None:
        opened.plane(0, 0, 0)  # its file is open now
        with pickle.loads(pickle.dumps(opened)) as copy:
            np.testing.assert_array_equal(copy.plane(0, 0, 0), array[0, 0, 0])
        opened.close()

    def test_it_can_be_read_after_closing(self, opened: Acquisition, array: np.ndarray) -> None:
        opened.plane(0, 0, 0)
        opened.close()
        np.testing.assert_array_equal(opened.plane(0, 0, 0), array[0, 0, 0])
        opened.close()

    def test_the_whole_is_complete(self, path: Path) -> None:
        assert [probe(one).state for one in discover(path)] == ["complete"] * len(discover(path))

    def test_fingerprints_hold_while_nothing_changes(self, path: Path, opened: Acquisition) -> None:
        (again,) = open_acquisitions(path)
        with opened, again:
            for t in opened.time_points:
                assert opened.fingerprint(t) == again.fingerprint(t)

    def test_fingerprints_change_with_the_pixels(
        self, tmp_path: Path, path: Path, opened: Acquisition, array: np.ndarray
    ) -> None:
        with opened:
            before = [opened.fingerprint(t) for t in opened.time_points]
        type(self).write(tmp_path / "input", array[::-1, :, :, ::-1] + 1)
        (changed,) = open_acquisitions(path)
        with changed:
            assert all(a != changed.fingerprint(t) for t, a in enumerate(before))

    def test_touching_or_copying_changes_no_fingerprint(self, tmp_path: Path, path: Path, opened: Acquisition) -> None:
        with opened:
            before = [opened.fingerprint(t) for t in opened.time_points]
        for file in (tmp_path / "input").rglob("*"):
            os.utime(file)
        shutil.copytree(tmp_path / "input", tmp_path / "elsewhere")
        for place in ("input", "elsewhere"):
            (again,) = open_acquisitions(tmp_path / place / path.relative_to(tmp_path / "input"))
            with again:
                assert [again.fingerprint(t) for t in again.time_points] == before

    def test_one_changed_time_point_changes_one_fingerprint(
        self, tmp_path: Path, opened: Acquisition, array: np.ndarray
    ) -> None:
        with opened:
            before = [opened.fingerprint(t) for t in opened.time_points]
        changed = array.copy()
        changed[-1] += 1
        (again,) = open_acquisitions(type(self).write(tmp_path / "input", changed))
        with again:
            differ = [t for t in again.time_points if again.fingerprint(t) != before[t]]
        assert differ == [len(array) - 1]

    def test_what_versions_before_wrote_is_understood(
        self, tmp_path: Path, path: Path, opened: Acquisition, array: np.ndarray
    ) -> None:
        with opened:
            stored = {t: opened.former_fingerprint(t) for t in opened.time_points}
            assert all(is_former(text) for text in stored.values())
            for t, text in stored.items():
                assert same_content(text, opened.fingerprint(t), opened.former_fingerprint(t))
        type(self).write(tmp_path / "input", array + 1)
        (changed,) = open_acquisitions(path)
        with changed:
            for t, text in stored.items():
                assert not same_content(text, changed.fingerprint(t), changed.former_fingerprint(t))

    def test_it_is_described_in_plain_values(self, opened: Acquisition) -> None:
        said = pickle.loads(pickle.dumps(opened.description))
        assert {one.name for one in fields(said)} == {one.name for one in fields(opened)} - {"source"}
        assert (said.name, said.time_points, said.voxel_size_um) == (
            opened.name,
            opened.time_points,
            opened.voxel_size_um,
        )
        assert said.origins.frame_interval in (("metadata", "measured") if self.says_interval else ("none",))
        assert said.origins.channel_names == ("metadata" if self.says_names else "none")

    def test_it_is_found_again_from_its_row(self, opened: Acquisition, array: np.ndarray) -> None:
        t = array.shape[0] - 1
        with reopen(row_of(opened), t) as again:
            assert t in again.time_points
            np.testing.assert_array_equal(again.plane(t, 0, 0), array[t, 0, 0])
            assert again.voxel_size_um == opened.voxel_size_um
            assert again.fingerprint(t) == opened.fingerprint(t)
        opened.close()

    def test_a_file_cut_at_any_tenth_is_never_complete(self, path: Path, parts: list[Path]) -> None:
        """Of each kind of file that it is made of, one is cut."""
        for part in {one.suffix: one for one in parts}.values():
            content = part.read_bytes()
            for tenths in range(10):
                part.write_bytes(content[: len(content) * tenths // 10])
                verdicts = [probe(one) for one in discover(path)]
                assert any(verdict.state != "complete" for verdict in verdicts), (part, tenths)
                for verdict in verdicts:
                    assert str(path) in verdict.reason
                    assert "\n" not in verdict.reason
            part.write_bytes(content)
        assert all(probe(one).state == "complete" for one in discover(path))

    def test_what_is_cut_is_refused_in_one_sentence_or_read_as_far_as_it_is_whole(
        self, path: Path, parts: list[Path], array: np.ndarray
    ) -> None:
        if not parts:
            pytest.skip("an OME-Zarr is no file")
        content = parts[-1].read_bytes()
        parts[-1].write_bytes(content[: len(content) // 2])
        if probe(discover(path)[0]).time_points_ready is None or len(discover(path)) > 1:
            with pytest.raises(StorageError) as caught:
                open_acquisitions(path)
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)
            return
        for one in open_acquisitions(path):
            with one:
                for t in one.time_points:
                    np.testing.assert_array_equal(one.plane(t, 0, 0), array[t, 0, 0])

    def test_a_source_that_is_gone_is_one_sentence(self, path: Path, opened: Acquisition) -> None:
        row = row_of(opened)
        for file in [path] if path.exists() else companions(path):
            file.rename(file.with_name(f"moved away {file.name}.old"))
        with pytest.raises(StorageError, match=r"bring it back|it is gone"):
            reopen(row, 0)


class TestOmeTiff(ReaderContract):
    write = staticmethod(images.ome_tiff)
    reader = "ome-tiff"


class TestCompressedTiledOmeTiff(ReaderContract):
    write = staticmethod(images.ome_tiff_compressed)
    reader = "ome-tiff"


class TestOmeTiffWithTimeFastest(ReaderContract):
    write = staticmethod(images.ome_tiff_other_order)
    reader = "ome-tiff"
    says_names = False


class TestImagejTiff(ReaderContract):
    write = staticmethod(images.imagej_tiff)
    reader = "imagej-tiff"
    says_names = False


class TestTiffWithAxes(ReaderContract):
    write = staticmethod(images.tiff_with_axes)
    reader = "tiff"
    says_voxel = says_interval = says_names = False


class TestPlainTiff(ReaderContract):
    write = staticmethod(images.plain_tiff)
    reader = "tiff"
    shape = (1, 1, 5)
    says_voxel = says_interval = says_names = False


class TestSinglePlane(ReaderContract):
    write = staticmethod(images.plain_tiff)
    reader = "tiff"
    shape = (1, 1, 1)
    says_voxel = says_interval = says_names = False


class TestTiffSeries(ReaderContract):
    write = staticmethod(images.tiff_series)
    reader = "tiff-sequence"
    says_interval = says_names = False


class TestOmeZarr04(ReaderContract):
    write = staticmethod(images.ome_zarr_04)
    reader = "ome-zarr"


class TestOmeZarr05(ReaderContract):
    write = staticmethod(images.ome_zarr_05)
    reader = "ome-zarr"


class TestCzi(ReaderContract):
    write = staticmethod(czi_file.czi)
    reader = "czi"


class TestCziZstd(ReaderContract):
    write = staticmethod(czi_file.czi_zstd)
    reader = "czi"


class TestCziZstdWithBytesApart(ReaderContract):
    write = staticmethod(czi_file.czi_zstd_shuffled)
    reader = "czi"


class TestOif(ReaderContract):
    write = staticmethod(olympus_file.oif)
    reader = "oif"


class TestOib(ReaderContract):
    write = staticmethod(olympus_file.oib)
    reader = "oib"


class TestNdtiff(ReaderContract):
    write = staticmethod(ndtiff_file.ndtiff)
    reader = "ndtiff"
    voxel = (2.0, 0.5, 0.5)


class TestLif(ReaderContract):
    write = staticmethod(leica_file.lif)
    reader = "lif"


class TestNd2(ReaderContract):
    write = staticmethod(nikon_file.nd2)
    reader = "nd2"
    voxel = (2.0, 0.5, 0.5)


class TestOir(ReaderContract):
    write = staticmethod(oir_file.oir)
    reader = "oir"


class TestOirInParts(ReaderContract):
    write = staticmethod(oir_file.oir_in_parts)
    reader = "oir"


class TestLsm(ReaderContract):
    write = staticmethod(lsm_file.lsm)
    reader = "lsm"


class TestLsmWithOneChannel(ReaderContract):
    write = staticmethod(lsm_file.lsm)
    reader = "lsm"
    shape = (2, 1, 4)

    def test_interval_and_channel_names(self, opened: Acquisition) -> None:
        assert (opened.frame_interval_s, opened.channel_names) == (60.0, ("dye 0",))


class TestMmstack(ReaderContract):
    write = staticmethod(mmstack_file.mmstack)
    reader = "micromanager"
    voxel = (2.0, 0.5, 0.5)


class TestMmstackInParts(ReaderContract):
    write = staticmethod(mmstack_file.mmstack_in_parts)
    reader = "micromanager"
    name = "e_MMStack_Pos0"
    voxel = (2.0, 0.5, 0.5)


class TestTiffPlanes(ReaderContract):
    write = staticmethod(images.tiff_planes)
    reader = "tiff-planes"
    says_voxel = says_interval = says_names = False


class TestStk(ReaderContract):
    write = staticmethod(metamorph_file.stk)
    reader = "stk"
    shape = (1, 1, 5)
    says_interval = says_names = False


class TestStkInTime(ReaderContract):
    write = staticmethod(metamorph_file.stk_in_time)
    reader = "stk"
    shape = (3, 1, 1)
    voxel = (0.5, 0.5, 0.25)
    says_names = False


class TestMetamorphExperiment(ReaderContract):
    write = staticmethod(metamorph_file.nd)
    reader = "metamorph"


class TestImaris(ReaderContract):
    write = staticmethod(imaris_file.ims)
    reader = "ims"


class TestPng(ReaderContract):
    write = staticmethod(pictures.png)
    reader = "png"
    shape = (1, 1, 1)
    says_voxel = says_interval = says_names = False


class TestPngInColour(ReaderContract):
    write = staticmethod(pictures.png)
    reader = "png"
    shape = (1, 3, 1)
    says_voxel = says_interval = says_names = False

    def test_interval_and_channel_names(self, opened: Acquisition) -> None:
        assert (opened.frame_interval_s, opened.channel_names) == (None, ("red", "green", "blue"))


class TestPngSeries(ReaderContract):
    write = staticmethod(pictures.png_series)
    reader = "png-sequence"
    shape = (3, 1, 1)
    says_voxel = says_interval = says_names = False


class TestPngPlanes(ReaderContract):
    write = staticmethod(pictures.png_planes)
    reader = "picture-planes"
    says_voxel = says_interval = says_names = False


class TestJpeg(ReaderContract):
    """Its values are those that the codec gives, so they are nearly those that were written."""

    write = staticmethod(pictures.jpeg)
    reader = "jpeg"
    shape = (1, 1, 1)
    says_voxel = says_interval = says_names = False

    @pytest.fixture
    def array(self) -> np.ndarray:
        """A ramp, which JPEG keeps as it is."""
        ramp = np.add.outer(2 * np.arange(32), 2 * np.arange(48))
        return ramp[None, None, None].astype(np.uint8) // 2 * 2
