"""Write an acquisition's results in another format.

`ctc`: label images and tracks of the Cell Tracking Challenge; `csv`: one table of nuclei and one of tracks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd export embryo --format ctc --output embryo-ctc"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    parser.add_argument(
        "--format", required=True, choices=("ctc", "geff", "napari", "csv", "parquet"), help="the format to write"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="PATH", help="the file or folder to write")
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write one committed snapshot."""
    from daemon.output import say
    from storage import layout
    from storage.export import export

    url = layout.database_url(arguments.database)
    export(url, arguments.acquisition, arguments.format, arguments.output)
    say(str(arguments.output))
    return 0
