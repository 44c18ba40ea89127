"""Find every mistake in a configuration file, each with its line, its value and the remedy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.output import complain, say

if TYPE_CHECKING:
    from daemon.configuration.config import Config

EXAMPLE = "nusetd check-config /etc/nusetd/nusetd.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    named = parser.add_mutually_exclusive_group(required=True)
    named.add_argument("file", nargs="?", metavar="FILE", type=Path, help="the TOML file")
    named.add_argument("--config", metavar="FILE", type=Path, help="the same, as `nusetd run` names it")


def execute(arguments: argparse.Namespace) -> int:
    """Check the file; exit code 0 when the service would do its work with it."""
    from daemon.commands.kind_of_weights import say_if_for_events
    from daemon.configuration import config
    from daemon.configuration.machine import machine_faults
    from daemon.configuration.toml_lines import text_of
    from daemon.errors import ConfigError
    from storage.connection.database_url import safe_url

    file = arguments.file or arguments.config
    try:
        text = text_of(file)
        checked, faults = config.examined(text, file)
    except ConfigError as error:
        complain(str(error), lines=True)
        return 1
    at_fault = {fault.key for fault in faults}  # the machine cannot be asked about what is not known
    faults += [fault for fault in machine_faults(checked) if fault.key not in at_fault]
    if faults:
        complain(config.told(faults, text, file), lines=True)
        return 1
    for watch in checked.watch:
        say(f"watch {watch.path} -> {watch.output}")
    say(f"records in {safe_url(checked.database)}")
    _say_settings(checked)
    say_if_for_events(checked.engine)
    return 0


def _say_settings(checked: Config) -> None:
    """Which settings are no defaults, and where they come from; overrides that do not count stop nothing."""
    from daemon.overrides.applying import applied
    from daemon.overrides.found import overrides_of
    from daemon.overrides.origins import in_use, service_in_use

    overrides = overrides_of(checked.database)
    found = applied(checked, overrides)
    for one in service_in_use(found.config, overrides):
        say(f"settings of the service: {one}")
    for watch in found.config.watch:
        for one in in_use(found.config, watch, overrides):
            say(f"settings of {watch.path}: {one}")
    for fault in found.faults:
        complain(fault)
