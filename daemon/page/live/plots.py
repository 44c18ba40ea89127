"""The pictures of `nusetd plot` for the page: drawn one at a time, so that many who ask cannot fill the memory."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from storage.errors import WrongRequestError

FORMS = {"png": "image/png", "svg": "image/svg+xml"}
_ONE_AT_A_TIME = Lock()


def drawn(database: str, number: int, picture: str, source_t: int | None, form: str) -> bytes:
    """Return a picture of an acquisition as the content of a file.

    Parameters
    ----------
    database : its URL
    number : id of the acquisition
    picture : one of `daemon.plots.figure.PICTURES`
    source_t : the time point whose image is shown, as people write it; None: the last
    form : one of `FORMS`

    Raises
    ------
    WrongRequestError
        When there is no such picture.
    UsageError, StorageError
        When there is nothing to draw.
    """
    from daemon.plots.canvas import encoded
    from daemon.plots.figure import PICTURES, draw
    from daemon.plots.ids import fit_ids

    if picture not in PICTURES:
        raise WrongRequestError(f"{picture[:40]!r} is no picture: there are {', '.join(PICTURES)}.")
    with _ONE_AT_A_TIME:
        figure = draw(database, number, picture, source_t)
        fit_ids(figure)
        return encoded(figure, f".{form}")


def distribution(database: str, numbers: Sequence[int], column: str | None, form: str) -> bytes:
    """Return how sizes, or another column, are distributed in several acquisitions, as the content of a file.

    Raises
    ------
    WrongRequestError
        When none is named.
    UsageError, StorageError
        When there is nothing to draw.
    """
    from daemon.plots.canvas import encoded
    from daemon.plots.comparing.figures import distribution as compared

    if not numbers:
        raise WrongRequestError("Choose the acquisitions that are to be compared.")
    with _ONE_AT_A_TIME:
        return encoded(compared(database, [str(number) for number in numbers], {}, column=column), f".{form}")
