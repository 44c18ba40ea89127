"""Print the nuclei of an acquisition, one row per nucleus and time point, with sizes in micrometres."""

from __future__ import annotations

import argparse

from daemon.commands import options

BRIEF = (
    "source_t",
    "label",
    "track_id",
    "centroid_z_um",
    "centroid_y_um",
    "centroid_x_um",
    "volume_um3",
    "area_um2",
    "volume_px",
    "intensity_mean",
    "score",
    "slices_seen",
    "gap_bridged",
    "touches_border",
)
EXAMPLE = "nusetd nuclei embryo --where 'volume_um3 > 300 and t <= 10' --format csv > nuclei.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    options.add_selection(parser, "volume_um3 > 300 and t <= 10")
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per nucleus."""
    from daemon.output import write_pages
    from storage import naming
    from storage.query.question import Question

    url, wanted = naming.database_url(arguments.database), options.selection(arguments)
    with Question.nuclei(url, arguments.acquisition, wanted).pages() as pages:
        write_pages(pages, arguments.format, () if wanted.columns else BRIEF)
    return 0
