"""Render a small 3D time-lapse, write it into a watched folder as a microscope would, run the service on it,
and print what it found against what is true."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "nusetd demo --output nusetd-demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--output", type=Path, default=Path("nusetd-demo"), metavar="DIR", help="default: ./nusetd-demo"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Run the demonstration."""
    from daemon.demonstration.demo import run_demo

    return run_demo(arguments.output)
