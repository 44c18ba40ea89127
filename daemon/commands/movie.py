"""Write the movie of a time-lapse: nuclei with outlines, tracks with tails, time and scale bar, as GIF or MP4.

Stacks are seen from above. The contrast is the same in all frames; a time point that is absent is a black frame that
says so. MP4 needs ffmpeg: that of this computer, or `pip install 'nusetd[movie]'`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd movie embryo --output embryo.mp4 --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="a .gif or .mp4 file (default: ACQ.gif here)")
    options.add_overwrite(parser)
    parser.add_argument(
        "--t",
        type=options.time_range,
        metavar="FIRST:LAST",
        help="only these time points, as they are numbered in the names of files (default: all)",
    )
    parser.add_argument("--fps", type=options.seconds, default=7.0, metavar="N", help="time points per second (7)")
    parser.add_argument(
        "--tail", type=_count, default=10, metavar="N", help="how many time points tails are long, 0 for none (10)"
    )
    parser.add_argument(
        "--colour-by",
        choices=("lineage", "track"),
        default="lineage",
        help="whether daughters have their mother's colour (default: lineage)",
    )
    parser.add_argument(
        "--largest", type=_pixels, default=1024, metavar="PX", help="longest side of the image in pixels (1024)"
    )
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write one movie."""
    from daemon.errors import UsageError
    from daemon.movies.movie import make_movie
    from daemon.movies.movie_order import MovieOptions
    from daemon.output import say
    from storage import naming

    if isinstance(arguments.t, int):
        raise UsageError(f"A movie needs several time points: give a range, as in --t {arguments.t}:{arguments.t + 9}.")
    first, last = arguments.t or (None, None)
    output = arguments.output or Path(f"{naming.flat_name(arguments.acquisition)}.gif")
    wanted = MovieOptions(arguments.fps, arguments.tail, arguments.largest, arguments.colour_by, first, last)
    url = naming.database_url(arguments.database)
    say(str(make_movie(url, arguments.acquisition, output, wanted, arguments.overwrite)))
    return 0


def _count(text: str) -> int:
    """A whole number from 0."""
    return 0 if text == "0" else options.positive_int(text)


def _pixels(text: str) -> int:
    """A whole number of at least 64: smaller frames have no room for their words."""
    number = options.positive_int(text)
    if number < 64:
        raise argparse.ArgumentTypeError(f"{text!r} is too small to see anything: give at least 64")
    return number
