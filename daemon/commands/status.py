"""How the service is: whether it runs, its queue, lag and throughput, whether it keeps up, the watched folders, the
latest problems; then what is queued, running, done and set aside of each acquisition. Works whether it runs or not."""

from __future__ import annotations

import argparse

from daemon.commands import options

BRIEF = ("id", "name", "state", "queued", "running", "done", "failed", "last_done_at")
EXAMPLE = "nusetd status --database results/nusetd.sqlite"
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_database(parser)
    options.add_format(parser)
    parser.add_argument("--all", action="store_true", help=f"all acquisitions, not only the latest {_SHOWN}")


def execute(arguments: argparse.Namespace) -> int:
    """Print the status; JSON is one object, CSV and Parquet hold the acquisitions alone."""
    import json

    from daemon.monitoring import status
    from daemon.output import complain, say, write_table
    from daemon.plain_text import shown
    from storage import naming
    from storage.clock import utc_now
    from storage.query.question import Question

    url = naming.database_url(arguments.database)
    table = Question.status(url).frame()
    if arguments.format in ("csv", "parquet"):
        write_table(table, arguments.format)
        return 0
    seen = status.look(url, utc_now())
    if arguments.format == "json":
        acquisitions = json.loads(table.to_json(orient="records"))
        say(json.dumps({**seen.as_dict(), "acquisitions": acquisitions}, indent=2))
        return 0
    for line in status.lines(seen):
        say(shown(line, allowed=""))
    say("")
    latest = table if arguments.all else table.tail(_SHOWN)
    write_table(latest[list(BRIEF)], "table")
    if len(latest) < len(table):
        complain(f"({len(table) - len(latest)} older acquisitions with --all)")
    return 0
