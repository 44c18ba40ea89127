"""The process that looks into files: a reader that hangs or crashes costs one file, never the service.

It is started by `inspection_client`, as `daemon.children.become` says, and answers one request after the other.
"""

from __future__ import annotations

from daemon.children.parent import give_way, meet
from daemon.watching.inspection import InspectionRequest, Open, inspect


def main() -> None:
    """Answer until the service closes the pipe or dies."""
    connection = meet()
    while True:
        try:
            request: InspectionRequest = connection.recv()
        except EOFError:
            return
        if isinstance(request, Open) and request.idle:
            give_way()
        connection.send(inspect(request))


if __name__ == "__main__":
    main()
