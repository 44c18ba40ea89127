"""From labels and pixels to the table of nuclei: one streaming pass over the planes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from nuset_engine.arrays import AxesND, FloatsN, IntsN, LabelsZYX, PlaneYX, Points3N, ValuesN, VectorZYX
from nuset_engine.errors import EngineError
from nuset_engine.nuclei import INTENSITY_STATISTICS, TRUST_COLUMNS, Nuclei, channel_columns
from nuset_engine.voxels import VoxelSize

if TYPE_CHECKING:
    from nuset_engine.reconstruction.volume import Volume


class PlaneSequence(Protocol):
    """The planes of one channel, read lazily: anything with a length and ``planes[z] -> (Y, X)``."""

    def __len__(self) -> int: ...

    def __getitem__(self, z: int, /) -> PlaneYX: ...


class _Shape:
    """Sums of coordinates per label, from which sizes, centroids, boxes and axes follow.

    Coordinates are in pixels, y and x from the plane's centre so that squares stay exact in float64.
    """

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        self.origin = np.array([0, shape[1] // 2, shape[2] // 2], dtype=np.float64)
        self.volume = np.zeros(count, dtype=np.int64)
        self.first = np.zeros((3, count))
        self.second = np.zeros((3, 3, count))
        self.low = np.repeat(np.array(shape, dtype=np.int64)[:, None], count, axis=1)
        self.high = np.zeros((3, count), dtype=np.int64)

    def add(self, z: int, labels: IntsN, y: IntsN, x: IntsN) -> None:
        """Add the nucleus pixels of plane `z`: 0-based labels and positions, (P,) each."""
        count = len(self.volume)
        size = np.bincount(labels, minlength=count)
        dy, dx = y - self.origin[1], x - self.origin[2]
        sums = [size * float(z), np.bincount(labels, dy, count), np.bincount(labels, dx, count)]
        self.volume += size
        self.first += np.stack(sums)
        self.second[0] += z * np.stack(sums)
        self.second[1, 1] += np.bincount(labels, dy * dy, count)
        self.second[2, 2] += np.bincount(labels, dx * dx, count)
        self.second[1, 2] += np.bincount(labels, dy * dx, count)
        seen = np.flatnonzero(size)
        self.low[0, seen] = np.minimum(self.low[0, seen], z)
        self.high[0, seen] = z + 1
        for axis, values in ((1, y), (2, x)):
            np.minimum.at(self.low[axis], labels, values)
            np.maximum.at(self.high[axis], labels, values + 1)

    def centroids(self) -> Points3N:
        """(3, N) float64 centroids in pixels."""
        centroids: Points3N = self.first / self.volume + self.origin[:, None]
        return centroids

    def axes(self, spacing: VectorZYX, is_stack: bool) -> AxesND:
        """Full axis lengths of the ellipsoid (ellipse) with the same second moments, shortest first: (N, 3 or 2).

        The definition of `skimage.measure.regionprops`, in units of `spacing`, plus the second moment of one voxel
        (spacing^2 / 12), so that a nucleus one voxel thick has that thickness instead of none.
        """
        mean = self.first / self.volume
        moments = np.moveaxis(self.second / self.volume - mean[:, None] * mean[None], -1, 0)
        moments = np.triu(moments) + np.swapaxes(np.triu(moments, 1), 1, 2)
        covariance = moments * np.outer(spacing, spacing) + np.diag(spacing**2 / 12)
        if is_stack:
            lengths: AxesND = np.sqrt(20.0 * np.clip(np.linalg.eigvalsh(covariance), 0, None))
        else:
            lengths = 4.0 * np.sqrt(np.clip(np.linalg.eigvalsh(covariance[:, 1:, 1:]), 0, None))
        return lengths


class _Intensity:
    """Intensity statistics per label of one channel; pixels that are not finite are left out."""

    def __init__(self, count: int) -> None:
        self.pivot = 0.0  # any value near the data keeps the sum of squares from cancelling
        self.size = np.zeros(count, dtype=np.int64)
        self.first = np.zeros(count)
        self.second = np.zeros(count)
        self.low = np.full(count, np.inf)
        self.high = np.full(count, -np.inf)

    def add(self, labels: IntsN, values: ValuesN) -> None:
        """Add pixels: 0-based labels and values, (P,) each."""
        values = values.astype(np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            labels, values = labels[finite], values[finite]
        if not self.size.any() and len(values):
            self.pivot = float(values.mean())
        count = len(self.size)
        shifted = values - self.pivot
        self.size += np.bincount(labels, minlength=count)
        self.first += np.bincount(labels, shifted, count)
        self.second += np.bincount(labels, shifted * shifted, count)
        np.minimum.at(self.low, labels, values)
        np.maximum.at(self.high, labels, values)

    def statistics(self) -> dict[str, FloatsN]:
        """Mean, standard deviation, minimum and maximum per label, NaN where no pixel is finite."""
        size = np.where(self.size > 0, self.size, np.nan)
        mean = self.first / size
        variance = np.clip(self.second / size - mean * mean, 0, None)
        low, high = (np.where(self.size > 0, limit, np.nan) for limit in (self.low, self.high))
        return dict(zip(INTENSITY_STATISTICS, (mean + self.pivot, np.sqrt(variance), low, high), strict=True))


def measure(
    volume: Volume,
    channels: Mapping[int, PlaneSequence],
    nuclear_channel: int,
    voxel_size_um: VoxelSize | None,
    t: int,
) -> Nuclei:
    """Measure every nucleus of a volume in all channels, reading each plane once.

    Parameters
    ----------
    volume : Volume
        Labels (Z, Y, X) 1..N and trust columns, as `reconstruct` returns them.
    channels : mapping of channel number to planes
        Z planes (Y, X) each, read one at a time.
    nuclear_channel : int
        The channel of `intensity_*`; the others become `channel_<k>_*`.
    voxel_size_um : (z, y, x) or None
        None: unknown, all `*_um` columns are NaN.
    t : int
        Time point.

    Raises
    ------
    EngineError
        If the nuclear channel is not among `channels`, or planes and labels differ in number or shape.
    """
    if nuclear_channel not in channels:
        known = ", ".join(str(c) for c in sorted(channels)) or "none"
        raise EngineError(f"Channel {nuclear_channel} holds no image (there are: {known}); choose one of these.")
    shape, intensity = _accumulate(volume.labels, channels)
    columns = _shape_columns(shape, volume.labels.shape[0] > 1, voxel_size_um)
    for channel in sorted(channels):
        own = tuple(f"intensity_{statistic}" for statistic in INTENSITY_STATISTICS)
        names = own if channel == nuclear_channel else channel_columns(channel)
        columns.update(zip(names, intensity[channel].statistics().values(), strict=True))
    columns.update({name: volume.trust[name].to_numpy() for name in ("score", *TRUST_COLUMNS)})
    return Nuclei(t, pd.DataFrame(columns), "px" if voxel_size_um is None else "um")


def _accumulate(labels: LabelsZYX, channels: Mapping[int, PlaneSequence]) -> tuple[_Shape, dict[int, _Intensity]]:
    """The one pass over labels (Z, Y, X) and the planes of all channels."""
    for channel, planes in channels.items():
        if len(planes) != len(labels):
            raise EngineError(
                f"Channel {channel} has {len(planes)} planes but the labels {len(labels)}; both must be of one stack."
            )
    count = int(labels.max(initial=0))
    shape = _Shape(count, labels.shape)
    intensity = {channel: _Intensity(count) for channel in channels}
    for z, plane in enumerate(labels):
        where = np.flatnonzero(plane)
        if not len(where):
            continue
        inside = plane.ravel()[where].astype(np.int64) - 1
        shape.add(z, inside, *np.divmod(where, plane.shape[1]))
        for channel, planes in channels.items():
            image = np.asarray(planes[z])
            if image.shape != plane.shape:
                raise EngineError(
                    f"Plane {z} of channel {channel} has shape {image.shape} but its labels {plane.shape}; "
                    "both must be of one stack."
                )
            intensity[channel].add(inside, image.ravel()[where])
    return shape, intensity


def _shape_columns(shape: _Shape, is_stack: bool, voxel_size_um: VoxelSize | None) -> dict[str, ValuesN]:
    """Columns of position, size and shape; lengths in pixels are used for the elongation where there are no others."""
    spacing = np.array(voxel_size_um or (1.0, 1.0, 1.0), dtype=np.float64)
    to_um = spacing if voxel_size_um is not None else np.full(3, np.nan)
    unknown = np.full(len(shape.volume), np.nan)
    centroids = shape.centroids()
    axes = shape.axes(spacing, is_stack)
    box = shape.high - shape.low
    volume_um3 = shape.volume * to_um.prod()
    area_um2 = shape.volume * to_um[1] * to_um[2]
    diameter = np.cbrt(6 / np.pi * volume_um3) if is_stack else np.sqrt(4 / np.pi * area_um2)
    columns: dict[str, ValuesN] = {"label": np.arange(1, len(shape.volume) + 1)}
    for i, axis in enumerate("zyx"):
        columns[f"centroid_{axis}_um"] = centroids[i] * to_um[i]
        columns[f"centroid_{axis}_px"] = centroids[i]
        columns[f"bbox_{axis}0"] = shape.low[i]
        columns[f"bbox_{axis}1"] = shape.high[i]
    return columns | {
        "volume_um3": volume_um3 if is_stack else unknown,
        "area_um2": unknown if is_stack else area_um2,
        "volume_px": shape.volume,
        "equivalent_diameter_um": diameter,
        "extent": shape.volume / box.prod(axis=0),
        "axis_major_length_um": axes[:, -1] * to_um[2] / spacing[2],
        "axis_minor_length_um": axes[:, 0] * to_um[2] / spacing[2],
        "elongation": axes[:, -1] / axes[:, 0],
    }
