"""The settings in an ``.nd`` file of MetaMorph: sizes, names, and which files beside it hold what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from storage.readers.bounded import BoundedFile, BrokenFileError
from storage.readers.image import MOST_PLANES, first_line
from storage.readers.names_in_folder import NamesInFolder

_LARGEST_ND = 1 << 22
FilePlace = tuple[int, int, int]
"""Time point, channel, position."""


@dataclass(frozen=True)
class Experiment:
    """What an ``.nd`` says.

    Attributes
    ----------
    sizes : (time points, wavelengths, positions)
    slices : int
    z_um : float or None
    waves, positions : tuple of str
        Names; of waves, those in `flat` have a single plane.
    started_at : str or None
    expression : regular expression
        Of the names of its files.
    """

    sizes: tuple[int, int, int]
    slices: int
    z_um: float | None
    waves: tuple[str, ...]
    flat: frozenset[int]
    positions: tuple[str, ...]
    started_at: str | None
    expression: re.Pattern[str]

    @property
    def kept(self) -> tuple[int, ...]:
        """The wavelengths that are read: those with slices, where any has."""
        with_slices = tuple(c for c in range(self.sizes[1]) if c not in self.flat)
        return with_slices or tuple(range(self.sizes[1]))

    @property
    def depth(self) -> int:
        """Slices of the wavelengths that are read."""
        return self.slices if len(self.flat) < self.sizes[1] else 1


def read(path: Path) -> Experiment:
    """Read the settings.

    Raises
    ------
    BrokenFileError
        When they are none, or break off.
    OSError
    """
    with BoundedFile(path) as file:
        if file.size > _LARGEST_ND:
            raise BrokenFileError("its settings are too long to be such")
        text = file.at(0, file.size, "its settings").decode("utf-8-sig", errors="replace")
    if not text.lstrip().startswith('"NDInfoFile"'):
        raise BrokenFileError("it does not begin as one")
    if '"EndFile"' not in text:
        raise BrokenFileError("its settings break off")
    said = {key: value.strip().strip('"') for key, value in re.findall(r'^"([^"]+)",[ \t]*(.*?)\r?$', text, re.M)}
    try:
        return _experiment(path, said)
    except ValueError as error:
        raise BrokenFileError(f"its settings are damaged ({first_line(error)})") from error


def _experiment(path: Path, said: Mapping[str, str]) -> Experiment:
    def counted(switch: str, count: str) -> int:
        number = int(said.get(count, 1)) if said.get(switch, "FALSE").upper() == "TRUE" else 1
        if not 1 <= number <= MOST_PLANES:
            raise ValueError(f"{count} is {number}")
        return number

    parts = [r"\A", re.escape(path.name[: -len(path.suffix)])]
    for letter, switch in (("w", "DoWave"), ("s", "DoStage"), ("t", "DoTimelapse")):
        if said.get(switch, "FALSE").upper() == "TRUE":
            parts.append(rf"_{letter}(?P<{letter}>\d{{1,7}})" + (".*?" if letter == "w" else ""))
    sizes = (
        counted("DoTimelapse", "NTimePoints"), counted("DoWave", "NWavelengths"), counted("DoStage", "NStagePositions"),
    )  # fmt: skip
    slices = counted("DoZSeries", "NZSteps")
    if sizes[0] * sizes[1] * sizes[2] * slices > MOST_PLANES:
        raise ValueError(f"they claim {sizes} files of {slices} planes")
    flat = {c for c in range(sizes[1]) if said.get(f"WaveDoZ{c + 1}", "TRUE").upper() == "FALSE"} if slices > 1 else ()
    step = abs(float(said.get("ZStepSize") or 0))
    return Experiment(
        sizes=sizes,
        slices=slices,
        z_um=step if step > 0 and slices > 1 else None,
        waves=tuple(said.get(f"WaveName{c + 1}", "") for c in range(sizes[1])),
        flat=frozenset(flat),
        positions=tuple(said.get(f"Stage{p + 1}", "") for p in range(sizes[2])),
        started_at=said.get("StartTime1") or None,
        expression=re.compile("".join(parts) + r"\.(?:stk|tiff?)\Z", re.IGNORECASE | re.DOTALL),
    )


def members(path: Path) -> list[Path]:
    """Return the files of an experiment that are there now, sorted; none where its settings cannot be read.

    Raises
    ------
    OSError
        When their folder cannot be listed.
    """
    said = _known(path)
    return [] if said is None else list(_names(path.parent, said.expression).now()[0].values())


def lists(path: Path, name: str) -> bool:
    """Say whether an ``.nd`` file lists a file of this name beside it."""
    said = _known(path)
    return said is not None and said.expression.search(name) is not None


def _known(path: Path) -> Experiment | None:
    """Return the settings, read again only when the file changed; None where they cannot be read."""
    try:
        status = path.stat()
        return _read_at(path, status.st_size, status.st_mtime_ns)
    except (BrokenFileError, OSError):
        return None


@lru_cache(maxsize=64)
def _read_at(path: Path, size: int, mtime_ns: int) -> Experiment:
    del size, mtime_ns  # by these it is told from the file before
    return read(path)


def placed(path: Path, said: Experiment) -> Iterator[tuple[FilePlace, Path]]:
    """Give the files that are there, each with its place.

    Raises
    ------
    OSError
        When their folder cannot be listed.
    """
    files, told = _names(path.parent, said.expression).now()
    for name, file in files.items():
        if all(0 <= n < size for n, size in zip(told[name], said.sizes, strict=True)):
            yield told[name], file


@lru_cache(maxsize=8)
def _names(folder: Path, expression: re.Pattern[str]) -> NamesInFolder[FilePlace]:
    def place(name: str) -> FilePlace | None:
        told = expression.search(name)
        if told is None:
            return None
        numbers = {letter: int(number) - 1 for letter, number in told.groupdict().items() if number is not None}
        return (numbers.get("t", 0), numbers.get("w", 0), numbers.get("s", 0))

    return NamesInFolder(folder, place)
