"""Which files `nusetd serve` gives out, and under which addresses: those of the stores in the database, no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from daemon.page.content import Content, FileContent, ObjectContent
from storage import naming
from storage.naming import Place
from storage.query.question import Question


@dataclass(frozen=True)
class Offer:
    """One store.

    Attributes
    ----------
    name : str
        In addresses.
    acquisition : str
    place : Path or str
        Its folder or URL.
    source : Path
        What its image was read from, which an image by reference still shows.
    """

    name: str
    acquisition: str
    place: Place
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

    def offer(self, name: str) -> Offer | None:
        """Return the store of that name in addresses, or None."""
        if name not in self._offers:
            self.offers()
        return self._offers.get(name)

    def content(self, address: str) -> Content | None:
        """Return what is behind an address (without its query), or None when there is none that may be given out.

        Raises
        ------
        FileNotFoundError, StorageError, OSError
            When it is not there (any more), or its object store does not answer.
        """
        parts = _parts(address)
        offer = self.offer(parts[0]) if parts else None
        if offer is not None and isinstance(offer.place, str) and len(parts) > 1:
            from storage.omezarr.disks.remote import RemoteStore  # brings fsspec, which local outputs do without

            return ObjectContent(RemoteStore.at(offer.place), "/".join(parts[1:]))
        file = self.file(address)
        return None if file is None else FileContent(file)

    def file(self, address: str) -> Path | None:
        """Return the file behind an address (without its query), or None when there is none that may be given out.

        Links are followed only from an image by reference to the arrays of its own source. Whatever else a link leads
        to is not given out, be it in the store or in that source.
        """
        parts = _parts(address)
        offer = self.offer(parts[0]) if parts else None
        if offer is None or not isinstance(offer.place, Path):
            return None
        try:
            real = offer.place.joinpath(*parts[1:]).resolve(strict=True)
            allowed = any(real.is_relative_to(folder) for folder in _open_folders(offer.place, offer.source))
            return real if allowed and real.is_file() else None
        except (OSError, ValueError, RuntimeError):
            return None


def _parts(address: str) -> list[str]:
    """Return the names in an address, none where one of them leads elsewhere."""
    parts = [unquote(part, errors="surrogateescape") for part in address.removeprefix("/").split("/")]
    return [] if any(part in ("", ".", "..") or not _is_name(part) for part in parts) else parts


def _is_name(part: str) -> bool:
    return not any(character in part for character in ("/", "\\", "\0"))


def _offer(row: Mapping[Any, Any]) -> Offer:
    place = naming.as_place(str(row["zarr_path"]))
    name = str(row["name"])
    return Offer(
        name=naming.safe_name(name) + naming.STORE_SUFFIX,
        acquisition=name,
        place=place,
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
