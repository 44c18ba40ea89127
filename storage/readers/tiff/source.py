"""Planes of a TIFF: out of its pages, found by their place or by the library."""

from __future__ import annotations

import logging
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nuset_engine.arrays import Pixels, PlaneYX
from storage.errors import StorageError
from storage.readers.axes import Axes
from storage.readers.fingerprint import Extent, FreshFiles, fingerprint, gone, of_content, of_page_starts
from storage.readers.tiff.chain import BrokenChainError, TiffFormat, runs_of_pixels
from storage.readers.tiff.named_files import refuse_outside

if TYPE_CHECKING:
    import tifffile

# tifffile logs what it meets; whether a file is sound is decided by `tiff_probe`, and said once.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


ABSENT = 0  # in place of the offset of a page: no page begins with the header
_OPEN_AT_ONCE = 8  # of the files of an image


@dataclass(frozen=True)
class PagePlace:
    """Where the index of a page is."""

    path: Path
    offset: int
    form: TiffFormat


class PageFinder(Protocol):
    """Where the pages of an image are."""

    @property
    def in_several_files(self) -> bool:
        """Whether they are not all in one file."""
        ...

    def of(self, page: int) -> PagePlace:
        """Return the place of a page of the image.

        Raises
        ------
        IndexError
            When it is not there, or not yet.
        """
        ...


@dataclass(frozen=True)
class PageIndex:
    """Where the indices of an image's pages are in its file.

    Attributes
    ----------
    path : Path
    offsets : array of uint64
        Those of the file's pages; of a file that grows, it grows too.
    first : int
        The page of the file that is the first of the image.
    form : TiffFormat
        How the file writes numbers.
    """

    path: Path
    offsets: array[int]
    first: int
    form: TiffFormat

    in_several_files = False

    def of(self, page: int) -> PagePlace:
        """Return the place of a page of the image."""
        offset = self.offsets[self.first + page]
        if offset == ABSENT:
            raise IndexError("the file does not hold it")
        return PagePlace(self.path, offset, self.form)


@dataclass(frozen=True)
class PagesInFiles:
    """Where the indices of an image's pages are in its several files.

    Attributes
    ----------
    files : tuple of (path, form)
    numbers : array of int
        Of each page its file; negative where it is not there.
    offsets : array of uint64
    """

    files: tuple[tuple[Path, TiffFormat], ...]
    numbers: array[int]
    offsets: array[int]

    in_several_files = True

    def of(self, page: int) -> PagePlace:
        """Return the place of a page of the image."""
        number = self.numbers[page]
        if number < 0:
            raise IndexError("none of its files holds it")
        path, form = self.files[number]
        return PagePlace(path, self.offsets[page], form)

    def whole_time_points(self, axes: Axes) -> tuple[int, ...]:
        """Return those of which every page is there."""
        inner = [(c, z) for c in range(0, axes.size_c, axes.samples) for z in range(axes.size("Z"))]
        times = range(axes.size("T"))
        return tuple(t for t in times if all(self.numbers[axes.page_index(t, c, z)] >= 0 for c, z in inner))


@dataclass(frozen=True)
class FilesBeside:
    """Other files on which it depends what an image is.

    Attributes
    ----------
    set_of : tuple of Path
        All files that hold it, there or not, where they name each other.
    described_by : tuple of Path
        Files without pixels of it that say what it is.
    """

    set_of: tuple[Path, ...] = ()
    described_by: tuple[Path, ...] = ()


