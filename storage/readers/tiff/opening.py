"""TIFF in the dialects that microscopes and their programs write: OME-TIFF, ImageJ, LSM, plain."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from storage.acquisition import Acquisition
from storage.errors import IncompleteInputError, StorageError, UnreadableInputError
from storage.readers.axes import arranged
from storage.readers.tiff import metadata, ome_planes, ome_set, ome_xml
from storage.readers.tiff.chain import Walk, walked
from storage.readers.tiff.found_image import acquisition
from storage.readers.tiff.ome_described import Described, described, files_beside
from storage.readers.tiff.source import ABSENT, FilesBeside, PageIndex, PagesInFiles, opened

if TYPE_CHECKING:
    import tifffile


def _images_of(tif: tifffile.TiffFile) -> list[int]:
    """Indices of the series that are images: all but smaller copies, wherever they stand, and the previews of LSM."""
    if tif.is_lsm or tif.is_svs:  # previews, labels of slides
        return [0]
    return [i for i, series in enumerate(tif.series) if not series.keyframe.is_reduced] or [0]


@dataclass(frozen=True)
class _Found:
    """The images that were found in a file of so many pages.

    `grows` where the next pages will be further planes, `lasts` where no other file tells what they are.
    """

    images: list[Acquisition]
    pages: int
    grows: bool
    lasts: bool = True

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
            found = _look_into(path, axes, walk)
            if found.lasts:
                walk.notes[axes] = found
    except StorageError:
        raise
    except Exception as error:  # damaged bytes make tifffile raise whatever its arithmetic stumbles over
        raise UnreadableInputError(f"{path} cannot be read as a TIFF ({error}): export it again.") from error
    if not found.images:
        raise UnreadableInputError(f"{path} is a TIFF without an image: export it again.")
    return found.images


def _look_into(path: Path, axes: str | None, walk: Walk) -> _Found:
    """Have the library arrange the pages, and note where they are."""
    if ome_xml.is_ome(walk.chain.description):
        document = described(path, walk.chain.description)
        if files_beside(path, document.images):
            return _by_set(path, axes, walk, document)
        if walk.offsets:
            return _by_ome(path, axes, walk, document)
    images = []
    with opened(path) as tif:
        if (sizes := _awaited_by_imagej(tif, walk)) is not None:
            return _in_a_row(path, tif, "TZC", sizes, axes, walk)
        if (sizes := _contradicted_of_imagej(tif, walk)) is not None:
            if axes is None:
                raise UnreadableInputError(_contradiction(path, sizes, len(walk.offsets)))
            return _in_a_row(path, tif, "Q", (len(walk.offsets),), axes, walk)
        indices = _images_of(tif)
        for i in indices:
            said = metadata.read(tif, i)
            pages, missing = _pages_of(path, tif, tif.series[i], walk)
            pages = None if missing else pages
            images += _acquisitions(path, i, tif.series[i], said, axes, len(indices) > 1, pages)
    return _Found(images, len(walk.offsets), grows=False)


def _awaited_by_imagej(tif: tifffile.TiffFile, walk: Walk) -> tuple[int, int, int] | None:
    """Return (t, z, c) of an ImageJ hyperstack of which some pages are there and the others are still to come."""
    t, z, c = _said_by_imagej(tif)
    images = (tif.imagej_metadata or {}).get("images") if tif.is_imagej else None
    awaited = 1 < len(walk.offsets) < t * z * c == images
    return (t, z, c) if awaited and len(set(walk.shapes)) == 1 else None


def _contradicted_of_imagej(tif: tifffile.TiffFile, walk: Walk) -> tuple[int, int, int] | None:
    """Return (t, z, c) of an ImageJ file whose pages are of another number, so that none of them has a place."""
    t, z, c = _said_by_imagej(tif)
    pages = len(walk.offsets)
    if t * z * c == 1 or t * z * c == pages or pages == 1 or len(set(walk.shapes)) > 1:
        return None
    series, page = tif.series[0], tif.pages.first
    told_apart = series.kind == "imagej" and math.prod(series.shape) == pages * page.size
    behind_one_page = series.kind == "imagej" and len(series) == 1
    return None if told_apart or behind_one_page else (t, z, c)


def _said_by_imagej(tif: tifffile.TiffFile) -> tuple[int, int, int]:
    said = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    t, z, c = (max(1, int(said.get(name, 1))) for name in ("frames", "slices", "channels"))
    return t, z, c


def _contradiction(path: Path, sizes: tuple[int, int, int], pages: int) -> str:
    said = "frames={}, slices={}, channels={}".format(*sizes)
    return (
        f"{path} says {said}, but has {pages} planes: say what they are with --axes (ZYX for slices, TYX for time "
        "points), or save it in ImageJ with the right dimensions."
    )


def _in_a_row(
    path: Path, tif: tifffile.TiffFile, letters: str, sizes: tuple[int, ...], given: str | None, walk: Walk
) -> _Found:
    """Take the pages as they follow each other, the last letter fastest; those that come find their places by it."""
    assert walk.form is not None  # there are pages
    page = tif.pages.first
    axes = arranged(letters + page.axes, (*sizes, *page.shape), math.prod(sizes), given, str(path))
    pages = PageIndex(path, walk.offsets, 0, walk.form)
    image = acquisition(path, 0, "", (path,), page, metadata.read(tif, 0), axes, pages)
    return _Found([image], len(walk.offsets), grows=len(walk.offsets) < math.prod(sizes))


def _by_ome(path: Path, given: str | None, walk: Walk, document: Described) -> _Found:
    """Take the pages as OME-XML and their sizes say, for images in this one file."""
    import tifffile

    found = ome_planes.arranged(path, walk, document.images)
    grows = len(found) == 1 and found[0].missing and found[0].in_order
    images = []
    with tifffile.TiffFile(path) as tif:
        for i, one in enumerate(found):
            there = [n for n in one.pages if n is not None]
            if not there:
                continue  # nothing of it has come yet
            tif.filehandle.seek(walk.offsets[there[0]])
            page = tifffile.TiffPage(tif, index=there[0])
            sizes = [one.sizes["TCZ".index(letter)] for letter in one.letters]
            axes = arranged(one.letters + page.axes, (*sizes, *page.shape), len(one.pages), given, str(path))
            own = str(i) if len(found) > 1 else ""
            whole = None if grows or given is not None else one.time_points
            said = metadata.of_ome(one.image, one.remarks)
            pages = _index_of(path, walk, one, grows)
            by = FilesBeside(described_by=document.others)
            images.append(acquisition(path, i, own, (path,), page, said, axes, pages, whole, by))
    return _Found(images, len(walk.offsets), grows, lasts=document.by is None)


def _by_set(path: Path, given: str | None, walk: Walk, document: Described) -> _Found:
    """Take the pages of all files of a set, as far as they are there."""
    import tifffile

    found = ome_set.laid_out(path, document.images)
    images = []
    for i, one in enumerate(found.images):
        first = next((n for n, page in enumerate(one.pages) if page >= 0), None)
        if first is None:
            continue  # nothing of it is there
        pages = _index_of_set(found, one)
        place = pages.of(first)
        with tifffile.TiffFile(place.path) as tif:
            tif.filehandle.seek(place.offset)
            page = tifffile.TiffPage(tif, index=0)
        named = sorted({found.parts[number].path for number in set(one.owners) if number >= 0})
        sizes = [one.sizes["TCZ".index(letter)] for letter in one.letters]
        axes = arranged(one.letters + page.axes, (*sizes, *page.shape), len(one.pages), given, str(named[0]))
        files = tuple(file for file in named if file.exists())
        whole = one.time_points if given is None else pages.whole_time_points(axes)
        said, own = metadata.of_ome(one.image, one.remarks), str(i) if len(found.images) > 1 else ""
        beside = FilesBeside(tuple(part.path for part in found.parts), document.others)
        image = acquisition(named[0], i, own, files, page, said, axes, pages, whole, beside)
        images.append(image if found.is_whole else replace(image, lacking=(found.fault,)))
    if not images:
        raise IncompleteInputError(f"{path} has no plane of its image yet: {found.lacks}.")
    return _Found(images, len(walk.offsets), grows=False, lasts=False)


def _index_of_set(found: ome_set.OmeSet, one: ome_set.Laid) -> PagesInFiles:
    there = [(number, part) for number, part in enumerate(found.parts) if part.form is not None]
    place = {number: n for n, (number, _) in enumerate(there)}
    owners = zip(one.owners, one.pages, strict=True)
    spots = [
        (place[number], found.parts[number].offsets[page]) if page >= 0 else (-1, ABSENT) for number, page in owners
    ]
    files = tuple((part.path, part.form) for _, part in there if part.form is not None)
    return PagesInFiles(files, array("l", (number for number, _ in spots)), array("Q", (offset for _, offset in spots)))


def _index_of(path: Path, walk: Walk, one: ome_planes.Arranged, grows: bool) -> PageIndex:
    assert walk.form is not None  # there are pages
    if one.in_order and (grows or not one.missing):
        return PageIndex(path, walk.offsets, one.pages[0] or 0, walk.form)
    offsets = array("Q", (ABSENT if n is None else walk.offsets[n] for n in one.pages))
    return PageIndex(path, offsets, 0, walk.form)


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
        return PageIndex(path, walk.offsets, there[0], walk.form), missing
    if missing:
        return None, missing
    return PageIndex(path, array("Q", (walk.offsets[n] for n in there)), 0, walk.form), False


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
    count = len(series) if pages is not None else _planes_of(series)
    arrangement = arranged(series.axes, series.shape, count, given, str(path))
    places = arrangement.positions
    if len(places) == 1:
        own = str(index) if several else ""
        return [acquisition(path, index, own, (path,), series.keyframe, said, places[0], pages)]
    where = [" ".join(f"{letter}{n}" for letter, n in axes.fixed) for axes in places]
    return [
        acquisition(path, index, f"{index} {name}" if several else name, (path,), series.keyframe, said, axes, pages)
        for name, axes in zip(where, places, strict=True)
    ]


def _planes_of(series: tifffile.TiffPageSeries) -> int:
    """Return how many planes can be read alone: more than pages, where those lie behind one page in one run."""
    if series.dataoffset is None:
        return len(series)
    over = [size for letter, size in zip(series.axes, series.shape, strict=True) if letter not in "YXS"]
    inside = series.axes[len(over) :]
    return max(len(series), math.prod(over)) if set(inside) <= set("YXS") else len(series)
