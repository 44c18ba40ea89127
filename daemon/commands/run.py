"""The service: watches folders, processes every image that lands there, and goes on until it is told to stop.

SIGTERM and Ctrl-C stop it safely; after a crash it continues where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "nusetd run --config /etc/nusetd/nusetd.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the TOML file, see check-config")


def execute(arguments: argparse.Namespace) -> int:
    """Run until stopped."""
    from daemon import config
    from daemon.service import run_service

    return run_service(config.load(arguments.config), arguments.config.absolute())
