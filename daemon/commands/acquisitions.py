"""List the acquisitions of a database: what they are, how far they are, where their results lie."""

from __future__ import annotations

import argparse

from daemon.commands import options

BRIEF = (
    "id",
    "name",
    "state",
    "date",
    "source_folder",
    "size_t",
    "size_c",
    "size_z",
    "size_y",
    "size_x",
    "voxel_z_um",
    "voxel_y_um",
    "voxel_x_um",
    "voxel_source",
    "axes_source",
    "time_source",
    "frame_interval_s",
    "frame_interval_source",
    "nuclear_channel_name",
    "channel_source",
    "timepoints_done",
    "cells_count",
    "divisions_count",
    "nuclei_count",
    "tracks_count",
    "error",
)
EXAMPLE = "nusetd acquisitions --database results/nusetd.sqlite --format csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_selection(parser, "state = 'partial'", of_time=False)
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per acquisition."""
    from daemon.output import write_pages
    from storage import naming
    from storage.query.question import Question

    wanted = options.selection(arguments)
    with Question.acquisitions(naming.database_url(arguments.database), wanted).pages() as pages:
        write_pages(pages, arguments.format, () if wanted.columns else BRIEF)
    return 0
