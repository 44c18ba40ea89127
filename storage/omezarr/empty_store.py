"""What an empty OME-Zarr of ours looks like: groups, arrays, chunks, codecs, metadata."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nuset_engine.arrays import PlaneYX
from nuset_engine.planes import contrast
from storage import naming
from storage.acquisition import Acquisition
from storage.naming import OWN_ATTRIBUTE, STORE_SUFFIX, Place
from storage.omezarr import bundles, ngff, places, published, references
from storage.omezarr.disks.exchange import appear, make_folders
from storage.omezarr.growing import chunks, shards
from storage.omezarr.ownership import CLAIMS, Owner
from storage.omezarr.pyramid import level_sizes
from storage.omezarr.references import ImageKind, Reference

if TYPE_CHECKING:
    import zarr

TimepointPlanes = Sequence[Sequence[PlaneYX]]
"""The planes of each channel of one time point."""

LABEL_DTYPE = np.dtype(np.uint32)


@dataclass(frozen=True)
class _Plan:
    """What a store is made from; `omero` is how its channels look."""

    acquisition: Acquisition
    version: ngff.Version
    image: ImageKind
    reference: Reference | None
    owner: Owner | None
    omero: Mapping[str, Any]
    reading: int
    maker: str

    @property
    def whose(self) -> str:
        """The database that it belongs to, empty for none."""
        return "" if self.owner is None else self.owner.database


def build(
    place: Place,
    acquisition: Acquisition,
    version: ngff.Version,
    image: ImageKind,
    owner: Owner | None = None,
    first: TimepointPlanes | None = None,
    reading: int = 0,
    maker: str = "",
) -> None:
    """Make an empty store so that it is seen when it is whole, and enter it into its bundle if it has one.

    In a folder it is made beside its place and moved there when it is on the disk. At a URL its place is marked as
    unfinished meanwhile, and its group, without which it is no image, gets its metadata last. Contrast limits come from
    `first`, without it from the acquisition's first time point. Several, each a `maker` of its own name, may make the
    same one in a folder at a time: one of them appears.

    Raises
    ------
    StoreTakenError
        When another owner was there first, at its place or at that of its bundle.
    """
    reference = references.of(acquisition) if image == "reference" else None
    version = reference.version if reference else version
    bundle = naming.bundle_of(place)
    if bundle is not None:
        bundles.ensure(bundle, version, None if owner is None else owner.of_bundle, maker)
    omero = _omero(acquisition, first, reference.omero if reference else None)
    plan = _Plan(acquisition, version, image, reference, owner, omero, reading, maker)
    if isinstance(place, Path):
        _build_in_folder(place, plan)
    else:
        references.refuse_at_url(place, reference)
        _build_at_url(place, plan)
    if bundle is not None:
        bundles.enter(bundle, naming.base(place), acquisition)


def _build_in_folder(path: Path, plan: _Plan) -> None:
    unfinished = Path(naming.unfinished(path, plan.whose, plan.maker))
    if unfinished.exists():
        shutil.rmtree(unfinished)
    make_folders(path.parent)
    unfinished.mkdir()
    store = places.local_at(unfinished)
    _describe(store, _name(path, plan.acquisition), plan)
    if plan.reference:
        plan.reference.link(unfinished)
    store.flush()
    appear(unfinished, path)


def _build_at_url(url: str, plan: _Plan) -> None:
    mark, around = naming.base(naming.unfinished(url, plan.whose)), places.store_at(naming.parent(url))
    around.seal([], mark)
    store = places.remote_at(url)
    store.remove(but=CLAIMS)
    _describe(store, _name(url, plan.acquisition), plan)
    around.unmark(mark)


def _name(place: Place, acquisition: Acquisition) -> str:
    """Return the image's name in its metadata: that of the folder, where a number tells results apart."""
    return acquisition.name if naming.bundle_of(place) else naming.base(place).removesuffix(STORE_SUFFIX)


