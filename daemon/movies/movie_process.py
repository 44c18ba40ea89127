"""The process that makes a movie for the page, started as `daemon.children.become` says.

It lets everybody else go first, makes one movie, and ends with the page.
"""

from __future__ import annotations

import time
from multiprocessing.connection import Connection

from daemon.children.parent import give_way, meet
from daemon.errors import DaemonError
from daemon.movies.movie import make_movie
from daemon.movies.movie_order import MovieOrder, MovieSaid
from storage.errors import StorageError

_TELL_S = 0.3


class _Told:
    """Tells how far a movie is, now and then.

    Parameters
    ----------
    connection : Connection
        To the page.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told = float("-inf")

    def __call__(self, done: int, of: int) -> None:
        """So many frames are done."""
        if time.monotonic() - self._told > _TELL_S:
            self._told = time.monotonic()
            self._connection.send(MovieSaid("running", done=done, of=of))


def main() -> None:
    """Meet the page, hear what is wanted, and make it."""
    connection = meet()
    give_way()
    order: MovieOrder = connection.recv()
    try:
        make_movie(order.database, str(order.acquisition), order.output, order.options, told=_Told(connection))
        connection.send(MovieSaid("done"))
    except (DaemonError, StorageError) as error:
        connection.send(MovieSaid("failed", str(error)))
    except MemoryError:
        connection.send(MovieSaid("failed", "The memory of this computer does not do for it."))


if __name__ == "__main__":
    main()
