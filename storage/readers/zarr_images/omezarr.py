"""OME-Zarr 0.4 and 0.5 as input: an image group, or a group of several images."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nuset_engine.arrays import PlaneYX, StackZYX
from storage.acquisition import Acquisition
from storage.errors import StorageError, UnreadableInputError, UnsupportedInputError
from storage.naming import OWN_ATTRIBUTE
from storage.readers.completion import Completion
from storage.readers.confined import leading_out
from storage.readers.fingerprint import Extent, FreshFiles, of_content
from storage.readers.image import channel_names, first_line, origins, voxel_size
from storage.readers.length_units import micrometres, seconds
from storage.readers.names import stem
from storage.readers.xml_text import printable
from storage.readers.zarr_images import ome_beside
from storage.readers.zarr_images.chunks import Chunks
from storage.readers.zarr_images.limits import refuse_absurd
from storage.readers.zarr_images.presence import Gaps, gaps
from storage.readers.zarr_images.sound_blosc import guard

if TYPE_CHECKING:
    import zarr

_DOCUMENTS = ("zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata")


# What zarr may read of a group or an array besides its chunks.
_GROUP = ("zarr.json", ".zgroup")
_METADATA = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")


@dataclass(frozen=True)
class _Image:
    """The full-resolution array of one multiscale image, and what its metadata says."""

    array_path: str
    letters: str
    scale: tuple[float | None, ...]
    units: tuple[str | None, ...]
    name: str
    channels: tuple[str, ...]

    def length_um(self, letter: str) -> float | None:
        i = self.letters.find(letter)
        return None if i < 0 else micrometres(self.scale[i], self.units[i])


class ZarrSource:
    """Planes of one array, read by blocks of whole chunks of which the last one is kept."""

    def __init__(self, root: Path, array_path: str, letters: str) -> None:
        self._root = root
        self._array_path = array_path
        self._letters = letters
        self._array: zarr.Array[Any] | None = None
        self._block: tuple[tuple[int, int, int], StackZYX] | None = None
        self._chunks: Chunks | None = None
        self._inside: int | None = None  # a time point of which no chunk lies elsewhere
        self._former: dict[Path, str] = {}

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Return the (Y, X) plane at time point t, channel c, slice z."""
        array = self._opened()
        depth = array.chunks[self._letters.index("z")] if "z" in self._letters else 1
        key = (t, c, z // depth)
        if self._block is None or self._block[0] != key:
            if self._inside != t:
                self._refuse_links(t)
            where: dict[str, int | slice] = {"t": t, "c": c, "z": slice(key[2] * depth, (key[2] + 1) * depth)}
            index = tuple(where.get(letter, slice(None)) for letter in self._letters)
            try:
                block = np.asarray(array[index])
            except Exception as error:  # whatever a codec raises on damaged bytes
                raise StorageError(
                    f"Plane t={t} c={c} z={z} of {self._root} cannot be read ({error}): its chunks are damaged."
                ) from error
            self._block = (key, block if "z" in self._letters else block[None])
        plane = self._block[1][z % depth]
        return np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))

    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the chunks of time point t."""
        chunks = self.chunks()
        self._refuse_links(t)
        extents = [[Extent(str(path), 0, size)] for path, size in chunks.of(t)]
        with FreshFiles() as files:
            return of_content(extents, files)

    def former_fingerprint(self, t: int) -> str:
        """Return what versions before said: a hash of names, sizes and times of the chunk files."""
        folder = self._root / self._array_path
        own = [folder / "c" / str(t), folder / str(t)] if self._letters.startswith("t") else []
        start = next((path for path in own if path.is_dir()), folder)
        if start not in self._former:
            digest = hashlib.blake2b(digest_size=16)
            for path in sorted(p for p in start.rglob("*") if p.is_file() and p.name not in (".zarray", "zarr.json")):
                status = path.stat()
                digest.update(f"{path.relative_to(start)} {status.st_size} {status.st_mtime_ns}\n".encode())
            self._former[start] = f"chunks-{digest.hexdigest()}"
        return self._former[start]

    def described_by(self) -> list[Path]:
        """Return the folders and files which tell what the array is, and which of its time points are written."""
        inner, found = self._root / self._array_path, []
        for folder in [self._root, *reversed([p for p in inner.parents if p.is_relative_to(self._root)][:-1]), inner]:
            found += [folder, *(folder / name for name in _DOCUMENTS if (folder / name).is_file())]
        return [*found, self.chunks().listed]

    def forget_pixels(self) -> None:
        """Forget what was read of chunks, which may be written again."""
        self._block = self._inside = None
        self._former.clear()

    def chunks(self) -> Chunks:
        """Return where the array's chunks are."""
        if self._chunks is None:
            self._chunks = Chunks.of_array(self._root / self._array_path, self._opened(), self._letters)
        return self._chunks

    def gaps(self, time_points: Iterable[int]) -> Gaps:
        """Look which chunks of time points are absent."""
        return gaps(self.chunks(), self._opened(), self._letters, time_points)

    def close(self) -> None:
        """Forget the array; the next read opens it again."""
        self._array = self._block = self._inside = None
        self._former.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open array behind when pickled."""
        return {**self.__dict__, "_array": None, "_block": None, "_inside": None}

    def _refuse_links(self, t: int) -> None:
        _refuse_outside(self._root, self.chunks().paths(t))
        self._inside = t

    def _opened(self) -> zarr.Array[Any]:
        import zarr

        if self._array is None:
            guard()
            _refuse_outside(self._root, (self._root / self._array_path / name for name in _METADATA))
            array = zarr.open_array(store=str(self._root), path=self._array_path, mode="r")
            refuse_absurd(str(self._root), array.shape, array.chunks)
            self._array = array
        return self._array


def probe(path: Path) -> Completion:
    """Return which time points of an OME-Zarr are there: those of which each plane is, and all of them or later ones.

    Blank chunks may be absent on purpose, so what lacks a plane is taken when nothing more comes, and doubted. A time
    point without any chunk was never written.
    """
    try:
        images = open_ome_zarr(path)
    except UnsupportedInputError as error:  # there is nothing to wait for
        return Completion("complete", str(error))
    except StorageError as error:
        return Completion("incomplete", str(error))
    declared, written = images[0].size_t, set(images[0].time_points)
    for one in images[1:]:
        written &= set(one.time_points)
    found = [one.source.gaps(one.time_points) for one in images if isinstance(one.source, ZarrSource)]
    written -= {t for one in found for t in one.unwritten}
    doubtful = {t for one in found for t in one.doubtful} & written
    all_written = len(written) == declared
    if all_written and not doubtful:
        return Completion("complete", f"{path} has its metadata and arrays.", tuple(sorted(written)))
    if not all_written:  # the last may be under way
        doubtful |= {t for one in found for t in one.sparse if t == max(written, default=0)} & written
    ready, counts = tuple(sorted(written - doubtful)), (len(written), declared)
    lacks = next((f"{path} {remark}." for one in found for remark in one.remarks), "")
    reason = f"{path} holds {len(written)} of the {declared} time points that it declares."
    return Completion(
        "growing", lacks if all_written else reason, ready, *counts,
        doubtful=tuple(sorted(doubtful)), is_all_there=all_written,
    )  # fmt: skip


def open_ome_zarr(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of an OME-Zarr; a ``bioformats2raw`` group may hold several.

    Raises
    ------
    UnreadableInputError
        When it is no OME-Zarr image, or one of a kind that is not read here.
    """
    del axes  # an OME-Zarr names its axes
    try:
        groups = _groups(path)
        images = [_acquisition(path, group_path, attributes, several) for group_path, attributes, several in groups]
        return ome_beside.completed(path, images) if groups[0][0] else images
    except UnsupportedInputError as error:
        raise UnsupportedInputError(f"{path} is not read here: {error}.") from error
    except (OSError, KeyError, ValueError, TypeError, IndexError, RecursionError) as error:
        raise UnreadableInputError(f"{path} is not a readable OME-Zarr ({first_line(error)}).") from error


