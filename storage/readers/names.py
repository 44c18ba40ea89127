"""File names: what is an image by name, what it is called, and which time point of which acquisition it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from storage.description import Description
from storage.errors import SourceGoneError, StorageError
from storage.readers.series.plane_names import is_series, series_name, title

TIFF_SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.tf2", ".ome.tf8", ".ome.btf", ".tif", ".tiff", ".btf", ".tf8", ".lsm")
COMPANION_SUFFIXES = (".companion.ome",)  # describes OME-TIFFs beside it
ZARR_SUFFIXES = (".ome.zarr", ".zarr")
OIF_SUFFIXES, OIB_SUFFIXES, OIR_SUFFIXES = (".oif",), (".oib",), (".oir",)
CZI_SUFFIXES, ND2_SUFFIXES, LIF_SUFFIXES = (".czi",), (".nd2",), (".lif",)
STK_SUFFIXES, ND_SUFFIXES, IMS_SUFFIXES = (".stk",), (".nd",), (".ims",)
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
VENDOR_SUFFIXES = (
    OIF_SUFFIXES + OIB_SUFFIXES + OIR_SUFFIXES + CZI_SUFFIXES + ND2_SUFFIXES + LIF_SUFFIXES
    + STK_SUFFIXES + ND_SUFFIXES + IMS_SUFFIXES
)  # fmt: skip
NDTIFF_INDEX = "NDTiff.index"  # stands for the folder that it lies in
SUFFIXES = TIFF_SUFFIXES + COMPANION_SUFFIXES + ZARR_SUFFIXES + VENDOR_SUFFIXES + PICTURE_SUFFIXES

# Names that programs give to files which are not there yet, or not meant for anybody.
TEMPORARY_STARTS = (".", "~", "_tmp")
OWN_PICTURES = (".try.png", ".try.jpg", ".try.jpeg")  # of `nusetd try`, where nobody names another file
TEMPORARY_ENDS = (".tmp", ".part", ".partial", ".crdownload", ".filepart", "~")

# name_t001, name_T1, name-t12, name.t3, t004: the number behind a t that stands alone, at the end.
NO_SERIES = "none"  # instead of a pattern
LARGEST_NUMBER = 9_999_999  # of a time point: what is larger is a date, or another number that nobody counts up to
TIME_PATTERN = r"(?s)\A(?:(?P<name>.+)[_\-. ])?[tT](?P<t>\d{1,9})\Z"


@dataclass(frozen=True)
class AcquisitionKey:
    """Which acquisition a file belongs to.

    Attributes
    ----------
    path : Path
        The acquisition's `source_path`: equal for all files of one acquisition.
    name : str
    t : int or None
        The number in the name for one file per time point, as it is written there; else None.
    """

    path: Path
    name: str
    t: int | None = None

    @property
    def group(self) -> AcquisitionKey:
        """The same for all files of one acquisition."""
        return replace(self, t=None)


def is_candidate(path: Path) -> bool:
    """Say, by name alone, whether a file or folder may be an image for us."""
    name = path.name.lower()
    if name.startswith(TEMPORARY_STARTS) or name.endswith(TEMPORARY_ENDS + OWN_PICTURES):
        return False
    return suffix(path) is not None


def suffix(path: Path) -> str | None:
    """Return the ending that a reader knows (``.ome.tif`` before ``.tif``), lower case; None if there is none."""
    name = path.name.lower()
    if name == NDTIFF_INDEX.lower():
        return NDTIFF_INDEX.lower()
    return next((s for s in SUFFIXES if name.endswith(s) and len(name) > len(s)), None)


def stem(path: Path) -> str:
    """Return a file's name without the ending that a reader knows; of an NDTiff index, its folder's name."""
    ending = suffix(path)
    if ending == NDTIFF_INDEX.lower():
        return path.absolute().parent.name
    text = path.name[: -len(ending)] if ending else path.stem
    return (title(text) or path.absolute().parent.name) if is_series(path) else text


def file_of_image(path: Path) -> Path:
    """Return the file (or OME-Zarr) that an acquisition's `source_path` is in: without the number of the image."""
    choices = (path, Path(str(path).rpartition("#")[0] or path), path.parent)
    return next((one for one in choices if suffix(one) is not None), path)


def experiment(acquisition: Description) -> str | None:
    """Name of the experiment that an acquisition is one of several positions of (scenes of one file), or None."""
    if len(acquisition.files) != 1 or acquisition.source_path == acquisition.files[0]:
        return None
    file = acquisition.files[0]
    return stem(file) if str(acquisition.source_path).startswith((f"{file}#", f"{file}/")) else None


