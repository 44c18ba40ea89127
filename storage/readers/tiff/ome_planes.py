"""Where the planes of an OME-TIFF are, by what its OME-XML declares, compared with the pages that are there.

Nothing is believed that the pages contradict: the planes are put where sizes and dimension order say, and that is
said; or the file is refused in one sentence. Images in several files are the business of `ome_set`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from storage.errors import UnsupportedInputError
from storage.readers.image import MOST_PLANES, PlaneIndex
from storage.readers.tiff.chain import PageShape, Walk
from storage.readers.tiff.ome_xml import OmeImage, TiffData
from storage.readers.xml_text import printable


@dataclass(frozen=True)
class Arranged:
    """One image and the pages of its planes.

    Attributes
    ----------
    image : OmeImage
        With the sizes and names of what this file holds.
    letters : str
        T, C and Z, slowest first, as the planes of `pages` follow each other.
    sizes : (t, c, z); channels count planes
    pages : list of int or None
        The number of each plane's page in the file; None for one that is not there (yet).
    remarks : tuple of str
        What was found against the description, each the end of a sentence about the file.
    """

    image: OmeImage
    letters: str
    sizes: PlaneIndex
    pages: list[int | None]
    remarks: tuple[str, ...] = ()

    @property
    def in_order(self) -> bool:
        """Whether the pages follow each other as the planes do, without any left out."""
        first = self.pages[0]
        return first is not None and all(n is None or n == first + i for i, n in enumerate(self.pages))

    @property
    def missing(self) -> bool:
        """Whether a plane is not there."""
        return None in self.pages

    @property
    def time_points(self) -> tuple[int, ...]:
        """Those of which every plane is there."""
        absent = {place_of(i, self.letters, self.sizes)[0] for i, n in enumerate(self.pages) if n is None}
        return tuple(t for t in range(self.sizes[0]) if t not in absent)


def arranged(path: Path, walk: Walk, images: Sequence[OmeImage]) -> list[Arranged]:
    """Return where the planes of each image are that this file holds.

    Raises
    ------
    UnsupportedInputError
        When what is declared and the pages contradict each other, so that nobody can tell which plane is which.
    """
    try:
        own = [_own(path, image) for image in images]
        pages = [_of_its_size(image, walk.shapes) for image in images]
        samples = [_samples(image, walk.shapes, fit) for image, fit in zip(images, pages, strict=True)]
        sizes = [_sizes(image, n) for image, n in zip(images, samples, strict=True)]
        planes = sum(t * c * z for t, c, z in sizes)
        if planes > MOST_PLANES:
            raise UnsupportedInputError(f"claims {planes} planes")
        found = [
            _mapped(image, data, size, len(walk.offsets)) for image, data, size in zip(images, own, sizes, strict=True)
        ]
        missing = any(one.missing for one in found)
        if not _fit(found, pages) or (missing and len({n for fit in pages for n in fit}) >= planes):
            found = _by_order(images, sizes, pages, planes, any(own))
        found = [_only_its_own(one) if _is_of_set(path, one.image) else one for one in found]
    except UnsupportedInputError as error:
        raise UnsupportedInputError(f"{path} {error}: export it again.") from error
    return _with_surplus(found, walk.shapes)


def _own(path: Path, image: OmeImage) -> tuple[TiffData, ...]:
    """Return what is said of this file's pages."""
    named = set(image.planes_by_file)
    if not named or path.name in named:
        return tuple(one for one in image.data if one.file in ("", path.name))
    # It was renamed: its own name in the document is known, or it is all that there is.
    mine = tuple(one for one in image.data if image.own and one.uuid == image.own)
    if mine or len(named) == 1:
        return mine or image.data
    raise UnsupportedInputError(
        f"belongs to an image in {len(named)} files such as {printable(min(named))}, was renamed, and does not say "
        "which of them it was"
    )


def _is_of_set(path: Path, image: OmeImage) -> bool:
    named = image.planes_by_file
    return len(named) > 1 and path.name not in named


def _of_its_size(image: OmeImage, shapes: Sequence[PageShape]) -> list[int]:
    """Return the pages that have the size which the image declares."""
    size = (image.size_y, image.size_x)
    found = [i for i, one in enumerate(shapes) if (one.y, one.x) == size and not one.is_reduced]
    if not found:
        there = next((one for one in shapes if not one.is_reduced), shapes[0])
        raise UnsupportedInputError(
            f"says that its planes have {image.size_y} x {image.size_x} pixels, but its pages have {there.y} x "
            f"{there.x}, so that its sizes and voxel size are those of another image"
        )
    return found


def _samples(image: OmeImage, shapes: Sequence[PageShape], pages: Sequence[int]) -> int:
    samples = {shapes[i].samples for i in pages}
    if len(samples) > 1 or image.size_c % min(samples):
        raise UnsupportedInputError(
            f"says that it has {image.size_c} channels, but its pages hold {sorted(samples)} of them each"
        )
    return samples.pop()


