"""An OME-TIFF in several files: on which page of which file each plane is, and which planes are not there (yet).

Each file, or a companion beside them, names all of them. A plane is there when the file that it is said to be in is,
and holds its page; a file that was cut short holds the pages before the cut. Nothing outside the folder is opened.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from storage.errors import UnsupportedInputError
from storage.readers.completion import Completion
from storage.readers.image import MOST_PLANES, PlaneIndex
from storage.readers.tiff.chain import PageShape, TiffFormat, Walk
from storage.readers.tiff.named_files import refuse_names_outside
from storage.readers.tiff.ome_planes import index_of, letters_of, place_of
from storage.readers.tiff.ome_xml import OmeImage
from storage.readers.xml_text import printable
from storage.spans import spoken

_NOWHERE = -1
_SAID = 3  # files of which it is said what they lack


@dataclass(frozen=True)
class Part:
    """One file of a set: the pages that it holds, and what is wrong with it."""

    path: Path
    offsets: array[int]
    shapes: tuple[PageShape, ...] = ()
    form: TiffFormat | None = None
    fault: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is a file of this name."""
        return self.form is not None or self.fault != _ABSENT


_ABSENT = "is not there"


@dataclass(frozen=True)
class OmeSet:
    """The images of a set and its files.

    Attributes
    ----------
    path : Path
        What the set is called by, whichever of its files is looked at: the first that it names, there or not.
    images : tuple of Laid
    parts : tuple of Part
    """

    path: Path
    images: tuple[Laid, ...]
    parts: tuple[Part, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every file is, and every plane is there."""
        return all(part.fault is None for part in self.parts) and all(_NOWHERE not in one.pages for one in self.images)

    @property
    def time_points(self) -> tuple[int, ...]:
        """Those of which an image has every plane."""
        return tuple(sorted({t for one in self.images for t in one.time_points}))

    @property
    def fault(self) -> str:
        """What the set lacks, in one sentence; empty where it is whole."""
        if self.is_whole:
            return ""
        ready = sum(page != _NOWHERE for one in self.images for page in one.pages)
        declared = sum(len(one.pages) for one in self.images)
        return (
            f"{self.path} and the files that belong to it, {len(self.parts)} in all, hold {ready} of the {declared} "
            f"planes that they declare: {self.lacks}."
        )

    @property
    def lacks(self) -> str:
        """Which planes are not there, by the files that they should be in; ends a sentence. Empty where none lacks."""
        told: dict[int, list[str]] = defaultdict(list)
        for one in self.images:
            for number, planes in sorted(one.absent.items()):
                own = f" of {printable(one.image.name)}" if len(self.images) > 1 else ""
                told[number].append(_spoken(planes) + own)
        for number, part in enumerate(self.parts):
            if part.fault is not None:
                told.setdefault(number, [])
        words = [self._said_of(number, planes) for number, planes in sorted(told.items())]
        more = [f"so it is with {len(words) - _SAID} more files"] if len(words) > _SAID else []
        return "; ".join(words[:_SAID] + more)

    def _said_of(self, number: int, planes: Sequence[str]) -> str:
        if number == _NOWHERE:
            return f"no file is named for {'; '.join(planes)}"
        part = self.parts[number]
        lack = f" ({'; '.join(planes)})" if planes else ""
        if part.fault is None:
            return f"{part.path.name} has only {len(part.offsets)} pages{lack}"
        fault = part.fault if part.fault == _ABSENT else f"is not whole: {part.fault}"
        return f"{part.path.name} {fault}{lack}"


@dataclass(frozen=True)
class Laid:
    """One image of a set, and where its planes are.

    Attributes
    ----------
    image : OmeImage
    letters : str
        T, C and Z, slowest first, as the planes follow each other.
    sizes : (t, c, z); channels count planes
    owners : array of int
        Of each plane the part that it is said to be in; negative where none is named.
    pages : array of int
        Of each plane its page there; negative where it is not there.
    remarks : tuple of str
    """

    image: OmeImage
    letters: str
    sizes: PlaneIndex
    owners: array[int]
    pages: array[int]
    remarks: tuple[str, ...] = ()

    @property
    def absent(self) -> dict[int, list[PlaneIndex]]:
        """The planes that are not there, by the part that they should be in."""
        found: dict[int, list[PlaneIndex]] = defaultdict(list)
        for i, page in enumerate(self.pages):
            if page == _NOWHERE:
                found[self.owners[i]].append(place_of(i, self.letters, self.sizes))
        return found

    @property
    def time_points(self) -> tuple[int, ...]:
        """Those of which every plane is there."""
        lacking = {t for planes in self.absent.values() for t, _, _ in planes}
        return tuple(t for t in range(self.sizes[0]) if t not in lacking)


def laid_out(path: Path, images: Sequence[OmeImage]) -> OmeSet:
    """Return where the planes are of the images that a file, or the companion of files, describes.

    Raises
    ------
    UnsupportedInputError
        When what is declared and the pages contradict each other, or a file outside the folder is named.
    """
    names = names_in(path, images)
    refuse_names_outside(path, names)
    parts = tuple(_part(path.with_name(name)) for name in names)
    number_of = {name: number for number, name in enumerate(names)}
    total = sum(image.planes for image in images)
    if total > MOST_PLANES:
        raise UnsupportedInputError(f"{path} claims {total} planes: export it again.")
    found = [_mapped(path, image, number_of, parts) for image in images]
    places = _by_part(found, len(parts))
    try:
        for part, here in zip(parts, places, strict=True):
            found = _agreed(found, here, part)
    except UnsupportedInputError as error:
        raise UnsupportedInputError(f"{path.with_name(names[0])} {error}: export it again.") from error
    return OmeSet(path.with_name(names[0]), tuple(found), parts)


def verdict(path: Path, images: Sequence[OmeImage], described_by: Iterable[Path] = ()) -> Completion:
    """Return whether a set is whole, the same for each of its files."""
    found = laid_out(path, images)
    others = tuple(sorted({*(part.path for part in found.parts), *described_by} - {path}))
    if found.is_whole:
        return Completion("complete", f"{path} is whole.", others=others, called=found.path)
    return Completion("growing", found.fault, found.time_points, others=others, called=found.path)


def names_in(path: Path, images: Sequence[OmeImage]) -> list[str]:
    """Return the names of the files of a set, sorted; the file itself stands for what names none."""
    own = {path.name} if any(not one.file for image in images for one in image.data) else set()
    return sorted({one.file for image in images for one in image.data if one.file} | own)


def _part(path: Path) -> Part:
    try:
        status = path.stat()
    except OSError:
        return Part(path, array("Q"), fault=_ABSENT)
    return _walked(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _walked(path: Path, inode: int, size: int, mtime_ns: int) -> Part:
    del inode, size, mtime_ns  # they tell one state of the file from another
    try:
        seen = Walk(path).go_on()
    except OSError as error:
        return Part(path, array("Q"), fault=f"it cannot be read: {error.strerror or error}")
    return Part(path, seen.offsets, tuple(seen.shapes), seen.form, seen.chain.fault)


def _mapped(path: Path, image: OmeImage, number_of: Mapping[str, int], parts: Sequence[Part]) -> Laid:
    letters = letters_of(image)
    named = dict.fromkeys(number_of[one.file or path.name] for one in image.data)
    per_plane = _samples(image, (parts[number] for number in named))
    sizes = (image.size_t, image.size_c // per_plane, image.size_z)
    total = sizes[0] * sizes[1] * sizes[2]
    owners, pages = array("l", [_NOWHERE]) * total, array("q", [_NOWHERE]) * total
    open_ends = []
    for one in image.data:
        number = number_of[one.file or path.name]
        start = index_of(one.first, letters, sizes)
        count = one.count
        if count is None:  # all pages, unless one of them is named
            count = 1 if one.ifd is not None else max(1, len(parts[number].offsets))
            if one.ifd is None and not parts[number].is_there:
                open_ends.append(start)
        for i in range(max(0, min(count, total - start))):
            page = (one.ifd or 0) + i
            owners[start + i] = number
            pages[start + i] = page if 0 <= page < len(parts[number].offsets) else _NOWHERE
    for start in open_ends:  # how many are in a file that is not there, is not known: up to the next that is named
        for i in range(start + 1, total):
            if owners[i] != _NOWHERE:
                break
            owners[i] = owners[start]
    return Laid(image, letters, sizes, owners, pages)


def _samples(image: OmeImage, parts: Iterable[Part]) -> int:
    """Return how many channels a page holds, by the pages that are there."""
    size = (image.size_y, image.size_x)
    there = {shape for part in parts for shape in part.shapes if not shape.is_reduced}
    found = {shape.samples for shape in there if (shape.y, shape.x) == size}
    samples = found.pop() if len(found) == 1 else max(1, image.samples)
    return samples if image.size_c % samples == 0 else 1


def _by_part(images: Sequence[Laid], parts: int) -> list[list[list[int]]]:
    """Return, for each part and image, the planes that are said to be in it."""
    found: list[list[list[int]]] = [[[] for _ in images] for _ in range(parts)]
    for n, one in enumerate(images):
        for i, owner in enumerate(one.owners):
            if owner != _NOWHERE:
                found[owner][n].append(i)
    return found


def _agreed(images: list[Laid], here: Sequence[Sequence[int]], part: Part) -> list[Laid]:
    """Compare what is said of a file's pages with them; where it cannot be true, they are taken in their order.

    `here` are the planes of each image that are said to be in it.
    """
    taken = [one.pages[i] for one, places in zip(images, here, strict=True) for i in places]
    there = [page for page in taken if page != _NOWHERE]
    fits = [_of_its_size(one.image, part.shapes) for one in images]
    wrong = len(set(there)) < len(there) or any(
        one.pages[i] not in fit
        for one, places, fit in zip(images, here, fits, strict=True)
        for i in places
        if one.pages[i] != _NOWHERE
    )
    concerned = [n for n, places in enumerate(here) if places]
    enough = len(concerned) == 1 and len(fits[concerned[0]]) == len(taken)
    if not wrong and not (len(there) < len(taken) and enough and part.fault is None):
        return images
    if not enough:
        raise UnsupportedInputError(
            f"names pages of {part.path.name} twice, or such as have another size, and which is which is lost"
        )
    only = images[concerned[0]]
    pages = array("q", only.pages)
    for i, page in zip(here[concerned[0]], sorted(fits[concerned[0]]), strict=True):
        pages[i] = page
    remark = f"names pages of {part.path.name} that are not there or twice the same: they are taken in their order"
    changed = Laid(only.image, only.letters, only.sizes, only.owners, pages, (*only.remarks, remark))
    return [changed if n == concerned[0] else one for n, one in enumerate(images)]


def _of_its_size(image: OmeImage, shapes: Sequence[PageShape]) -> set[int]:
    size = (image.size_y, image.size_x)
    return {i for i, one in enumerate(shapes) if (one.y, one.x) == size and not one.is_reduced}


def _spoken(planes: Sequence[PlaneIndex]) -> str:
    """Return planes in words: a block of them by its time points, channels and slices."""
    axes = [sorted({place[k] for place in planes}) for k in range(3)]
    words = ", ".join(f"{letter} {spoken(numbers)}" for letter, numbers in zip("tcz", axes, strict=True))
    is_block = len(axes[0]) * len(axes[1]) * len(axes[2]) == len(planes)
    return words if is_block else f"{len(planes)} planes of {words}"
