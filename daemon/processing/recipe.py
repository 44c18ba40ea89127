"""What decides a result besides the pixels: model, parameters, channel. Stored with each acquisition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from daemon.configuration.config import Processing
from daemon.errors import DaemonError
from daemon.processing.messages import Ready
from nuset_engine.params import SegmentationParams
from nuset_engine.reconstruction.params import VolumeParams
from storage.canonical import canonical_json
from storage.errors import StorageError
from storage.omezarr.empty_store import ImageKind
from tracking.params import TrackingParams

if TYPE_CHECKING:
    from storage.description import Description
    from storage.schema.rows import AcquisitionRow

# Names under which microscopes list the channel with the nuclei; the first channel that contains one of them is taken.
NUCLEAR_STAINS = ("dapi", "hoechst", "draq5", "sytox", "h2b", "histone", "nls", "nuclei", "nuclear", "nucleus")

Params = TypeVar("Params")


class NotProcessableError(DaemonError):
    """An image is whole and readable, but something that a person must give is missing."""


@dataclass(frozen=True)
class Recipe:
    """How images of one watch, or one `nusetd process`, are processed."""

    model: Ready
    processing: Processing
    nuclear_channel: int | str | None = None
    ome_zarr_version: str = "0.4"
    pattern: str | None = None
    image: ImageKind = "copy"
    axes: str | None = None
    step: int | None = None

    def params(self, channel: int) -> dict[str, Any]:
        """The plain values that are stored, and from which `StoredRecipe.of` runs a time point again."""
        stored: dict[str, Any] = {name: getattr(self.processing, name).as_dict() for name in _SECTIONS}
        stored |= {"nuclear_channel": channel, "ome_zarr_version": self.ome_zarr_version, "pattern": self.pattern}
        if self.image != "copy":  # left out else: it came later, and equal results keep an equal recipe
            stored["image"] = self.image
        if self.axes is not None:
            stored["axes"] = self.axes
        if self.step is not None:
            stored["step"] = self.step
        return stored

    def made(self, row: AcquisitionRow) -> bool:
        """Say whether an acquisition was begun with this very recipe, whichever its nuclear channel is."""
        mine, stored = self.params(0), dict(row.params)
        names = {*mine, *(name for name in _WHERE_GIVEN if name in stored)} - {"nuclear_channel"}
        return row.model_sha256 == self.model.model_sha256 and all(
            canonical_json({name: stored.get(name)}) == canonical_json({name: mine.get(name)}) for name in names
        )


_WHERE_GIVEN = ("image", "axes", "step")  # what is stored only where a person gave it
_SECTIONS = {"segmentation": SegmentationParams, "volume": VolumeParams, "tracking": TrackingParams}


@dataclass(frozen=True)
class StoredRecipe:
    """The stored recipe of one acquisition, as objects again."""

    segmentation: SegmentationParams
    volume: VolumeParams
    tracking: TrackingParams
    nuclear_channel: int
    ome_zarr_version: str
    image: ImageKind

    @classmethod
    def of(cls, row: AcquisitionRow) -> StoredRecipe:
        """Read the recipe of an acquisition from its row."""
        stored = row.params
        return cls(
            segmentation=_restored(SegmentationParams, stored["segmentation"]),
            volume=_restored(VolumeParams, stored["volume"]),
            tracking=_restored(TrackingParams, stored["tracking"]),
            nuclear_channel=int(stored["nuclear_channel"]),
            ome_zarr_version=str(stored["ome_zarr_version"]),
            image=stored.get("image", "copy"),
        )


def choose_channel(acquisition: Description, wanted: int | str | None) -> int:
    """The channel with the nuclei: as configured, else the first with a nuclear stain's name, else the first.

    Raises
    ------
    NotProcessableError
        When the configured channel is not there.
    """
    if wanted is not None:
        try:
            return acquisition.channel(wanted)
        except StorageError as error:
            raise NotProcessableError(str(error)) from error
    for index, name in enumerate(acquisition.channel_names):
        if any(stain in name.casefold() for stain in NUCLEAR_STAINS):
            return index
    return 0


def refuse_unmeasurable(acquisition: Description) -> None:
    """Refuse a z-stack without a voxel size: its slices cannot be joined without the distance between them.

    Raises
    ------
    NotProcessableError
        With the ways to give the size.
    """
    if acquisition.size_z > 1 and acquisition.voxel_size_um is None:
        raise NotProcessableError(
            f"{acquisition.name} is a stack of {acquisition.size_z} slices whose file does not give the voxel size: "
            "give it with --voxel-size Z,Y,X (in micrometres; of a watched file by `nusetd submit`), or as "
            "voxel_size_um = [z, y, x] in the watch's configuration."
        )


def _restored(kind: type[Params], stored: Mapping[str, Any]) -> Params:
    """Parameters from what was stored; one that this version no longer knows is left out."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass, by contract
    return kind(**{name: _hashable(value) for name, value in stored.items() if name in known})


def _hashable(value: object) -> object:
    return tuple(_hashable(item) for item in value) if isinstance(value, list) else value
