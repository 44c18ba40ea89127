"""Offer the OME-Zarr stores of a database to viewers in a browser on this computer, until Ctrl-C.

It listens on loopback only, gives out nothing but the files of the stores, and never writes. For another computer,
forward its port: ssh -L 8765:127.0.0.1:8765 HOST.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd serve --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from daemon.page import links
    from daemon.page.serve import PORT

    parser.add_argument(
        "--port", type=options.port, default=PORT, help=f"port on loopback, 0 for a free one (default: {PORT})"
    )
    parser.add_argument(
        "--origin",
        action="append",
        type=options.origin,
        metavar="URL",
        help="whose pages may read, as in https://example.org; may be given several times "
        f"(default: {' and '.join(links.ORIGINS)})",
    )
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    import signal

    from daemon.output import complain, say
    from daemon.page import links
    from daemon.page.serve import StoreServer
    from daemon.page.served_stores import ServedStores, address
    from storage import naming

    served = ServedStores(naming.database_url(arguments.database))
    offers = served.offers()
    with StoreServer(served, arguments.port, arguments.origin or links.ORIGINS) as server:
        for offer in offers:
            say(f"{offer.acquisition}: {address(server.base, offer)}")
        complain(f"Serving on {server.base} until Ctrl-C.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            complain("Stopped.")
    return 0
