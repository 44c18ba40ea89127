"""What a viewer has to know about an OME-Zarr of ours: axes, sizes, how channels look, which labels there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.naming import OWN_ATTRIBUTE, Place
from storage.omezarr import corruption, ngff, places
from storage.spans import from_spans

if TYPE_CHECKING:
    import zarr

_COLOUR = re.compile("#?([0-9A-Fa-f]{6})")


@dataclass(frozen=True)
class Channel:
    """How a channel is shown.

    Attributes
    ----------
    name : str
    colour : str
        Six hexadecimal digits.
    active : bool
        Shown at first.
    black, white : float or None
        Contrast limits, None where nothing says them.
    """

    name: str
    colour: str
    active: bool
    black: float | None
    white: float | None


@dataclass(frozen=True)
class Contents:
    """A store, as its metadata describes it at this moment.

    Attributes
    ----------
    steps : mapping of t, z, y, x to (step, unit)
        The unit is ``second``, ``micrometer`` or None.
    shape : (T, Z, Y, X) of the labels
    dtype : numpy.dtype
        Of the image.
    channel_axis : str or None
        Its name; None where the image has no such axis.
    channels : tuple of Channel
    timepoints : tuple of int
        What readers see.
    shown_labels : "nuclei" or "tracks"
        Those to show first: tracks keep a nucleus' colour over time, but are painted when they are final.
    """

    steps: Mapping[str, tuple[float, str | None]]
    shape: tuple[int, ...]
    dtype: np.dtype
    channel_axis: str | None
    channels: tuple[Channel, ...]
    timepoints: tuple[int, ...]
    shown_labels: str


def contents(place: Place) -> Contents:
    """Read what is in a store.

    Raises
    ------
    StorageError
        When it is not there, damaged, or not one of ours.
    """
    import zarr

    with corruption.readable(place):
        root = zarr.open_group(places.store_at(place), mode="r")
        attributes: dict[str, Any] = dict(root.attrs)
        image, labels = _multiscale(attributes), _multiscale(dict(_group(root, "labels/nuclei").attrs))
        own = attributes[OWN_ATTRIBUTE]
        published, painted = (from_spans(own[name]) for name in ("published", "painted"))
        of_channels = [str(axis["name"]) for axis in image["axes"] if axis.get("type") == "channel"]
        return Contents(
            steps=_steps(labels),
            shape=_full(root, "labels/nuclei/", labels).shape,
            dtype=_full(root, "", image).dtype,
            channel_axis=of_channels[0] if of_channels else None,
            channels=tuple(_channel(one) for one in ngff.ome(attributes)["omero"]["channels"]),
            timepoints=tuple(published),
            shown_labels="tracks" if len(published) > 1 and set(published) <= set(painted) else "nuclei",
        )


def _multiscale(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ngff.ome(attributes)["multiscales"][0]
    return found


def _steps(multiscale: Mapping[str, Any]) -> dict[str, tuple[float, str | None]]:
    scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"]
    return {
        str(axis["name"]): (float(step), axis.get("unit")) for axis, step in zip(multiscale["axes"], scale, strict=True)
    }


def _channel(said: Mapping[str, Any]) -> Channel:
    window = said.get("window") or {}
    black, white = (float(window[name]) if name in window else None for name in ("start", "end"))
    colour = _COLOUR.fullmatch(str(said.get("color", "")))
    return Channel(
        name=str(said.get("label", "")),
        colour=colour[1] if colour else ngff.GREY,
        active=bool(said.get("active", True)),
        black=black,
        white=white,
    )


def _full(root: zarr.Group, before: str, multiscale: Mapping[str, Any]) -> zarr.Array[Any]:
    import zarr

    found = root[f"{before}{multiscale['datasets'][0]['path']}"]
    if not isinstance(found, zarr.Array):
        raise TypeError("its full size is no array")
    return found


def _group(root: zarr.Group, name: str) -> zarr.Group:
    import zarr

    found = root[name]
    if not isinstance(found, zarr.Group):
        raise TypeError(f"{name} is no group")
    return found
