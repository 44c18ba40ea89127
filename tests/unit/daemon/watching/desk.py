"""An intake over a real folder and a real database, with a clock in our hands and no other process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tifffile

from daemon.configuration.config import Processing, WatchConfig
from daemon.processing.messages import Ready
from daemon.processing.recipe import Recipe
from daemon.watching.inspection import Answer, InspectionRequest, inspect
from daemon.watching.intake import Intake
from daemon.watching.watch import FolderWatch
from storage.database.catalog import Catalog

MODEL = Ready("test", "0" * 64)


class EndedAcquisitions:
    """Stands where the queue loop is: notes which acquisitions ended."""

    def __init__(self) -> None:
        self.ended: set[int] = set()
        self.busy: set[int] = set()
        self.shares = SimpleNamespace(live=False)

    def hold(self, acquisition_id: int, reason: str) -> bool:
        return acquisition_id not in self.busy

    def show_again(self, acquisition_id: int) -> None:
        pass

    def end(self, acquisition_id: int) -> None:
        self.ended.add(acquisition_id)

    def reopen(self, acquisition_id: int) -> None:
        self.ended.discard(acquisition_id)


class Reader:
    """Looks into files where the service asks a process to: the same function, called at once."""

    def __init__(self) -> None:
        self.waiting: list[tuple[InspectionRequest, Callable[[Answer], None]]] = []
        self.asked: list[InspectionRequest] = []

    def ask(self, request: InspectionRequest, then: Callable[[Answer], None]) -> None:
        self.waiting.append((request, then))

    def turn(self) -> None:
        waiting, self.waiting = self.waiting, []
        for request, then in waiting:
            self.asked.append(request)
            then(self.answer(request))

    def answer(self, request: InspectionRequest) -> Answer:
        return inspect(request)


class Desk:
    """An intake over a folder, and what came of it."""

    def __init__(self, root: Path, catalog: Catalog, **options: object) -> None:
        self.incoming = root / "in"
        self.incoming.mkdir(exist_ok=True)
        base = WatchConfig(self.incoming, root / "out", voxel_size_um=(1.0, 0.5, 0.5), acquisition_quiet_s=30.0)
        self.watch = replace(base, **options)  # type: ignore[arg-type]  # options are fields of it
        self.catalog, self.queue_loop, self.model = catalog, EndedAcquisitions(), MODEL
        self.folder = FolderWatch(self.incoming, True, [root / "out"], False, 1.0, self.watch.pattern)
        self.reader = Reader()
        self.intake = Intake(self.watch, self.folder, catalog, self.queue_loop, self.reader, self.recipe)  # type: ignore[arg-type]

    def recipe(self) -> Recipe | None:
        return Recipe(self.model, Processing()) if self.model else None

    def run(self, start: float, end: float) -> None:
        now = start
        while now <= end:
            self.intake.tick(now)
            self.reader.turn()
            self.intake.tick(now)
            self.reader.turn()
            self.intake.tick(now)
            now += 0.5

    def put(self, name: str, value: int = 1, shape: tuple[int, ...] = (3, 16, 16)) -> Path:
        path = self.incoming / name
        tifffile.imwrite(path, np.full(shape, value, np.uint16), photometric="minisblack")
        return path

    def queued(self) -> dict[str, list[int]]:
        rows = self.catalog.acquisitions()
        return {row.name: [point.t for point in self.catalog.timepoints(row.id)] for row in rows}


class Microscope:
    """Writes one OME-TIFF plane by plane, as the acquisition goes on; each plane is marked with its number."""

    def __init__(self, path: Path, size_t: int, size_z: int) -> None:
        self.path, self._declares, self._written = path, self._description(path, size_t, size_z), 0

    def write(self, planes: int) -> None:
        with tifffile.TiffWriter(self.path, append="force" if self._written else False) as writer:
            for _ in range(planes):
                plane = np.full((16, 16), self._written, np.uint16)
                writer.write(plane, description=self._declares, contiguous=False, metadata=None)
                self._written, self._declares = self._written + 1, None

    @staticmethod
    def _description(path: Path, size_t: int, size_z: int) -> str | None:
        whole = path.parent.parent / "whole.ome.tif"
        tifffile.imwrite(whole, np.zeros((size_t, size_z, 16, 16), np.uint16), ome=True, metadata={"axes": "TZYX"})
        with tifffile.TiffFile(whole) as tif:
            return tif.ome_metadata
