"""Draw an acquisition's results as PNG, SVG or PDF.

summary  all of the following in one figure
nuclei   outlines over a maximum projection of one time point
tracks   tracks over the projection, coloured by time, divisions as circles
counts   detections, cells (tracks alive) and divisions over time
sizes    distributions of volume and area, and their course
lineage  who descends from whom
msd      mean squared displacement of the tracks
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

PICTURES = ("summary", "nuclei", "tracks", "counts", "sizes", "lineage", "msd")
EXAMPLE = "nusetd plot embryo --picture tracks --output tracks.svg --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    parser.add_argument("--picture", choices=PICTURES, default="summary", help="what to draw (default: summary)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="a .png, .svg or .pdf file (default: ACQ-PICTURE.png here)"
    )
    options.add_overwrite(parser)
    parser.add_argument(
        "--t",
        type=int,
        metavar="T",
        help="the time point whose image is shown, as it is numbered in the names of files (default: the last)",
    )
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Draw one picture."""
    from daemon.output import say
    from daemon.plots.figure import plot
    from storage import naming

    url = naming.database_url(arguments.database)
    output = arguments.output or Path(f"{naming.flat_name(arguments.acquisition)}-{arguments.picture}.png")
    say(str(plot(url, arguments.acquisition, arguments.picture, output, arguments.t, arguments.overwrite)))
    return 0
