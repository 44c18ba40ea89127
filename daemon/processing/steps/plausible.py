"""Whether what was found in a time point makes sense: sizes, scores and counts that are far out are said, and kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nuset_engine.nuclei import Nuclei
    from storage.schema.rows import AcquisitionRow

FEWEST = 5  # nuclei of which a median says something
WIDTHS_UM = (3.0, 40.0)
LEAST_SCORE = 0.72  # medians of nuclei are above, those of noise and of other structures mostly below
FACTOR, LEAST_DIFFERENCE = 4.0, 10
"""A count is far out that differs by so much from the median of those before."""
COUNTS_KEPT = 20


def doubts(nuclei: Nuclei, row: AcquisitionRow, counts: Sequence[int]) -> list[str]:
    """What does not make sense, for people; nothing where all does.

    Parameters
    ----------
    nuclei : Nuclei
        Of the time point.
    row : AcquisitionRow
    counts : sequence of int
        Nuclei in the time points before it, up to `COUNTS_KEPT` of them.
    """
    table, found = nuclei.table, list[str]()
    if len(table) >= FEWEST:
        width = float(table["equivalent_diameter_um"].median())
        if row.voxel_size_um is not None and (width < WIDTHS_UM[0] or width > WIDTHS_UM[1]):
            found.append(f"their median width is {width:.3g} um")
        score = float(table["score"].median())
        if score < LEAST_SCORE:
            found.append(f"their median score is {score:.2f}")
    if len(counts) >= 3:
        usual, count = median(counts), len(table)
        far = count > FACTOR * usual or count * FACTOR < usual
        if far and abs(count - usual) >= LEAST_DIFFERENCE:
            found.append(f"there are {count}, after {usual:g} in the time points before")
    return found


def in_a_sentence(found: Sequence[str], row: AcquisitionRow, t: int) -> str:
    """The doubts about one time point, and what to do."""
    taken = f" in {row.channel_in_words}" if (row.size_c or 1) > 1 else ""
    return (
        f"{row.name}, time point {t}: the nuclei{taken} make little sense ({', '.join(found)}): look at them, and at "
        "channel and voxel size."
    )


def jump_in_a_sentence(jump: Sequence[float], unit: str, row: AcquisitionRow, t: int) -> str:
    """That the whole sample was moved at once, which tracks allow for, and what to do."""
    z, y, x = (f"{by:.1f}" for by in jump)
    return (
        f"{row.name}, time point {t}: the whole sample lies {math.hypot(*jump):.0f} {unit} from where it was (z {z}, y "
        f"{y}, x {x}), and tracks are continued with that taken off: look whether the stage moved."
    )
