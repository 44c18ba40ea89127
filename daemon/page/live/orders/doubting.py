"""The queue of doubts for the page: what to look at, where it is, and the orders that settle it."""

from __future__ import annotations

from typing import Any

from storage.corrections.persons_word import PersonsWord
from storage.doubts.listing import ListedDoubt, doubts
from storage.doubts.mending import command
from storage.query.snapshots import resolved, snapshot
from storage.schema.rows import AcquisitionRow

TOP = 20
"""Doubts in the queue; those after them follow as these are settled."""


def queue(database: str, number: int) -> dict[str, Any]:
    """The first doubts of an acquisition."""
    with snapshot(database) as connection:
        row = resolved(connection, number)
        return {"doubts": [_entry(row, one) for one in doubts(connection, row, TOP)]}


def _entry(row: AcquisitionRow, one: ListedDoubt) -> dict[str, Any]:
    decision, mending = one.decision, one.mending
    return {
        "kind": decision.kind,
        "doubt": round(one.probability, 3),
        "t": decision.node[0],
        "at": decision.at_t,
        "label": decision.node[1],
        "track": decision.track_id,
        "z": round(decision.place_px[0]),
        "alternative": mending.alternative,
        "command": command(row, mending.wrong),
        "wrong": None if mending.wrong.kind == "redraw" else _order(row, mending.wrong),  # it is still to be drawn
        "right": _order(row, mending.right),
    }


def _order(row: AcquisitionRow, word: PersonsWord) -> dict[str, Any]:
    """What the page's orders say: time points from 0, places in voxels."""
    start = row.first_number or 0
    values: dict[str, Any] = {"kind": word.kind, "t": word.source_t - start, "labels": list(word.labels)}
    if word.to:
        values["to"] = list(word.to)
    if word.source_to_t is not None:
        values["to_t"] = word.source_to_t - start
    if word.points:
        spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
        values["points"] = [[at / size for at, size in zip(point, spacing, strict=True)] for point in word.points]
    return values
