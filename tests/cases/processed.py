"""An acquisition that went through the real pipeline, with labels drawn instead of found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from cases.stored import one_to_one, squares
from nuset_engine.measure import measure
from nuset_engine.reconstruction.params import VolumeParams
from nuset_engine.reconstruction.volume import reconstruct
from storage import naming
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.readers import open_acquisitions

SHAPE = (3, 20, 24)  # slices, height, width
VOXEL = (1.0, 1.0, 1.0)
COUNT = 6
TIME_POINTS = 2


@dataclass(frozen=True)
class Slice:
    """What a segmenter says about a slice."""

    labels: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """It is sure."""
        return np.full(COUNT, 0.9)


def process(
    folder: Path,
    version: str = "0.4",
    bundle: str | None = None,
    voxel: tuple[float, float, float] = VOXEL,
    interval_s: float | None = None,
) -> tuple[Path, Path]:
    """Write a movie, process it, and publish and paint all of it; (output folder, store)."""
    source, output = folder / "embryo.tif", folder / "out"
    output.mkdir(parents=True)
    random = np.random.default_rng(3)
    pixels = np.stack([100 * (squares(t, COUNT, SHAPE) > 0) for t in range(TIME_POINTS)])
    pixels = (pixels + random.integers(0, 20, pixels.shape)).astype(np.uint16)
    times = {"TimeIncrement": interval_s, "TimeIncrementUnit": "s"} if interval_s else {}
    tifffile.imwrite(source, pixels, photometric="minisblack", metadata={"axes": "TZYX", **times}, ome=True)
    [image] = open_acquisitions(source, voxel_size_um=voxel)
    with image, Catalog.open(output) as catalog:
        place = naming.zarr_path(output, image.name, bundle)
        params = {"nuclear_channel": 0}
        row = catalog.register(image, zarr_path=place, model_name="m", model_sha256="0" * 64, params=params)
        catalog.add_timepoints(row.id, {t: image.fingerprint(t) for t in range(TIME_POINTS)})
        store = ImageStore.create(str(row.zarr_path), image, version)
        while (job := catalog.claim_next()) is not None:
            slices = (Slice(labels) for labels in squares(job.t, COUNT, SHAPE))
            volume = reconstruct(slices, voxel, VolumeParams())
            table = measure(volume, {0: image.planes(job.t, 0)}, 0, voxel, job.t)
            store.write_timepoint(job.t, [image.planes(job.t, 0)], volume.labels)
            catalog.commit_timepoint(job, table, one_to_one(job.t, len(table.table)), b"", {})
            store.publish(job.t)
            catalog.mark_published(row.id, job.t)
        for t, track_of in catalog.unpainted_final(row.id):
            store.write_tracks(t, track_of)
            store.publish_tracks(t)
            catalog.mark_painted(row.id, t)
    return output, Path(str(row.zarr_path))
