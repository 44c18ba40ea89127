"""Which time points of a Leica image were taken: of a run that was stopped, the rest of its memory block is zeros.

Leica's program writes the whole block at once. A plane that was taken has a time stamp; where stamps are missing, and
only there, time points at the end that are blank throughout are those that never came.
"""

from __future__ import annotations

import math
from pathlib import Path

from storage.readers.leica.structure import LifImage

_AT_ONCE = 1 << 22


def time_points(path: Path, image: LifImage) -> tuple[int, ...]:
    """Return the time points that were taken.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    sizes = image.sizes
    times, stamps = sizes.get("T", 1), image.stamps
    channels = max(1, image.channels)
    # A stamp for each plane, or one for all channels of a plane.
    per_time_point = [channels * sizes.get("Z", 1), sizes.get("Z", 1)]
    if times == 1 or stamps == 0 or stamps >= times * per_time_point[0]:
        return tuple(range(times))
    last = times
    while last > 1 and _is_blank(path, image.runs(last - 1)):
        last -= 1
    if last < times:
        whole = next((stamps // k for k in per_time_point if math.ceil(stamps / k) == last), last)
        return tuple(range(max(1, whole)))
    return tuple(range(times))


def _is_blank(path: Path, runs: list[tuple[int, int]]) -> bool:
    with path.open("rb") as file:
        for offset, length in runs:
            file.seek(offset)
            left = length
            while left > 0:
                data = file.read(min(left, _AT_ONCE))
                if not data or data.count(0) < len(data):
                    return False
                left -= len(data)
    return True
