"""What a tracker remembers, and its exact form as bytes: an npz file of arrays and one JSON text, no pickles."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from tracking.arrays import StoredArray
from tracking.errors import TrackerStateError
from tracking.evidence.beliefs import Sums
from tracking.evidence.frame import Frame
from tracking.graph import Track

FORMAT = 6
_OF_TRACK = tuple(one.name for one in fields(Track))
_NOISE = frozenset({"positions", "features", "growth", "size", "usual", "residual", "seen"})
"""Measured numbers, which packing makes hardly smaller."""
_OF_ZIP = (zipfile.BadZipFile, zlib.error)


@dataclass
class Memory:
    """A window of frames and what is left of those before it.

    Attributes
    ----------
    frames : list of Frame
        The last few final frames, then the provisional ones.
    final : int
        How many of `frames` are final.
    sums : Sums
        What the final frames showed.
    tracks : dict
        Record by id of each track that may go on, of its nuclei in final frames.
    told : dict
        The same as last told to the caller, provisional nuclei included.
    next_id : int
    unit : str or None
    step : int
        From one time point to the next. Frames and records count steps, and the caller is told time points.
    offset : int
        Time point of step 0.
    """

    frames: list[Frame] = field(default_factory=list)
    final: int = 0
    sums: Sums = field(default_factory=Sums)
    tracks: dict[int, Track] = field(default_factory=dict)
    told: dict[int, Track] = field(default_factory=dict)
    next_id: int = 1
    unit: str | None = None
    step: int = 1
    offset: int = 0

    def t_of(self, count: int) -> int:
        """Return the time point of a step."""
        return count * self.step + self.offset

    def in_time_points(self, track: Track) -> Track:
        """Return a record as the caller counts."""
        return replace(track, first_t=self.t_of(track.first_t), last_t=self.t_of(track.last_t))


def pack(memory: Memory) -> bytes:
    """Bytes from which `unpack` makes the same memory."""
    steps = {} if memory.step == 1 else {"step": memory.step, "offset": memory.offset}
    text = json.dumps(
        {
            "format": FORMAT,
            **steps,
            "final": memory.final,
            "next_id": memory.next_id,
            "unit": memory.unit,
            "t": [frame.t for frame in memory.frames],
            "counts": [len(frame) for frame in memory.frames],
            "sums": asdict(memory.sums),
            "frame_sums": [asdict(frame.sums) for frame in memory.frames],
            "tracks": _values(memory.tracks),
            "told": _values(memory.told),
        }
    )
    arrays = _joined(memory.frames)
    arrays["json"] = np.frombuffer(text.encode(), np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            way = zipfile.ZIP_STORED if name in _NOISE else zipfile.ZIP_DEFLATED
            # numpy's own writer puts the time of day into the file; equal memories must give equal bytes.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), _npy(array), way, compresslevel=1)
    return buffer.getvalue()


def _joined(frames: list[Frame]) -> dict[str, StoredArray]:
    """The arrays of all frames one after the other: a few long members cost less than many short ones."""
    parts = [frame.arrays() for frame in frames]
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def _npy(array: StoredArray) -> bytes:
    member = io.BytesIO()
    np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    return member.getvalue()


def _values(tracks: dict[int, Track]) -> list[list[Any]]:
    return [[getattr(track, name) for name in _OF_TRACK] for track in tracks.values()]


def unpack(data: bytes) -> Memory:
    """Memory from the bytes of `pack`.

    Raises
    ------
    TrackerStateError
        If the bytes are something else.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        meta = json.loads(arrays.pop("json").tobytes())
        if meta["format"] != FORMAT:
            raise KeyError("format")
        return _memory(meta, arrays)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, *_OF_ZIP) as error:
        raise TrackerStateError(
            "The stored state of the tracker cannot be read; it is damaged or of another version, so track its "
            "acquisition anew."
        ) from error


def _memory(meta: dict[str, Any], arrays: dict[str, StoredArray]) -> Memory:
    """Memory from its JSON part and arrays by name."""
    counts, parts = meta["counts"], [dict[str, StoredArray]() for _ in meta["t"]]
    for name, array in arrays.items():
        if len(array) != sum(counts):
            raise ValueError(name)
        for part, piece in zip(parts, np.split(array, np.cumsum(counts)[:-1]), strict=True):
            part[name] = piece
    return Memory(
        frames=[
            Frame(t=t, sums=_sums(sums), **part)
            for t, sums, part in zip(meta["t"], meta["frame_sums"], parts, strict=True)
        ],
        final=meta["final"],
        sums=_sums(meta["sums"]),
        tracks={values[0]: Track(*values) for values in meta["tracks"]},
        told={values[0]: Track(*values) for values in meta["told"]},
        next_id=meta["next_id"],
        unit=meta["unit"],
        step=meta.get("step", 1),
        offset=meta.get("offset", 0),
    )


def _sums(values: dict[str, Any]) -> Sums:
    """Sums from JSON, where tuples are lists."""
    read: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Sums(**read)
