"""A trial of a segmenter on each channel: a few slices, a window, where there is something to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from nuset_engine.arrays import FloatsN, PlaneF64, PlaneYX
from nuset_engine.channels.choice import ChannelTrial, choose
from nuset_engine.channels.evidence import ChannelEvidence, evidence
from nuset_engine.reconstruction.volume import SliceLabels

SLICES, LOOKED_AT = 3, 7  # slices of a stack that are tried, and those among which they are chosen
WINDOW_PX, WINDOW_OF_STACK_PX = 640, 448
BLOCK_PX = 16
MOST_LOOKED_AT_PX = 1 << 22  # of a plane, to choose the window
SAME_PICTURE = 0.995  # correlation from which two channels are one, as in a grey picture stored in colours


class TriedSegmenter(Protocol):
    """What a trial needs of a segmenter."""

    def segment_stack(self, planes: Sequence[PlaneYX]) -> Iterator[SliceLabels]: ...


def try_channels(
    channels: Sequence[Sequence[PlaneYX]],
    segmenter: TriedSegmenter,
    numbers: Sequence[int] | None = None,
    hints: Sequence[float] | None = None,
    pixel_um: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ChannelTrial:
    """Segment a part of each channel, and say which shows nuclei.

    Parameters
    ----------
    channels : sequence of sequences of (Y, X)
        The slices of each.
    segmenter : TriedSegmenter
    numbers : sequence of int, optional
        The channels' own, for the answer; 0, 1, 2... where not given.
    hints, pixel_um
        As `choose` takes them.
    progress : callable
        Told how many channels are done, of how many.
    """
    parts = _parts(channels)
    found: list[ChannelEvidence] = []
    for i, planes in enumerate(parts):
        twin = next((k for k in range(i) if _are_one(parts[k], planes)), None)
        found.append(found[twin] if twin is not None else _tried(planes, segmenter))
        progress(i + 1, len(parts))
    return choose(
        found,
        numbers if numbers is not None else range(len(channels)),
        hints if hints is not None else [0.0] * len(channels),
        pixel_um,
    )


def _tried(planes: Sequence[PlaneYX], segmenter: TriedSegmenter) -> ChannelEvidence:
    if all(np.ptp(plane) == 0 for plane in planes):
        return ChannelEvidence([plane.astype(np.float64) for plane in planes], [])
    return evidence(planes, list(segmenter.segment_stack(planes)))


def _parts(channels: Sequence[Sequence[PlaneYX]]) -> list[list[PlaneYX]]:
    """Return the same slices and window of every channel: where all together show most."""
    count = len(channels[0])
    looked_at = sorted({int((i + 0.5) * count / LOOKED_AT) for i in range(LOOKED_AT)})
    shown: dict[int, PlaneF64] = {}
    tops = np.array([[_deviation(planes[z]).max() for z in looked_at] for planes in channels]).max(axis=1)
    for z in looked_at:
        blocks = [_deviation(planes[z]) / max(top, 1e-9) for planes, top in zip(channels, tops, strict=True)]
        shown[z] = np.sum(blocks, axis=0)
    slices = sorted(sorted(looked_at, key=lambda z: -float(np.quantile(shown[z], 0.9)))[:SLICES])
    window = _window(np.sum([shown[z] for z in slices], axis=0), channels[0][slices[0]].shape, len(slices) > 1)
    return [[np.asarray(planes[z])[window] for z in slices] for planes in channels]


def _deviation(plane: PlaneYX) -> PlaneF64:
    """Return how much each block of a plane differs from its surroundings, (Y / block, X / block)."""
    from scipy import ndimage

    stride = max(1, int(np.sqrt(plane.size / MOST_LOOKED_AT_PX)))
    values = np.nan_to_num(np.asarray(plane)[::stride, ::stride].astype(np.float64))
    values = np.minimum(values, np.percentile(values, 99.9))
    rows, columns = (max(1, n // BLOCK_PX) for n in values.shape)
    size = [max(1, n // m) for n, m in zip(values.shape, (rows, columns), strict=True)]
    kept = values[: rows * size[0], : columns * size[1]].reshape(rows, size[0], columns, size[1])
    means: PlaneF64 = kept.mean(axis=(1, 3))
    difference: PlaneF64 = np.abs(means - ndimage.median_filter(means, 9, mode="nearest"))
    return difference


def _window(shown: PlaneF64, shape: tuple[int, ...], stacked: bool) -> tuple[slice, slice]:
    """Return where in the plane a window shows most."""
    from scipy import ndimage

    side = WINDOW_OF_STACK_PX if stacked else WINDOW_PX
    per_block = [n / m for n, m in zip(shape, shown.shape, strict=True)]
    reach = [max(1, min(m, round(side / size))) for m, size in zip(shown.shape, per_block, strict=True)]
    sums = ndimage.uniform_filter(shown, reach, mode="constant")
    centre = np.unravel_index(int(np.argmax(sums)), sums.shape)
    starts = [
        int(np.clip((c + 0.5) * size - side / 2, 0, max(0, n - side)))
        for c, size, n in zip(centre, per_block, shape, strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def _are_one(one: Sequence[PlaneYX], other: Sequence[PlaneYX]) -> bool:
    """Say whether two channels show the same picture."""
    a, b = (_values(planes) for planes in (one, other))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return False
    return float(np.corrcoef(a, b)[0, 1]) >= SAME_PICTURE


def _values(planes: Sequence[PlaneYX]) -> FloatsN:
    """Return all values, without those of hot pixels, which the channels of a camera share."""
    values = np.nan_to_num(np.concatenate([np.asarray(plane, dtype=np.float64).ravel() for plane in planes]))
    low, high = np.percentile(values, (0.1, 99.9))
    clipped: FloatsN = np.clip(values, low, high)
    return clipped
