"""Check that rows, labels and source agree for every nucleus of an acquisition, and name what does not.

Labels and pixels are read again and measured anew; what is missing is named, with where and when it was last seen.
Exit code 0 when everything agrees, 1 when something does not.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd verify embryo --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    parser.add_argument("--no-source", action="store_true", help="leave the source alone: compare rows and labels only")
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print a line per disagreement, and a last line with the verdict."""
    from daemon.output import complain, say
    from storage import naming
    from storage.query.snapshots import resolved, snapshot
    from storage.spans import counted
    from storage.verify import verify

    url = naming.database_url(arguments.database)
    with snapshot(url) as connection:
        row = resolved(connection, arguments.acquisition)
    times = nuclei = faults = 0
    for checked in verify(url, arguments.acquisition, source=not arguments.no_source):
        times, nuclei = times + (checked.t is not None), nuclei + checked.nuclei
        faults += len(checked.mismatches)
        for mismatch in checked.mismatches:
            label = "" if mismatch.label is None else f", label {mismatch.label}"
            named = None if mismatch.t is None else f"time point {row.source_t(mismatch.t)}{label}"
            say(f"{named or arguments.acquisition}: {mismatch.what}")
    looked_at = f"{counted(nuclei, 'nucleus', 'nuclei')} in {counted(times, 'time point')}"
    if faults:
        complain(f"{counted(faults, 'disagreement')} in {looked_at}.")
        return 1
    say(f"{looked_at}: rows, labels{'' if arguments.no_source else ' and source'} agree.")
    return 0
