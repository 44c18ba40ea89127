"""Print the rules for the microscope and what they sent; or what they would have sent of a stored acquisition.

With --dry-run the events of an acquisition are looked at once more, by the code that the service runs: one row for each
answer, with the time of the commit that caused it. Nothing is sent.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.commands import options

if TYPE_CHECKING:
    from daemon.configuration.rules import RuleConfig

BRIEF = (
    "rule", "acquisition", "source_t", "action", "say", "label", "track_id",
    "offset_z_um", "offset_y_um", "offset_x_um", "committed_at", "delivered_at", "state", "outcome",
)  # fmt: skip
EXAMPLE = "nusetd rules --dry-run embryo --config /etc/nusetd/nusetd.toml --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--dry-run", metavar="ACQ", help="what the rules would have sent of this acquisition, and when")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the configuration with the rules (default: the running service's)"
    )
    parser.add_argument("--rule", metavar="NAME", help="only this rule")
    parser.add_argument(
        "--limit", metavar="N", type=options.positive_int, default=50, help="at most so many rows (default: 50)"
    )
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print rules, and a row for each answer."""
    import pandas as pd

    from daemon.output import write_table

    rows = _would_be_sent(arguments) if arguments.dry_run is not None else _sent(arguments)
    write_table(pd.DataFrame(rows, columns=None if rows else list(BRIEF)), arguments.format, BRIEF)
    return 0


def _sent(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    from daemon.errors import UsageError
    from daemon.output import say
    from storage import naming
    from storage.query.health import read_report
    from storage.query.noticing.sent import latest_sendings
    from storage.query.snapshots import snapshot

    with snapshot(naming.database_url(arguments.database)) as connection:
        report = read_report(connection)
        found = latest_sendings(connection, arguments.limit, rule=arguments.rule)
    rules = [] if report is None else report[1].get("rules", ())
    mine = [rule for rule in rules if arguments.rule in (None, rule["name"])]
    if arguments.rule is not None and not mine and not found:  # a rule of former days may have sent something
        raise UsageError(_unknown("The service", arguments.rule, [rule["name"] for rule in rules]))
    if arguments.format == "table":
        for rule in mine:
            say(described(rule))
        if not rules:
            who = "No service has run here, so there are" if report is None else "The service has"
            say(f"{who} no rules: write [[when]] into its configuration.")
    return found


def _unknown(who: str, name: str, names: Sequence[str]) -> str:
    there = f"its rules are {', '.join(names)}" if names else "it has none at all"
    return f"{who} has no rule {name!r}: {there}."


def _would_be_sent(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    from itertools import islice

    from daemon.rules.dry_run import dry_run
    from storage import naming
    from storage.query.noticing.sent import told
    from storage.query.snapshots import resolved, snapshot

    rules = _rules(arguments)
    with snapshot(naming.database_url(arguments.database)) as connection:
        number = resolved(connection, arguments.dry_run).id
        answers = list(islice(dry_run(connection, rules, number), arguments.limit))
    return [told(_row(content, rules)) for content in answers]


def _row(content: dict[str, Any], rules: Sequence[RuleConfig]) -> dict[str, Any]:
    actions = next(rule.actions for rule in rules if rule.name == content["rule"])
    named = ("rule", "acquisition", "t", "expires_at", "say")
    return {**{name: content[name] for name in named}, "action": ", ".join(actions), "content": content}


def _rules(arguments: argparse.Namespace) -> tuple[RuleConfig, ...]:
    """The rules of a configuration file.

    Raises
    ------
    UsageError, ConfigError
    """
    from daemon.configuration import config
    from daemon.errors import UsageError
    from storage import naming
    from storage.query.health import read_report
    from storage.query.snapshots import snapshot

    file = arguments.config
    if file is None:
        with snapshot(naming.database_url(arguments.database)) as connection:
            report = read_report(connection)
        file = None if report is None else report[1].get("config")
    if file is None:
        raise UsageError("No service has told where its configuration is: name it with --config FILE.")
    rules = config.load(file, serves=False).rules
    if not rules:
        raise UsageError(f"{file} has no rules: write [[when]] into it.")
    mine = tuple(rule for rule in rules if arguments.rule in (None, rule.name))
    if not mine:
        raise UsageError(_unknown(str(file), arguments.rule, [rule.name for rule in rules]))
    return mine


def described(rule: dict[str, Any]) -> str:
    """A rule in one line."""
    often = "once" if rule["once"] else f"at most {rule['at_most_per_hour']} an hour"
    more = [
        f"for {rule['holds_for']} time points in a row" if rule["holds_for"] > 1 else "",
        often,
        f"pause {rule['pause_s']:g} s" if rule["pause_s"] else "",
        f"void after {rule['expires_s']:g} s",
    ]
    sent = ", ".join(f"{name} {rule[name]}" for name in rule["actions"])
    return f"{rule['name']}: {rule['over']} where {rule['where']} -> {sent} ({', '.join(one for one in more if one)})"
