"""The service: watches folders, processes every image that lands there, and goes on until it is told to stop.

SIGTERM and Ctrl-C stop it safely; after a crash it continues where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd run --config /etc/nusetd/nusetd.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the TOML file, see check-config")
    options.add_assignments(parser)
    options.add_workers(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run until stopped; faults of the configuration reach the journal as errors, a line each."""
    from daemon import logs
    from daemon.configuration import config
    from daemon.errors import ConfigError
    from nuset_engine.loading import load_to_stay

    try:
        given = config.load(arguments.config, arguments.set)
    except ConfigError as error:
        if not logs.under_journal():
            raise
        logs.set_up()
        for line in str(error).splitlines():
            logs.error("wrong configuration", fault=line)
        return 2
    load_to_stay("daemon.service")
    from daemon.service import run_service

    return run_service(given, arguments.config.absolute())
