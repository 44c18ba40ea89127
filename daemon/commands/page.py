"""The live page: acquisitions, images with outlines, tracks and charts in a browser, while the experiment runs.

It reads the database and never writes it; what is ordered on it goes the way that the commands' orders go. It loads
nothing from the internet. Other addresses than this computer's own need a token, and TLS or a proxy of yours that does
it; or forward the port: ssh -L 8765:127.0.0.1:8765 HOST.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
    from daemon.configuration.page import PageConfig
    from daemon.page.live.guard import Visitors
    from daemon.page.live.jobs.job_orders import JobRules
    from daemon.page.live.server import PageServer

EXAMPLE = "nusetd page --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from daemon.page.live.server import DEFAULT_LISTEN

    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=DEFAULT_LISTEN,
        help=f"port 0 is a free one (default: {DEFAULT_LISTEN})",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="a file with the word that visitors must know, 16 letters at least; or a line NAME: WORD for each of them",
    )
    parser.add_argument(
        "--tls-certificate", type=Path, metavar="FILE", help="a certificate in PEM: the page speaks TLS"
    )
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key in PEM")
    parser.add_argument("--behind-proxy", action="store_true", help="a proxy of yours speaks TLS for the page")
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name of this computer, or of the proxy before it, under which the page is asked",
    )
    parser.add_argument(
        "--folder",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="people may choose files of this computer below it, besides those in watched folders",
    )
    _add_jobs(parser)
    parser.add_argument("--read-only", action="store_true", help="nothing can be ordered on the page")
    parser.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)
    options.add_database(parser)


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    """What people order on the page and goes on beside the service."""
    from daemon.configuration.page import PageConfig

    usual = PageConfig()
    parser.add_argument(
        "--jobs",
        type=Path,
        metavar="FOLDER",
        help="where uploads, results and trainings of the page are kept (default: in the folder for state)",
    )
    for name, words in (
        ("job_cores", "cores that a prediction or training computes on"),
        ("upload_mb", "megabytes of uploaded images that are kept in all"),
        ("upload_files", "uploaded images that one prediction takes"),
    ):
        default = getattr(usual, name)
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(
            option, type=options.positive_int, default=default, metavar="N", help=f"{words} (default: {default})"
        )


def execute(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    from threading import Event, Thread

    from nuset_engine.loading import load_to_stay

    load_to_stay("daemon.orders.page_services")
    load_to_stay("daemon.page.live.app")
    from daemon.orders.page_services import PageServices
    from daemon.output import complain, say
    from daemon.page.live.app import make_app
    from daemon.page.live.planes import warm_up
    from daemon.page.live.server import PageServer, listen
    from daemon.page.until_stopped import serve_until_stopped
    from storage import naming
    from storage.query.snapshots import snapshot

    database = naming.database_url(arguments.database)
    with snapshot(database):
        pass  # says at once when there is nothing to show
    page = _configured(arguments)
    visitors = _visitors(page)
    listening = listen(page)
    ending = Event()
    Thread(target=warm_up, name="warm up", daemon=True).start()
    tls = None if page.tls_certificate is None or page.tls_key is None else (page.tls_certificate, page.tls_key)
    app = make_app(database, PageServices(), visitors, ending, _job_rules(page), page.folders)
    server = PageServer(app, ending, tls)
    say(listening.address)
    complain("The page is there until Ctrl-C.")
    if arguments.until_eof:
        _end_with_input(server)
    serve_until_stopped(server, lambda: server.run(sockets=[listening.socket]))
    return 0


def _configured(arguments: argparse.Namespace) -> PageConfig:
    from daemon.configuration.page import PageConfig

    return PageConfig(
        listen=arguments.listen,
        token_file=arguments.token_file,
        host_names=tuple(arguments.host_name),
        read_only=arguments.read_only,
        folders=tuple(folder.resolve() for folder in arguments.folder),
        tls_certificate=arguments.tls_certificate,
        tls_key=arguments.tls_key,
        behind_proxy=arguments.behind_proxy,
        jobs=arguments.jobs,
        job_cores=arguments.job_cores,
        upload_mb=arguments.upload_mb,
        upload_files=arguments.upload_files,
    )


def _job_rules(page: PageConfig) -> JobRules:
    """How predictions and trainings work here."""
    from daemon.installation.state_folder import state_folder
    from daemon.page.live.jobs.job_orders import JobRules
    from daemon.page.live.jobs.uploads import UploadLimits

    folder = state_folder() / "jobs" if page.jobs is None else page.jobs.absolute()
    return JobRules(folder, UploadLimits(page.upload_mb, page.upload_files), page.job_cores)


def _visitors(page: PageConfig) -> Visitors:
    """Who is let in.

    Raises
    ------
    UsageError
    """
    from daemon.page.live.guard import Visitors
    from daemon.page.live.tokens import read_tokens

    host = str(page.listen).rpartition(":")[0].strip("[]")
    return Visitors(
        names=frozenset(name.lower() for name in (*page.host_names, host)),
        tokens={} if page.token_file is None else read_tokens(page.token_file),
        read_only=page.read_only,
        secure=page.tls_certificate is not None or page.behind_proxy,
    )


def _end_with_input(server: PageServer) -> None:
    """End when standard input does: whoever started this has ended, in whatever way."""
    import sys
    from threading import Thread

    def wait() -> None:
        while sys.stdin.buffer.read(1):
            pass
        server.end()

    Thread(target=wait, name="end of input", daemon=True).start()
