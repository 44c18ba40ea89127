"""Install the systemd service: its unit, drop-ins with your folders and what else it may use, a configuration to begin
with, its user and its folders; then print what to do next. What is there already stays, and --dry-run shows everything
without doing it."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "nusetd install-service --watch /data/microscope --output /data/nuclei --dry-run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--watch", type=Path, action="append", required=True, metavar="DIR", help="a folder to watch; may be repeated"
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder, or URL, for the results")
    parser.add_argument("--database", metavar="URL", help="where the records go (default: a file under /var/lib)")
    parser.add_argument("--name", help="of one of several services on this machine: nusetd@NAME, with files of its own")
    parser.add_argument("--user", default="nusetd", help="the service's user (default: nusetd)")
    parser.add_argument(
        "--group", action="append", default=[], help="a group through which it may read; may be repeated"
    )
    parser.add_argument("--gpu", action="store_true", help="let it use graphics cards")
    parser.add_argument(
        "--network",
        nargs="+",
        action="extend",
        default=[],
        metavar="HOST",
        help="other hosts that it may reach: names, addresses, networks, or any (a database, an object store, mail)",
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would be done, with the files' texts")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR", help="write below DIR instead of /")


def execute(arguments: argparse.Namespace) -> int:
    """Install, and print the next steps."""
    from daemon.errors import UsageError
    from daemon.installation import install
    from daemon.installation.options import InstallOptions, unknown_groups
    from daemon.installation.service_names import ServiceNames
    from daemon.installation.texts import config_text
    from daemon.output import say
    from storage import naming
    from storage.connection.database_url import safe_url

    unknown = list(unknown_groups(arguments.group)) if arguments.root == Path("/") else []
    if unknown and not arguments.dry_run:
        raise UsageError(f"There is no group {', '.join(unknown)} on this machine: see `getent group`.")
    options = InstallOptions(
        watch=tuple(arguments.watch),
        output=arguments.output if naming.is_url(arguments.output) else Path(arguments.output),
        user=arguments.user,
        groups=tuple(arguments.group),
        root=arguments.root.absolute(),
        names=ServiceNames(arguments.name),
        database=arguments.database,
        gpu=arguments.gpu,
        network=tuple(arguments.network),
    )
    for name in unknown:
        say(f"not from here: there is no group {name} on this machine")
    install.install(options, say, arguments.dry_run)
    if arguments.dry_run:
        config = (options.names.config, config_text(options))
        for path, text in (config, *((path, text) for path, text, _ in install.unit_files(options))):
            say(f"\n--- {path}")
            shown = text if options.database is None else text.replace(options.database, safe_url(options.database))
            say(shown.rstrip("\n"))
    say("\nNext:" if not arguments.dry_run else "\nThen:")
    for line in install.next_steps(options):
        say(line)
    return 0