class TiffSource:
    """Planes of one series of a TIFF.

    Where it is known where the pages are (`pages`), just the ones that are asked for are looked at; else the library
    finds them, in a look at all pages of the file. With `white`, brightness is that minus what is stored.
    """

    def __init__(
        self,
        path: Path,
        series_index: int,
        axes: Axes,
        files: tuple[Path, ...],
        dtype: np.dtype,
        pages: PageFinder | None = None,
        beside: FilesBeside | None = None,
        white: int | None = None,
    ) -> None:
        self._path = path
        self._series_index = series_index
        self._axes = axes
        self._files = files
        self._dtype = dtype
        self._pages = pages
        self._open: dict[Path, tifffile.TiffFile] = {}
        self._white = white
        self.beside = beside or FilesBeside()

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Return the (Y, X) plane at time point t, channel c, slice z."""
        try:
            page = self._page(self._axes.page_index(t, c, z)).reshape(self._axes.page_shape)
        except Exception as error:  # whatever damaged bytes make tifffile or a codec raise
            raise StorageError(
                f"Plane t={t} c={c} z={z} of {self._file_of(t, c, z)} cannot be read ({error}): "
                "the file is damaged or was replaced."
            ) from error
        plane = page[self._axes.inside(t, c, z)]
        if self._white is not None:
            plane = plane.dtype.type(self._white) - plane
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

    def files_of(self, t: int) -> list[Path]:
        """Return the files that the pages of a time point lie in; none where that cannot be told any more."""
        try:
            return sorted({Path(run.file) for runs in self._extents(t) for run in runs})
        except Exception:  # noqa: BLE001  # whatever a file that was damaged or removed makes tifffile raise
            return []

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        files, self._open = self._open, {}
        for file in files.values():
            file.close()

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind when pickled."""
        return {**self.__dict__, "_open": {}}

    def _file_of(self, t: int, c: int, z: int) -> Path:
        """Return the file that a plane is in, as far as it is known."""
        try:
            page = self._axes.page_index(t, c, z)
            return self._path if self._pages is None else self._pages.of(page).path
        except LookupError:
            return self._path

    def _file(self, path: Path) -> tifffile.TiffFile:
        """Return an open file; of many, the latest stay open."""
        file = self._open.pop(path, None)
        if file is None:
            import tifffile

            file = opened(path) if self._pages is None else tifffile.TiffFile(path)
        self._open[path] = file
        while len(self._open) > _OPEN_AT_ONCE:
            self._open.pop(next(iter(self._open))).close()
        return file

    def _series(self) -> tifffile.TiffPageSeries:
        return self._file(self._path).series[self._series_index]

    def _page(self, index: int) -> Pixels:
        if self._pages is not None:
            import tifffile

            place = self._pages.of(index)
            file = self._file(place.path)
            file.filehandle.seek(place.offset)
            return tifffile.TiffPage(file, index=index).asarray()
        series = self._series()
        offset = series.dataoffset
        if offset is None:
            page = series[index]
            if page is None:
                raise ValueError("the file does not hold it")
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
        per_page = self._axes.samples
        places = [(c, z) for c in range(0, self._axes.size_c, per_page) for z in range(self._axes.size("Z"))]
        return [self._runs(self._axes.page_index(t, c, z)) for c, z in places]

    def _runs(self, index: int) -> list[Extent]:
        if self._pages is not None:
            try:
                place = self._pages.of(index)
                runs = runs_of_pixels(place.path, place.form, place.offset, not self._pages.in_several_files)
            except (BrokenChainError, IndexError):
                return []
            except OSError as error:
                raise gone(place.path, error) from error
            return [Extent(str(place.path), *run) for run in runs]
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


def opened(path: Path) -> tifffile.TiffFile:
    """Open a file so that pages which were written one by one come as the one stack that they are.

    Raises
    ------
    UnreadableInputError
        When it names files outside its folder.
    """
    import tifffile

    # What belongs to an NDTiff is found by its own index; with this file the library would follow any.
    tif = tifffile.TiffFile(path, is_ndtiff=False)
    try:
        refuse_outside(path, tif.ome_metadata or "")
    except BaseException:
        tif.close()
        raise
    if tif.is_shaped and len(tif.series) > 1:  # tifffile's writer, called for each page, describes each as an image
        tif.close()
        tif = tifffile.TiffFile(path, is_shaped=False, is_ndtiff=False)
    return tif
