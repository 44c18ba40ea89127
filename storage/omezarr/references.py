"""An image that stays where it is: its OME-Zarr's arrays are linked into ours, beside the labels.

The link is one of the file system, because OME-Zarr itself knows no way to another folder; viewers, zarr and our own
server follow it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from storage.acquisition import Acquisition
from storage.errors import StorageError
from storage.naming import PARTIAL_SUFFIX, Place
from storage.omezarr import corruption, ngff
from storage.readers.confined import leading_out
from storage.readers.length_units import micrometres, seconds
from storage.readers.zarr_images.limits import refuse_absurd

ImageKind = Literal["copy", "reference", "none"]
"""What a store holds of the image: a copy, a link where it is an OME-Zarr already, or nothing."""


@dataclass(frozen=True)
class Reference:
    """The image that is referred to.

    Attributes
    ----------
    folder : Path
        Its group.
    version : "0.4" or "0.5"
        Its version of OME-Zarr, and so that of what refers to it.
    described : mapping
        Its OME attributes.
    """

    folder: Path
    version: ngff.Version
    described: Mapping[str, Any]

    @property
    def omero(self) -> dict[str, Any] | None:
        """What the image itself says about its channels."""
        found = self.described.get("omero")
        return dict(found) if isinstance(found, dict) and found.get("channels") else None

    def multiscales(self, name: str) -> list[dict[str, Any]]:
        """Return the ``multiscales`` entry: the image's own, its levels numbered.

        As the labels do, it counts in micrometres and seconds and begins at zero.
        """
        own = self.described["multiscales"][0]
        axes, factors = zip(*(_converted(axis) for axis in own["axes"]), strict=True)
        whole = own.get("coordinateTransformations", ())
        steps = [_composed((*one["coordinateTransformations"], *whole), factors) for one in own["datasets"]]
        datasets = []
        for i, (scale, shift) in enumerate(steps):
            transforms: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
            moved = [a - b for a, b in zip(shift, steps[0][1], strict=True)]
            if any(moved):
                transforms.append({"type": "translation", "translation": moved})
            datasets.append({"path": str(i), "coordinateTransformations": transforms})
        entry: dict[str, Any] = {"name": name, "axes": list(axes), "datasets": datasets}
        return [{**entry, "version": self.version} if self.version == "0.4" else entry]

    def link(self, group: Path) -> None:
        """Link the image's arrays into a group.

        Raises
        ------
        StorageError
            When the disk knows no links, or the image names arrays that are not in its folder.
        """
        arrays = ngff.dataset_paths(self.described)
        refuse_outside(self.folder, arrays)
        refuse_absurd_sizes(self.folder, arrays)
        for i, inside in enumerate(ngff.dataset_paths(self.described)):
            try:
                os.symlink(self.folder.absolute() / inside, group / str(i), target_is_directory=True)
            except OSError as error:
                raise StorageError(
                    f"{self.folder} cannot be linked into {group} ({error.strerror}): let the image be copied instead."
                ) from error


def of(acquisition: Acquisition) -> Reference:
    """Return the reference to an acquisition's image.

    Raises
    ------
    StorageError
        When the acquisition is not an OME-Zarr in a folder.
    """
    import zarr

    folder = Path(acquisition.source_path)
    if acquisition.reader != "ome-zarr" or not folder.is_dir():
        raise StorageError(
            f"{acquisition.name} cannot be referred to: only an OME-Zarr in a folder can, let the image be copied."
        )
    with corruption.readable(folder):
        group = zarr.open_group(folder, mode="r")
        version: ngff.Version = "0.4" if group.metadata.zarr_format == 2 else "0.5"
        return Reference(folder, version, ngff.ome(dict(group.attrs)))


def is_possible(acquisition: Acquisition, place: Place) -> bool:
    """Say whether an image at hand can be referred to from a store at a place, by its kind; others are copied."""
    return acquisition.reader == "ome-zarr" and acquisition.source_path.is_dir() and isinstance(place, Path)


def relink(group: Path, old: Path, new: Path) -> int:
    """Have a group's links lead to where the image was moved, from `old` to `new`; return how many were changed.

    Raises
    ------
    StorageError
        When one cannot be set.
    """
    changed = 0
    for link in group.iterdir():
        if not (link.is_symlink() and link.name.isdecimal() and Path(os.readlink(link)).is_relative_to(old)):
            continue
        aside = link.with_name(f"{link.name}{PARTIAL_SUFFIX}")
        try:
            aside.unlink(missing_ok=True)
            os.symlink(new / Path(os.readlink(link)).relative_to(old), aside, target_is_directory=True)
            os.rename(aside, link)
        except OSError as error:
            raise StorageError(f"{link} cannot be changed ({error.strerror}): set it to lead into {new}.") from error
        changed += 1
    return changed


def refuse_outside(folder: Path, arrays: Sequence[str]) -> None:
    """Refuse an image with arrays outside its folder, by their paths or by links: they would be shown as its own."""
    for name in arrays:
        if leading_out(folder, [folder / name / "zarr.json", folder / name / ".zarray"]) is not None:
            raise StorageError(
                f"{folder} cannot be referred to: its array {name!r} is not in it; let the image be copied."
            )


def refuse_absurd_sizes(folder: Path, arrays: Sequence[str]) -> None:
    """Refuse an image one of whose arrays claims an absurd size: who opens the result would read it."""
    import zarr

    for name in arrays:
        with corruption.readable(folder, f"array {name!r}"):
            array = zarr.open_array(store=str(folder), path=name, mode="r")
            refuse_absurd(str(folder / name), array.shape, array.chunks)


def refuse_at_url(place: str, reference: Reference | None) -> None:
    """Refuse to refer to a folder from an object store, which has no links."""
    if reference is not None:
        raise StorageError(f"{place} cannot refer to {reference.folder}: let the image be copied.")


def _converted(axis: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """Return an axis in our unit, and what its lengths or times are multiplied with for that."""
    for convert, unit in ((micrometres, "micrometer"), (seconds, "second")):
        factor = convert(1.0, axis.get("unit"))
        if factor is not None:
            return {**axis, "unit": unit}, factor
    return dict(axis), 1.0


def _composed(steps: Sequence[Mapping[str, Any]], factors: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return scale and translation of several transformations, one after the other."""
    scale, shift = list(factors), [0.0] * len(factors)
    for step in steps:
        if step["type"] == "scale":
            scale = [a * float(b) for a, b in zip(scale, step["scale"], strict=True)]
            shift = [a * float(b) for a, b in zip(shift, step["scale"], strict=True)]
        elif step["type"] == "translation":
            shift = [a + f * float(b) for a, f, b in zip(shift, factors, step["translation"], strict=True)]
    return scale, shift
