"""Open an acquisition in napari with image, labels and tracks, and print the link that opens it in neuroglancer.

The link works in a browser on this computer while this command or `nusetd serve` runs. With --neuroglancer nothing is
opened: the link is served until Ctrl-C. With --links it is only printed, for the port on which `nusetd serve` listens.
With --edit napari has a layer in which every nucleus has the number of its track: what is painted there, and divisions
that are written beside it, are saved as corrections, as `nusetd correct ACQ import` says them.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
    from daemon.page.serve import StoreServer
    from daemon.page.served_stores import ServedStores
    from daemon.plots.napari_editing import Save
    from storage.corrections.elsewhere.edited_movie import EditedMovie
    from storage.schema.rows import AcquisitionRow

EXAMPLE = "nusetd view embryo --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from daemon.page.serve import PORT

    options.add_acquisition(parser)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--neuroglancer", action="store_true", help="serve the link until Ctrl-C, do not open napari")
    instead.add_argument("--edit", action="store_true", help="edit labels, tracks and divisions in napari")
    instead.add_argument("--links", action="store_true", help="only print the link, do not open napari")
    parser.add_argument("--port", type=options.port, default=PORT, help=f"port of the links (default: {PORT})")
    options.add_database(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the links, then show the window until it is closed."""
    from daemon.commands.serve import until_stopped
    from daemon.errors import DaemonError
    from daemon.orders.page_services import PageServices
    from daemon.output import complain
    from daemon.page import neuroglancer
    from daemon.page.serve import HOST, StoreServer
    from daemon.page.served_stores import ServedStores
    from storage import naming

    url = naming.database_url(arguments.database)
    row = _shown(url, arguments.acquisition)
    save = _saving(url, row) if arguments.edit else None
    if arguments.neuroglancer and neuroglancer.client_folder() is None:
        raise DaemonError(neuroglancer.MISSING)
    served = ServedStores(url)
    if arguments.links:
        _print_links(served, row, f"http://{HOST}:{arguments.port}")
        return 0
    try:
        server = StoreServer(url, PageServices(), arguments.port)
    except DaemonError:
        _print_links(served, row, f"http://{HOST}:{arguments.port}")
        complain(f"Port {arguments.port} is taken, by `nusetd serve` or the page if one runs: the links count on it.")
        if not arguments.neuroglancer:
            _open_napari(url, row, save)
        return 0
    with server:
        _print_links(served, row, server.base)
        if arguments.neuroglancer:
            until_stopped(server)
        else:
            _open_napari(url, row, save, server)
    return 0


def _shown(url: str, acquisition: str) -> AcquisitionRow:
    from daemon.errors import DaemonError
    from storage.query.snapshots import resolved, snapshot

    with snapshot(url) as connection:
        row = resolved(connection, acquisition)
    if row.zarr_path is None:
        raise DaemonError(f"{row.name} has nothing to show: it was set aside ({row.error}).")
    return row


def _print_links(served: ServedStores, row: AcquisitionRow, base: str) -> None:
    """Print where a viewer finds the store, and the viewer's own address where it is installed."""
    from daemon.output import complain, say
    from daemon.page import links, neuroglancer

    offer = next(offer for offer in served.offers() if offer.acquisition == row.name)
    say(f"store: {links.store(base, offer.name)}")
    if neuroglancer.client_folder() is None:
        complain(neuroglancer.MISSING)
    else:
        say(f"neuroglancer: {links.neuroglancer(base, offer.name)}")


def _saving(url: str, row: AcquisitionRow) -> Save:
    """Give what says the differences of what was edited, and is written down as an order."""
    from daemon.errors import UsageError
    from daemon.orders.record import recorded
    from storage.corrections.asking import Corrector
    from storage.database.corrections.events import CORRIGIBLE

    if row.state.value not in CORRIGIBLE:
        raise UsageError(f"{row.name} is {row.state.value}: edit it when some of it is done.")

    def save(movie: EditedMovie) -> str:
        with recorded(url, "correct", row.name, {"kind": "import", "path": "napari"}) as ending:
            report = Corrector(url, row.id).import_movie(lambda connection, acquisition: movie)
            ending.say(report.text())
        return " ".join((report.text(), *report.notes))

    return save


def _open_napari(url: str, row: AcquisitionRow, save: Save | None, server: StoreServer | None = None) -> None:
    """Show the window until it is closed, and serve the links meanwhile."""
    import threading

    from daemon.plots import napari_view

    if server is None:
        napari_view.open_window(url, row, save)
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        napari_view.open_window(url, row, save)
    finally:
        server.end()
