"""The index of a shard, which says which of the chunks inside are there. Source: Zarr v3, "sharding_indexed" codec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import zarr

_ABSENT = np.uint64(2**64 - 1)
_CHECKSUM_BYTES = {"BytesCodec": 0, "Crc32cCodec": 4}


@dataclass(frozen=True)
class ShardIndex:
    """Where in a shard its index is.

    Attributes
    ----------
    at_start : bool
    extra : int
        Bytes behind the numbers.
    """

    at_start: bool
    extra: int

    @classmethod
    def of_array(cls, array: zarr.Array[Any]) -> ShardIndex | None:
        """Return the index of an array's shards; None where it has none, or one that is packed."""
        codec = next((one for one in getattr(array.metadata, "codecs", ()) if hasattr(one, "index_codecs")), None)
        if codec is None:
            return None
        names = [type(one).__name__ for one in codec.index_codecs]
        if not names or any(name not in _CHECKSUM_BYTES for name in names):
            return None
        location = getattr(codec.index_location, "value", codec.index_location)
        return cls(location == "start", sum(_CHECKSUM_BYTES[name] for name in names))

    def present(self, path: str, shape: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the places of the chunks inside a shard that are there; all where the index cannot be read."""
        every = list(product(*(range(n) for n in shape)))
        length = 16 * len(every)
        try:
            with Path(path).open("rb") as file:
                if not self.at_start:
                    file.seek(-(length + self.extra), 2)
                data = file.read(length)
        except (OSError, ValueError):
            return every  # the damage is said by whoever reads it
        if len(data) < length:
            return every
        starts = np.frombuffer(data, "<u8").reshape(-1, 2)
        return [
            place for place, (start, size) in zip(every, starts, strict=True) if start != _ABSENT or size != _ABSENT
        ]
