"""Whether files that are numbered as a series are one: the same size, the same place, dates that follow each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

from nuset_engine.voxels import VoxelSize
from storage.acquisition import Acquisition
from storage.errors import StorageError
from storage.readers.names import AcquisitionKey, numbered_file

_MOST = 64
"""Files of a series that are looked into before it is believed; the others are compared when their turn comes."""
_FAR_UM = 50.0
"""Steps of a stage that nobody takes for drift, where the width of the image is not known; else half of that."""
_LONG = timedelta(hours=12)
_UNEVEN, _PAUSE = 5.0, timedelta(hours=1)
"""Nobody images every 12 hours with a file each, nor with pauses of more than an hour between much shorter ones."""
_SAME_VOXEL = 0.01
"""Programs round voxel sizes, and stages do not step quite alike; another objective makes another voxel size."""
REMEDY = (
    "if they are independent images or conditions, switch series off with --pattern none "
    '(pattern = "none" of the watch)'
)


@dataclass(frozen=True)
class FileOfSeries:
    """What one file of a series says that tells it from others."""

    number: int
    shape: tuple[int, ...]
    width_um: float | None
    stage_um: tuple[float, float] | None
    date: datetime | None
    voxel_um: VoxelSize | None = None
    pixels: str = ""  # their type


def looked_at(
    key: AcquisitionKey, members: Mapping[int, Path], opened: Callable[[Path], list[Acquisition]]
) -> tuple[FileOfSeries, ...]:
    """Look into the files, some of them where there are many; a single one is compared with the one before it."""
    numbers = sorted(members)
    if len(numbers) == 1:
        before = _beside(key, numbers[0] - 1)
        files = {**({numbers[0] - 1: before} if before is not None else {}), **members}
    else:
        chosen = {round(i * (len(numbers) - 1) / (_MOST - 1)) for i in range(_MOST)}
        files = {n: members[n] for i, n in enumerate(numbers) if len(numbers) <= _MOST or i in chosen}
    looks = []
    for number, path in sorted(files.items()):
        try:
            images = opened(path)
        except StorageError:
            continue  # said when it is its turn
        if len(images) == 1:
            looks.append(_look(number, images[0]))
    return tuple(looks)


def are_strangers(key: AcquisitionKey, members: Mapping[int, Path], looks: tuple[FileOfSeries, ...]) -> bool:
    """Say whether no size is that of most files, so that no series is among them; where they are all that there are."""
    shapes = Counter(look.shape for look in looks)
    beside = _beside(key, min(members) - 1) or _beside(key, max(members) + 1)
    return len(members) > 1 and len(shapes) > 1 and 2 * max(shapes.values()) <= len(looks) and beside is None


def strangers(series: Path) -> str:
    """What is said of files that are no series."""
    return (
        f"{series} would be a series, but the sizes of its files differ: each is taken for an image of its own, and "
        "not for a time point."
    )


def doubts(series: Path, looks: tuple[FileOfSeries, ...]) -> tuple[str, ...]:
    """Return what speaks against these files being one series, a sentence each."""
    found = [_size_doubt(looks), _type_doubt(looks), _voxel_doubt(looks), _stage_doubt(looks), _date_doubt(looks)]
    return tuple(f"{series} is taken for one series, but {doubt}: {REMEDY}." for doubt in found if doubt)


def _beside(key: AcquisitionKey, number: int) -> Path | None:
    try:
        return numbered_file(key.path, number) if number >= 0 else None
    except StorageError:
        return None


def _look(number: int, image: Acquisition) -> FileOfSeries:
    shape = (image.size_t, image.size_c, image.size_z, image.size_y, image.size_x)
    width = None if image.voxel_size_um is None else image.voxel_size_um[2] * image.size_x
    return FileOfSeries(
        number, shape, width, image.stage_um, _date(image.started_at), image.voxel_size_um, image.dtype.name
    )


def _date(text: str | None) -> datetime | None:
    try:
        date = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return None if date is None else date.replace(tzinfo=None)


def _size_doubt(looks: tuple[FileOfSeries, ...]) -> str:
    shapes = Counter(look.shape for look in looks)
    if len(shapes) < 2:
        return ""
    usual = shapes.most_common(1)[0][0]
    odd = next(look for look in looks if look.shape != usual)
    return f"number {odd.number} has the size (T, C, Z, Y, X) {odd.shape}, others have {usual}"


def _type_doubt(looks: tuple[FileOfSeries, ...]) -> str:
    """Compare with the first: pixels of another type have another scale, and are not mixed."""
    odd = next((look for look in looks if look.pixels != looks[0].pixels), None)
    return "" if odd is None else f"number {odd.number} has pixels of {odd.pixels}, others of {looks[0].pixels}"


def _voxel_doubt(looks: tuple[FileOfSeries, ...]) -> str:
    """Compare with the first, whose voxel size is taken for all."""
    told = [(look.number, look.voxel_um) for look in looks if look.voxel_um is not None]
    for number, voxel in told[1:]:
        if not all(math.isclose(a, b, rel_tol=_SAME_VOXEL) for a, b in zip(voxel, told[0][1], strict=True)):
            one, other = (" x ".join(f"{n:.4g}" for n in size) for size in (voxel, told[0][1]))
            return f"number {number} has voxels of {one} um (z, y, x), number {told[0][0]} of {other} um"
    return ""


def _stage_doubt(looks: tuple[FileOfSeries, ...]) -> str:
    for one, other in pairwise(look for look in looks if look.stage_um is not None):
        assert one.stage_um is not None
        assert other.stage_um is not None
        far = _FAR_UM if one.width_um is None else one.width_um / 2
        moved = math.dist(one.stage_um, other.stage_um)
        if moved > far:
            return f"the stage moved by {moved:.4g} um between numbers {one.number} and {other.number}"
    return ""


def _date_doubt(looks: tuple[FileOfSeries, ...]) -> str:
    dated = [(look.number, look.date) for look in looks if look.date is not None]
    steps = [(b - a, (m, n)) for (m, a), (n, b) in pairwise(dated)]
    if not steps:
        return ""
    usual = median(step.total_seconds() / (n - m) for step, (m, n) in steps)
    for step, (m, n) in steps:
        if step < timedelta(0):
            return f"number {n} was recorded before number {m}"
        each = step / (n - m)
        if each >= _LONG or (each > _PAUSE and each.total_seconds() > _UNEVEN * max(usual, 1.0)):
            return f"numbers {m} and {n} were recorded {_spoken(step)} apart"
    return ""


def _spoken(step: timedelta) -> str:
    hours = step / timedelta(hours=1)
    return f"{hours / 24:.3g} days" if hours >= 48 else f"{hours:.3g} hours"
