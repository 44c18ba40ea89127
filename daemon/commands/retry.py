"""Queue again what was set aside; a running service takes it up, else the next `run` or `process` does."""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd retry --failed --database results/nusetd.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("acquisition", metavar="ACQ", nargs="?", help="one acquisition, by id or name")
    which.add_argument("--failed", action="store_true", help="everything that failed")
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Queue again and say how much."""
    from daemon.orders.record import recorded
    from daemon.output import say
    from daemon.processing.retry import ask_again

    subject = "everything that failed" if arguments.failed else arguments.acquisition
    with recorded(arguments.database, "retry", subject) as ending:
        touched = ask_again(arguments.database, None if arguments.failed else arguments.acquisition)
        told = f"queued again: {', '.join(map(str, touched)) if touched else 'nothing, because nothing was set aside'}"
        ending.say(told)
    say(told)
    return 0
