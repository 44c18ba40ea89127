"""The stored state of a tracker: it comes back as it was, and nothing else is taken for one."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.tracking.test_pinned import movie
from tracking.errors import TrackerStateError
from tracking.state import FORMAT, Memory, pack, unpack
from tracking.tracker import Tracker


@pytest.fixture(scope="module")
def memory() -> Memory:
    """Of a tracker that has seen divisions, gaps and nuclei taken for one."""
    tracker = Tracker()
    for nuclei in movie(3, seed=11)[:9]:
        tracker.advance(nuclei)
    return tracker._memory


def test_everything_comes_back_as_it_was(memory: Memory) -> None:
    read = unpack(pack(memory))
    assert (read.final, read.next_id, read.unit) == (memory.final, memory.next_id, memory.unit)
    assert read.final > 0
    assert (read.sums, read.tracks, read.told) == (memory.sums, memory.tracks, memory.told)
    assert read.tracks
    assert read.told
    assert len(read.frames) == len(memory.frames) > 3
    for one, other in zip(read.frames, memory.frames, strict=True):
        assert (one.t, one.sums) == (other.t, other.sums)
        for name, array in other.arrays().items():
            found = one.arrays()[name]
            np.testing.assert_array_equal(found, array)
            assert found.dtype == array.dtype


def test_equal_memories_give_equal_bytes_at_any_time(memory: Memory) -> None:
    packed = pack(memory)
    assert pack(unpack(packed)) == packed
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_tracker_that_was_read_goes_on_as_the_one_that_was_written() -> None:
    kept, frames = Tracker(), movie(3, seed=11)
    for nuclei in frames[:8]:
        kept.advance(nuclei)
    read = Tracker.from_state(kept.state())
    for nuclei in frames[8:11]:
        assert [frame.t for frame in read.advance(nuclei).frames] == [frame.t for frame in kept.advance(nuclei).frames]
    assert read.state() == kept.state()


def changed(packed: bytes, **values: object) -> bytes:
    """The same state with other values in its JSON."""
    arrays = dict(np.load(io.BytesIO(packed)))
    said = json.loads(arrays.pop("json").tobytes()) | values
    written = io.BytesIO()
    np.savez(written, json=np.frombuffer(json.dumps(said).encode(), np.uint8), **arrays)
    return written.getvalue()


@pytest.mark.parametrize(
    "values", [{"format": FORMAT + 1}, {"format": FORMAT - 1}, {"t": [1]}, {"sums": {"odd": 1}}, {"sums": 7}]
)
def test_what_another_version_wrote_is_refused_in_a_sentence(memory: Memory, values: dict[str, object]) -> None:
    packed = pack(memory)
    assert unpack(changed(packed)).next_id == memory.next_id
    with pytest.raises(TrackerStateError, match="track its acquisition anew"):
        unpack(changed(packed, **values))


@pytest.mark.parametrize("data", [b"", b"nothing of the kind", b"PK\x05\x06" + bytes(18)])
def test_what_is_none_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(TrackerStateError, match="track its acquisition anew"):
        unpack(data)


def test_a_state_that_breaks_off_is_refused_in_a_sentence(memory: Memory) -> None:
    packed = pack(memory)
    for size in (10, len(packed) // 2, len(packed) - 1):
        with pytest.raises(TrackerStateError):
            unpack(packed[:size])


def test_nothing_is_unpickled() -> None:
    """Bytes from a database are no programs."""
    written = io.BytesIO()
    np.savez(written, json=np.array([{"a": 1}], dtype=object))
    with pytest.raises(TrackerStateError):
        unpack(written.getvalue())


@pytest.mark.parametrize("counted", [{}, {"step": 3, "offset": 2}])
def test_how_a_series_counts_comes_back_and_is_said_where_it_is_not_one_by_one(
    memory: Memory, counted: dict[str, int]
) -> None:
    """So that a state of a series that counts one by one is as it was before steps were counted."""
    packed = pack(replace(memory, **counted))
    said = json.loads(dict(np.load(io.BytesIO(packed)))["json"].tobytes())
    assert {name: said[name] for name in ("step", "offset") if name in said} == counted
    read = unpack(packed)
    assert (read.step, read.offset) == (counted.get("step", 1), counted.get("offset", 0))
