"""Serve in a Dask cluster: load the engine once, and do what services and `nusetd process` give to its scheduler.

Start a scheduler (`dask scheduler --host ...`), as many of these as there are machines or graphics cards, and a service
with `workers = "dask:tls://HOST:PORT"` in `[engine]`, or `nusetd process --workers dask:...`. Whoever reaches the port
of a scheduler runs code here, as this user: on another computer than this one it needs certificates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands.options import positive_int

EXAMPLE = "nusetd worker --scheduler tls://scheduler:8786 --ca ca.pem --certificate worker.pem --key worker.key"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--scheduler", metavar="ADDRESS", required=True, help="tcp://HOST:PORT or tls://HOST:PORT")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="who signs the certificates of this cluster (PEM)")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="this worker's certificate (PEM)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the key of that certificate (PEM)")
    parser.add_argument("--insecure", action="store_true", help="go without certificates, in a network of your own")
    parser.add_argument("--threads", type=positive_int, help="cores to compute with (default: as the service says)")
    parser.add_argument("--card", metavar="N", help="the graphics card that it uses, as CUDA_VISIBLE_DEVICES names it")
    parser.add_argument("--name", help="under which the scheduler shows it")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        type=_pair,
        metavar="THERE=HERE",
        help="where a folder of the service's machine lies on this one; can be given several times",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    from daemon import logs
    from daemon.configuration.cluster.scheduler_access import SchedulerAccess
    from daemon.processing.cluster.worker_process import serve

    logs.set_up()
    access = SchedulerAccess(
        arguments.scheduler, arguments.ca, arguments.certificate, arguments.key, arguments.insecure
    )
    serve(access, arguments.threads, arguments.map, arguments.card, arguments.name)
    return 0


def _pair(text: str) -> str:
    there, _, here = text.partition("=")
    if not (Path(there).is_absolute() and Path(here).is_absolute()):
        raise argparse.ArgumentTypeError(f"{text!r} maps no folder: write two absolute paths, /there=/here.")
    return text
