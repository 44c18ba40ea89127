"""What decides a result besides the pixels: model, parameters, channel. Stored with each acquisition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from daemon import logs
from daemon.configuration.config import Processing, UnclearChannel
from daemon.errors import DaemonError
from daemon.processing.channels.names import named_nuclear
from daemon.processing.messages import Ready
from nuset_engine.params import SegmentationParams
from nuset_engine.reconstruction.params import VolumeParams
from storage.canonical import canonical_json
from storage.errors import StorageError
from storage.omezarr.references import ImageKind
from storage.query.sentences import kind
from storage.schema.rows import UNCLEAR_CHANNEL, ChannelFact
from storage.schema.states import AcquisitionState
from tracking.params import TrackingParams
from tracking.steps import step_of

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.description import Description
    from storage.schema.rows import AcquisitionRow

Params = TypeVar("Params")


class NotProcessableError(DaemonError):
    """An image is whole and readable, but something that a person must give is missing."""


@dataclass(frozen=True)
class Recipe:
    """How images of one watch, or one `nusetd process`, are processed; those of an `archive` after others."""

    model: Ready
    processing: Processing
    nuclear_channel: int | str | None = None
    ome_zarr_version: str = "0.4"
    pattern: str | None = None
    image: ImageKind = "copy"
    axes: str | None = None
    step: int | None = None
    unclear_channel: UnclearChannel = "ask"
    archive: bool = False

    def params(self, channel: int | None) -> dict[str, Any]:
        """The plain values that are stored, and from which `StoredRecipe.of` runs a time point again."""
        stored: dict[str, Any] = {name: getattr(self.processing, name).as_dict() for name in _SECTIONS}
        stored |= {"nuclear_channel": channel, "ome_zarr_version": self.ome_zarr_version, "pattern": self.pattern}
        if self.image != "copy":  # left out else: it came later, and equal results keep an equal recipe
            stored["image"] = self.image
        if self.axes is not None:
            stored["axes"] = self.axes
        if self.step is not None:
            stored["step"] = self.step
        if self.unclear_channel != "ask":
            stored[UNCLEAR_CHANNEL] = self.unclear_channel
        return stored

    def made(self, row: AcquisitionRow) -> bool:
        """Say whether an acquisition was begun with this very recipe, whichever its nuclear channel is."""
        mine, stored = self.params(0), dict(row.params)
        names = {*mine, *(name for name in _WHERE_GIVEN if name in stored)} - {"nuclear_channel", UNCLEAR_CHANNEL}
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
    unclear_channel: UnclearChannel

    @classmethod
    def of(cls, row: AcquisitionRow) -> StoredRecipe:
        """Read the recipe of an acquisition from its row."""
        stored = row.params
        return cls(
            segmentation=_restored(SegmentationParams, stored["segmentation"]),
            volume=_restored(VolumeParams, stored["volume"]),
            tracking=_restored(TrackingParams, stored["tracking"]),
            nuclear_channel=row.segmented_channel,
            ome_zarr_version=str(stored["ome_zarr_version"]),
            image=stored.get("image", "copy"),
            unclear_channel=stored.get(UNCLEAR_CHANNEL, "ask"),
        )


def channel_by_word(acquisition: Description, wanted: int | str | None) -> ChannelFact:
    """Which channel shows nuclei by what a person or the file says; open where neither does.

    Raises
    ------
    NotProcessableError
        When the configured channel is not there.
    """
    if wanted is not None:
        try:
            return ChannelFact(acquisition.channel(wanted), "configured")
        except StorageError as error:
            raise NotProcessableError(str(error)) from error
    named = named_nuclear(acquisition.channel_names)
    if acquisition.size_c == 1 or len(named) == 1:
        return ChannelFact(named[0] if named else 0, "metadata")
    return ChannelFact(None, None)


def refuse_unmeasurable(acquisition: Description) -> None:
    """Refuse what is no image, and a z-stack without a voxel size: its slices cannot be joined without their distance.

    Raises
    ------
    NotProcessableError
        With what to say where it is one, or with the ways to give the size.
    """
    if acquisition.drawn is not None:
        raise NotProcessableError(acquisition.drawn)
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


def say_doubts(catalog: Catalog, row: AcquisitionRow, acquisition: Description, recipe: Recipe) -> None:
    """Say what is not certain once: not with each file of a series, nor of all that are named alike."""
    if row.state is AcquisitionState.QUEUED and not catalog.timepoints(row.id):
        for lack in acquisition.lacks:
            logs.info("image says too little", acquisition=row.name, reason=lack)
        for fact, said in acquisition.overruled.items():
            logs.info("image overruled", acquisition=row.name, fact=fact, of_the_file=said)
    if not acquisition.doubts and row.step == 1:
        return
    known = [point.t for point in catalog.timepoints(row.id)]
    is_series = acquisition.first_number is not None
    for doubt in acquisition.doubts if is_series or not known else ():
        key = (row.source_path, kind(doubt)) if is_series else doubt
        logs.warning_once("image in doubt", key, acquisition=row.name, reason=doubt)
    if recipe.step is None and row.step > 1 and step_of(known) != row.step:
        logs.warning(
            "numbers go in steps", acquisition=row.name, step=row.step, remedy="step = 1 where files are missing"
        )
