"""A time point as it is stored: its slices, its labels, and with what it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from daemon.configuration.assignments import DEFAULT
from daemon.configuration.config import Processing
from daemon.configuration.service_config import EngineConfig
from daemon.errors import UsageError
from daemon.installation.kept_weights import located
from daemon.overrides.applying import overlaid
from daemon.processing.engine_factory import StackSegmenter, segmenter_of
from daemon.processing.recipe import StoredRecipe
from nuset_engine.arrays import LabelsZYX
from nuset_engine.errors import EngineError
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.lazy import LazyPlanes
from nuset_engine.runtime.choice import lacking, wanted_for
from nuset_engine.runtime.names import read_as
from nuset_engine.voxels import VoxelSize
from nuset_engine.weights import find_weights
from storage.errors import StorageError
from storage.results import Results

_ROOM = 2**28  # bytes of planes that are kept: they are asked for more than once


class StoredStack:
    """One time point of an acquisition.

    Parameters
    ----------
    database : str
    acquisition, t : int

    Raises
    ------
    StorageError
        When there is no such acquisition.
    """

    def __init__(self, database: str, acquisition: int, t: int) -> None:
        self._found = Results(database)[acquisition]
        self.about, self.t = self._found.about, t

    @property
    def voxel_um(self) -> VoxelSize | None:
        """Voxel size (z, y, x)."""
        return self.about.voxel_size_um

    @property
    def reading(self) -> int:
        """Which reading of its source it is."""
        return self.about.reading

    @property
    def voxels(self) -> int:
        """How many there are in a time point."""
        return (self.about.size_z or 1) * (self.about.size_y or 1) * (self.about.size_x or 1)

    def planes(self) -> LazyPlanes:
        """The slices of the channel with the nuclei.

        Raises
        ------
        StorageError
            When they are not stored.
        """
        image, channel = self._found.image(), self.about.segmented_channel
        if not (self.t < image.shape[0] and channel < image.shape[1]):
            raise StorageError(f"Time point {self.about.source_t(self.t)} is not there yet.")
        return LazyPlanes(lambda z: np.asarray(image[self.t, channel, z].compute()), image.shape[2], _ROOM)

    def labels(self) -> LabelsZYX:
        """Its stored labels (Z, Y, X)."""
        labels = self._found.labels()
        if self.t >= labels.shape[0]:
            raise StorageError(f"The labels of time point {self.about.source_t(self.t)} are not published yet.")
        return np.asarray(labels[self.t].compute())

    def scores(self) -> list[float]:
        """The scores of its stored nuclei."""
        rows = self._found.nuclei(t=self.t, columns=["score"])
        return [float(score) for score in rows["score"].dropna()]

    def processing(self, settings: Mapping[str, Any]) -> Processing:
        """What it was made with, and these settings over it.

        Raises
        ------
        UsageError
            When one of them cannot be.
        """
        stored = StoredRecipe.of(self.about)
        base = Processing(stored.segmentation, stored.volume, stored.tracking)
        found, faults = overlaid(base, {name: DEFAULT if v is None else v for name, v in settings.items()})
        if faults:
            raise UsageError(" ".join(faults))
        return found or base

    def segmenter(self, engine: Mapping[str, Any], params: SegmentationParams) -> StackSegmenter:
        """The service's segmenter; where no service ever ran, one with the weights that made it."""
        known = {one.name for one in fields(EngineConfig)}
        given = {name: value for name, value in engine.items() if name in known}
        if given:
            return segmenter_of(EngineConfig(**given), params)
        return segmenter_of(self._made_by(), params)

    def _made_by(self) -> EngineConfig:
        """The weights that made it, read by the runtime that read them."""
        name = self.about.model_name
        weights, likely = read_as(name)
        try:
            found = find_weights(located(weights))
        except EngineError as error:
            raise UsageError(f"{name}, which made it, is not here: use `nusetd try --weights FILE`. {error}") from error
        runtime = wanted_for(found, self.about.model_sha256, likely)
        reasons = [lacking(one, runtime) for one in (found, found.single_planes) if one is not None]
        reason = next(filter(None, reasons), None)
        if reason is not None:
            raise UsageError(
                f"{name}, which made it, cannot be computed here ({reason}): use `nusetd try --weights {weights} "
                "--runtime tensorflow`."
            )
        return EngineConfig(weights=weights, runtime=runtime)
