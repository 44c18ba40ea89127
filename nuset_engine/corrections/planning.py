"""From labels that somebody edited elsewhere to the corrections that make them of those that are there.

Every correction is tried on a copy as it is found, with the very code that carries it out later, so each one speaks of
nuclei as those before it leave them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nuset_engine.arrays import LabelsZYX, MaskZYX
from nuset_engine.corrections.drawing import VoxelIndex, depth
from nuset_engine.corrections.edited import LEAST_OVERLAP, EditedLabels
from nuset_engine.corrections.edits import EditOutcome, EditScene, NucleusEdit, apply_edits
from nuset_engine.corrections.overlaps import Overlaps
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.voxels import VoxelSize

MAJORITY = 0.5
"""Of a nucleus' voxels: where more lie, there it belongs."""


@dataclass(frozen=True, eq=False)
class PlannedEdit:
    """One correction: of which nuclei, as they are when it is their turn."""

    kind: str
    labels: tuple[int, ...]
    regions: tuple[NucleusRegion, ...]
    points: tuple[VoxelIndex, ...] = ()
    drawn: NucleusRegion | None = None


@dataclass(frozen=True, eq=False)
class EditPlan:
    """What makes the wanted labels of those that are there.

    Attributes
    ----------
    edits : tuple of PlannedEdit
        In the order in which they are to be said.
    names : mapping of int to int
        Of wanted nuclei the labels that they have there; those that are new have none yet.
    failed : tuple of int
        Wanted nuclei that no correction makes.
    """

    edits: tuple[PlannedEdit, ...]
    names: Mapping[int, int]
    failed: tuple[int, ...]


def plan_edits(
    labels: LabelsZYX,
    wanted: LabelsZYX,
    places: Mapping[int, VoxelIndex],
    spacing: VoxelSize,
    reserved: Iterable[int] = (),
) -> EditPlan:
    """Find the corrections that make wanted labels of those that are there.

    Nuclei of which only a place is known are split off the nucleus that is there, or added around it where none is.

    Parameters
    ----------
    labels, wanted : (Z, Y, X) integers
    places : mapping of int to (z, y, x)
        Voxels of wanted nuclei; of those that are not in `wanted` it is all that is known.
    spacing : (z, y, x)
        Of the voxels.
    reserved : iterable of int
        Labels that new nuclei do not get.
    """
    over = Overlaps.between(labels, wanted)
    same = over.same()
    seeds = {name: place for name, place in places.items() if name not in over.other_sizes}
    if len(same) == len(over.sizes) == len(over.other_sizes) and not seeds:
        return EditPlan((), same, ())
    planner = _Planner(labels, wanted, spacing, set(reserved), over, same)
    planner.plan()
    planner.plant(seeds, places)
    names = {name: label for name, label in planner.pairs.items() if label in over.sizes}
    return EditPlan(tuple(planner.edits), same | names, tuple(sorted(planner.failed)))


