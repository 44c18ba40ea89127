"""Forget acquisitions: remove their OME-Zarr and all their rows, for good. Export before what is to be kept.

The running service does it, else this command. Its source stays where it is, and is not processed again as long as it
is unchanged; `nusetd process` or `nusetd submit` take it anew. With --due, those that the rule [retention] lets go.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd forget day1/Series001 --dry-run --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("acquisition", metavar="ACQ", nargs="*", help="acquisitions, by id or name")
    parser.add_argument("--keep-files", action="store_true", help="remove the rows, leave the OME-Zarr where it is")
    parser.add_argument("--due", action="store_true", help="those that the rule [retention] of --config lets go now")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the service's TOML file, for --due")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be forgotten")
    options.add_database(parser)
    parser.add_argument(
        "--wait",
        type=options.seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the service's answer (default: 60)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Forget, and say what."""
    from daemon.errors import UsageError
    from daemon.orders.record import recorded
    from daemon.output import complain, say
    from daemon.upkeep.forget import due_rows, forget, rows_of

    if arguments.due == bool(arguments.acquisition) or arguments.due != (arguments.config is not None):
        raise UsageError("Name acquisitions, or give --due with --config FILE.")
    if arguments.due:
        database, rows = due_rows(arguments.config)
    else:
        database, rows = arguments.database, rows_of(arguments.database, arguments.acquisition)
    for row in rows if arguments.dry_run else ():
        files = "its OME-Zarr stays" if arguments.keep_files or row.zarr_path is None else row.zarr_path
        say(f"would forget {row.name} ({row.state}): {files}")
    if not rows:
        complain("The rule lets nothing go now.")
    if arguments.dry_run or not rows:
        return 0
    facts = {"keep_files": True} if arguments.keep_files else {}
    with recorded(database, "forget", ", ".join(row.name for row in rows), facts) as ending:
        code = forget(database, [row.id for row in rows], arguments.keep_files, arguments.wait)
        ending.say("forgotten" if code == 0 else "not all are forgotten", accepted=code == 0)
    return code
