"""Find every mistake in a configuration file, each with its line, its value and the remedy."""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.output import complain, say

EXAMPLE = "nusetd check-config /etc/nusetd/nusetd.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the TOML file")


def execute(arguments: argparse.Namespace) -> int:
    """Check the file; exit code 0 when the service would start with it."""
    from daemon import config
    from daemon.errors import ConfigError
    from daemon.toml_lines import key_lines, line_of

    try:
        checked = config.load(arguments.file)
    except ConfigError as error:
        complain(str(error))
        return 1
    lines = key_lines(arguments.file.read_text(encoding="utf-8"))
    faults = config.missing_folders(checked)
    for fault in faults:
        complain(f"{arguments.file}, line {line_of(lines, fault.key)}: {fault.sentence}")
    if faults:
        return 1
    for watch in checked.watch:
        say(f"watch {watch.path} -> {watch.output}")
    say(f"records in {checked.database}")
    return 0
