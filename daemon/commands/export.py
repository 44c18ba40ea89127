"""Write an acquisition's results in another format.

All formats show one committed moment, also while the service goes on, and appear when they are whole.

ctc        folder: label images and res_track.txt of the Cell Tracking Challenge
csv        folder with nuclei.csv and tracks.csv; with a name that ends in .csv the nuclei alone
geff       the lineage graph in the Graph Exchange File Format (Mastodon, napari-geff); .geff
napari     table of tracks for napari's tracks layer; .csv, and beside it .layer.json with scale, units and divisions
parquet    as csv, with types
trackmate  XML for Fiji's TrackMate; .xml
training   folders images and labels for `nusetd train`: slices of the time points that people corrected, else of all;
           of corrected ones also seen, where somebody looked

A name without an ending gets the format's.
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
        "--format",
        required=True,
        choices=("csv", "ctc", "geff", "napari", "parquet", "trackmate", "training"),
        help="the format to write",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="PATH", help="the file or folder to write")
    options.add_overwrite(parser)
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write one committed snapshot."""
    from daemon.output import say
    from storage import naming
    from storage.export.exporters import export

    url = naming.database_url(arguments.database)
    say(str(export(url, arguments.acquisition, arguments.format, arguments.output, arguments.overwrite)))
    return 0