def _sizes(image: OmeImage, samples: int) -> PlaneIndex:
    return (image.size_t, image.size_c // samples, image.size_z)


def letters_of(image: OmeImage) -> str:
    """Return T, C and Z in the order of an image's planes, slowest first."""
    return "".join(letter for letter in reversed(image.order) if letter in "TCZ")


def _mapped(image: OmeImage, data: Sequence[TiffData], sizes: PlaneIndex, pages: int) -> Arranged:
    """Put each plane where the document says; a page that is named twice, or not there, is dealt with by the caller."""
    letters = letters_of(image)
    total = sizes[0] * sizes[1] * sizes[2]
    found: list[int | None] = [None] * total
    for one in data or (TiffData((0, 0, 0), None, None),):
        start = index_of(one.first, letters, sizes)
        implied = 1 if one.ifd is not None or one.uuid or one.file else total - start
        for i in range(min(implied if one.count is None else one.count, total - start)):
            page = (one.ifd or 0) + i
            found[start + i] = page if 0 <= page < pages else None
    return Arranged(image, letters, sizes, found)


def _fit(found: Sequence[Arranged], pages: Sequence[Sequence[int]]) -> bool:
    """Say whether every plane is on a page of its image's size, and no page is two planes."""
    used = [n for one in found for n in one.pages if n is not None]
    return len(set(used)) == len(used) and all(
        {n for n in one.pages if n is not None} <= set(fit) for one, fit in zip(found, pages, strict=True)
    )


def _by_order(
    images: Sequence[OmeImage], sizes: Sequence[PlaneIndex], pages: Sequence[list[int]], planes: int, said: bool
) -> list[Arranged]:
    """Put page after page, where there are as many as planes: what is said of single pages cannot be true."""
    there = sorted({n for fit in pages for n in fit})
    if len(there) != planes and (said or len(images) > 1 or len(there) < planes):
        raise UnsupportedInputError(f"declares {planes} planes, but has {len(there)} pages, and which is which is lost")
    remarks = ("names pages that are not there or twice the same: its pages are taken in their order",) if said else ()
    found, start = [], 0
    for image, size in zip(images, sizes, strict=True):
        count = size[0] * size[1] * size[2]
        found.append(Arranged(image, letters_of(image), size, list(there[start : start + count]), remarks))
        start += count
    return found


def _only_its_own(one: Arranged) -> Arranged:
    """Return the part of an image that a renamed file of its set holds."""
    there = {place_of(i, one.letters, one.sizes): n for i, n in enumerate(one.pages) if n is not None}
    axes = [sorted({place[k] for place in there}) for k in range(3)]
    sizes = (len(axes[0]), len(axes[1]), len(axes[2]))
    if not there or len(there) != sizes[0] * sizes[1] * sizes[2]:
        raise UnsupportedInputError("holds a part of an image in several files that is no block of planes")
    pages: list[int | None] = [None] * len(there)
    for place, n in there.items():
        inner = (axes[0].index(place[0]), axes[1].index(place[1]), axes[2].index(place[2]))
        pages[index_of(inner, one.letters, sizes)] = n
    image, names, stamps = one.image, one.image.channel_names, one.image.stamps_s
    per_plane = max(1, image.size_c // one.sizes[1])
    kept = replace(
        image,
        size_t=sizes[0],
        size_c=sizes[1] * per_plane,
        size_z=sizes[2],
        channel_names=tuple(names[c] for c in axes[1] if c < len(names)),
        stamps_s=tuple(stamps[t] - stamps[axes[0][0]] for t in axes[0]) if stamps else (),
    )
    remark = "was renamed, and is one of several files of an image: its own planes are taken, without the others"
    return Arranged(kept, one.letters, sizes, pages, (*one.remarks, remark))


def _with_surplus(found: list[Arranged], shapes: Sequence[PageShape]) -> list[Arranged]:
    used = {n for one in found for n in one.pages}
    surplus = sum(not shape.is_reduced and i not in used for i, shape in enumerate(shapes))
    if not surplus or not found:
        return found
    declared = len(used - {None})
    remark = f"has {surplus + declared} pages, but its OME-XML speaks of {declared}: the others are left out"
    return [replace(found[0], remarks=(*found[0].remarks, remark)), *found[1:]]


def index_of(place: PlaneIndex, letters: str, sizes: PlaneIndex) -> int:
    """Return the number of a plane, the last letter fastest."""
    index = 0
    for letter in letters:
        index = index * sizes["TCZ".index(letter)] + place["TCZ".index(letter)]
    return index


def place_of(index: int, letters: str, sizes: PlaneIndex) -> PlaneIndex:
    """Return time point, channel and slice of a plane by its number."""
    where = {}
    for letter in reversed(letters):
        index, where[letter] = divmod(index, sizes["TCZ".index(letter)])
    return (where["T"], where["C"], where["Z"])