def acquisition_key(path: str | Path, pattern: str | None = None) -> AcquisitionKey:
    """Return which acquisition a file belongs to, and which time point it is.

    Parameters
    ----------
    path : str or Path
    pattern : str or None
        Regular expression over the name without its ending, with a group ``t`` and (optionally) a group ``name``.
        With groups ``z`` or ``c`` each file is one plane, and all of a series lead to one path (see `planes`).
        None: `TIME_PATTERN`. `NO_SERIES` or the empty text: every file is an acquisition of its own.

    Raises
    ------
    StorageError
        When the pattern is none, or has none of these groups.
    """
    path = Path(path)
    whole = AcquisitionKey(path, stem(path))
    if pattern in ("", NO_SERIES) or suffix(path) in ZARR_SUFFIXES + COMPANION_SUFFIXES:
        return whole
    series = plane_series(path, pattern)
    if series is not None:
        return AcquisitionKey(series, stem(series))
    found = compiled(pattern).search(stem(path))
    if found is None or int(found["t"]) > LARGEST_NUMBER:
        return whole
    text = stem(path)
    start, end = found.span("t")
    template = f"{text[:start]}*{text[end:]}{path.name[len(text) :]}"
    name = found.groupdict().get("name") or (text[:start] + text[end:]).rstrip("_-. tT") or path.absolute().parent.name
    return AcquisitionKey(path.with_name(template), name, int(found["t"]))


def plane_series(path: Path, pattern: str | None) -> Path | None:
    """Return the path that stands for the series of planes which a file belongs to by its name; None for none."""
    if not pattern or pattern == NO_SERIES or suffix(path) not in TIFF_SUFFIXES + PICTURE_SUFFIXES:
        return None
    found = compiled(pattern).search(stem(path))
    return None if found is None else series_name(path, found)


def compiled(pattern: str | None) -> re.Pattern[str]:
    """Return a file name pattern ready for use.

    Raises
    ------
    StorageError
        When it is no regular expression, or names none of the groups ``t``, ``z`` and ``c``.
    """
    try:
        expression = re.compile(TIME_PATTERN if pattern is None else pattern)
    except re.error as error:
        raise StorageError(f"The file name pattern {pattern!r} is no regular expression ({error}).") from error
    if not {"t", "z", "c"} & set(expression.groupindex):
        raise StorageError(
            f"The file name pattern {pattern!r} has no group (?P<t>\\d+) for the time point's number, "
            "and none for that of the slice (z) or channel (c)."
        )
    return expression


def numbered_file(template: Path, number: int) -> Path:
    """Return the file of a series (whose `source_path` is `template`) with a number in its name.

    Raises
    ------
    SourceGoneError
        When it is not there.
    """
    path = _numbered(template, number)
    if path is None:
        raise SourceGoneError(f"{template} has no file number {number} any more: bring it back, then retry.")
    return path


def counts_instead(path: Path, pattern: str | None = None) -> Path | None:
    """Return the file that counts where two of a series have one number, 1 and 01; None where this one does.

    It is the one that is written with fewer digits.
    """
    key = acquisition_key(path, pattern)
    counts = None if key.t is None or "*" not in key.path.name else _numbered(key.path, key.t)
    return None if counts is None or counts.name == path.name else counts


def same_number(path: Path, counts: Path) -> str:
    """What is said of a file that another one counts instead of."""
    return f"{path} has the same number as {counts.name} and is left out: give it another number."


def alike(series: Iterable[AcquisitionKey]) -> list[tuple[Path, Path]]:
    """Return pairs of series in one folder whose files' names differ in capitals or endings alone."""
    known: dict[tuple[Path, str], Path] = {}
    found = []
    for key in series:
        if "*" not in key.path.name or suffix(key.path) is None:
            continue
        other = known.setdefault((key.path.parent, stem(key.path).casefold()), key.path)
        found += [(other, key.path)] if other != key.path else []
    return found


def is_alone(path: Path, pattern: str | None = None) -> bool:
    """Say whether a file with a number is one image all the same: no other lies beside it, and it is no beginning.

    What is numbered 0 or 1 may be the first of a series of which more will come.
    """
    key = acquisition_key(path, pattern)
    if key.t is None or key.t <= 1:
        return False
    if any(_numbered(key.path, key.t + by) is not None for by in (-1, 1)):
        return False
    try:
        beside = list(path.absolute().parent.iterdir())
    except OSError:
        return False
    others = (one for one in beside if one.name != path.name and is_candidate(one))
    return not any(acquisition_key(path.with_name(one.name), pattern).group == key.group for one in others)


def _numbered(template: Path, number: int) -> Path | None:
    for width in range(1, 10):
        path = template.with_name(template.name.replace("*", f"{number:0{width}d}", 1))
        if path.exists():
            return path
    return None


def first_number(key: AcquisitionKey, numbers: list[int]) -> int:
    """Return the number that is time point 0: 0 if a file is numbered 0, else 1.

    The folder is asked, not only the files at hand, so that it does not matter which of them are ready.
    """
    if 0 in numbers:
        return 0
    zeros = (key.path.with_name(key.path.name.replace("*", "0" * width, 1)) for width in range(1, 7))
    return 0 if any(path.exists() for path in zeros) else 1
