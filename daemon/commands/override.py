"""Settings of a watched folder, or the service's weights, from now on, without touching the configuration; or a list.

The running service keeps them in its state folder, with who chose what and when, and goes on with them at once. They
count more than the configuration. What is under way with other settings is begun anew, in a second result.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
    from daemon.configuration.assignments import Assignment
    from daemon.monitoring.report import Report
    from daemon.overrides.book import Value

EXAMPLE = "nusetd override /data/confocal segmentation.min_score=0.7 --database results"
_WEIGHTS = "engine.weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "watch",
        metavar="WATCH",
        nargs="?",
        help=f"the watched folder, or the end of its path; or {_WEIGHTS}=NAME, for the service as a whole",
    )
    parser.add_argument(
        "settings",
        metavar="SECTION.NAME=VALUE",
        nargs="*",
        type=options.one_assignment,
        help="settings, see `nusetd settings`; without any, what is overridden is listed",
    )
    parser.add_argument(
        "--remove", action="append", default=[], metavar="SECTION.NAME", help="as the configuration says, from now on"
    )
    parser.add_argument("--remove-all", action="store_true", help="the same for every setting of the folder")
    parser.add_argument("--history", action="store_true", help="list who changed what, when, and what it was before")
    parser.add_argument("--by", metavar="NAME", help="who it is that changes them (default: this account)")
    options.add_database(parser)
    parser.add_argument(
        "--wait", type=options.seconds, default=30.0, metavar="S", help="longest wait for the service's answer (30)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Order, and say what the service answered; or list."""
    from daemon.errors import UsageError
    from daemon.orders.record import recorded
    from daemon.output import say
    from daemon.overrides import asking

    given, removed = arguments.watch or "", ("*",) if arguments.remove_all else tuple(arguments.remove)
    weights = given.removeprefix(f"{_WEIGHTS}=") if given.startswith(f"{_WEIGHTS}=") else None
    if (weights or (not given and removed == (_WEIGHTS,))) and not arguments.settings:
        return _weights(arguments, weights)
    if "=" in given and not arguments.settings:
        raise UsageError("Name the watched folder, then its settings: " + EXAMPLE)
    report = _report(arguments.database)
    if not (arguments.settings or arguments.remove or arguments.remove_all):
        for line in _listed(report, arguments):
            say(line)
        return 0
    if arguments.watch is None:
        raise UsageError("Name the watched folder, then its settings: " + EXAMPLE)
    watch = _watch(arguments.watch, report)
    values = _values(arguments.settings)
    facts = {**values, **({"removed": ", ".join(removed)} if removed else {})}
    with recorded(arguments.database, "override", watch, facts, who=arguments.by) as ending:
        number = asking.ask_override(arguments.database, watch, values, removed, arguments.by)
        ending.say("noted for the service", requests=[number])
    return asking.say_answer(arguments.database, number, arguments.wait)


def _weights(arguments: argparse.Namespace, weights: str | None) -> int:
    """Order other weights for the service as a whole; None: those of its configuration."""
    from daemon.orders.record import recorded
    from daemon.overrides import asking

    facts = {_WEIGHTS: weights} if weights else {"removed": _WEIGHTS}
    with recorded(arguments.database, "override", "the service", facts, who=arguments.by) as ending:
        number = asking.ask_weights(arguments.database, weights, arguments.by)
        ending.say("noted for the service", requests=[number])
    return asking.say_answer(arguments.database, number, arguments.wait)


def _values(settings: list[Assignment]) -> dict[str, Value]:
    from daemon.configuration.assignments import DEFAULT

    return {f"{one.section}.{one.name}": DEFAULT if one.value is None else one.value for one in settings}


def _report(database: str) -> Report | None:
    from daemon.monitoring import status
    from storage.clock import utc_now

    return status.look(database, utc_now()).report


def _watch(wanted: str, report: Report | None) -> str:
    """The watched folder that is meant.

    Raises
    ------
    UsageError
    """
    from daemon.errors import UsageError

    path = str(Path(wanted).expanduser().absolute())
    named = [] if report is None else [*(root.path for root in report.roots), *report.settings.get("overridden", ())]
    folders = list(dict.fromkeys(named))
    found = [path] if path in folders or not folders else [one for one in folders if one.endswith(f"/{wanted}")]
    if len(found) == 1:
        return found[0]
    raise UsageError(f"{wanted} is none of the watched folders: choose one of {', '.join(folders)}.")


def _listed(report: Report | None, arguments: argparse.Namespace) -> Iterator[str]:
    from daemon.overrides import book
    from daemon.overrides.origins import SettingInUse, spoken

    told = report.settings if report is not None else {}
    wanted = None if arguments.watch is None else _watch(arguments.watch, report)
    if arguments.history:
        path = told.get("path")
        for one in book.read(Path(path)).changes if path else ():
            if wanted in (None, one.watch):
                after = "as the configuration says" if one.value is None else spoken(one.value)
                where = one.watch or "the service"
                yield f"{one.at}  {one.by}  {where}  {one.setting} = {after}, before {spoken(one.before)}"
        return
    places = {"the service": told.get("service", [])} if wanted is None else {}
    lines = [
        f"{folder}: {setting}"
        for folder, settings in {**places, **told.get("settings", {})}.items()
        for setting in map(SettingInUse.from_dict, settings)
        if setting.origin == "override" and (folder in places or wanted in (None, folder))
    ]
    yield from lines or ["Nothing is overridden."]
    yield from told.get("faults", ())
