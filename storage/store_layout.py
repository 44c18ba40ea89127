"""What an empty OME-Zarr of ours looks like: groups, arrays, chunks, codecs, metadata."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from storage import ngff
from storage.acquisition import Acquisition
from storage.durable import PARTIAL_SUFFIX, DurableStore
from storage.growing import chunks
from storage.layout import OWN_ATTRIBUTE, STORE_SUFFIX
from storage.pyramid import level_sizes

LABEL_DTYPE = np.dtype(np.uint32)


def build(path: Path, acquisition: Acquisition, version: ngff.Version) -> None:
    """Make an empty store beside its place and move it there when it is on the disk."""
    unfinished = path.with_name(path.name + PARTIAL_SUFFIX)
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(parents=True)
    store = DurableStore(unfinished)
    _describe(store, path.name.removesuffix(STORE_SUFFIX), acquisition, version)
    store.flush()
    os.rename(unfinished, path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _describe(store: DurableStore, name: str, acquisition: Acquisition, version: ngff.Version) -> None:
    import zarr

    root = zarr.open_group(store, mode="w", zarr_format=ngff.ZARR_FORMAT[version])
    levels = level_sizes(acquisition.size_y, acquisition.size_x)
    scales = ngff.multiscales(version, name, "tczyx", acquisition, len(levels), "image")
    t = acquisition.time_points[0] if acquisition.time_points else 0
    middle = acquisition.size_z // 2
    windows = [ngff.window(acquisition.plane(t, c, middle)) for c in range(acquisition.size_c)]
    content = {"multiscales": scales, "omero": ngff.omero(acquisition, windows)}
    own: dict[str, Any] = {OWN_ATTRIBUTE: {"published": [], "painted": [], "voxel_source": acquisition.voxel_source}}
    root.attrs.update({**ngff.group_attributes(version, content), **own})
    _make_levels(root, "tczyx", (acquisition.size_c, acquisition.size_z), levels, acquisition.dtype, version)
    labels = root.create_group("labels")
    labels.attrs.update(ngff.group_attributes(version, {"labels": ["nuclei", "tracks"]}))
    for label_name in ("nuclei", "tracks"):
        group = labels.create_group(label_name)
        scales = ngff.multiscales(version, label_name, "tzyx", acquisition, len(levels), "labels")
        group.attrs.update(
            ngff.group_attributes(version, {"multiscales": scales, "image-label": ngff.image_label(version)})
        )
        _make_levels(group, "tzyx", (acquisition.size_z,), levels, LABEL_DTYPE, version)


def _make_levels(
    group: Any,
    axes: str,
    between: tuple[int, ...],
    levels: Sequence[tuple[int, int]],
    dtype: np.dtype,
    version: ngff.Version,
) -> None:
    import numcodecs
    from zarr.codecs import BloscCodec, ZstdCodec

    options: dict[str, Any] = {}
    if version == "0.4":
        options["compressors"] = numcodecs.Blosc("zstd", 3, shuffle=numcodecs.Blosc.SHUFFLE)
        options["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
    else:
        labels = dtype == LABEL_DTYPE  # plain zstd beats shuffled bytes on labels
        options["compressors"] = ZstdCodec(level=3) if labels else BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
        options["dimension_names"] = list(axes)
    for i, (y, x) in enumerate(levels):
        sizes = (0, *between, y, x)
        group.create_array(str(i), shape=sizes, chunks=chunks(axes, sizes), dtype=dtype, fill_value=0, **options)
