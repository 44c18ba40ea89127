"""Print what is committed as JSON lines, as it is committed: nuclei, tracks, divisions, births, ends, alarms.

Each line carries its cursor; with --from CURSOR the lines behind it follow, each once, however often either side was
stopped meanwhile. Rows that changed since are given as they are now, and again where the change was committed.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd follow embryo --where 'volume_um3 > 300' --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("acquisition", metavar="ACQ", nargs="?", help="one acquisition, by id or name (default: all)")
    parser.add_argument("--where", metavar="FILTER", help="only nuclei for which this holds, as in 'volume_um3 > 300'")
    parser.add_argument("--events", action="store_true", help="without the rows of nuclei and tracks")
    parser.add_argument(
        "--from",
        dest="cursor",
        metavar="CURSOR",
        help="what is behind the line with this cursor; 'start': all that was ever committed (default: from now on)",
    )
    parser.add_argument("--until-now", action="store_true", help="end when everything that is there was printed")
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print lines until stopped."""
    import json
    import sys

    from daemon.output import complain
    from storage import naming
    from storage.query.following import follower
    from storage.query.snapshots import snapshot

    url = naming.database_url(arguments.database)
    with snapshot(url) as connection:
        scope = follower.scope_of(connection, arguments.acquisition, arguments.where, arguments.events)
        cursor = follower.begin(connection, arguments.cursor)
    plain = sys.stdout.isatty()  # then nothing is printed that a terminal could obey
    for line in follower.follow(url, scope, cursor, until_now=arguments.until_now, complain=complain):
        sys.stdout.write(json.dumps(line, ensure_ascii=plain, allow_nan=False) + "\n")
        sys.stdout.flush()
    return 0
