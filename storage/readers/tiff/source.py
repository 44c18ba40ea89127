"""TIFF in the dialects that microscopes and their programs write: OME-TIFF, ImageJ, LSM, plain."""

from __future__ import annotations

import logging
import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nuset_engine.arrays import Pixels, PlaneYX
from storage.acquisition import Acquisition
from storage.errors import StorageError, UnreadableInputError
from storage.readers.axes import Axes, arranged
from storage.readers.fingerprint import Extent, FreshFiles, fingerprint, gone, of_content, of_page_starts
from storage.readers.image import LARGEST_PLANE_PIXELS, channel_names, interval_of, origins, voxel_size
from storage.readers.names import stem
from storage.readers.tiff import metadata
from storage.readers.tiff.chain import BrokenChainError, TiffFormat, Walk, runs_of_pixels, walked

if TYPE_CHECKING:
    import tifffile

# tifffile logs what it meets; whether a file is sound is decided by `tiff_probe`, and said once.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class PageIndex:
    """Where the indices of an image's pages are in its file.

    Attributes
    ----------
    offsets : array of uint64
        Those of the file's pages; of a file that grows, it grows too.
    first : int
        The page of the file that is the first of the image.
    form : TiffFormat
        How the file writes numbers.
    """

    offsets: array[int]
    first: int
    form: TiffFormat

    def of(self, page: int) -> int:
        """Return the offset of the index of a page of the image.

        Raises
        ------
        IndexError
            When it is not there, or not yet.
        """
        return self.offsets[self.first + page]


class TiffSource:
    """Planes of one series of a TIFF.

    Where it is known where the pages are (`pages`), just the ones that are asked for are looked at; else the library
    finds them, in a look at all pages of the file.
    """

    def __init__(
        self,
        path: Path,
        series_index: int,
        axes: Axes,
        files: tuple[Path, ...],
        dtype: np.dtype,
        pages: PageIndex | None = None,
    ) -> None:
        self._path = path
        self._series_index = series_index
        self._axes = axes
        self._files = files
        self._dtype = dtype
        self._pages = pages
        self._tif: tifffile.TiffFile | None = None

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
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
        """Return the fingerprint of the pages of time point t, as they lie at the path now."""
        with FreshFiles() as files:
            return of_content(self._extents(t), files)

    def former_fingerprint(self, t: int) -> str:
        """Return what versions before said: of the files, or in a time series of the starts of its pages."""
        if self._axes.size("T") == 1:
            return fingerprint(self._files)
        pages = [(f"{_start(runs)} {_length(runs)} " if runs else "absent", runs) for runs in self._extents(t)]
        with FreshFiles() as files:
            return of_page_starts(pages, files)

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._tif is not None:
            self._tif.close()
            self._tif = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when pickled."""
        return {**self.__dict__, "_tif": None}

    def _file(self) -> tifffile.TiffFile:
        if self._tif is None:
            import tifffile

            self._tif = opened(self._path) if self._pages is None else tifffile.TiffFile(self._path)
        return self._tif

    def _series(self) -> tifffile.TiffPageSeries:
        return self._file().series[self._series_index]

    def _page(self, index: int) -> Pixels:
        if self._pages is not None:
            import tifffile

            file = self._file()
            file.filehandle.seek(self._pages.of(index))
            return tifffile.TiffPage(file, index=index).asarray()
        series = self._series()
        offset = series.dataoffset
        if offset is None:
            page = series[index]
            if page is None:
                raise ValueError("the file does not hold it")
            with _opened_for(page):
                return page.asarray()
        # Pixels lie in one run, maybe behind a single page (ImageJ beyond 4 GB): read just the plane's bytes.
        whole = _first_page(series).parent
        handle = whole.filehandle
        count = int(np.prod(self._axes.page_shape))
        dtype = self._dtype.newbyteorder(whole.byteorder)
        handle.seek(offset + index * count * dtype.itemsize)
        data = handle.read(count * dtype.itemsize)
        return np.frombuffer(data, dtype=dtype, count=count)

    def _extents(self, t: int) -> list[list[Extent]]:
        """Return where the bytes of each page of a time point are; nothing for one that is absent."""
        per_page = self._axes.size("S")
        places = [(c, z) for c in range(0, self._axes.size_c, per_page) for z in range(self._axes.size("Z"))]
        return [self._runs(self._axes.page_index(t, c, z)) for c, z in places]

    def _runs(self, index: int) -> list[Extent]:
        if self._pages is not None:
            try:
                runs = runs_of_pixels(self._path, self._pages.form, self._pages.of(index))
            except (BrokenChainError, IndexError):
                return []
            except OSError as error:
                raise gone(self._path, error) from error
            return [Extent(str(self._path), *run) for run in runs]
        series = self._series()
        if series.dataoffset is not None:
            count = int(np.prod(self._axes.page_shape)) * self._dtype.itemsize
            return [Extent(str(_first_page(series).parent.filehandle.path), series.dataoffset + index * count, count)]
        page = series[index]
        if page is None:
            return []
        file = str(page.parent.filehandle.path)
        return [Extent(file, *run) for run in zip(page.dataoffsets, page.databytecounts, strict=False)]


def _first_page(series: tifffile.TiffPageSeries) -> tifffile.TiffPage | tifffile.TiffFrame:
    page = series[0]
    if page is None:
        raise ValueError("the file does not hold its first page")
    return page


def _start(runs: list[Extent]) -> int:
    return runs[0].offset


def _length(runs: list[Extent]) -> int:
    return sum(run.length for run in runs)


@contextmanager
def _opened_for(page: tifffile.TiffPage | tifffile.TiffFrame) -> Iterator[tifffile.FileHandle]:
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


@dataclass(frozen=True)
class _Found:
    """The images that were found in a file of so many pages; `grows` where the next pages will be further planes."""

    images: list[Acquisition]
    pages: int
    grows: bool

    def holds(self, pages: int) -> bool:
        """Say whether this is true of the same file with so many pages."""
        return pages == self.pages or (self.grows and pages > self.pages)


def open_tiff(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of a TIFF: one, or several where its pages differ in shape or OME-XML says so.

    What was found in it before is taken up again where the same file lies there.

    Raises
    ------
    UnreadableInputError
        When it holds nothing that is an image of this kind.
    """
    try:
        walk = walked(path)
        found = walk.notes.get(axes)
        if found is None or not found.holds(len(walk.offsets)):
            found = walk.notes[axes] = _look_into(path, axes, walk)
    except UnreadableInputError:
        raise
    except Exception as error:  # damaged bytes make tifffile raise whatever its arithmetic stumbles over
        raise UnreadableInputError(f"{path} cannot be read as a TIFF ({error}): export it again.") from error
    if not found.images:
        raise UnreadableInputError(f"{path} is a TIFF without an image: export it again.")
    return found.images


