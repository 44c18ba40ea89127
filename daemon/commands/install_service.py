"""Install the systemd service: its unit, a drop-in with your folders, a configuration to begin with, its user and its
folders; then print what to do next. What is there already stays, and --dry-run shows everything without doing it."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "nusetd install-service --watch /data/microscope --output /data/nuclei --dry-run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--watch", type=Path, action="append", required=True, metavar="DIR", help="a folder to watch; may be repeated"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder for the results")
    parser.add_argument("--user", default="nusetd", help="the service's user (default: nusetd)")
    parser.add_argument(
        "--group", action="append", default=[], help="a group through which it may read; may be repeated"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would be done, with the files' texts")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="write below DIR instead of /")


def execute(arguments: argparse.Namespace) -> int:
    """Install, and print the next steps."""
    from daemon.errors import UsageError
    from daemon.installation import install
    from daemon.output import say

    unknown = list(install.unknown_groups(arguments.group)) if arguments.root == Path("/") else []
    if unknown:
        raise UsageError(f"There is no group {', '.join(unknown)} on this machine: see `getent group`.")
    options = install.InstallOptions(
        tuple(arguments.watch), arguments.output, arguments.user, tuple(arguments.group), arguments.root.absolute()
    )
    install.install(options, say, arguments.dry_run)
    if arguments.dry_run:
        for path, text in (
            (install.CONFIG, install.config_text(options)),
            (install.DROP_IN, install.drop_in_text(options)),
            (install.UNIT, install.unit_text(options.user)),
        ):
            say(f"\n--- {path}")
            say(text.rstrip("\n"))
    say("\nNext:" if not arguments.dry_run else "\nThen:")
    for line in install.next_steps(options):
        say(line)
    return 0
