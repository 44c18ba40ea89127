"""Which channel of an acquisition shows nuclei, by a trial of the engine, and how that is said to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from daemon.processing.channels.names import HINT, HINTED, named_nuclear, named_otherwise
from nuset_engine.channels.choice import ChannelTrial, Verdict
from nuset_engine.channels.trial import TriedSegmenter, try_channels

if TYPE_CHECKING:
    from storage.acquisition import Acquisition
    from storage.schema.rows import AcquisitionRow

ROOM = 256 << 20  # bytes of planes that are kept while they are looked at several times


def try_acquisition(
    acquisition: Acquisition,
    t: int,
    segmenter: TriedSegmenter,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ChannelTrial:
    """Try the channels of one time point: all, or those that are named as nuclear where several are."""
    names = acquisition.channel_names
    channels = named_nuclear(names) or tuple(range(acquisition.size_c))
    voxel = acquisition.voxel_size_um
    return try_channels(
        [acquisition.planes(t, channel, ROOM // len(channels)) for channel in channels],
        segmenter,
        channels,
        [hint(names, channel) for channel in channels],
        None if voxel is None else (voxel[1] + voxel[2]) / 2,
        progress,
    )


def hint(names: Sequence[str], channel: int) -> float:
    """What a name says that does not decide, in log odds."""
    return HINTED if HINT.search(names[channel]) else -2 * HINTED if channel in named_otherwise(names) else 0.0


def plain(trial: ChannelTrial, t: int, names: Sequence[str]) -> dict[str, Any]:
    """The trial as it is stored."""
    channels = [{"name": names[one.channel], **asdict(one)} for one in trial.figures]
    return {"t": t, "verdict": trial.verdict.name.lower(), "best": trial.best, "channels": channels}


def question(name: str, trial: Mapping[str, Any]) -> str:
    """What a person is asked of a trial, as it is stored, and how to answer."""
    return (
        f"In {name}, {_VERDICTS[trial['verdict']]} ({_in_words(trial)}): say which does with --channel, or as "
        "nuclear_channel in the watch's configuration, or have the likeliest taken with --unclear-channel take."
    )


def doubt_about_channel(row: AcquisitionRow) -> str | None:
    """What a person must know of the channel that was taken before believing a result; None where nothing."""
    trial, nearest = row.channel_trial, row.segmented_channel
    if trial is None or row.channel_source in ("measured", "metadata", "configured"):
        return None
    return (
        f"{row.name}: channel {nearest} ({row.channel_names[nearest]}) was taken for the one with nuclei, although "
        f"{_VERDICTS[trial['verdict']]} ({_in_words(trial)}): look at the result, and overrule it with --channel."
    )


_VERDICTS = {one.name.lower(): one.value for one in Verdict}


def _in_words(trial: Mapping[str, Any]) -> str:
    return "; ".join(
        f"channel {one['channel']} ({one['name']}): {one['nuclei']} nuclei, score {one['score']:.2f}, "
        f"contrast {one['contrast']:.1f}, likelihood {one['likelihood']:.2f}"
        for one in trial["channels"]
    )
