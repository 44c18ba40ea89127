"""Axes by name: which of a file's dimensions is time, channel, slice, row, column, sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from storage.description import Origin
from storage.errors import UnreadableInputError, UnsupportedInputError

POSITIONS = "PMRV"  # as TIFF dialects name positions, tiles, regions, views: each is an image of its own
KNOWN = "TCZYXS" + POSITIONS
SPECTRAL = "E"  # wavelengths are channels
REFUSED = {"A": "angles", "F": "phases", "H": "lifetimes", "L": "exposures"}
"""What makes an image only when it is put together, and that is the business of the program that took it."""


@dataclass(frozen=True)
class Axes:
    """A stack of pages and what each page is.

    Attributes
    ----------
    leading : tuple of (letter, size)
        The dimensions over pages, slowest first.
    page : tuple of (letter, size)
        The dimensions inside a page; they hold Y and X, maybe S (samples), rarely Z.
    fixed : tuple of (letter, index)
        Which position this is, where there are several.
    origin : Origin
        Where it is known from which dimension is which.
    shown : int or None
        How many samples of a pixel are channels, the first ones; None: all.
    """

    leading: tuple[tuple[str, int], ...]
    page: tuple[tuple[str, int], ...]
    fixed: tuple[tuple[str, int], ...] = ()
    origin: Origin = "metadata"
    shown: int | None = None

    def size(self, letter: str) -> int:
        """Return the size of an axis, 1 for one that is not there."""
        return dict(self.leading + self.page).get(letter, 1)

    @property
    def positions(self) -> list[Axes]:
        """The same axes at each position; there is one that is not named where the file has no positions."""
        letters = [letter for letter, _ in self.leading + self.page if letter in POSITIONS]
        places = product(*(range(self.size(letter)) for letter in letters))
        return [replace(self, fixed=tuple(zip(letters, place, strict=True))) for place in places]

    @property
    def size_c(self) -> int:
        """Channels; samples of a pixel (red, green, blue) count as channels."""
        return self.size("C") * self.samples

    @property
    def samples(self) -> int:
        """How many channels lie in each page."""
        return min(self.shown or self.size("S"), self.size("S"))

    def page_index(self, t: int, c: int, z: int) -> int:
        """Return the number of the page that holds a plane."""
        where = self._where(t, c, z)
        index = 0
        for letter, size in self.leading:
            index = index * size + where[letter]
        return index

    def inside(self, t: int, c: int, z: int) -> tuple[int | slice, ...]:
        """Return the index that takes the (Y, X) plane out of its page."""
        where = self._where(t, c, z)
        return tuple(slice(None) if letter in "YX" else where[letter] for letter, _ in self.page)

    @property
    def page_shape(self) -> tuple[int, ...]:
        """The shape of a page."""
        return tuple(size for _, size in self.page)

    def _where(self, t: int, c: int, z: int) -> dict[str, int]:
        samples = self.samples
        return {"T": t, "C": c // samples, "S": c % samples, "Z": z, **dict(self.fixed)}


def arranged(letters: str, shape: Sequence[int], pages: int, given: str | None, what: str) -> Axes:
    """Return the axes of a series of pages.

    A dimension that the file does not name is taken for slices, the more so as most stacks are; `given` overrides.

    Parameters
    ----------
    letters, shape : what the file says
    pages : int
        Number of pages; the first dimensions multiply up to it.
    given : str or None
        Letters that the user set for the file's dimensions, such as ``TYX``, or for those over its planes: ``T``.
    what : str
        The file, for messages.

    Raises
    ------
    UnreadableInputError
        When the dimensions cannot be understood.
    UnsupportedInputError
        When one of them is of a kind that is not read here.
    """
    kept = [(letter, int(size)) for letter, size in zip(letters, shape, strict=True) if size != 1 or letter in "YX"]
    if given is not None:
        kept = _renamed(kept, given, what)
    names = ["C" if letter == SPECTRAL else letter for letter, _ in kept]
    refused = next((letter for letter in names if letter in REFUSED), None)
    if refused is not None:
        raise UnsupportedInputError(
            f"{what} holds {dict(kept)[refused]} {REFUSED[refused]} of each plane, which are not read here: "
            "put them together in the program that took them, and export the result."
        )
    unnamed = [i for i, letter in enumerate(names) if letter not in KNOWN]
    free = [letter for letter in "ZT" if letter not in names][: len(unnamed)]
    for i, letter in zip(unnamed, reversed(free), strict=False):  # time is the slower one wherever both are there
        names[i] = letter
    if len(set(names)) < len(names) or any(n not in KNOWN for n in names) or not {"Y", "X"} <= set(names):
        said = ", ".join(f"{letter} {size}" for letter, size in kept)
        raise UnreadableInputError(
            f"{what} has the dimensions {said}, which are not time, channel, z, y and x: say what they are with --axes "
            "(TZCYX, slowest first), or export it with named axes."
        )
    named = tuple(zip(names, (size for _, size in kept), strict=True))
    for i in range(len(named) + 1):
        page_letters = {letter for letter, _ in named[i:]}
        if math.prod(size for _, size in named[:i]) == pages and {"Y", "X"} <= page_letters:
            known: Origin = "guessed" if unnamed else "metadata"
            return Axes(named[:i], named[i:], origin="configured" if given is not None else known)
    raise UnreadableInputError(f"{what} has {pages} pages, which do not make up its shape {tuple(shape)}.")


def _renamed(kept: list[tuple[str, int]], given: str, what: str) -> list[tuple[str, int]]:
    if not set(given.upper()) & set("YX"):  # those of the planes' order alone
        given += "".join(letter for letter, _ in kept if letter in "YXS")
    if len(given) != len(kept):
        sizes = " x ".join(str(size) for _, size in kept)
        raise UnreadableInputError(
            f"{what} has {len(kept)} dimensions ({sizes}), but the axes {given!r} were given: "
            "give a letter for each, slowest first."
        )
    return [(letter, size) for letter, (_, size) in zip(given.upper(), kept, strict=True)]
