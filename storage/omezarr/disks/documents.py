"""A store's metadata as the JSON documents that they are: what is read and changed with every time point.

zarr opens a group or an array through an event loop in another thread, writes more of it than changed, and counts all
chunks of an array before it makes it longer. For a service that shows thousands of small images this is most of its
time. Pixels and labels are zarr's alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, Protocol


class Texts(Protocol):
    """What is needed of a store: `DurableStore`, or `RemoteStore`."""

    def text(self, key: str) -> str | None:
        """Return a file's text, or None when there is no such file."""

    def put_text(self, key: str, text: str) -> None:
        """Write a file whole, safely."""


class Documents:
    """The documents of one store, Zarr format 2 or 3; another process may change them, so each is read anew."""

    def __init__(self, store: Texts) -> None:
        self._store = store

    def attributes(self, group: str) -> dict[str, Any]:
        """Return a group's attributes.

        Raises
        ------
        FileNotFoundError, ValueError
            When there is no such group, or its document is damaged.
        """
        return _mapping(self._group(group)[2], f"the attributes of {group or 'the image'}")

    def put_attributes(self, group: str, attributes: Mapping[str, Any]) -> None:
        """Write a group's attributes, safely."""
        key, document, _ = self._group(group)
        self._put(key, {**document, "attributes": dict(attributes)} if _is_new(key) else attributes)

    def zarr_format(self, group: str) -> Literal[2, 3]:
        """Return the format in which a group is written."""
        return 3 if _is_new(self._group(group)[0]) else 2

    def shape(self, array: str) -> tuple[int, ...]:
        """Return an array's shape.

        Raises
        ------
        FileNotFoundError, ValueError
            When there is no such array, or its document is damaged.
        """
        return _shape(array, self._array(array)[1])

    def lengthen(self, array: str, length: int) -> None:
        """Have an array end behind `length` time points, safely; one that is longer stays as it is."""
        key, document = self._array(array)
        shape = _shape(array, document)
        if shape[0] < length:
            self._put(key, {**document, "shape": [length, *shape[1:]]})

    def _group(self, path: str) -> tuple[str, dict[str, Any], Any]:
        """Return where a group's attributes are written, the document there, and the attributes."""
        if self._read(_key(path, ".zgroup")) is not None:
            attributes = self._read(_key(path, ".zattrs")) or {}
            return _key(path, ".zattrs"), attributes, attributes
        found = self._read(_key(path, "zarr.json"))
        if found is None:
            raise FileNotFoundError(f"there is no group {path!r}")
        return _key(path, "zarr.json"), found, found.get("attributes", {})

    def _array(self, path: str) -> tuple[str, dict[str, Any]]:
        for name in (".zarray", "zarr.json"):
            found = self._read(_key(path, name))
            if found is not None:
                return _key(path, name), found
        raise FileNotFoundError(f"there is no array {path!r}")

    def _read(self, key: str) -> dict[str, Any] | None:
        text = self._store.text(key)
        return None if text is None else _mapping(json.loads(text), key)

    def _put(self, key: str, document: Mapping[str, Any]) -> None:
        self._store.put_text(key, json.dumps(document, indent=2))


def _key(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _is_new(key: str) -> bool:
    return key.endswith("zarr.json")


def _mapping(found: Any, what: str) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(found, dict):
        raise ValueError(f"{what} is {found!r}"[:120])  # noqa: TRY004 - it is the document's value that is wrong
    return found


def _shape(array: str, document: Mapping[str, Any]) -> tuple[int, ...]:
    shape = document.get("shape")
    if not isinstance(shape, list) or not shape or not all(isinstance(size, int) for size in shape):
        raise ValueError(f"one of its levels, {array!r}, is no array")
    return tuple(shape)
