"""Planes of a TIFF: out of its pages, found by their place or by the library."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        offset = self.offsets[self.first + page]
        if offset == ABSENT:
            raise IndexError("the file does not hold it")
        return offset


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

    def go_on_with(self, tif: tifffile.TiffFile) -> None:
        """Take over a file, closed, of which the library has found the pages in all the files of the image."""
        self._tif = tif

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

    def files_of(self, t: int) -> list[Path]:
        """Return the files that the pages of a time point lie in; none where that cannot be told any more."""
        try:
            return sorted({Path(run.file) for runs in self._extents(t) for run in runs})
        except Exception:  # noqa: BLE001  # whatever a file that was damaged or removed makes tifffile raise
            return []

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
