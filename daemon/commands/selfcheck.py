"""Sign off a machine: replay a small simulated acquisition through this installation's real service, network, disks and
database, and print accuracy, latency and a verdict. Exit code 0 when all is good, 1 when not."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.configuration.config import Config

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
    parser.add_argument(
        "--workers",
        metavar="1,2,4",
        type=worker_counts,
        help="instead of the replay, measure how many time points an hour so many workers serve, and keep it for "
        "workers = auto",
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
    if arguments.workers is not None:
        return _measure_workers(arguments.workers, given, arguments.folder, arguments.format == "json")
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


def worker_counts(text: str) -> tuple[int, ...]:
    """Numbers of workers with commas between, each once, ascending."""
    from daemon.commands import options

    return tuple(sorted({options.positive_int(part.strip()) for part in text.split(",")}))


def _measure_workers(counts: tuple[int, ...], config: Config | None, folder: Path | None, as_json: bool) -> int:
    """Measure, keep what was found, and say which setting is the best."""
    import json
    import tempfile

    from daemon.configuration.config import Processing
    from daemon.configuration.service_config import EngineConfig
    from daemon.demonstration.worker_rates import measured_rates
    from daemon.installation.best_workers import best, keep_rates
    from daemon.output import say

    outputs = [watch.output for watch in config.watch if isinstance(watch.output, Path)] if config is not None else []
    place = folder or next(iter(outputs), Path(tempfile.gettempdir()))
    place.mkdir(parents=True, exist_ok=True)
    engine, processing = (EngineConfig(), Processing()) if config is None else (config.engine, config.processing)

    def each(count: int, rate: float) -> None:
        if not as_json:
            say(f"{count} worker{'' if count == 1 else 's':<12}{rate:.0f} time points an hour")

    rates = measured_rates(counts, engine, processing, place, each=each)
    kept = keep_rates(rates)
    if as_json:
        say(json.dumps({"best": best(rates), "timepoints_per_hour": rates, "kept": str(kept)}, indent=2))
    else:
        say(f'best: workers = {best(rates)} in [engine], or workers = "auto" (kept in {kept})')
    return 0
