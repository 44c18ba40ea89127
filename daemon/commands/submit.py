"""Have the running service take files as they are, now, whatever quiet time and format say.

For files that will not grow any more although their format waits for more; what of them is whole is processed. With
facts, such as --axes, for files that were taken for something else: they are read again, and the old result gives way.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd submit /data/microscope/stopped.ome.tif --database /var/lib/nusetd/nusetd.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, or folders with files, to be taken")
    options.add_database(parser)
    options.add_reading(parser)
    parser.add_argument(
        "--wait",
        type=options.seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait for the service's answer (default: 30)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Ask, and say what the service answered."""
    from daemon.orders.record import recorded
    from daemon.watching.submit import answers, ask, told

    given = options.given_facts(arguments)
    paths = options.existing(arguments.paths)
    with recorded(arguments.database, "submit", ", ".join(map(str, paths)), given.stored()) as ending:
        numbers = ask(paths, arguments.database, given)
        ending.say("noted for the service", requests=numbers)
    return told(answers(arguments.database, numbers, arguments.wait))
