"""Open an acquisition in napari with image, labels and tracks, and print links for viewers in a browser.

The links work while this command or `nusetd serve` runs. With --links nothing is opened: they are printed for the port
on which `nusetd serve` listens.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

EXAMPLE = "nusetd view embryo --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from daemon.page.serve import PORT

    options.add_acquisition(parser)
    parser.add_argument("--links", action="store_true", help="only print the links, do not open napari")
    parser.add_argument("--port", type=options.port, default=PORT, help=f"port of the links (default: {PORT})")
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the links, then show the window until it is closed."""
    import threading

    from daemon.errors import DaemonError
    from daemon.output import complain, say
    from daemon.page import links
    from daemon.page.serve import HOST, StoreServer
    from daemon.page.served_stores import ServedStores, address
    from daemon.plots import napari_view
    from storage import naming
    from storage.query.snapshots import resolved, snapshot

    url = naming.database_url(arguments.database)
    with snapshot(url) as connection:
        row = resolved(connection, arguments.acquisition)
    if row.zarr_path is None:
        raise DaemonError(f"{row.name} has nothing to show: it was set aside ({row.error}).")
    served = ServedStores(url)
    offer = next(offer for offer in served.offers() if offer.acquisition == row.name)
    store = address(f"http://{HOST}:{arguments.port}", offer)
    say(f"store: {store}")
    say(f"vizarr: {links.vizarr(store)}")
    say(f"neuroglancer: {links.neuroglancer(store, row.name, napari_view.steps(row))}")
    if arguments.links:
        return 0
    try:
        server = StoreServer(served, arguments.port)
    except DaemonError:
        complain(f"Port {arguments.port} is taken, by `nusetd serve` if it runs: the links count on it.")
        napari_view.open_window(url, row)
        return 0
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            napari_view.open_window(url, row)
        finally:
            server.shutdown()
    return 0
