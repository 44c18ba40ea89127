"""Offer the OME-Zarr stores of a database to viewers in a browser on this computer, until Ctrl-C.

It prints a link for each that opens it in neuroglancer, which is served from here too (install it with
`pip install 'nusetd[viewer]'`): nothing is fetched from the internet. Results in an object store are passed on, with
the credentials of who serves.

In a browser its address shows the page of `nusetd page`, where nothing can be ordered; programs get the list of stores.
It listens on loopback only, and never writes. For another computer, forward its port: ssh -L 8765:127.0.0.1:8765 HOST.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
    from daemon.page.serve import StoreServer

EXAMPLE = "nusetd serve --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from daemon.page.serve import PORT

    parser.add_argument(
        "--port", type=options.port, default=PORT, help=f"port on loopback, 0 for a free one (default: {PORT})"
    )
    parser.add_argument(
        "--origin",
        action="append",
        type=options.origin,
        metavar="URL",
        help="whose pages may read besides its own, as in https://example.org; may be given several times",
    )
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    from daemon.orders.page_services import PageServices
    from daemon.output import complain, say
    from daemon.page import links, neuroglancer
    from daemon.page.serve import StoreServer
    from daemon.page.served_stores import ServedStores
    from storage import naming

    database = naming.database_url(arguments.database)
    offers = ServedStores(database).offers()
    viewer = neuroglancer.client_folder() is not None
    with StoreServer(database, PageServices(), arguments.port, arguments.origin or ()) as server:
        for offer in offers:
            say(f"{offer.acquisition}: {links.store(server.base, offer.name)}")
            if viewer:
                say(f"  neuroglancer: {links.neuroglancer(server.base, offer.name)}")
        if not viewer:
            complain(neuroglancer.MISSING)
        until_stopped(server)
    return 0


def until_stopped(server: StoreServer) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    from daemon.output import complain
    from daemon.page.until_stopped import serve_until_stopped

    complain(f"Serving on {server.base} until Ctrl-C.")
    serve_until_stopped(server, server.serve_forever)
