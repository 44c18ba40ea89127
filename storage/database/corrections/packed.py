"""Regions and blocks of labels as bytes in rows."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, delete, insert, select

from nuset_engine.corrections.edited import PlainBlock
from nuset_engine.corrections.region import NucleusRegion
from storage.errors import StorageError
from storage.schema.tables import plain_labels

_LENGTH = struct.Struct("<I")


def pack_regions(regions: Iterable[NucleusRegion]) -> bytes:
    """Return regions as bytes, each after its length."""
    parts = [region.pack() for region in regions]
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def unpack_regions(data: bytes | None) -> list[NucleusRegion]:
    """Return regions from the bytes of `pack_regions`."""
    found, at = [], 0
    data = bytes(data or b"")
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        found.append(NucleusRegion.unpack(data[at : at + length]))
        at += length
    return found


def pack_text(regions: Iterable[NucleusRegion]) -> str:
    """Return regions as a text, which may stand in JSON."""
    return b64encode(pack_regions(regions)).decode("ascii")


def unpack_text(text: str | None) -> list[NucleusRegion]:
    """Return regions from `pack_text`."""
    return unpack_regions(b64decode(text)) if text else []


def blocks_at(connection: Connection, acquisition_id: int, t: int) -> list[PlainBlock]:
    """Return what labels of a time point were before they were corrected, wherever they ever were.

    Raises
    ------
    StorageError
        When it cannot be read.
    """
    here = and_(plain_labels.c.acquisition_id == acquisition_id, plain_labels.c.t == t)
    rows = connection.execute(select(plain_labels).where(here).order_by(plain_labels.c.id)).mappings()
    found = []
    for row in rows:
        shape = (row["size_z"], row["size_y"], row["size_x"])
        try:
            labels = np.frombuffer(zlib.decompress(bytes(row["labels"])), "<u4").reshape(shape)
        except (zlib.error, ValueError) as error:
            raise StorageError(f"Plain labels of t = {t} cannot be read ({error}): process the file anew.") from error
        found.append(PlainBlock((row["z0"], row["y0"], row["x0"]), labels))
    return found


def replace_blocks(connection: Connection, acquisition_id: int, t: int, blocks: Iterable[PlainBlock]) -> None:
    """Keep these blocks, and no others, of a time point."""
    here = and_(plain_labels.c.acquisition_id == acquisition_id, plain_labels.c.t == t)
    connection.execute(delete(plain_labels).where(here))
    records = [_record(acquisition_id, t, block) for block in blocks]
    if records:
        connection.execute(insert(plain_labels), records)


def _record(acquisition_id: int, t: int, block: PlainBlock) -> dict[str, Any]:
    corner = dict(zip(("z0", "y0", "x0"), block.corner, strict=True))
    size = dict(zip(("size_z", "size_y", "size_x"), block.labels.shape, strict=True))
    labels = zlib.compress(np.ascontiguousarray(block.labels, "<u4").tobytes(), 1)
    return {"acquisition_id": acquisition_id, "t": t, **corner, **size, "labels": labels}
