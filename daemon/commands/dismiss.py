"""Have problems told no more: those of acquisitions, or all. What goes wrong later is told again.

Nothing else changes: `nusetd retry` still queues what failed. Problems of files that are gone leave by themselves
while the service runs.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd dismiss --all --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("acquisition", metavar="ACQ", nargs="?", help="one acquisition, by id or name")
    which.add_argument("--all", action="store_true", help="all problems that there are now")
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Dismiss, and say of how many acquisitions there were problems."""
    from daemon.orders.record import recorded
    from daemon.output import say
    from daemon.upkeep.dismiss import dismiss
    from storage.spans import counted

    subject = "all problems" if arguments.all else arguments.acquisition
    with recorded(arguments.database, "dismiss", subject) as ending:
        count = dismiss(arguments.database, None if arguments.all else arguments.acquisition)
        told = f"problems of {counted(count, 'acquisition')} are told no more."
        ending.say(told)
    say(told)
    return 0
