"""Print the nuclei of an acquisition, one row per nucleus and time point, with sizes in micrometres."""

from __future__ import annotations

import argparse

from daemon.commands import options

BRIEF = (
    "t",
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
EXAMPLE = "nusetd nuclei embryo --database results/nusetd.sqlite --format csv > nuclei.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per nucleus."""
    from daemon.output import write_table
    from storage import layout, queries

    url = layout.database_url(arguments.database)
    write_table(queries.nuclei(url, arguments.acquisition), arguments.format, BRIEF)
    return 0
