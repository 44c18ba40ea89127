"""Neuroglancer, the viewer in a browser: its files from the installed package, and the state that shows a store.

The package is only looked up, never imported: the client that is built into it needs none of its Python.
"""

from __future__ import annotations

import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from storage.contents import Channel, Contents

MISSING = "Neuroglancer is not installed here: `pip install 'nusetd[viewer]'`, or open the stores in another viewer."
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""What the page may do: nothing beyond this server, whatever somebody enters in it."""
AXES = ("x", "y", "z", "t")
SCREEN_PX = 700
"""Pixels of a screen that the longer side of an image fills at first."""

_UNITS = {"second": (1.0, "s"), "micrometer": (1e-6, "m")}
_DISPLAYABLE = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "f4")


def client_folder() -> Path | None:
    """Return the folder with the built client, or None where it is not installed."""
    found = find_spec("neuroglancer")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "static" / "client"
    return folder if (folder / "index.html").is_file() else None


def client_file(name: str) -> Path | None:
    """Return one of the client's files by its name, or None when there is none such."""
    folder = client_folder()
    if folder is None or "/" in name or "\\" in name or "\0" in name or name.startswith("."):
        return None
    file = folder / (name or "index.html")
    return file if file.is_file() else None


def fragment(shown: dict[str, Any]) -> str:
    """Return a state as it stands behind the `#` of the viewer's address."""
    return f"!{quote(json.dumps(shown, separators=(',', ':')), safe='')}"


def state(store: str, name: str, found: Contents, t: int | None = None) -> dict[str, Any]:
    """Return the state that shows a store: each channel, and over them the labels.

    Parameters
    ----------
    store : str
        URL of the store.
    name : str
        Of the acquisition.
    found : Contents
        Of the store.
    t : int or None
        The time point that is seen at first; None: the first one that is there.
    """
    axes = {axis: _in_si(*found.steps[axis]) for axis in AXES}
    _, size_z, size_y, size_x = found.shape
    position = [
        (size_x - 1) / 2,
        (size_y - 1) / 2,
        size_z // 2,
        (found.timepoints[0] if found.timepoints else 0) if t is None else t,
    ]
    finest = min(axes[axis][0] for axis in "zyx")
    extent = max(size_y * axes["y"][0], size_x * axes["x"][0])
    images = _channels(store, found) if found.dtype.str[1:] in _DISPLAYABLE else []
    labels = [
        {
            "type": "segmentation",
            "name": each,
            "source": f"zarr://{store}/labels/{each}",
            "visible": each == found.shown_labels,
            "selectedAlpha": 0.4,
        }
        for each in ("nuclei", "tracks")
    ]
    return {
        "title": name if images else f"{name} (its image of {found.dtype} is nothing that neuroglancer shows)",
        "dimensions": {axis: list(step) for axis, step in axes.items()},
        "displayDimensions": list(AXES[:3]),
        "position": position,
        "crossSectionScale": extent / finest / SCREEN_PX,
        "layers": [*images, *labels],
        "showAxisLines": False,
        "crossSectionBackgroundColor": "#000000",
        "layout": "xy",
    }


def _channels(store: str, found: Contents) -> list[dict[str, Any]]:
    """Return a layer for each channel, whose contrast and colour can be changed."""
    names = Counter(channel.name for channel in found.channels)
    layers = []
    for i, channel in enumerate(found.channels):
        layer = {
            "type": "image",
            "name": channel.name if channel.name and names[channel.name] == 1 else f"{channel.name or 'channel'} {i}",
            "source": f"zarr://{store}",
            "visible": channel.active,
            "opacity": 1,
            "blend": "additive",
            "shader": _shader(channel, found.dtype),
        }
        if found.channel_axis is not None:
            layer |= {"localDimensions": {f"{found.channel_axis}'": [1, ""]}, "localPosition": [i]}
        layers.append(layer)
    return layers


def _in_si(step: float, unit: str | None) -> tuple[float, str]:
    factor, name = _UNITS.get(unit or "", (1.0, ""))
    return step * factor, name


def _shader(channel: Channel, dtype: np.dtype) -> str:
    limits = ""
    if channel.black is not None and channel.white is not None:
        whole = dtype.kind in "ui"
        low, high = (round(limit) if whole else limit for limit in (channel.black, channel.white))
        limits = f"(range=[{low}, {high if high > low else low + 1}])"
    return (
        f"#uicontrol invlerp normalized{limits}\n"
        f'#uicontrol vec3 color color(default="#{channel.colour}")\n'
        "void main() {\n  emitRGB(color * normalized());\n}\n"
    )
