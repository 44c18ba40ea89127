"""Which files `nusetd serve` gives out, and under which addresses: those of the stores in the database, no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from storage import naming
from storage.query.question import Question


@dataclass(frozen=True)
class Offer:
    """One store.

    Attributes
    ----------
    name : str
        In addresses.
    acquisition : str
    place : str
        Its folder or URL.
    folder : Path or None
        None: it lies at the URL `place`.
    source : Path
        What its image was read from, which an image by reference still shows.
    """

    name: str
    acquisition: str
    place: str
    folder: Path | None
    source: Path


class ServedStores:
    """The stores of a database, under addresses that begin with the acquisition's name."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._offers: dict[str, Offer] = {}

    def offers(self) -> list[Offer]:
        """Read the database anew and return what there is."""
        table = Question.acquisitions(self._database).frame()
        found = [_offer(row) for row in table.to_dict("records") if isinstance(row["zarr_path"], str)]
        self._offers = {offer.name: offer for offer in found}
        return found

    def file(self, address: str) -> Path | None:
        """Return the file behind an address (without its query), or None when there is none that may be given out.

        Links are followed only from an image by reference to the arrays of its own source. Whatever else a link leads
        to is not given out, be it in the store or in that source.
        """
        parts = [unquote(part, errors="surrogateescape") for part in address.removeprefix("/").split("/")]
        if any(part in ("", ".", "..") or not _is_name(part) for part in parts):
            return None
        if parts[0] not in self._offers:
            self.offers()
        offer = self._offers.get(parts[0])
        if offer is None or offer.folder is None:
            return None
        try:
            real = offer.folder.joinpath(*parts[1:]).resolve(strict=True)
            allowed = any(real.is_relative_to(folder) for folder in _open_folders(offer.folder, offer.source))
            return real if allowed and real.is_file() else None
        except (OSError, ValueError, RuntimeError):
            return None


def _is_name(part: str) -> bool:
    return not any(character in part for character in ("/", "\\", "\0"))


def _offer(row: Mapping[Any, Any]) -> Offer:
    place = naming.as_place(str(row["zarr_path"]))
    name = str(row["name"])
    return Offer(
        name=naming.safe_name(name) + naming.STORE_SUFFIX,
        acquisition=name,
        place=str(place),
        folder=place if isinstance(place, Path) else None,
        source=Path(str(row["source_path"])),
    )


def _open_folders(store: Path, source: Path) -> Iterator[Path]:
    """Give the store itself, and the arrays of its source that are linked directly in it."""
    yield store.resolve()
    for inside in store.iterdir():
        if inside.is_symlink() and inside.name.isdecimal():
            array = inside.resolve()
            if array != source.resolve() and array.is_relative_to(source.resolve()):
                yield array


def address(base: str, offer: Offer) -> str:
    """Return the URL under which viewers find a store."""
    return offer.place if offer.folder is None else f"{base}/{quote(offer.name)}"
