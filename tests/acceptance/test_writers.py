"""Writers as bad as they come: slow, pausing, cutting, replacing, moving. The result is as of files written at once."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from lab import Lab, assert_same, result, stack, write_stack

Maker = Callable[..., Lab]
PATIENCE_S = 900.0
PAUSE_S = 30.0  # longer than the quiet period, shorter than what is given up
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "ij": {"imagej": True},
}


def content(kind: str, t: int) -> bytes:
    """A file of about 18 KB."""
    image = stack(t, shape=(4, 96, 96))[:, :48, :48]
    file = BytesIO()
    tifffile.imwrite(file, image, photometric="minisblack", **KINDS[kind])
    return file.getvalue()


def trickle(path: Path, data: bytes, ended: dict[str, float]) -> None:
    """Write a kilobyte a second, with a pause after each third; the note of the time is taken before the last byte."""
    kilobytes = [data[i : i + 1024] for i in range(0, len(data), 1024)]
    pauses = {len(kilobytes) // 3, 2 * len(kilobytes) // 3}
    with path.open("wb", buffering=0) as file:
        for number, part in enumerate(kilobytes):
            time.sleep(PAUSE_S if number in pauses else 1.0)
            if number == len(kilobytes) - 1:
                ended[path.stem] = time.monotonic()
            file.write(part)


@pytest.mark.long
@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.parametrize("events", [True, False])
def test_a_kilobyte_a_second_with_long_pauses_is_never_taken_for_whole(new_lab: Maker, events: bool) -> None:
    files = {kind: content(kind, t) for t, kind in enumerate(KINDS)}
    calm = new_lab("calm")
    for kind, data in files.items():
        (calm.incoming / f"{kind}.tif").write_bytes(data)
    calm.start()
    calm.wait(lambda: calm.states() == ["complete"] * 3, PATIENCE_S)
    assert calm.stop() == 0
    lab = new_lab("slow", events=events, give_up_s=10 * PAUSE_S)
    lab.start()
    ended: dict[str, float] = {}
    writers = [
        threading.Thread(target=trickle, args=(lab.incoming / f"{kind}.tif", data, ended))
        for kind, data in files.items()
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        taken = [name for (name,) in lab.rows("select name from acquisitions")]
        assert set(taken) <= set(ended), "a file was taken before its last byte was written"
        time.sleep(0.1)
    lab.wait(lambda: lab.states() == ["complete"] * 3 and lab.settled(), PATIENCE_S)
    assert lab.stop() == 0
    assert_same(result(lab), result(calm))


def torment(lab: Lab, elsewhere: Path) -> None:
    """Files that land in all the ways in which files land."""
    for t in range(4):  # a series whose files grow in place
        data = np.array_split(np.frombuffer(_bytes(elsewhere, stack(t)), np.uint8), 5)
        with (lab.incoming / f"series_t{t:03d}.tif").open("wb", buffering=0) as file:
            for part in data:
                file.write(part.tobytes())
                time.sleep(0.1)
    folder = elsewhere / "day" / "position"
    folder.mkdir(parents=True)
    for number in range(3):
        write_stack(folder / f"moved {number}.tif", stack(number))
    shutil.move(elsewhere / "day", lab.incoming / "day")
    write_stack(lab.incoming / "copy.tif.part", stack(5)).rename(lab.incoming / "renamed.tif")
    cut = _bytes(elsewhere, stack(6))
    for tenth in range(1, 10):  # each time a file that ends too early, in place of the one before
        (lab.incoming / "cut.tif").write_bytes(cut[: len(cut) * tenth // 10])
        time.sleep(0.3)
    (lab.incoming / "cut.tif").write_bytes(cut)
    write_stack(lab.incoming / "replaced.tif", stack(7))
    lab.wait(lambda: bool(lab.rows("select 1 from acquisitions where name = 'replaced'")), PATIENCE_S)
    write_stack(lab.incoming / "replaced.tif", stack(8))
    for number in range(20):
        write_stack(lab.incoming / "day" / f"one of many {number:03d}.tif", stack(number))


def _bytes(folder: Path, image: np.ndarray) -> bytes:
    return write_stack(folder / "whole.tif", image).read_bytes()


@pytest.mark.long
@pytest.mark.timeout(3 * PATIENCE_S)
def test_polling_alone_gives_the_result_of_events(new_lab: Maker, tmp_path: Path) -> None:
    labs = {events: new_lab(f"events {events}", events=events, acquisition_quiet_s=3.0) for events in (True, False)}
    for events, lab in labs.items():
        elsewhere = tmp_path / f"elsewhere {events}"
        elsewhere.mkdir()
        lab.start()
        torment(lab, elsewhere)
        lab.wait(lambda lab=lab: lab.states() == ["complete"] * 27 and lab.settled(), PATIENCE_S)
        assert lab.stop() == 0
    found = result(labs[False])
    assert [t for name, t, _, _ in found["timepoints"] if name == "series"] == [0, 1, 2, 3]
    np.testing.assert_array_equal(found["labels"]["replaced.ome.zarr/0"][0, 0], stack(8))
    assert_same(found, result(labs[True]))
