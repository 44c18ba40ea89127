"""What `nusetd segment --report` leaves beside the labels: progress, tables of nuclei, and pictures with outlines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.files.sharing.work import Hears, ProgressLine
from nuset_engine.arrays import LabelsYX, PictureYX3, PlaneYX
from nuset_engine.evaluation.worst_images import outlines
from nuset_engine.measure import measure
from nuset_engine.reconstruction.volume import Volume
from storage.files.whole_file import whole

if TYPE_CHECKING:
    import pandas as pd

    from storage.acquisition import Acquisition

OUTLINE = (0, 224, 255)
LARGEST_PX, CLEAR_PX = 1600, 500  # of a picture's longer edge; smaller ones are enlarged, so that outlines hide little


def files_of(image: Path, folder: Path) -> tuple[Path, Path]:
    """Where the table of nuclei of an image and its picture lie."""
    return folder / f"{image.stem}.nuclei.csv", folder / f"{image.stem}.outlines.png"


class SegmentReport:
    """Says how far the work on images is, and keeps what is not in their labels.

    Parameters
    ----------
    folder : Path or None
        None: nobody wants to know.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._hears: Hears | None = None
        self._tables: list[pd.DataFrame] = []
        self._picture: PictureYX3 | None = None
        self._slice = 0
        self._unit = "um"

    def _tell(self, what: str, **values: object) -> None:
        if self._folder is not None and self._hears is not None:
            self._hears(ProgressLine(what, values))

    def starts(self, image: Path, tell: Hears) -> None:
        """One is taken up; `tell` hears of it from now on."""
        self._tables, self._picture, self._hears = [], None, tell
        self._tell("image", image=image.name)

    def slices(self, acquisition: Acquisition, t: int) -> Callable[[int], None]:
        """Give what hears of each slice of a time point."""
        points, slices = len(acquisition.time_points), acquisition.size_z
        before = acquisition.time_points.index(t) * slices
        return lambda done: self._tell("slices", done=before + done, of=points * slices)

    def time_point(self, acquisition: Acquisition, t: int, volume: Volume, planes: Sequence[PlaneYX]) -> None:
        """Keep the nuclei of a time point; of the first one also a picture, of the slice with most of them in it."""
        if self._folder is None:
            return
        nuclei = measure(volume, {0: planes}, 0, acquisition.voxel_size_um, t)
        table, self._unit = nuclei.table.copy(), nuclei.unit
        table.insert(0, "t", t)
        self._tables.append(table)
        if self._picture is None:
            self._slice = int(np.argmax([np.count_nonzero(plane) for plane in volume.labels]))
            self._picture = picture(np.asarray(planes[self._slice]), volume.labels[self._slice])

    @contextmanager
    def written(self, image: Path, target: Path) -> Iterator[None]:
        """Write what is known of an image that is segmented, then let its labels be written inside, and tell of it."""
        if self._folder is None or self._picture is None:
            yield
            return
        import pandas as pd
        from PIL import Image

        table = pd.concat(self._tables)
        csv, png = files_of(image, self._folder)
        with whole(csv) as unfinished:
            table.to_csv(unfinished, index=False, float_format="%.6g", lineterminator="\n")
        with whole(png) as unfinished:
            Image.fromarray(self._picture).save(unfinished, format="PNG")
        yield
        diameter, unit = self._diameter(table)
        self._tell(
            "done",
            image=image.name,
            labels=target.name,
            table=csv.name,
            picture=png.name,
            nuclei=len(table),
            time_points=len(self._tables),
            slice=self._slice,
            diameter=diameter,
            unit=unit,
        )

    def _diameter(self, table: pd.DataFrame) -> tuple[float | None, str]:
        """The median diameter of nuclei, in pixels where the image has no voxel size."""
        if self._unit == "um":
            found, unit = float(table["equivalent_diameter_um"].median()), "µm"
        else:
            found, unit = float(np.sqrt(4 / np.pi * table["volume_px"]).median()), "px"
        return (round(found, 2) if math.isfinite(found) else None), unit


def picture(plane: PlaneYX, labels: LabelsYX) -> PictureYX3:
    """(Y, X, 3) uint8: a plane (Y, X) with the outlines of its labels, of a size that can be looked at."""
    step = max(1, -(-max(plane.shape) // LARGEST_PX))
    plane, labels = plane[::step, ::step], labels[::step, ::step]
    times = max(1, CLEAR_PX // max(plane.shape))
    values = np.nan_to_num(np.asarray(plane, np.float32))
    low, high = np.percentile(values, (1.0, 99.8))
    grey = (255 * np.clip((values - low) / max(float(high - low), 1e-6), 0, 1)).astype(np.uint8)
    large = np.repeat(np.repeat(grey, times, axis=0), times, axis=1)
    colours = np.repeat(large[..., None], 3, axis=2)
    colours[outlines(np.repeat(np.repeat(labels, times, axis=0), times, axis=1))] = OUTLINE
    return colours
