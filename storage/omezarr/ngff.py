"""The metadata of OME-Zarr, versions 0.4 and 0.5, as plain dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import numpy as np

from storage.acquisition import Acquisition

Version = Literal["0.4", "0.5"]
ZARR_FORMAT: Mapping[str, Literal[2, 3]] = {"0.4": 2, "0.5": 3}
COLOURS = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")
GREY = "FFFFFF"


def group_attributes(version: Version, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return OME attributes where the version wants them: at the top in 0.4, under ``ome`` in 0.5."""
    if version == "0.4":
        return dict(content)
    return {"ome": {"version": version, **content}}


def dataset_paths(attributes: Mapping[str, Any]) -> list[str]:
    """Return the paths of a multiscale image's levels inside its group, full size first."""
    return [str(dataset["path"]) for dataset in ome(attributes)["multiscales"][0]["datasets"]]


def ome(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a group's OME attributes, wherever its version puts them."""
    own: Mapping[str, Any] = attributes.get("ome", attributes)
    return own


def multiscales(
    version: Version, name: str, axes: str, acquisition: Acquisition, levels: int, kind: Literal["image", "labels"]
) -> list[dict[str, Any]]:
    """Return the ``multiscales`` entry.

    Parameters
    ----------
    version : "0.4" or "0.5"
    name : str
    axes : str
        Letters of the axes, ``tczyx`` or ``tzyx``.
    acquisition : Acquisition
        Gives voxel size and interval; an axis whose step is not known has no unit.
    levels : int
    kind : "image" or "labels"
        A mean of two pixels lies between them, so levels of images are shifted; labels are picked, not averaged.
    """
    steps = _steps(acquisition)
    described = []
    for letter in axes:
        axis = {"name": letter, "type": {"t": "time", "c": "channel"}.get(letter, "space")}
        unit = steps[letter][1]
        described.append({**axis, "unit": unit} if unit else axis)
    datasets = []
    for level in range(levels):
        factor = {letter: 2.0**level if letter in "yx" else 1.0 for letter in axes}
        transforms: list[dict[str, Any]] = [
            {"type": "scale", "scale": [steps[letter][0] * factor[letter] for letter in axes]}
        ]
        if kind == "image" and level:
            shift = [steps[letter][0] * (factor[letter] - 1) / 2 for letter in axes]
            transforms.append({"type": "translation", "translation": shift})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    entry: dict[str, Any] = {"name": name, "axes": described, "datasets": datasets}
    if version == "0.4":
        entry["version"] = version
    entry["type"] = "mean" if kind == "image" else "nearest"
    return [entry]


def with_interval(attributes: Mapping[str, Any], interval_s: float | None) -> dict[str, Any]:
    """Return a group's attributes with another time between time points (s); None: it is not known."""
    changed = deepcopy(dict(attributes))
    (entry, *_) = ome(changed)["multiscales"]
    for i, axis in enumerate(entry["axes"]):
        if axis["name"] != "t":
            continue
        axis.pop("unit", None)
        axis |= {"unit": "second"} if interval_s else {}
        for dataset in entry["datasets"]:
            for transform in dataset["coordinateTransformations"]:
                if transform["type"] == "scale":
                    transform["scale"][i] = float(interval_s or 1.0)
    return changed


def image_label(version: Version) -> dict[str, Any]:
    """Return the ``image-label`` entry: which image the labels are of. Colours are left to the viewer."""
    entry: dict[str, Any] = {"source": {"image": "../../"}}
    return {"version": version, **entry} if version == "0.4" else entry


def omero(
    acquisition: Acquisition, windows: Sequence[tuple[float, float]], known: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the ``omero`` entry: names, colours and contrast limits of the channels.

    Parameters
    ----------
    acquisition : Acquisition
    windows : (black, white) of each channel
    known : sequence of mappings, optional
        What is said about the channels already, which counts.
    """
    low, high = _range(acquisition.dtype, windows)
    single = acquisition.size_c == 1
    channels = []
    for i, (name, (start, end)) in enumerate(zip(acquisition.channel_names, windows, strict=True)):
        colour = GREY if single else COLOURS[i % len(COLOURS)]
        window = {"min": low, "max": high, "start": start, "end": end}
        said = known[i] if i < len(known) else {}
        channels.append({"label": name, "color": colour, "active": True, "window": window, **said})
    model = "greyscale" if single else "color"
    return {"channels": channels, "rdefs": {"model": model, "defaultT": 0, "defaultZ": acquisition.size_z // 2}}


def has_windows(channels: Sequence[Any], count: int) -> bool:
    """Say whether each of `count` channels says where black and white are."""
    limits = [channel.get("window") for channel in channels if isinstance(channel, Mapping)]
    return len(limits) >= count and all(
        isinstance(one, Mapping) and {"start", "end"} <= one.keys() for one in limits[:count]
    )


def _steps(acquisition: Acquisition) -> dict[str, tuple[float, str | None]]:
    interval = acquisition.frame_interval_s
    steps: dict[str, tuple[float, str | None]] = {"c": (1.0, None)}
    steps["t"] = (float(interval), "second") if interval else (1.0, None)
    for i, letter in enumerate("zyx"):
        voxel = acquisition.voxel_size_um
        steps[letter] = (float(voxel[i]), "micrometer") if voxel else (1.0, None)
    return steps


def _range(dtype: np.dtype, windows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    if dtype.kind in "ui" and dtype.itemsize <= 2:
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return min(start for start, _ in windows), max(end for _, end in windows)
