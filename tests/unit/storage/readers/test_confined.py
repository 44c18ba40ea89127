"""Files that name others, and folders with links: nothing outside the folder of a source is ever opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr
from cases import images
from cases.stored import pixels

from storage.acquisition import Acquisition
from storage.errors import StorageError, UnreadableInputError
from storage.omezarr.image_store import ImageStore
from storage.readers import is_own, open_acquisitions, probe
from storage.readers.confined import leading_out

_opened: list[str] = []
_watching = [False]


def _note(event: str, arguments: tuple) -> None:
    if _watching[0] and event == "open" and isinstance(arguments[0], str | os.PathLike):
        _opened.append(os.path.realpath(arguments[0]))


sys.addaudithook(_note)


@pytest.fixture
def opened() -> Iterator[Callable[[Path], bool]]:
    """Say whether a file, or one in a folder, was opened during the test, by whatever name."""
    _opened.clear()
    _watching[0] = True
    yield lambda path: any(Path(name).is_relative_to(path.resolve()) for name in _opened)
    _watching[0] = False


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder that nobody gave to the service, with an OME-TIFF of the same size as the images."""
    folder = tmp_path / "private"
    folder.mkdir()
    images.ome_tiff_files(folder, pixels(2)[:, :1])
    (folder / "embryo-1.ome.tif").rename(folder / "secret.ome.tif")
    return folder


def naming(folder: Path, name: str) -> Path:
    """An OME-TIFF whose second time point is said to lie in the file of this name."""
    folder.mkdir(exist_ok=True)
    path = images.ome_tiff_files(folder, pixels(2)[:, :1])
    (folder / "embryo-1.ome.tif").unlink()
    text = path.read_bytes()
    before, after = b'FileName="embryo-1.ome.tif"', f'FileName="{name}"'.encode()
    # The description may become longer: it is put behind everything, where the first page then finds it.
    start, end = text.index(b"<?xml"), text.index(b"</OME>") + 6
    changed = text[start:end].replace(before, after) + b"\0"
    content = bytearray(text)
    at = text.index((270).to_bytes(2, "little"), 8)
    content[at + 4 : at + 8] = len(changed).to_bytes(4, "little")
    content[at + 8 : at + 12] = len(text).to_bytes(4, "little")
    path.write_bytes(content + changed)
    return path


@pytest.mark.parametrize(
    "form", ["../private/secret.ome.tif", "{private}/secret.ome.tif", "a/../../private/secret.ome.tif"]
)
def test_an_ome_tiff_opens_no_file_outside_its_folder(
    tmp_path: Path, private: Path, form: str, opened: Callable[[Path], bool]
) -> None:
    path = naming(tmp_path / "in", form.format(private=private))
    _opened.clear()
    probe(path)
    try:
        _read_all(path, lambda image, t: (image.plane(t, 0, 0), image.fingerprint(t)))
    except StorageError as error:
        assert "export it" in str(error)  # noqa: PT017  # planes of its own may also be read without the others
    assert opened(path)
    assert not opened(private)


def test_a_link_beside_an_ome_tiff_leads_nowhere_else(
    tmp_path: Path, private: Path, opened: Callable[[Path], bool]
) -> None:
    path = naming(tmp_path / "in", "embryo-1.ome.tif")
    os.symlink(private / "secret.ome.tif", path.with_name("embryo-1.ome.tif"))
    _opened.clear()
    with pytest.raises(UnreadableInputError, match="not in its folder and is not opened"):
        open_acquisitions(path)
    assert not opened(private)


