"""Show what is queued, running, done and set aside, and the reasons of what was set aside."""

from __future__ import annotations

import argparse

from daemon.commands import options

BRIEF = ("id", "name", "state", "queued", "running", "done", "failed", "last_done_at", "error")
EXAMPLE = "nusetd status --database results/nusetd.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per acquisition that is not complete, and totals."""
    from daemon.output import write_table
    from storage import layout, queries

    write_table(queries.status(layout.database_url(arguments.database)), arguments.format, BRIEF)
    return 0
