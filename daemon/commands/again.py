"""Have the running service do an acquisition again, with the settings in use now, as a second result beside the first.

The first result stays as it is, and the page shows both side by side. `nusetd forget` removes the one that is not
wanted.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd again embryo --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    parser.add_argument("--by", metavar="NAME", help="who it is that asks (default: this account)")
    options.add_database(parser)
    parser.add_argument(
        "--wait", type=options.seconds, default=30.0, metavar="S", help="longest wait for the service's answer (30)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Ask, and say what the service answered."""
    from daemon.orders.record import recorded
    from daemon.overrides import asking

    with recorded(arguments.database, "again", arguments.acquisition, who=arguments.by) as ending:
        number = asking.ask_again(arguments.database, arguments.acquisition, arguments.by)
        ending.say("noted for the service", requests=[number])
    return asking.say_answer(arguments.database, number, arguments.wait)
