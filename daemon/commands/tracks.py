"""Print the tracks of an acquisition, one row each: parent, first and last time point, number of nuclei.

With --t the tracks that live at that time or within that range.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

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
    from storage import layout, questions

    url = layout.database_url(arguments.database)
    with questions.tracks(url, arguments.acquisition, options.selection(arguments)) as pages:
        write_pages(pages, arguments.format)
    return 0
