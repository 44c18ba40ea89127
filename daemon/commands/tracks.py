"""Print the tracks of an acquisition, one row each: parent, first and last time point, number of nuclei, measures.

Tracks that are final are measured: duration, displacement, speed, mean squared displacement and the exponent of
diffusion, growth, length of the cell cycle, time of division.

With --t the tracks that live at that time or within that range.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

BRIEF = (
    "track_id",
    "parent_track_id",
    "first_source_t",
    "last_source_t",
    "nuclei_count",
    "is_final",
    "division_source_t",
    "division_score",
    "net_displacement_um",
    "mean_speed_um_per_frame",
    "diffusion_exponent",
)
EXAMPLE = "nusetd tracks embryo --where 'nuclei_count > 10' --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    options.add_selection(parser, "nuclei_count > 10 and parent_track_id is not null")
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per track."""
    from daemon.output import write_pages
    from storage import naming
    from storage.query.question import Question

    url, wanted = naming.database_url(arguments.database), options.selection(arguments)
    with Question.tracks(url, arguments.acquisition, wanted).pages() as pages:
        write_pages(pages, arguments.format, () if wanted.columns else BRIEF)
    return 0
