"""What an array may claim to be: a few bytes of metadata claim any size, and reading it would fill the memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

from storage.errors import UnreadableInputError
from storage.readers.image import LARGEST_PLANE_PIXELS, MOST_PLANES


def refuse_absurd(name: str, shape: Sequence[int], chunks: Sequence[int]) -> None:
    """Refuse an array that no microscope makes, as the other formats do.

    Parameters
    ----------
    name : str
        For the message.
    shape : (..., Y, X)
    chunks : the same number of axes

    Raises
    ------
    UnreadableInputError
    """
    grid = [math.ceil(n / max(1, step)) for n, step in zip(shape, chunks, strict=True)]
    if (
        math.prod(shape[:-2]) > MOST_PLANES
        or math.prod(shape[-2:]) > LARGEST_PLANE_PIXELS
        or math.prod(chunks) > LARGEST_PLANE_PIXELS
        or math.prod(grid[-2:]) > MOST_PLANES
    ):
        raise UnreadableInputError(
            f"{name} claims the size {tuple(shape)} in chunks of {tuple(chunks)}: it is damaged, export it again."
        )
