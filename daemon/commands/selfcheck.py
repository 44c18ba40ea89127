"""Sign off a machine: replay a small simulated acquisition through this installation's real service, network, disks and
database, and print accuracy, latency and a verdict. Exit code 0 when all is good, 1 when not."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "nusetd selfcheck --config /etc/nusetd/nusetd.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from daemon.commands import options

    parser.add_argument("--config", type=Path, metavar="FILE", help="the service's configuration (default: defaults)")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where to work (default: where results and records go)"
    )
    parser.add_argument(
        "--max-lag", type=options.seconds, metavar="S", help="lag (p95, seconds) above which the verdict is bad"
    )
    parser.add_argument("--keep", action="store_true", help="keep the files for a closer look")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print (default: text)")


def execute(arguments: argparse.Namespace) -> int:
    """Replay, and print what was found."""
    import json
    from dataclasses import asdict

    from daemon.configuration import config
    from daemon.demonstration import selfcheck
    from daemon.output import say

    given = None if arguments.config is None else config.load(arguments.config)
    findings = selfcheck.run_selfcheck(given, arguments.folder, arguments.max_lag, arguments.keep)
    good = selfcheck.verdict(findings)
    if arguments.format == "json":
        say(json.dumps({"good": good, "findings": [asdict(finding) for finding in findings]}, indent=2))
        return 0 if good else 1
    words = {True: "good", False: "BAD", None: ""}
    for finding in findings:
        say(f"{finding.name:<16}{words[finding.good]:<6}{finding.found}")
    say(f"{'verdict':<16}{'good: this machine can be trusted with the work' if good else 'BAD: see the lines above'}")
    return 0 if good else 1
