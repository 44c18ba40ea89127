"""The disk of the results takes no more: told within seconds, nothing lost, and gone on when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from lab import Lab, asked, stack, write_stack
from witness import Witness, free_port


def _fill(folder: Path) -> Callable[[], None]:
    """Leave no room; return what makes room again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast.unlink


def _use_all_inodes(folder: Path) -> Callable[[], None]:
    """Leave no room for another file; return what makes room again."""
    ballast = folder / "ballast"
    ballast.mkdir()
    made: list[Path] = []
    try:
        while True:
            path = ballast / str(len(made))
            path.touch()
            made.append(path)
    except OSError:
        pass

    def undo() -> None:
        for path in made:
            path.unlink()

    return undo


def _read_only(folder: Path) -> Callable[[], None]:
    """Mount it read-only, as the kernel does after errors; return what undoes it."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    return lambda: subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True) and None


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "do"),
    [
        ("disk full", _fill),
        ("inodes exhausted", _use_all_inodes),
        ("read-only remount", _read_only),
    ],
)
def test_a_disk_that_takes_no_more_is_told_of_and_nothing_is_lost(
    new_lab: Callable[..., Lab],
    mounted: Callable[..., Path],
    fault: str,
    do: Callable[[Path], Callable[[], None]],
) -> None:
    out, port = mounted("out", "size=12m,nr_inodes=2000"), free_port()
    lab = new_lab(shared=out, listen=f"127.0.0.1:{port}")
    witness = Witness(lab, port)
    write_stack(lab.incoming / "first.tif", stack(0))
    lab.start()
    lab.wait(lambda: lab.settled() and witness.is_well())
    undo, since = do(out), len(lab.said())
    write_stack(lab.incoming / "second.tif", stack(1))
    lab.wait(lambda: "everything waits" in lab.said())  # from when it takes effect
    witness.sees(fault, since=since)
    assert witness.metric("nusetd_keeps_up") == 0.0
    assert "kind=disk_low" in lab.said() or fault == "read-only remount" or fault == "inodes exhausted"
    undo()
    lab.wait(lambda: lab.settled() and witness.is_well())
    assert lab.states() == ["complete", "complete"]
    assert lab.stop() == 0, lab.said()
    for name in ("first", "second"):
        assert asked("verify", name, "--database", lab.database).returncode == 0


@pytest.mark.long
def test_a_full_disk_of_the_database_costs_nothing(new_lab: Callable[..., Lab], mounted: Callable[..., Path]) -> None:
    """Labels fit elsewhere; rows do not fit: the commit is what meets it."""
    root, port = mounted("lab", "size=12m"), free_port()
    lab = new_lab(shared=root.parent / "elsewhere", listen=f"127.0.0.1:{port}")
    witness = Witness(lab, port)
    os.makedirs(lab.output, exist_ok=True)
    write_stack(lab.incoming / "first.tif", stack(0))
    lab.start()
    lab.wait(lambda: lab.settled() and witness.is_well())
    write_stack(lab.incoming / "second.tif", stack(1))
    undo, since = _fill(root), len(lab.said())
    witness.sees("disk of the database full", since=since)
    undo()
    lab.wait(lambda: lab.settled() and witness.is_well())
    assert lab.states() == ["complete", "complete"]
    assert lab.stop() == 0, lab.said()
