"""ImageJ's files: planes behind one page, slices that may be time points, lengths with a sign."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases import images
from cases.stored import pixels, row_of

from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers import open_acquisitions, probe, reopen
from storage.readers.tiff import chain, opening


def opened(path: Path) -> Acquisition:
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    return found


def bytes_read() -> int:
    """Bytes that this process has read from files so far."""
    said = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(said["rchar"])


def behind_one_page(path: Path, planes: int, edge: int = 1024) -> Path:
    """A hyperstack of one index and all planes behind it, mostly a hole; two planes hold their number."""
    text = f"ImageJ=1.54f\nimages={planes}\nslices=2\nframes={planes // 2}\nhyperstack=true\nspacing=2.0\nunit=um\n"
    tifffile.imwrite(path, np.zeros((edge, edge), np.uint16), description=text, metadata=None, resolution=(4.0, 2.0))
    with tifffile.TiffFile(path) as tif:
        start, size = tif.pages.first.dataoffsets[0], sum(tif.pages.first.databytecounts)
    with path.open("r+b") as file:
        file.truncate(start + planes * size)
        for n in (1, planes - 1):
            file.seek(start + n * size)
            file.write(np.full(edge, n, np.uint16).tobytes())
    return path


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the system does not count what is read")
@pytest.mark.parametrize("planes", [64, 2200])
def test_of_planes_behind_one_page_just_the_plane_is_read(tmp_path: Path, planes: int) -> None:
    """Also beyond 4 GiB, where offsets in the file's own numbers end."""
    path, size = behind_one_page(tmp_path / "a.tif", planes), 2 << 20
    assert (path.stat().st_size > 4 << 30) == (planes > 2048)
    with opened(path) as found:
        assert (found.size_t, found.size_c, found.size_z) == (planes // 2, 1, 2)
        found.plane(0, 0, 0)  # now it is open
        before = bytes_read()
        assert int(found.plane(0, 0, 1)[0, 5]) == 1
        assert int(found.plane(planes // 2 - 1, 0, 1)[0, 5]) == planes - 1
        assert bytes_read() - before < 2.1 * size
        before = bytes_read()
        found.fingerprint(0)
        assert bytes_read() - before < 2 * size


def test_slices_with_a_frame_interval_are_doubted(tmp_path: Path) -> None:
    stack = np.zeros((8, 16, 24), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX", "finterval": 30.0})
    (doubt,) = opened(tmp_path / "a.tif").doubts
    assert str(tmp_path / "a.tif") in doubt
    assert "8 slices, one time point and a frame interval of 30 s" in doubt
    assert "say --axes TYX to nusetd process, or to nusetd submit" in doubt
    for axes in ("TYX", "T", "t"):
        (found,) = open_acquisitions(tmp_path / "a.tif", axes=axes)
        assert (found.size_t, found.size_z, found.frame_interval_s) == (8, 1, 30.0)
        assert (found.origins.axes, found.doubts) == ("configured", ())


def test_axes_that_do_not_fit_are_one_sentence(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 16, 24), np.uint16), imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(UnreadableInputError, match="3 dimensions"):
        open_acquisitions(tmp_path / "a.tif", axes="TZ")


def test_axes_of_files_that_know_theirs_are_not_used_in_silence(tmp_path: Path) -> None:
    path = images.ome_zarr_04(tmp_path, np.ones((1, 1, 2, 16, 24), np.uint16))
    (found,) = open_acquisitions(path, axes="T")
    assert (found.size_t, found.size_z) == (1, 2)
    assert "the axes T that were given are not used" in found.doubts[0]


def test_time_kept_as_slices_is_found_again_from_its_row(tmp_path: Path) -> None:
    stack = np.arange(8, dtype=np.uint16)[:, None, None] * np.ones((1, 16, 24), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX", "finterval": 30.0})
    (found,) = open_acquisitions(tmp_path / "a.tif", axes="TYX")
    with reopen(replace(row_of(found), params={"axes": "TYX"}), 5) as again:
        assert int(again.plane(5, 0, 0)[3, 3]) == 5


@pytest.mark.parametrize(
    ("shape", "axes", "more"),
    [
        ((8, 16, 24), "ZYX", {}),
        ((8, 16, 24), "TYX", {"finterval": 30.0}),
        ((2, 3, 16, 24), "TZYX", {"finterval": 30.0}),
    ],
)
def test_other_hyperstacks_are_not_doubted(tmp_path: Path, shape: tuple, axes: str, more: dict) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint16), imagej=True, metadata={"axes": axes, **more})
    assert opened(tmp_path / "a.tif").doubts == ()


def test_a_negative_spacing_is_a_distance(tmp_path: Path) -> None:
    said = {"axes": "ZYX", "spacing": -1.5, "unit": "um"}
    stack = np.zeros((5, 16, 24), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(5.0, 5.0), metadata=said)
    assert opened(tmp_path / "a.tif").voxel_size_um == (1.5, 0.2, 0.2)


class Growing:
    """An ImageJ hyperstack that says its sizes at once, and gets its pages one after the other."""

    def __init__(self, path: Path, array: np.ndarray) -> None:
        t, c, z = array.shape[:3]
        self.path, self._written = path, 0
        self._planes = array.transpose(0, 2, 1, 3, 4).reshape(-1, *array.shape[-2:])
        said = {"images": t * c * z, "channels": c, "slices": z, "frames": t}
        lines = [f"{name}={value}" for name, value in said.items()]
        self._text: str | None = "\n".join(["ImageJ=1.54", *lines, "hyperstack=true", "unit=um", "spacing=2.0", ""])

    def write(self, count: int) -> None:
        with tifffile.TiffWriter(self.path, append="force" if self._written else False) as writer:
            for plane in self._planes[self._written : self._written + count]:
                writer.write(plane, description=self._text, contiguous=False, metadata=None, resolution=(2.0, 2.0))
                self._text = None
        self._written += count


def test_a_hyperstack_that_is_still_written_is_read_as_far_as_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is arranged once; whoever opens it when it is whole finds the same."""
    array = pixels(6, 2, 3)
    file = Growing(tmp_path / "a.tif", array)
    arranged: list[Path] = []
    look = opening._look_into
    monkeypatch.setattr(opening, "_look_into", lambda path, *more: (arranged.append(path), look(path, *more))[1])
    prints: list[str] = []
    for t in range(5):
        file.write(6)
        assert probe(file.path).time_points_ready == tuple(range(t + 1))
        (found,) = open_acquisitions(file.path)
        assert (found.size_t, found.size_c, found.size_z) == (6, 2, 3)
        assert (found.time_points, found.reader) == (tuple(range(t + 1)), "imagej-tiff")
        np.testing.assert_array_equal(found.plane(t, 1, 2), array[t, 1, 2])
        prints.append(found.fingerprint(t))
    assert len(arranged) == 1
    file.write(6)
    found.close()
    chain._walks.clear()
    whole = opened(file.path)
    assert len(arranged) == 2
    assert whole.time_points == tuple(range(6))
    assert [whole.fingerprint(t) for t in range(5)] == prints
    assert (whole.voxel_size_um, whole.name) == (found.voxel_size_um, found.name)
    np.testing.assert_array_equal(whole.plane(5, 1, 0), array[5, 1, 0])
    whole.close()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("images=6\nslices=4\nframes=2", "frames=2, slices=4, channels=1, but has 6 planes"),
        ("images=6\nslices=2\nframes=2", "frames=2, slices=2, channels=1, but has 6 planes"),
        ("images=3\nslices=3", "frames=1, slices=3, channels=1, but has 6 planes"),
        ("images=6\nchannels=4", "frames=1, slices=1, channels=4, but has 6 planes"),
    ],
)
def test_sizes_that_do_not_make_up_the_pages_are_asked_about(tmp_path: Path, said: str, words: str) -> None:
    """They are nowhere taken for slices of which the file would give the distance."""
    path = tmp_path / "a.tif"
    text = f"ImageJ=1.54f\n{said}\nhyperstack=true\nspacing=2.0\nunit=um\n"
    with tifffile.TiffWriter(path) as writer:
        for n in range(6):
            plane = np.full((16, 24), n, np.uint16)
            writer.write(plane, description=text if n == 0 else None, metadata=None, contiguous=False)
    with pytest.raises(UnreadableInputError, match=words) as refused:
        open_acquisitions(path)
    assert "--axes" in str(refused.value)
    for axes, sizes in (("TYX", (6, 1)), ("Z", (1, 6))):
        (found,) = open_acquisitions(path, axes=axes)
        assert (found.size_t, found.size_z, found.origins.axes) == (*sizes, "configured")
        assert int(found.plane(sizes[0] - 1, 0, sizes[1] - 1)[0, 0]) == 5
        found.close()
