"""A file that nobody closes is closed with its source, and before libraries complain at the end of the program."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
from cases import nikon_file
from cases.stored import pixels

from storage.readers.image import HandleSource


class Opened:
    """A file of nobody's format."""

    def __init__(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


class Source(HandleSource[Opened]):
    """Gives planes, and remembers what it opened."""

    def __init__(self, files: list[Opened]) -> None:
        super().__init__(Path("a"), ())
        self._opened_files = files

    def _open(self) -> Opened:
        self._opened_files.append(Opened())
        return self._opened_files[-1]

    def _read(self, handle: Opened, t: int, c: int, z: int) -> np.ndarray:
        assert handle.is_open
        return np.zeros((2, 2))

    def fingerprint(self, t: int) -> str:
        return ""


def test_a_file_is_closed_when_asked_and_with_its_source() -> None:
    files: list[Opened] = []
    source = Source(files)
    source.plane(0, 0, 0)
    source.plane(0, 0, 0)
    source.close()
    source.plane(0, 0, 0)
    assert [file.is_open for file in files] == [False, True]
    del source
    gc.collect()
    assert [file.is_open for file in files] == [False, False]


def test_the_end_of_the_program_closes_files_without_a_word(tmp_path: Path) -> None:
    path = nikon_file.nd2(tmp_path, pixels(2, 1, 3))
    code = (
        "import sys; from pathlib import Path; from storage.readers import open_acquisitions\n"
        "sys.modules['kept'] = kept = open_acquisitions(Path(sys.argv[1])); kept[0].plane(0, 0, 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
