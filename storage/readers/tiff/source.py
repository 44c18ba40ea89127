"""TIFF in the dialects that microscopes and their programs write: OME-TIFF, ImageJ, LSM, plain."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.acquisition import Acquisition
from storage.errors import StorageError, UnreadableInputError
from storage.readers.axes import Axes, arranged
from storage.readers.fingerprint import fingerprint
from storage.readers.image import LARGEST_PLANE_PIXELS, channel_names, interval_of, voxel_size
from storage.readers.names import stem
from storage.readers.tiff import metadata

if TYPE_CHECKING:
    import tifffile

# tifffile logs what it meets; whether a file is sound is decided by `tiff_probe`, and said once.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

# Where a page of a growing file is sampled to see whether it changed.
SAMPLE_BYTES = 4096


class TiffSource:
    """Planes of one series of a TIFF."""

    def __init__(self, path: Path, series_index: int, axes: Axes, files: tuple[Path, ...], dtype: np.dtype) -> None:
        self._path = path
        self._series_index = series_index
        self._axes = axes
        self._files = files
        self._dtype = dtype
        self._tif: tifffile.TiffFile | None = None

    def plane(self, t: int, c: int, z: int) -> np.ndarray:
        """Return the (Y, X) plane at time point t, channel c, slice z."""
        try:
            page = self._page(self._axes.page_index(t, c, z)).reshape(self._axes.page_shape)
        except Exception as error:  # whatever damaged bytes make tifffile or a codec raise
            raise StorageError(
                f"Plane t={t} c={c} z={z} of {self._path} cannot be read ({error}): "
                "the file is damaged or was replaced."
            ) from error
        plane = page[self._axes.inside(t, c, z)]
        return np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))

    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the files, or in a time series of the pages of time point t.

        In a file with several time points each has its own, so that appending to the file changes none of the old ones.
        """
        if self._axes.size("T") == 1:
            return fingerprint(self._files)
        digest = hashlib.blake2b(digest_size=16)
        per_page = self._axes.size("S")
        for c in range(0, self._axes.size_c, per_page):
            for z in range(self._axes.size("Z")):
                digest.update(self._sampled(self._axes.page_index(t, c, z)))
        return f"pages-{digest.hexdigest()}"

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._tif is not None:
            self._tif.close()
            self._tif = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when pickled."""
        return {**self.__dict__, "_tif": None}

    def _series(self) -> Any:
        if self._tif is None:
            self._tif = opened(self._path)
        return self._tif.series[self._series_index]

    def _page(self, index: int) -> np.ndarray:
        series = self._series()
        offset = series.dataoffset
        if offset is None:
            page = series[index]
            if page is None:
                raise ValueError("the file does not hold it")
            with _opened_for(page):
                return page.asarray()
        # Pixels lie in one run, maybe behind a single page (ImageJ beyond 4 GB): read just the plane's bytes.
        handle = series[0].parent.filehandle
        count = int(np.prod(self._axes.page_shape))
        dtype = self._dtype.newbyteorder(series[0].parent.byteorder)
        handle.seek(offset + index * count * dtype.itemsize)
        data = handle.read(count * dtype.itemsize)
        return np.frombuffer(data, dtype=dtype, count=count)

    def _sampled(self, index: int) -> bytes:
        """Return the place of a page's pixels and their first bytes."""
        series = self._series()
        if series.dataoffset is not None:
            count = int(np.prod(self._axes.page_shape)) * self._dtype.itemsize
            handle, start = series[0].parent.filehandle, series.dataoffset + index * count
        else:
            page = series[index]
            if page is None or not page.dataoffsets:
                return b"absent"
            start, count = page.dataoffsets[0], sum(page.databytecounts)
            with _opened_for(page) as handle:
                handle.seek(start)
                return f"{start} {count} ".encode() + handle.read(min(count, SAMPLE_BYTES))
        handle.seek(start)
        return f"{start} {count} ".encode() + handle.read(min(count, SAMPLE_BYTES))


