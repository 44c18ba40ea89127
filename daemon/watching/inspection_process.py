"""The process that looks into files: a reader that hangs or crashes costs one file, never the service.

It is started by `inspection_client` as ``python -m daemon.watching.inspection_process FD PARENT`` and answers one
request after the other through that descriptor.
"""

from __future__ import annotations

import signal
import sys
from multiprocessing.connection import Connection

from daemon.processing.parent import die_with_parent, offer_to_the_oom_killer
from daemon.watching.inspection import Request, inspect


def main() -> None:
    """Answer until the service closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C and systemd's signals are the service's to handle
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    die_with_parent(int(sys.argv[2]))
    offer_to_the_oom_killer()
    connection = Connection(int(sys.argv[1]))
    while True:
        try:
            request: Request = connection.recv()
        except EOFError:
            return
        connection.send(inspect(request))


if __name__ == "__main__":
    main()