def is_own(path: Path) -> bool:
    """Say whether an OME-Zarr was written by this program, and so is no input."""
    if not any((path / name).exists() for name in _GROUP):  # nearly every file that is asked about; `zarr` loads long
        return False
    try:
        return OWN_ATTRIBUTE in dict(_group(path, "").attrs)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, StorageError):
        return False


def _groups(path: Path) -> list[tuple[str, Mapping[str, Any], bool]]:
    """Return (path inside, OME attributes, one of several) of each image."""
    attributes = _ome(_group(path, ""))
    if "multiscales" in attributes:
        return [("", attributes, False)]
    if "plate" in attributes:
        raise UnsupportedInputError(
            "it is a plate, which is not one image; copy the folders of its fields, such as A/1/0, to names that end "
            "in .ome.zarr"
        )
    if "bioformats2raw.layout" not in attributes:
        raise UnreadableInputError(f"{path} is a Zarr folder without an OME-Zarr image: export it as OME-Zarr.")
    found: list[tuple[str, Mapping[str, Any]]] = []
    while (path / str(len(found))).is_dir():
        found.append((str(len(found)), _ome(_group(path, str(len(found))))))
    return [(inside, one, len(found) > 1) for inside, one in found]


def _refuse_outside(root: Path, files: Iterable[Path]) -> None:
    """Refuse to read files of an OME-Zarr that are not in it."""
    elsewhere = leading_out(root, files)
    if elsewhere is not None:
        raise UnreadableInputError(
            f"{root} is not read: its {elsewhere.relative_to(root)} leads out of it, by its name or by a link; "
            "copy what it leads to into it, or export it again."
        )


