"""Which grey values are black and white: once for an acquisition, so that the course of intensity can be seen."""

from __future__ import annotations

from daemon.page.live.pictures import levels_of
from daemon.page.live.planes import Arrays, Wanted
from storage.errors import StorageError


class Levels:
    """Levels of every channel, looked for once.

    Parameters
    ----------
    arrays : Arrays
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._known: dict[tuple[int, int], tuple[float, float]] = {}

    def of_channels(self, number: int) -> list[list[float]]:
        """Levels of each channel of an acquisition; none where there is no image yet."""
        channels = self._arrays.acquisition(number).about.size_c or 0
        try:
            return [list(self.of_channel(number, channel)) for channel in range(channels)]
        except StorageError:
            return []

    def of_channel(self, number: int, channel: int) -> tuple[float, float]:
        """Black and white of one channel.

        Raises
        ------
        StorageError
            When there is no image yet.
        """
        key = (number, channel)
        if key not in self._known:
            self._known[key] = levels_of(self._arrays.image(number, channel, Wanted(0, 0, "top", 512)))
        return self._known[key]
