"""Put databases that were made apart together: all that each of them knows becomes part of one.

Acquisitions, nuclei, tracks, corrections and what is still to be done go over; stores stay where they are, and belong
to that database from then on. Databases that were merged are not changed: keep them as a backup or remove them, and
start no service on them. No service may run on any of them meanwhile. Doing it again takes over what is new.
"""

from __future__ import annotations

import argparse

EXAMPLE = "nusetd merge job1/nusetd.sqlite job2/nusetd.sqlite --into all/nusetd.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("databases", metavar="DATABASE", nargs="+", help="database file, folder with one, or URL")
    parser.add_argument("--into", metavar="DATABASE", required=True, help="the one that takes them; made if need be")


def execute(arguments: argparse.Namespace) -> int:
    """Take one after the other, and say what came of each."""
    from daemon.output import complain, say
    from daemon.upkeep.merge import merge
    from storage.connection.database_url import safe_url
    from storage.naming import is_url
    from storage.spans import counted

    lacking = 0
    for database in arguments.databases:
        merged = merge(database, arguments.into, complain)
        named = safe_url(database) if is_url(database) else database
        before = f", {merged.known} there already" if merged.known else ""
        left = f", {merged.left} left out" if merged.left else ""
        say(f"{named}: {counted(merged.taken, 'acquisition')} taken over{before}{left}.")
        lacking += merged.unsigned
    return 1 if lacking else 0