def test_links_to_a_whole_set_are_read(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    images.ome_tiff_files(there, pixels(2))
    for name in ("embryo-0.ome.tif", "embryo-1.ome.tif"):
        os.symlink(there / name, here / name)
    (image,) = open_acquisitions(here / "embryo-0.ome.tif")
    with image:
        np.testing.assert_array_equal(image.plane(1, 0, 2), pixels(2)[1, 0, 2])


def test_an_index_beside_a_tiff_is_not_followed(tmp_path: Path) -> None:
    """The library takes any TIFF with the mark of an NDTiff for one, and opens what an index names."""
    from storage.readers.tiff.source import opened as opened_by_library

    path = images.ome_tiff(tmp_path, pixels(1))
    with opened_by_library(path) as tif:
        assert not tif.is_ndtiff
        assert "is_ndtiff" in tif.__dict__  # said, not found out


@pytest.fixture(params=["0.4", "0.5"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A foreign OME-Zarr with two levels."""
    path = tmp_path / "in" / "raw.ome.zarr"
    path.parent.mkdir()
    group = zarr.open_group(path, mode="w", zarr_format={"0.4": 2, "0.5": 3}[request.param])
    data = pixels(2)[:, 0]
    for name, step in (("full", 1), ("half", 2)):
        small = data[:, :, ::step, ::step]
        group.create_array(name, data=small, chunks=(1, 1, *small.shape[2:]))
    axes = [{"name": "t", "type": "time"}, *({"name": letter, "type": "space"} for letter in "zyx")]
    levels = [
        {"path": name, "coordinateTransformations": [{"type": "scale", "scale": [1, 1, f, f]}]}
        for name, f in (("full", 1), ("half", 2))
    ]
    content = {"multiscales": [{"axes": axes, "datasets": levels}]}
    if request.param == "0.4":
        group.attrs.update(content)
    else:
        group.attrs["ome"] = {"version": "0.5", **content}
    return path


def _away(path: Path, private: Path) -> None:
    """Move a file or folder out, and leave a link to it."""
    path.rename(private / "taken")
    os.symlink(private / "taken", path)


def _chunk(array: Path) -> Path:
    return max((path for path in array.rglob("*") if path.is_file() and path.name[0] not in "z."), key=str)


def _there(*paths: Path) -> Path:
    return next(path for path in paths if path.exists())


def _read_all(path: Path, read: Callable[[Acquisition, int], object]) -> None:
    for image in open_acquisitions(path):
        with image:
            for t in image.time_points:
                read(image, t)


LINKS: dict[str, Callable[[Path], Path]] = {
    "array": lambda store: store / "full",
    "metadata of the array": lambda store: _there(store / "full/.zarray", store / "full/zarr.json"),
    "attributes": lambda store: _there(store / ".zattrs", store / "zarr.json"),
    "chunk": lambda store: _chunk(store / "full"),
    "folder of chunks": lambda store: _chunk(store / "full").parent,
}


@pytest.mark.parametrize("which", LINKS)
def test_links_out_of_an_ome_zarr_are_not_followed(
    foreign: Path, private: Path, which: str, opened: Callable[[Path], bool]
) -> None:
    _away(LINKS[which](foreign), private)
    _opened.clear()
    assert not is_own(foreign)
    probe(foreign)
    with pytest.raises(StorageError, match="leads out of it"):
        _read_all(foreign, lambda image, t: image.fingerprint(t))
    with pytest.raises(StorageError, match="leads out of it"):
        _read_all(foreign, lambda image, t: [image.plane(t, 0, z) for z in range(image.size_z)])
    assert not opened(private)


def test_links_that_stay_inside_and_a_link_to_the_whole_are_read(foreign: Path, tmp_path: Path) -> None:
    (foreign / "full").rename(foreign / "elsewhere")
    os.symlink("elsewhere", foreign / "full")
    os.symlink(foreign, tmp_path / "link.ome.zarr")
    (image,) = open_acquisitions(tmp_path / "link.ome.zarr")
    np.testing.assert_array_equal(image.plane(1, 0, 2), pixels(2)[1, 0, 2])


@pytest.mark.parametrize("path", ["../private", "/etc", "full/../../private"])
def test_arrays_outside_are_neither_read_nor_referred_to(
    foreign: Path, private: Path, tmp_path: Path, path: str, opened: Callable[[Path], bool]
) -> None:
    image = open_acquisitions(foreign)[0]
    group = zarr.open_group(foreign, mode="r+")
    attributes = dict(group.attrs)
    ome = attributes.get("ome", attributes)
    ome["multiscales"][0]["datasets"][1]["path"] = path  # type: ignore[index,call-overload]
    group.attrs.update(attributes)
    with pytest.raises(StorageError, match="is not in it; let the image be copied"):
        ImageStore.create(tmp_path / "out" / "raw.ome.zarr", image, image="reference")
    assert not (tmp_path / "out" / "raw.ome.zarr").exists()
    ome["multiscales"][0]["datasets"][0]["path"] = path  # type: ignore[index,call-overload]
    group.attrs.update(attributes)
    _opened.clear()
    with pytest.raises(StorageError):
        open_acquisitions(foreign)
    assert not opened(private)


def test_a_level_that_is_a_link_is_not_referred_to(foreign: Path, private: Path, tmp_path: Path) -> None:
    image = open_acquisitions(foreign)[0]
    _away(foreign / "half", private)
    with pytest.raises(StorageError, match="'half' is not in it"):
        ImageStore.create(tmp_path / "out" / "raw.ome.zarr", image, image="reference")


def test_what_leads_out(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    (folder / "inside").mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    os.symlink("inside", folder / "stays")
    os.symlink("../ab", folder / "leaves")
    os.symlink("loop", folder / "loop")
    for good in ("x", "inside/x", "stays/x", "inside/../x", "absent/x"):
        assert leading_out(folder, [folder / good]) is None
    for bad in ("../ab", "../ab/x", "leaves", "leaves/x", "..", "inside/../../x", "/etc/passwd"):
        assert leading_out(folder, [folder / "x", folder / bad]) == folder / bad
