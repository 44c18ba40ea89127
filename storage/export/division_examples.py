"""Nuclei that divided, as images of mitoses, and slices without any, to learn from and others to be judged by."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nuset_engine.arrays import LabelsZYX, MaskZYX
from nuset_engine.corrections.event_labels import event_labels
from storage.errors import WrongRequestError
from storage.export.corrected_examples import HELD_OUT, TAKEN, CorrectedExamples, evenly, held_out_of, taken_of
from storage.export.mitotic_nuclei import MitoticNuclei, mitotic_nuclei
from storage.export.snapshot import Snapshot
from storage.export.training import IMAGES, LABELS, SEEN, write_slice
from storage.files.whole_file import remove
from storage.query.snapshots import resolved, snapshot
from storage.schema.rows import AcquisitionRow

SLICES = 3
"""Of a mitosis: its neighbours show nearly the same."""
QUIET = 4
"""So many slices without mitoses for each with one: weights that see hardly any come to find mitoses everywhere."""


@dataclass(frozen=True)
class _Source:
    """An acquisition, and what its divisions tell."""

    row: AcquisitionRow
    found: MitoticNuclei

    @property
    def ends(self) -> list[int]:
        """The last time points of mothers, in order."""
        return sorted({nodes[-1][0] for nodes in self.found.mothers.values()})

    def mothers(self, apart: Collection[tuple[int, int]], is_apart: bool) -> frozenset[int]:
        """The mothers that are held out, or those that are not."""
        ends = {mother: nodes[-1][0] for mother, nodes in self.found.mothers.items()}
        return frozenset(mother for mother, t in ends.items() if ((self.row.id, t) in apart) is is_apart)

    def quiet(self, apart: Collection[tuple[int, int]], is_apart: bool) -> list[int]:
        """Time points with nuclei that are known not to divide: those of mothers that are held out, or the others."""
        held_out = self.by_time(self.mothers(apart, True))
        return [t for t in self.found.ordinary if (t in held_out) is is_apart]

    def by_time(self, mothers: Iterable[int]) -> dict[int, set[int]]:
        """Labels of some mothers, by time point."""
        by_time: dict[int, set[int]] = defaultdict(set)
        for mother in mothers:
            for t, label in self.found.mothers[mother]:
                by_time[t].add(label)
        return by_time


def division_examples(
    path_or_url: str | Path,
    wanted: Sequence[int | str],
    folder: Path,
    held_out: int | None = None,
    begun: bool = False,
    frames: int = 1,
    undoubted: bool = False,
) -> CorrectedExamples:
    """Write slices with mothers shortly before they divide, as labels of mitoses, and slices without any mother.

    For each with a mother there are at most `QUIET` without. What lies in the folder is replaced.

    Parameters
    ----------
    path_or_url : database
    wanted : acquisitions, by id or name
    folder : Path
    held_out : int, optional
        The divisions after so many time points, evenly spread; by default after a fifth, and at least one of two.
    begun : bool
        Something learned from what lies there: it stays as it is.
    frames, undoubted
        See `mitotic_nuclei`.

    Returns
    -------
    CorrectedExamples
        Its counts are those of mitoses.

    Raises
    ------
    WrongRequestError
        When an acquisition has no such division, nothing would be left to learn from, or what lies there and was
        learned from is no longer what people say.
    UnknownAcquisitionError, StorageError
    """
    with snapshot(path_or_url) as connection:
        rows = [resolved(connection, one) for one in wanted]
        sources = [_Source(row, mitotic_nuclei(connection, row, frames, undoubted)) for row in rows]
        for source in sources:
            _refuse_none(source, undoubted)
        points = [(source.row.id, t) for source in sources for t in source.ends]
        kept = evenly(len(points), held_out_of(len(points), held_out))
        apart = {points[index] for index in kept}
        taken = json.dumps([[source.row.id, *_told(source.found)] for source in sources] + [len(kept)])
        lies_there = taken_of(folder)
        if begun and lies_there is not None and lies_there != taken:
            raise WrongRequestError(
                f"{folder.name} was written and learned from with other divisions than there are to learn from now: "
                "give another --output."
            )
        if lies_there != taken:
            remove(folder)
            for source in sources:
                prefix = f"{source.row.id}_" if len(rows) > 1 else ""
                for into, is_apart in ((folder, False), (folder / HELD_OUT, True)):
                    writer = _Writer(Snapshot(connection, source.row), source, into, prefix)
                    writer.write(source.mothers(apart, is_apart), source.quiet(apart, is_apart))
            (folder / TAKEN).write_text(taken, encoding="utf-8")
    counts = [sum(len(source.mothers(apart, one)) for source in sources) for one in (False, True)]
    return CorrectedExamples(folder, *counts)


def _refuse_none(source: _Source, undoubted: bool) -> None:
    if source.found.mothers:
        return
    name, doubtful = source.row.name, source.found.doubtful
    if not doubtful:
        raise WrongRequestError(f"No nucleus of {name} divides, so there is no mitosis to learn from.")
    which = "confirmed or drawn, or undoubted," if undoubted else "confirmed or drawn"
    none, some = f"None of the {doubtful} divisions of {name} was {which}", "some"
    if doubtful == 1:
        none, some = f"The one division of {name} was not {which}", "it"
    others = "" if undoubted else ", or give --divisions undoubted"
    raise WrongRequestError(
        f"{none} from one time point to the next: confirm {some}, with "
        f"`nusetd correct {name} divide` or `nusetd doubts {name}`{others}."
    )


def _told(found: MitoticNuclei) -> tuple[list[object], list[object]]:
    """Everything that decides what is written."""
    return [list(one) for one in found.mothers.items()], [
        [t, *sorted(some)] for t, some in sorted(found.unknown.items())
    ]


@dataclass(frozen=True)
class _Writer:
    """Writes slices of one acquisition into a folder of examples, their names after a prefix."""

    snapshot: Snapshot
    source: _Source
    folder: Path
    prefix: str

    def write(self, mothers: Collection[int], quiet: Sequence[int]) -> None:
        """Write slices with some mothers, and others, of the time points `quiet`, in which there is no mother at all.

        Nothing is said of the other mothers, nor of whatever else may divide.
        """
        for name in (IMAGES, LABELS, SEEN):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        others = self.source.by_time(self.source.found.mothers.keys() - mothers)
        written = 0
        for t, events in sorted(self.source.by_time(mothers).items()):
            marked, seen = self._told(t, self._labels(t), events, others.get(t, set()))
            written += self._put(t, _slices(marked, events), marked, seen)
        every, times = self.source.by_time(self.source.found.mothers), min(QUIET * written, len(quiet))
        for t in (quiet[index] for index in sorted(evenly(len(quiet), times))):
            labels, hidden = self._labels(t), every.get(t, set())
            marked, seen = self._told(t, labels, (), hidden)
            self._put(t, slices_without(hidden, labels, seen, -(-QUIET * written // times)), marked, seen)

    def _labels(self, t: int) -> LabelsZYX:
        return self.snapshot.images().labels(t)

    def _told(
        self, t: int, labels: LabelsZYX, events: Collection[int], hidden: Collection[int]
    ) -> tuple[LabelsZYX, MaskZYX]:
        """Labels of events, and where something is known of events, see `event_labels`."""
        unknown = {*self.source.found.unknown.get(t, ()), *hidden}
        return event_labels(labels, events, unknown, self.snapshot.acquisition.voxel_size_um or (1.0, 1.0, 1.0))

    def _put(self, t: int, slices: Sequence[int], marked: LabelsZYX, seen: MaskZYX) -> int:
        """Write slices of a time point; how many."""
        row, images = self.snapshot.acquisition, self.snapshot.images()
        for z in slices:
            plane = images.image(t, row.segmented_channel, slice(z, z + 1))[0]
            write_slice(self.folder, f"{self.prefix}t{row.source_t(t):04}_z{z:03}.tif", plane, marked[z], seen[z])
        return len(slices)


def _slices(marked: LabelsZYX, labels: Collection[int]) -> list[int]:
    """At most `SLICES` of each mitosis, evenly spread."""
    chosen: set[int] = set()
    for label in labels:
        there = np.flatnonzero((marked == label).reshape(len(marked), -1).any(axis=1))
        if len(there):
            chosen.update(there[np.linspace(0, len(there) - 1, SLICES).round().astype(int)].tolist())
    return sorted(chosen)


def slices_without(mothers: Collection[int], labels: LabelsZYX, seen: MaskZYX, count: int) -> list[int]:
    """At most so many slices without a mother, in which something is known of nuclei, evenly spread."""
    known = ((labels > 0) & seen).reshape(len(labels), -1).any(axis=1)
    there = np.flatnonzero(known & ~np.isin(labels, sorted(mothers)).reshape(len(labels), -1).any(axis=1))
    return [int(there[index]) for index in sorted(evenly(len(there), min(count, len(there))))]
