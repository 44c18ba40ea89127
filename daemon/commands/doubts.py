"""Print the decisions that a person should look at first, with what would mend each.

Every decision has a probability that it is wrong. The list is ordered by what a look is expected to mend, and has one
entry for each chain of errors. What was corrected or confirmed leaves it, and decisions of its kind are judged anew.
`wrong` and `right` are the commands that say which it is.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

BRIEF = ("rank", "doubt", "kind", "t", "label", "z_um", "y_um", "x_um", "z_px", "y_px", "x_px", "alternative", "wrong")
EXAMPLE = "nusetd doubts embryo --top 20 --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    parser.add_argument("--top", type=options.positive_int, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument(
        "--kind",
        type=options.names,
        default=(),
        metavar="A,B,...",
        help="only of these kinds: false, part, several, outline, link, missed, division, birth, end",
    )
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per doubt."""
    from daemon.output import write_table
    from storage import naming
    from storage.doubts.listing import doubts, table
    from storage.query.snapshots import resolved, snapshot

    with snapshot(naming.database_url(arguments.database)) as connection:
        row = resolved(connection, arguments.acquisition)
        found = doubts(connection, row, arguments.top, arguments.kind)
    frame = table(row, found)
    named = options.same_database(arguments)
    for name in ("wrong", "right"):
        frame[name] = [command + named if command else command for command in frame[name]]
    write_table(frame, arguments.format, BRIEF)
    return 0