@contextmanager
def _opened_for(page: Any) -> Iterator[Any]:
    """Give the open file of a page: tifffile closes the further files of an image once it has found their pages."""
    handle = page.parent.filehandle
    was_closed = handle.closed
    if was_closed:
        handle.open()
    try:
        yield handle
    finally:
        if was_closed:
            handle.close()


def opened(path: Path) -> tifffile.TiffFile:
    """Open a file so that pages which were written one by one come as the one stack that they are."""
    import tifffile

    tif = tifffile.TiffFile(path)
    if tif.is_shaped and len(tif.series) > 1:  # tifffile's writer, called for each page, describes each as an image
        tif.close()
        tif = tifffile.TiffFile(path, is_shaped=False)
    return tif


def _images_of(tif: tifffile.TiffFile) -> list[int]:
    """Indices of the series that are images: all but smaller copies and the previews of LSM."""
    if tif.is_lsm:
        return [0]
    return [i for i, series in enumerate(tif.series) if not (i and series.keyframe.is_reduced)]


def open_tiff(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of a TIFF: one, or several where its pages differ in shape or OME-XML says so.

    Raises
    ------
    UnreadableInputError
        When it holds nothing that is an image of this kind.
    """
    try:
        with opened(path) as tif:
            indices = _images_of(tif)
            images = [
                image
                for i in indices
                for image in _acquisitions(path, i, tif.series[i], metadata.read(tif, i), axes, len(indices) > 1)
            ]
    except UnreadableInputError:
        raise
    except Exception as error:  # damaged bytes make tifffile raise whatever its arithmetic stumbles over
        raise UnreadableInputError(f"{path} cannot be read as a TIFF ({error}): export it again.") from error
    if not images:
        raise UnreadableInputError(f"{path} is a TIFF without an image: export it again.")
    return images


def _acquisitions(
    path: Path, index: int, series: Any, said: metadata.Metadata, given: str | None, several: bool
) -> list[Acquisition]:
    """Return the acquisitions in one series: one, or one for each position."""
    arrangement = arranged(series.axes, series.shape, len(series), given, str(path))
    places = arrangement.positions
    if len(places) == 1:
        return [_acquisition(path, index, str(index) if several else "", series, said, places[0])]
    where = [" ".join(f"{letter}{n}" for letter, n in axes.fixed) for axes in places]
    return [
        _acquisition(path, index, f"{index} {name}" if several else name, series, said, axes)
        for name, axes in zip(where, places, strict=True)
    ]


def _acquisition(path: Path, index: int, own: str, series: Any, said: metadata.Metadata, axes: Axes) -> Acquisition:
    """Return one acquisition; `own` is what tells it from others in the same file."""
    dtype = np.dtype(series.dtype)
    if math.prod(axes.page_shape) > LARGEST_PLANE_PIXELS:
        raise UnreadableInputError(f"{path} claims planes of {axes.page_shape} pixels: it is damaged, export it again.")
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise UnreadableInputError(f"{path} holds pixels of type {dtype}: export it as 8 or 16 bit grey values.")
    files = tuple(sorted({Path(page.parent.filehandle.path) for page in series if page is not None})) or (path,)
    first = path if len(files) == 1 else files[0]  # every file of a set leads to the same acquisition
    voxel, source = voxel_size(said.voxel_um, axes.size("Z"))
    return Acquisition(
        name=f"{stem(first)}_{said.image_name if said.image_name and not axes.fixed else own}" if own else stem(first),
        source_path=first.with_name(f"{first.name}#{own}") if own else first,
        files=files,
        reader=said.dialect,
        size_t=axes.size("T"),
        size_c=axes.size_c,
        size_z=axes.size("Z"),
        size_y=axes.size("Y"),
        size_x=axes.size("X"),
        dtype=dtype.newbyteorder("="),
        voxel_size_um=voxel,
        voxel_source=source,
        frame_interval_s=said.interval_s or interval_of(said.time_stamps_s),
        channel_names=channel_names(said.channel_names, axes.size_c, axes.size("S")),
        time_points=tuple(range(axes.size("T"))),
        source=TiffSource(path, index, axes, files, dtype),
        time_stamps_s=said.time_stamps_s if len(said.time_stamps_s) == axes.size("T") else (),
        started_at=said.started_at,
    )