@dataclass
class _Planner:
    labels: LabelsZYX
    wanted: LabelsZYX
    spacing: VoxelSize
    reserved: set[int]
    over: Overlaps
    same: Mapping[int, int]
    edits: list[PlannedEdit] = field(default_factory=list)
    pairs: dict[int, int] = field(default_factory=dict)  # a wanted nucleus -> the label that becomes it
    failed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        edited = EditedLabels(self.labels.copy())
        self.edited = edited
        self.scene = EditScene(edited, edited.labels, self.spacing, 1.0, self.reserved)
        kept = set(self.same.values())
        self.open = [label for label in sorted(self.over.sizes) if label not in kept]
        self.missing = [name for name in sorted(self.over.other_sizes) if name not in self.same]
        self.used: set[int] = set()
        self.homes = {label: self._home(label) for label in self.open}
        self.cradles = {name: self._cradle(name) for name in self.missing}

    def plan(self) -> None:
        """All that labels say: what is one, what is several, what is none, what is elsewhere, what is new."""
        for name in self.missing:
            self._merge(name)
        for label in self.open:
            self._split(label)
        self._pair()
        for label in self.open:
            if label not in self.used:
                self._say("delete", (label,))
        new = [name for name in self.missing if name not in self.pairs]
        for name, label in sorted(self.pairs.items()):
            if not self.edited.count(label):  # others lie where it was
                new.append(name)
                del self.pairs[name]
            elif not self._is_so(name, label) and self._say("redraw", (label,), drawn=self._drawn(name)) is None:
                self.failed.add(name)
        for name in new:
            if self._say("add", (), drawn=self._drawn(name)) is None:
                self.failed.add(name)

    def plant(self, seeds: Mapping[int, VoxelIndex], places: Mapping[int, VoxelIndex]) -> None:
        """What only has a place: split off the nucleus that is there, or added where none is."""
        inside: dict[int, list[VoxelIndex]] = {}
        for name, place in sorted(seeds.items()):
            if any(not 0 <= at < size for at, size in zip(place, self.labels.shape, strict=True)):
                self.failed.add(name)
            elif label := int(self.edited.labels[place]):
                inside.setdefault(label, []).append(place)
            else:
                self.edits.append(PlannedEdit("add", (), (), (place,)))
        owners = {label: name for name, label in (self.pairs | dict(self.same)).items()}
        for label, points in sorted(inside.items()):
            own = places.get(owners.get(label, 0)) or self._deepest(label, self.edited.labels == label)
            if own in points or self._say("split", (label,), (own, *points)) is None:
                self.failed |= {name for name, place in seeds.items() if place in points}

    def _home(self, label: int) -> int:
        """The wanted nucleus in which most of one lies, or 0."""
        return next((b for (a, b), n in self._shared() if a == label and n > MAJORITY * self.over.sizes[a]), 0)

    def _cradle(self, name: int) -> int:
        """The nucleus in which most of a wanted one lies, or 0."""
        return next((a for (a, b), n in self._shared() if b == name and n > MAJORITY * self.over.other_sizes[b]), 0)

    def _shared(self) -> Iterable[tuple[tuple[int, int], int]]:
        return self.over.shared.items()

    def _merge(self, name: int) -> None:
        """Several that lie in one wanted nucleus, and of which no other one takes most of its voxels."""
        others = {cradle for other, cradle in self.cradles.items() if other != name}
        members = [label for label in self.open if self.homes[label] == name and label not in others]
        if len(members) > 1 and self._say("merge", tuple(members)) is not None:
            self.pairs[name] = members[0]
            self.used |= set(members)

    def _split(self, label: int) -> None:
        """One in which several wanted nuclei have most of their voxels."""
        parts = [name for name in self.missing if self.cradles[name] == label and name not in self.pairs]
        if len(parts) < 2 or label in self.used:
            return
        inside = [self._deepest(label, (self.edited.labels == label) & (self.wanted == name)) for name in parts]
        outcome = self._say("split", (label,), tuple(inside))
        if outcome is not None:
            self.used |= set(outcome.made)
            self.pairs |= dict(zip(parts, outcome.made, strict=True))

    def _pair(self) -> None:
        """Which of those that are left is which: by overlap, then by where most of it lies."""
        best = sorted(self.over.shared, key=lambda pair: (-self.over.iou(*pair), pair))
        for label, name in best:
            close = self.over.iou(label, name) >= LEAST_OVERLAP
            if not close and name not in (self.homes.get(label), 0) and self.cradles.get(name) != label:
                continue
            if label in self.homes and name in self.cradles and label not in self.used and name not in self.pairs:
                self.pairs[name] = label
                self.used.add(label)

    def _is_so(self, name: int, label: int) -> bool:
        """Say whether a nucleus is where it is wanted."""
        size = self.over.other_sizes[name]
        if self.edited.count(label) != size:
            return False
        region = self.edited.region(label)
        return bool((self.wanted[region.box][region.mask] == name).all())

    def _drawn(self, name: int) -> NucleusRegion:
        drawn = NucleusRegion.of_mask(self.wanted == name)
        assert drawn is not None  # it has voxels
        return drawn

    def _deepest(self, label: int, where: MaskZYX) -> VoxelIndex:
        """The voxel of a mask within a nucleus that is farthest from its border."""
        region = NucleusRegion.of_mask(where)
        assert region is not None  # most of a nucleus, or all of it
        at = np.unravel_index(int(np.argmax(depth(region.mask, self.spacing))), region.mask.shape)
        z, y, x = (int(a) + low for a, low in zip(at, region.corner, strict=True))
        return z, y, x

    def _say(
        self,
        kind: str,
        labels: Sequence[int],
        points: tuple[VoxelIndex, ...] = (),
        drawn: NucleusRegion | None = None,
    ) -> EditOutcome | None:
        """Try one on the copy; None, and nothing changed, where it does not fit."""
        regions = tuple(self.edited.region(label) for label in labels)
        (outcome,) = apply_edits(self.scene, [NucleusEdit(len(self.edits), kind, regions, points, drawn)])
        if outcome.reason is not None:
            return None
        self.edits.append(PlannedEdit(kind, tuple(labels), regions, points, drawn))
        return outcome
