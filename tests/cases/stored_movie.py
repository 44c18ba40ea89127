"""Any stacks and labels as an acquisition that went through all steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cases.stored import acquisition
from daemon.configuration.config import Processing
from daemon.processing.messages import Ready
from daemon.processing.recipe import Recipe
from nuset_engine.measure import measure
from nuset_engine.nuclei import TRUST_COLUMNS
from nuset_engine.reconstruction.volume import Volume
from storage.acquisition import Acquisition
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import AcquisitionRow
from storage.schema.states import AcquisitionState
from tracking.tracker import Tracker

SPACING = (2.0, 0.5, 0.5)  # of `acquisition`


def stored_movie(
    output: Path,
    images: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    model: str = "m",
    voxel: tuple[float, float, float] = SPACING,
) -> AcquisitionRow:
    """An acquisition ``embryo`` of stacks (Z, Y, X) and these labels, tracked and complete."""
    image = replace(acquisition(np.stack([stack[None] for stack in images])), voxel_size_um=voxel)
    place = output / f"{image.name}.ome.zarr"
    output.mkdir(parents=True, exist_ok=True)
    with Catalog.open(output) as catalog:
        params = Recipe(Ready(model, "0" * 64), Processing()).params(0) | {"of": model}
        row = catalog.register(image, zarr_path=place, model_name=model, model_sha256="0" * 64, params=params)
        catalog.add_timepoints(row.id, {t: image.fingerprint(t) for t in range(len(images))})
        _work(catalog, row, image, labels)
        return row


def _work(catalog: Catalog, row: AcquisitionRow, image: Acquisition, labels: Sequence[np.ndarray]) -> None:
    store = ImageStore.create(str(row.zarr_path), image, owner=catalog.stores.owner(row))
    tracker = Tracker()
    while (job := catalog.claim_next()) is not None:
        names = np.unique(labels[job.t])
        numbered = np.searchsorted(np.union1d([0], names), labels[job.t]).astype(np.uint32)
        planes = {0: image.planes(job.t, 0)}
        table = measure(Volume(numbered, _trust(int(numbered.max()))), planes, 0, image.voxel_size_um, job.t)
        store.write_timepoint(job.t, [image.planes(job.t, 0)], numbered)
        catalog.commit_timepoint(job, table, tracker.advance(table), tracker.state())
        store.publish(job.t)
        catalog.mark_published(row.id, job.t)
    catalog.finalise_tracks(row.id, tracker.finish(), tracker.state())
    for t, track_of in catalog.unpainted_final(row.id):
        store.write_tracks(t, track_of)
        store.publish_tracks(t)
        catalog.mark_painted(row.id, t)
    catalog.set_acquisition_state(row.id, AcquisitionState.PROCESSING)
    catalog.complete_acquisition(row.id)


def _trust(count: int) -> pd.DataFrame:
    kinds = {"score": "float64", **TRUST_COLUMNS}
    values: dict[str, list[float]] = {name: [0.9 if name == "score" else 0] * count for name in kinds}
    return pd.DataFrame(values, index=pd.RangeIndex(1, count + 1, name="label")).astype(kinds)
