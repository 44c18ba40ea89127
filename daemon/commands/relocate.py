"""Write down that files were moved: every store and every source that lay in OLD (or was OLD) lies in NEW now.

Results beside their database need no such order: they are found wherever their folder is moved to. While the service
runs it is the only one that writes: stop it first, and give it the new folders in its configuration.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd relocate /data/microscope /archive/2026/microscope --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("old", metavar="OLD", help="the folder, file, or URL where they lay")
    parser.add_argument("new", metavar="NEW", help="the one where they lie now")
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Write it down, and say how much there was."""
    from daemon.output import complain, say
    from daemon.upkeep.relocate import relocate
    from storage import naming
    from storage.spans import counted

    old, new = naming.as_place(arguments.old), naming.as_place(arguments.new)
    moved = relocate(arguments.database, old, new)
    if not moved.stores and not moved.sources:
        complain(f"Nothing that the database knows lay in {old}: `nusetd acquisitions --format csv` shows the paths.")
        return 1
    say(f"{new}: {counted(moved.stores, 'store')}, sources of {counted(moved.sources, 'acquisition')}.")
    return 0
