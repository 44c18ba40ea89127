"""Addresses that open a store in viewers that run in a browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

VIZARR = "https://hms-dbmi.github.io/vizarr/"
NEUROGLANCER = "https://neuroglancer-demo.appspot.com/"
ORIGINS = tuple("://".join(urlsplit(viewer)[:2]) for viewer in (VIZARR, NEUROGLANCER))


def vizarr(store: str) -> str:
    """Return the address that opens a store in vizarr: the image, with its labels to be switched on."""
    return f"{VIZARR}?source={quote(store, safe='')}"


def neuroglancer(store: str, name: str, steps: Sequence[tuple[str, float, str]]) -> str:
    """Return the address that opens a store in neuroglancer: image, nuclei and tracks."""
    return f"{NEUROGLANCER}#!{quote(json.dumps(state(store, name, steps), separators=(',', ':')), safe='')}"


def state(store: str, name: str, steps: Sequence[tuple[str, float, str]]) -> dict[str, Any]:
    """Return neuroglancer's state for a store.

    Parameters
    ----------
    store : str
        URL of the store.
    name : str
        For the layer with the image.
    steps : (axis, size, unit) for each of t, z, y, x
        Unit ``s``, ``m``, or empty where the size is not known.
    """
    labels = [
        {"type": "segmentation", "name": each, "source": f"zarr://{store}/labels/{each}", "visible": each == "tracks"}
        for each in ("nuclei", "tracks")
    ]
    return {
        "dimensions": {axis: [size, unit] for axis, size, unit in steps},
        "layers": [{"type": "image", "name": name, "source": f"zarr://{store}"}, *labels],
        "selectedLayer": {"visible": True, "layer": name},
        "layout": "xy",
    }