def _group(path: Path, inside: str) -> zarr.Group:
    import zarr

    _refuse_outside(path, (path / inside / name for name in _METADATA))
    return zarr.open_group(store=str(path), path=inside, mode="r")


def _ome(group: zarr.Group) -> Mapping[str, Any]:
    """Return the OME attributes, wherever the version puts them."""
    attributes = dict(group.attrs)
    inside = attributes.get("ome")
    return inside if isinstance(inside, dict) else attributes


def _image(group_path: str, attributes: Mapping[str, Any]) -> _Image:
    multiscale = attributes["multiscales"][0]
    dataset = multiscale["datasets"][0]
    _refuse_versions_before_axes(group_path, attributes)
    scale: list[float | None] = [None] * len(multiscale["axes"])  # nothing stands for what is not said
    for transform in (*dataset.get("coordinateTransformations", ()), *multiscale.get("coordinateTransformations", ())):
        if transform.get("type") == "scale":
            scale = [float(b) * (1.0 if a is None else a) for a, b in zip(scale, transform["scale"], strict=True)]
    omero = attributes.get("omero") or {}
    return _Image(
        array_path=f"{group_path}/{dataset['path']}".lstrip("/"),
        letters="".join(str(axis["name"]).lower() for axis in multiscale["axes"]),
        scale=tuple(scale),
        units=tuple(axis.get("unit") for axis in multiscale["axes"]),
        name=str(multiscale.get("name") or ""),
        channels=tuple(str(channel.get("label") or "") for channel in omero.get("channels", ())),
    )


def _refuse_versions_before_axes(group_path: str, attributes: Mapping[str, Any]) -> None:
    multiscale = attributes["multiscales"][0]
    said = multiscale.get("axes")
    if said is None or not all(isinstance(axis, dict) for axis in said):
        version = multiscale.get("version") or ("0.1 or 0.2" if said is None else "0.3")
        raise UnsupportedInputError(
            f"{group_path or 'it'} is OME-Zarr {printable(str(version))}, which gives axes no units; write it as 0.4"
        )


def _acquisition(path: Path, group_path: str, attributes: Mapping[str, Any], several: bool) -> Acquisition:
    image = _image(group_path, attributes)
    source = ZarrSource(path, image.array_path, image.letters)
    array = source._opened()
    sizes = dict(zip(image.letters, array.shape, strict=True))
    if not {"y", "x"} <= set(sizes) <= set("tczyx") or list(image.letters) != sorted(image.letters, key="tczyx".index):
        raise UnsupportedInputError(
            f"its axes are {printable(', '.join(image.letters))}; write it with those of t, c, z, y, x, in this order"
        )
    if math.prod(array.shape[-2:]) == 0 or np.dtype(array.dtype).kind not in "uif":
        raise ValueError(f"its array is {array.shape} {array.dtype}")
    voxel, said = voxel_size((image.length_um("z"), image.length_um("y"), image.length_um("x")), sizes.get("z", 1))
    t = image.letters.find("t")
    interval_s = None if t < 0 else seconds(image.scale[t], image.units[t])
    return Acquisition(
        name=f"{stem(path)}_{image.name or group_path}" if several else stem(path),
        source_path=path / group_path if several else path,
        files=(path,),
        reader="ome-zarr",
        size_t=sizes.get("t", 1),
        size_c=sizes.get("c", 1),
        size_z=sizes.get("z", 1),
        size_y=sizes["y"],
        size_x=sizes["x"],
        dtype=np.dtype(array.dtype).newbyteorder("="),
        voxel_size_um=voxel,
        voxel_source=said,
        frame_interval_s=interval_s,
        origins=origins(interval_s, (), image.channels),
        channel_names=channel_names(image.channels, sizes.get("c", 1), 1),
        time_points=source.chunks().written(sizes.get("t", 1)),
        source=source,
    )


def with_gaps(image: Acquisition) -> Acquisition:
    """Return an image with the time points of which something is there, and with what they lack."""
    assert isinstance(image.source, ZarrSource)  # this reader's own
    found = image.source.gaps(image.time_points)
    times = tuple(t for t in image.time_points if t not in found.unwritten)
    return replace(image, time_points=times, remarks=tuple(f"{image.files[0]} {text}." for text in found.remarks))
