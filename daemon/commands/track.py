"""Add track ids to a table of positions: the same rows in the same order, plus track_id and parent_track_id.

The table has columns t, y, x and, for stacks, z, in micrometres; further columns of a nuclei table are used if there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "nusetd track positions.csv --output tracked.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("table", metavar="TABLE.csv", type=Path, help="columns t,[z,]y,x")
    parser.add_argument("--output", required=True, type=Path, metavar="OUT.csv", help="the file to write")


def execute(arguments: argparse.Namespace) -> int:
    """Read, track, write."""
    import pandas as pd

    from daemon.errors import DaemonError
    from tracking.table import track_table

    try:
        table = pd.read_csv(arguments.table)
    except (OSError, ValueError) as error:
        raise DaemonError(f"{arguments.table} cannot be read as a CSV table ({error}).") from error
    tracked = track_table(table)
    try:
        tracked.to_csv(arguments.output, index=False, lineterminator="\n")
    except OSError as error:
        raise DaemonError(f"{arguments.output} cannot be written ({error.strerror}).") from error
    return 0
