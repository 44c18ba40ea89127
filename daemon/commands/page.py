"""The live page: acquisitions, images with outlines, tracks and charts in a browser, while the experiment runs.

It reads the database and never writes it; what is ordered on it goes the way that the commands' orders go. It loads
nothing from the internet. Other addresses than this computer's own need a token, and a proxy of yours for TLS; or
forward the port: ssh -L 8765:127.0.0.1:8765 HOST.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
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
        help="a file with the word that visitors must know, 16 letters at least",
    )
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name of this computer, or of the proxy before it, under which the page is asked",
    )
    parser.add_argument("--read-only", action="store_true", help="nothing can be ordered on the page")
    parser.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    from threading import Event

    from daemon.output import complain, say
    from daemon.page.live.app import make_app
    from daemon.page.live.guard import Visitors
    from daemon.page.live.server import PageServer, listen
    from storage import naming
    from storage.query.snapshots import snapshot

    database = naming.database_url(arguments.database)
    with snapshot(database):
        pass  # says at once when there is nothing to show
    host = arguments.listen.rpartition(":")[0].strip("[]").lower()
    visitors = Visitors(
        names=frozenset(name.lower() for name in (*arguments.host_name, host)),
        token=_token(arguments.token_file),
        read_only=arguments.read_only,
    )
    listening = listen(arguments.listen, visitors)
    ending = Event()
    server = PageServer(make_app(database, SERVICES, visitors, ending), ending)
    say(listening.address)
    complain("The page is there until Ctrl-C.")
    if arguments.until_eof:
        _end_with_input(server)
    server.run(sockets=[listening.socket])
    return 0


def _end_with_input(server: PageServer) -> None:
    """End when standard input does: whoever started this has ended, in whatever way."""
    import sys
    from threading import Thread

    def wait() -> None:
        while sys.stdin.buffer.read(1):
            pass
        server.end()

    Thread(target=wait, name="end of input", daemon=True).start()


class _OfThisMachine:
    """What the page asks of the other rooms."""

    @staticmethod
    def status(database: str) -> dict[str, object]:
        """How the service is, as values and in lines."""
        from datetime import UTC, datetime

        from daemon.monitoring import status

        seen = status.look(database, datetime.now(UTC))
        return {**seen.as_dict(), "lines": list(status.lines(seen))}

    @staticmethod
    def retry(database: str, acquisition: str) -> Sequence[int]:
        """Queue again what was set aside."""
        from daemon.processing.retry import ask_again

        return ask_again(database, acquisition)


SERVICES = _OfThisMachine()


def _token(file: Path | None) -> str | None:
    """Read the token.

    Raises
    ------
    UsageError
    """
    from daemon.errors import UsageError

    if file is None:
        return None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read ({error}): give --token-file a file of one line.") from error
    if len(token) < 16:
        raise UsageError(f"{file} holds a token of {len(token)} letters: give one of 16 at least.")
    return token
