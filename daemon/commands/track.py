"""Add track ids to a table of positions: the same rows in the same order, plus track_id and parent_track_id.

The table has columns t, y, x and, for volumes, z, in micrometres. Used where they are there: a diameter
(equivalent_diameter_um, diameter_um or diameter), volume_um3, area_um2, intensity_mean and elongation. Every cell stays
as it is written; columns called track_id and parent_track_id are replaced.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from tracking.params import TrackingParams

EXAMPLE = "nusetd track positions.csv --output tracked.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from daemon.commands import options
    from tracking.params import TrackingParams

    usual = TrackingParams()
    parser.add_argument("table", metavar="TABLE.csv", type=Path, help="columns t,[z,]y,x")
    parser.add_argument("--output", required=True, type=Path, metavar="OUT.csv", help="the file to write")
    parser.add_argument(
        "--search-range",
        type=float,
        metavar="UM",
        help="farthest that a nucleus can be from where it is expected (default: from the data)",
    )
    parser.add_argument(
        "--division-range",
        type=float,
        metavar="UM",
        help="farthest that newborn daughters can be apart (default: from the data)",
    )
    parser.add_argument(
        "--memory",
        type=int,
        metavar="N",
        help=f"time points that a nucleus may go unseen (default: {usual.memory_frames})",
    )
    parser.add_argument(
        "--step",
        type=options.positive_int,
        metavar="N",
        help="from one time point to the next (default: the constant step of three or more, else 1)",
    )
    parser.add_argument("--no-divisions", action="store_true", help="nuclei never divide")
    parser.add_argument(
        "--min-division-score",
        type=float,
        metavar="P",
        help=f"divisions less probable than this are not made (default: {usual.min_division_score})",
    )
    options.add_settings(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Read, track, write."""
    import pandas as pd
    from tqdm import tqdm

    from daemon.commands import options
    from daemon.output import complain
    from storage.files.text_table import read_text_table
    from tracking.table import RESULT_COLUMNS, USED_COLUMNS, track_table

    options.existing([arguments.table])
    params = _params(arguments)
    text = read_text_table(arguments.table)
    table = pd.DataFrame({name: text.numbers(name) for name in text.names if name in USED_COLUMNS})
    step = arguments.step or _step_of(table)
    if step > 1 and arguments.step is None:
        complain(f"{arguments.table} counts time points in steps of {step}: --step 1 where others are only missing.")
    with tqdm(unit="time point", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        tracked = track_table(table, params, show, step)
    columns = {name: ["" if pd.isna(v) else str(v) for v in tracked[name].tolist()] for name in RESULT_COLUMNS}
    text.with_columns(columns).write(arguments.output)
    return 0


def _step_of(table: pd.DataFrame) -> int:
    """The constant step of the time points; 1 for a table that the tracker is going to refuse."""
    import numpy as np

    from tracking.steps import step_of

    times = table["t"].to_numpy(np.float64) if "t" in table else np.zeros(0)
    whole = np.isfinite(times) & (np.abs(times) < 2**53) & (times == np.round(times))
    return step_of(times.astype(np.int64).tolist()) if whole.all() else 1


def _params(arguments: argparse.Namespace) -> TrackingParams:
    """Parameters of the tracker; wrong ones are wrong usage.

    Raises
    ------
    UsageError
    """
    from dataclasses import replace

    from daemon.commands import options
    from daemon.errors import UsageError
    from tracking.errors import TrackingError
    from tracking.tracker import REVISITS

    given = {
        "search_range": arguments.search_range,
        "division_range": arguments.division_range,
        "memory_frames": arguments.memory,
        "find_divisions": False if arguments.no_divisions else None,
        "min_division_score": arguments.min_division_score,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    params = options.configured(arguments).processing.tracking
    if arguments.memory is not None:
        chosen["lag_frames"] = max(params.lag_frames, arguments.memory + REVISITS)
    try:
        return replace(params, **chosen)
    except TrackingError as error:
        raise UsageError(str(error)) from error
