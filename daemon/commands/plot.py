"""Draw results as PNG, SVG or PDF.

Of one acquisition:
summary  nuclei, tracks, counts, sizes, displacements and lineage in one figure
nuclei   outlines over a maximum projection of one time point, from the side too; numbers are tracks
slices   slices of one time point beside each other, with outlines
tracks   tracks over the projection, coloured by time, divisions as circles
counts   detections, cells (tracks alive) and divisions over time
sizes    distributions of volume and area, and their course
lineage  who descends from whom
msd      mean squared displacement of the tracks

Of several, or of all where none is named:
distribution  sizes as histogram, cumulative curve and boxes, for each acquisition or condition
agreement     counts of nuclei against a reference that people made, with the line of equality and r²
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from daemon.plots.comparing.groups import By

PICTURES = ("summary", "nuclei", "slices", "tracks", "counts", "sizes", "lineage", "msd")
COMPARING = ("distribution", "agreement")
EXAMPLE = (
    "nusetd plot embryo --picture tracks --output tracks.svg --database results\n"
    "  nusetd plot --picture distribution --group control=a,b --group drug=c --database results\n"
    "  nusetd plot embryo --picture agreement --reference counted.csv --database results"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "acquisitions", metavar="ACQ", nargs="*", help="the acquisition's id or name, see `nusetd acquisitions`"
    )
    parser.add_argument(
        "--picture", choices=(*PICTURES, *COMPARING), default="summary", help="what to draw (default: summary)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="a .png, .svg or .pdf file (default: ACQ-PICTURE.png here)"
    )
    options.add_overwrite(parser)
    parser.add_argument(
        "--t",
        type=options.time_range,
        metavar="T",
        help="the time point whose image is shown, as it is numbered in the names of files (default: the last); "
        "for distribution also FIRST:LAST (default: all)",
    )
    _add_comparing(parser)
    options.add_database(parser)


def _add_comparing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--group",
        action="append",
        default=[],
        type=_group,
        metavar="NAME=ACQ,...",
        help="for distribution: a condition and its acquisitions, by id where a name has a comma; once for each",
    )
    parser.add_argument(
        "--by",
        choices=("acquisition", "folder"),
        help="for distribution: without --group, what is a condition; folder: what stands before the last / of names, "
        "else the folder of the images (default: acquisition)",
    )
    parser.add_argument(
        "--column", metavar="NAME", help="for distribution: a column of nuclei (default: volume, of planes area)"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="PATH",
        help="for agreement: a CSV with the columns t, acquisition (where needed) and count, or without count a row "
        "for each nucleus; a folder of label images, numbered by time point or named as acquisitions; or a folder of "
        "the Cell Tracking Challenge",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Draw one picture."""
    from daemon.output import say
    from daemon.plots.canvas import output_file, save
    from daemon.plots.ids import fit_ids
    from storage import naming

    _check(arguments)
    url = naming.database_url(arguments.database)
    named = arguments.acquisitions[0] if len(arguments.acquisitions) == 1 else "acquisitions"
    output = arguments.output or Path(f"{naming.flat_name(named)}-{arguments.picture}.png")
    output = output_file(output, arguments.overwrite)
    figure = _figure(arguments, url)
    fit_ids(figure)
    save(figure, output)
    say(str(output))
    return 0


def _figure(arguments: argparse.Namespace, url: str) -> Figure:
    from daemon.plots.comparing import figures
    from daemon.plots.figure import draw

    names = arguments.acquisitions
    if arguments.picture == "distribution":
        given: dict[str, list[str]] = {}
        for name, members in arguments.group:
            given.setdefault(name, []).extend(members)
        by: By = "folder" if arguments.by == "folder" else "acquisition"
        return figures.distribution(url, names, given, by, arguments.column, arguments.t)
    if arguments.picture == "agreement":
        return figures.agreement(url, names, arguments.reference)
    return draw(url, names[0], arguments.picture, arguments.t)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what belongs to another picture, so that nothing that is asked for is left out in silence."""
    from daemon.errors import UsageError

    picture = arguments.picture
    if picture in PICTURES and len(arguments.acquisitions) != 1:
        raise UsageError(f"{picture} is the picture of one acquisition: name one, or choose --picture distribution.")
    if picture in PICTURES and isinstance(arguments.t, tuple):
        raise UsageError(f"{picture} shows one time point: give --t one number.")
    if picture != "distribution" and (arguments.group or arguments.by or arguments.column):
        raise UsageError(f"--group, --by and --column belong to --picture distribution, not to {picture}.")
    if arguments.group and arguments.by:
        raise UsageError("--by makes groups where none are given: leave out --group or --by.")
    if (picture == "agreement") != (arguments.reference is not None):
        raise UsageError("--reference and --picture agreement belong together: give both or none.")
    if picture == "agreement" and arguments.t is not None:
        raise UsageError("agreement compares every time point that the reference counts: leave out --t.")


def _group(text: str) -> tuple[str, tuple[str, ...]]:
    """The name of a condition, and its acquisitions."""
    name, equals, members = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not a condition such as control=embryo1,embryo2")
    return name.strip(), options.names(members)
