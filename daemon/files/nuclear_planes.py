"""The planes of an image that show nuclei, for commands that keep nothing: by word, or found by looking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.output import complain
from daemon.processing.channels.looking import plain, question, try_acquisition
from daemon.processing.recipe import NotProcessableError, channel_by_word
from nuset_engine.arrays import PlaneYX
from nuset_engine.channels.choice import Verdict
from nuset_engine.channels.trial import TriedSegmenter
from nuset_engine.planes.colour import grey_planes

if TYPE_CHECKING:
    from daemon.configuration.config import UnclearChannel
    from storage.acquisition import Acquisition

COLOURS = ("red", "green", "blue")  # as the readers name the channels of a picture


@dataclass(frozen=True)
class NuclearPlanes:
    """Chooses the channel of an image once, and gives its planes at any time point.

    Attributes
    ----------
    wanted : int, str or None
        The channel that a person names.
    unclear : str
        What is done where it is not clear which one it is, see `WatchConfig.unclear_channel`.
    segmenter : callable
        Gives a segmenter, where channels have to be looked at.
    speak : callable
        Gets what a person has to know.
    """

    wanted: int | str | None
    unclear: UnclearChannel
    segmenter: Callable[[], TriedSegmenter]
    speak: Callable[[str], None] = complain

    def of(self, acquisition: Acquisition) -> Callable[[int], Sequence[PlaneYX]]:
        """Return what gives the slices (Y, X) of a time point: of one channel or, of stained tissue, all colours.

        Raises
        ------
        NotProcessableError
            When the channel is not there, or it is not clear which one it is.
        """
        if self.wanted is None and acquisition.channel_names == COLOURS and _is_light(acquisition):
            colours = range(len(COLOURS))
            return lambda t: grey_planes([acquisition.planes(t, channel) for channel in colours])
        channel = channel_by_word(acquisition, self.wanted).channel
        number = self._found(acquisition) if channel is None else channel
        return lambda t: acquisition.planes(t, number)

    def _found(self, acquisition: Acquisition) -> int:
        """The channel in which the first time point that has nuclei shows them."""
        segmenter = self.segmenter()
        for t in acquisition.time_points:
            trial = try_acquisition(acquisition, t, segmenter)
            if trial.verdict is not Verdict.NONE:
                break
        if trial.verdict is not Verdict.CLEAR:
            asked = question(acquisition.name, plain(trial, t, acquisition.channel_names))
            if self.unclear == "ask":
                raise NotProcessableError(asked)
            name = acquisition.channel_names[trial.best]
            self.speak(f"Channel {trial.best} ({name}) is taken for the one with nuclei. {asked}")
        return trial.best


def _is_light(acquisition: Acquisition) -> bool:
    """Say whether a picture is of light that tissue takes away, and not of light that it gives."""
    planes = [np.asarray(acquisition.plane(acquisition.time_points[0], c, acquisition.size_z // 2)) for c in range(3)]
    brightness = np.mean(planes, axis=0)
    low, middle, high = np.percentile(brightness, (1, 50, 99))
    return bool(middle > (low + high) / 2)
