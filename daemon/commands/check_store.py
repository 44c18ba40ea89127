"""Look through all stores of an output: whose they are, whether they are whole, which are missing or orphaned.

Exit code 0 when nobody need look, 1 where a store is missing, damaged, taken by another, orphaned, or left over. Pixels
are not read: `nusetd verify` does that.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd check-store --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="folders to look through besides those of the database's stores",
    )
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print a row per store."""
    import pandas as pd

    from daemon.output import complain, write_table
    from storage import naming
    from storage.spans import counted
    from storage.store_check import check_stores

    folders = [folder.absolute() for folder in options.existing(arguments.folders)]
    found = list(check_stores(naming.database_url(arguments.database), folders))
    rows = [(one.state, one.acquisition, str(one.place), one.what) for one in found]
    write_table(pd.DataFrame(rows, columns=["state", "acquisition", "place", "what"]), arguments.format)
    amiss = [one for one in found if not one.is_fine]
    if amiss:
        complain(f"{len(amiss)} of {counted(len(found), 'store')} to be looked at.")
    return 1 if amiss else 0
