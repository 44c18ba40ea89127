"""Print the tracks of an acquisition, one row each: parent, first and last time point, number of nuclei."""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd tracks embryo --database results/nusetd.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per track."""
    from daemon.output import write_table
    from storage import layout, queries

    url = layout.database_url(arguments.database)
    write_table(queries.tracks(url, arguments.acquisition), arguments.format)
    return 0