def _look_into(path: Path, axes: str | None, walk: Walk) -> _Found:
    """Have the library arrange the pages, and note where they are."""
    images, grows = [], False
    with opened(path) as tif:
        indices = _images_of(tif)
        for i in indices:
            said = metadata.read(tif, i)
            pages, missing = _pages_of(path, tif, tif.series[i], walk)
            grows = len(indices) == 1 and missing and pages is not None and said.in_order
            pages = pages if grows or not missing else None
            images += _acquisitions(path, i, tif.series[i], said, axes, len(indices) > 1, pages)
    return _Found(images, len(walk.offsets), grows)


def _pages_of(
    path: Path, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, walk: Walk
) -> tuple[PageIndex | None, bool]:
    """Return where the pages of a series are, and whether some of them are not there (yet).

    None where they are not pages of this file alone, as for images in several files, planes behind a single page, and
    LSM, whose numbers have to be mended by the library.
    """
    place = {offset: i for i, offset in enumerate(walk.offsets)}
    behind_one_page = len(series) > len(walk.offsets) or math.prod(series.shape) != len(series) * series.keyframe.size
    if tif.is_lsm or walk.form is None or (behind_one_page and len(walk.offsets) <= 1):
        return None, False
    found = []
    for i in range(len(series)):
        page = series[i]
        if page is not None and (page.offset not in place or page.parent is not tif):
            return None, False
        found.append(None if page is None else place[page.offset])
    there = [n for n in found if n is not None]
    missing = len(there) < len(found)
    if not there:
        return None, missing
    if all(n is None or n == there[0] + i for i, n in enumerate(found)):
        return PageIndex(walk.offsets, there[0], walk.form), missing
    if missing:
        return None, missing
    return PageIndex(array("Q", (walk.offsets[n] for n in there)), 0, walk.form), False


def _acquisitions(
    path: Path,
    index: int,
    series: tifffile.TiffPageSeries,
    said: metadata.Metadata,
    given: str | None,
    several: bool,
    pages: PageIndex | None,
) -> list[Acquisition]:
    """Return the acquisitions in one series: one, or one for each position."""
    arrangement = arranged(series.axes, series.shape, len(series), given, str(path))
    places = arrangement.positions
    if len(places) == 1:
        return [_acquisition(path, index, str(index) if several else "", series, said, places[0], pages)]
    where = [" ".join(f"{letter}{n}" for letter, n in axes.fixed) for axes in places]
    return [
        _acquisition(path, index, f"{index} {name}" if several else name, series, said, axes, pages)
        for name, axes in zip(where, places, strict=True)
    ]


def _acquisition(
    path: Path,
    index: int,
    own: str,
    series: tifffile.TiffPageSeries,
    said: metadata.Metadata,
    axes: Axes,
    pages: PageIndex | None,
) -> Acquisition:
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
        origins=origins(said.interval_s, said.time_stamps_s, said.channel_names, axes.origin),
        source=TiffSource(path, index, axes, files, dtype, pages),
        time_stamps_s=said.time_stamps_s if len(said.time_stamps_s) == axes.size("T") else (),
        started_at=said.started_at,
    )