def _describe(store: places.OutputStore, name: str, plan: _Plan) -> None:
    import zarr

    acquisition, version, reference = plan.acquisition, plan.version, plan.reference
    root = zarr.open_group(store, mode="a", zarr_format=ngff.ZARR_FORMAT[version])
    levels = level_sizes(acquisition.size_y, acquisition.size_x)
    labels = root.create_group("labels")
    labels.attrs.update(ngff.group_attributes(version, {"labels": ["nuclei", "tracks"]}))
    for label_name in ("nuclei", "tracks"):
        group = labels.create_group(label_name)
        scales = ngff.multiscales(version, label_name, "tzyx", acquisition, len(levels), "labels")
        group.attrs.update(
            ngff.group_attributes(version, {"multiscales": scales, "image-label": ngff.image_label(version)})
        )
        _make_levels(group, "tzyx", (acquisition.size_z,), levels, LABEL_DTYPE, version)
    own = published.initial(acquisition.voxel_source, plan.image)
    own |= {"size_c": acquisition.size_c, "reading": plan.reading}
    own |= {} if plan.owner is None else plan.owner.entry()
    if reference:
        scales = reference.multiscales(name)
    elif plan.image == "none":
        scales = _of_nuclei(ngff.multiscales(version, name, "tzyx", acquisition, len(levels), "labels"))
    else:
        _make_levels(root, "tczyx", (acquisition.size_c, acquisition.size_z), levels, acquisition.dtype, version)
        scales = ngff.multiscales(version, name, "tczyx", acquisition, len(levels), "image")
    content = {"multiscales": scales, **({} if plan.image == "none" else {"omero": plan.omero})}
    root.attrs.update({**ngff.group_attributes(version, content), OWN_ATTRIBUTE: own})


def _of_nuclei(scales: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ``multiscales`` of a store without an image: whoever opens it sees the labels of nuclei."""
    found = []
    for entry in scales:
        datasets = [{**one, "path": f"labels/nuclei/{one['path']}"} for one in entry["datasets"]]
        found.append({**entry, "datasets": datasets})
    return found


def _omero(acquisition: Acquisition, first: TimepointPlanes | None, known: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the ``omero`` entry: what an image that is referred to says itself, else contrast from a whole stack."""
    said = [one if isinstance(one, Mapping) else {} for one in known["channels"]] if known else []
    if known and ngff.has_windows(said, acquisition.size_c):
        return dict(known)
    if first is None:
        t = acquisition.time_points[0] if acquisition.time_points else 0
        first = [acquisition.planes(t, c) for c in range(acquisition.size_c)]
    made = ngff.omero(acquisition, [contrast.limits(planes) for planes in first], said)
    return {**made, **known, "channels": made["channels"]} if known else made


def _make_levels(
    group: zarr.Group,
    axes: str,
    between: tuple[int, ...],
    levels: Sequence[tuple[int, int]],
    dtype: np.dtype,
    version: ngff.Version,
) -> None:
    import numcodecs
    from zarr.codecs import BloscCodec, ZstdCodec

    full_plane_px = levels[0][0] * levels[0][1]
    for i, (y, x) in enumerate(levels):
        sizes = (0, *between, y, x)
        options: dict[str, Any] = {}
        dtype = np.dtype(dtype.str)  # C has two types of 64 bits, of which Zarr knows the one
        if version == "0.4":
            options["compressors"] = numcodecs.Blosc("zstd", 3, shuffle=numcodecs.Blosc.SHUFFLE)
            options["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
        else:
            plain = dtype == LABEL_DTYPE  # plain zstd beats shuffled bytes on labels
            options["compressors"] = (
                ZstdCodec(level=3)
                if plain
                else BloscCodec(typesize=dtype.itemsize, cname="zstd", clevel=3, shuffle="shuffle")
            )
            options["dimension_names"] = list(axes)
            options["shards"] = shards(axes, sizes, full_plane_px)
        group.create_array(str(i), shape=sizes, chunks=chunks(axes, sizes), dtype=dtype, fill_value=0, **options)
