"""Corrections of nuclei, one after the other, on the labels of a stack; each fits, or says why it does not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import LabelsZYX, MaskZYX
from nuset_engine.corrections import drawing
from nuset_engine.corrections.drawing import VoxelIndex
from nuset_engine.corrections.edited import EditedLabels
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.errors import EngineError
from nuset_engine.measure import PlaneSequence
from nuset_engine.voxels import Box, VoxelSize

if TYPE_CHECKING:
    from nuset_engine.inference.landscape import Landscape, LandscapeOf

MOSTLY = 0.5
"""Of an outline: where more belongs to other nuclei, it is no new one."""
FAULTS = (ArithmeticError, AssertionError, EngineError, LookupError, TypeError, ValueError)
"""What one edit may raise that nobody foresaw; what images or the machine raise concerns all of them."""
SNAP = 0.25
"""How far beside its nucleus the point of a split may lie, over the diameter of a ball as large."""


@dataclass(frozen=True)
class NucleusEdit:
    """What a person said of nuclei of one time point.

    Attributes
    ----------
    number : int
        By which it is known; later ones have higher numbers.
    kind : str
        ``merge``, ``split``, ``delete``, ``add``, ``redraw`` or ``confirm``.
    regions : tuple of NucleusRegion
        The nuclei that it speaks of, as they were when it was said.
    points : tuple of (z, y, x)
        Voxels: seeds.
    drawn : NucleusRegion or None
        What a person drew.
    given : tuple of int
        Labels that it gave to new nuclei before, which they get again.
    kept : tuple of NucleusRegion
        What was drawn for it before: the parts of what it divides, the nucleus that it adds.
    """

    number: int
    kind: str
    regions: tuple[NucleusRegion, ...] = ()
    points: tuple[VoxelIndex, ...] = ()
    drawn: NucleusRegion | None = None
    given: tuple[int, ...] = ()
    kept: tuple[NucleusRegion, ...] = ()


@dataclass(frozen=True)
class EditOutcome:
    """What came of an edit.

    Attributes
    ----------
    number : int
        The edit's.
    reason : str or None
        Why it does not fit, and changes nothing; None where it fits.
    labels : tuple of int
        The nuclei that it turned out to speak of.
    made, changed, removed : tuple of int
        Nuclei that are new ones, their labels perhaps those of old ones; whose voxels changed; that are gone.
    new_labels : tuple of int
        Those of `made` whose labels are new.
    drawn : tuple of NucleusRegion
        What was drawn for it, see `NucleusEdit.kept`.
    how : str or None
        By what it was drawn, in words.
    """

    number: int
    reason: str | None = None
    labels: tuple[int, ...] = ()
    made: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    new_labels: tuple[int, ...] = ()
    drawn: tuple[NucleusRegion, ...] = ()
    how: str | None = None


class _MisfitError(Exception):
    """Why an edit changes nothing."""


@dataclass
class EditScene:
    """The stack that is edited.

    Attributes
    ----------
    edited : EditedLabels
    planes : sequence of (Y, X)
        Of the nuclear channel, read one by one.
    spacing : (z, y, x)
        Size of a voxel, in micrometres or, where that is not known, in voxels.
    diameter : float
        Usual diameter of nuclei in the same unit.
    reserved : collection of int
        Labels that new nuclei do not get.
    landscape : callable
        Gives what the network says of a box, or why it is not asked.
    """

    edited: EditedLabels
    planes: PlaneSequence
    spacing: VoxelSize
    diameter: float
    reserved: Collection[int] = field(default_factory=frozenset)
    landscape: LandscapeOf = lambda box: "the network is not at hand"

    def seen(self, box: Box) -> Landscape | str:
        """Return what the network says of a box, or why it says nothing."""
        try:
            return self.landscape(box)
        except EngineError as error:
            return f"the network cannot be asked ({error})"

    def new_label(self, edit: NucleusEdit, index: int) -> int:
        """Return the label of the new nucleus `index` of an edit: the one that it had before, if nobody has it."""
        if index < len(edit.given) and not self.edited.count(edit.given[index]):
            return edit.given[index]
        return max(self.edited.highest, *self.reserved, 0) + 1


def apply_edits(scene: EditScene, edits: Iterable[NucleusEdit]) -> list[EditOutcome]:
    """Carry out edits in the order of their numbers; the labels of the scene change in place."""
    return [_applied(scene, edit) for edit in sorted(edits, key=lambda one: one.number)]


def _applied(scene: EditScene, edit: NucleusEdit) -> EditOutcome:
    """One of them; whatever becomes of it, the others are carried out."""
    scene.edited.begin()
    try:
        return _KINDS[edit.kind](scene, edit)
    except _MisfitError as misfit:
        return EditOutcome(edit.number, reason=str(misfit))
    except FAULTS as fault:
        scene.edited.take_back()
        return EditOutcome(edit.number, reason=f"a fault in nusetd stopped it ({type(fault).__name__}: {fault})")


def _found(scene: EditScene, edit: NucleusEdit) -> tuple[int, ...]:
    """The nuclei that an edit speaks of."""
    labels = [scene.edited.find(region) for region in edit.regions]
    known = tuple(label for label in labels if label is not None)
    if len(known) < len(labels):
        raise _MisfitError("no nucleus that is there now covers the place of the one that was meant")
    if len(set(known)) < len(known):
        raise _MisfitError("what was several nuclei is one now")
    return known


def _confirm(scene: EditScene, edit: NucleusEdit) -> EditOutcome:
    return EditOutcome(edit.number, labels=_found(scene, edit))


def _delete(scene: EditScene, edit: NucleusEdit) -> EditOutcome:
    labels = _found(scene, edit)
    for label in labels:
        region = scene.edited.region(label)
        scene.edited.paint(region.box, region.mask, 0)
    return EditOutcome(edit.number, labels=labels, removed=labels)


def _merge(scene: EditScene, edit: NucleusEdit) -> EditOutcome:
    labels = _found(scene, edit)
    first, *others = sorted(labels)
    for label in others:
        region = scene.edited.region(label)
        scene.edited.paint(region.box, region.mask, first)
    pieces = scene.edited.region(first).pieces
    how = f"in {pieces} pieces that do not touch each other" if pieces > 1 else None
    return EditOutcome(edit.number, labels=labels, made=(first,), removed=tuple(others), how=how)


def _split(scene: EditScene, edit: NucleusEdit) -> EditOutcome:
    (label,) = _found(scene, edit)
    region = scene.edited.region(label)
    seeds = [_seed_in(scene, label, region, number, point) for number, point in enumerate(edit.points, start=1)]
    if len(set(seeds)) < len(seeds):
        raise _MisfitError("two of its points lie on one voxel of the nucleus")
    parts, how = _divided(scene, edit, region, seeds)
    new = []
    for index in range(1, len(seeds)):
        new.append(scene.new_label(edit, index - 1))
        scene.edited.paint(region.box, parts == index + 1, new[-1])
    drawn = tuple(_region(parts == index + 1, region.box) for index in range(len(seeds)))
    return EditOutcome(edit.number, labels=(label,), made=(label, *new), new_labels=tuple(new), drawn=drawn, how=how)


def _divided(
    scene: EditScene, edit: NucleusEdit, region: NucleusRegion, seeds: Sequence[VoxelIndex]
) -> tuple[LabelsZYX, str | None]:
    """The parts of a nucleus, numbered by seeds: as they were drawn before, where it is the same nucleus still."""
    before = _parts(edit.kept, region)
    if before is not None:
        return before, None
    seen = scene.seen(region.box)
    ridge = None if isinstance(seen, str) else seen.ridge
    parts, by_network = drawing.divide(region.mask, seeds, scene.spacing, ridge)
    if by_network:
        return parts, "divided along the network's distance map"
    why = seen if isinstance(seen, str) else "the network sees no border between the points"
    return parts, f"divided by its outline alone: {why}"


def _parts(kept: Sequence[NucleusRegion], region: NucleusRegion) -> LabelsZYX | None:
    parts: LabelsZYX = np.zeros(region.mask.shape, np.int32)
    for index, one in enumerate(kept, start=1):
        here = tuple(slice(p.start - low, p.stop - low) for p, low in zip(one.box, region.corner, strict=True))
        if any(part.start < 0 or part.stop > size for part, size in zip(here, parts.shape, strict=True)):
            return None
        parts[here][one.mask] = index
    return parts if kept and np.array_equal(parts > 0, region.mask) else None


def _region(mask: MaskZYX, box: Box) -> NucleusRegion:
    found = NucleusRegion.of_mask(mask, (box[0].start, box[1].start, box[2].start))
    assert found is not None  # a part holds its seed at least
    return found


def _seed_in(scene: EditScene, label: int, region: NucleusRegion, number: int, point: VoxelIndex) -> VoxelIndex:
    z, y, x = (at - low for at, low in zip(point, region.corner, strict=True))
    seed, distance = drawing.nearest_voxel(region.mask, (z, y, x), scene.spacing)
    volume = region.size * float(np.prod(scene.spacing))
    if distance > SNAP * float(np.cbrt(6 / np.pi * volume)):
        there = _label_at(scene, point)
        where = f"in nucleus {there}" if there else "where no nucleus is"
        raise _MisfitError(f"its point {number} lies outside the nucleus ({label}), {where}")
    return seed


def _label_at(scene: EditScene, point: VoxelIndex) -> int:
    """The nucleus in which a voxel lies; 0 in none, and outside the stack."""
    labels = scene.edited.labels
    within = all(0 <= at < size for at, size in zip(point, labels.shape, strict=True))
    return int(labels[point]) if within else 0


def _add(scene: EditScene, edit: NucleusEdit) -> EditOutcome:
    labels, how = scene.edited.labels, None
    outline = edit.drawn if edit.drawn is not None else next(iter(edit.kept), None)
    if outline is not None:
        box, mask = outline.box, outline.mask
        if not outline.lies_in(labels.shape):
            raise _MisfitError("the stack is smaller now than what was drawn")
        mask = _free(scene, outline)
    else:
        box, mask, how = _drawn_around(scene, edit.points[0])
    if not mask.any():
        raise _MisfitError("other nuclei cover all of it")
    label = scene.new_label(edit, 0)
    scene.edited.paint(box, mask, label)
    drawn = () if edit.drawn is not None else (outline or _region(mask, box),)
    return EditOutcome(edit.number, labels=(label,), made=(label,), new_labels=(label,), drawn=drawn, how=how)


def _free(scene: EditScene, outline: NucleusRegion) -> MaskZYX:
    """Where no other nucleus is; where most of it belongs to others, it is one of these that was meant."""
    labels = scene.edited.labels
    mask: MaskZYX = outline.mask & (labels[outline.box] == 0)
    if mask.any() and np.count_nonzero(mask) < MOSTLY * outline.size:
        overlaps = outline.overlaps(labels)
        raise _MisfitError(f"there is a nucleus already ({max(overlaps, key=lambda one: (overlaps[one], -one))})")
    return mask


def _drawn_around(scene: EditScene, seed: VoxelIndex) -> tuple[Box, MaskZYX, str]:
    """The nucleus around a seed: what the network sees there, else what is brighter than its surroundings."""
    labels = scene.edited.labels
    if any(not 0 <= at < size for at, size in zip(seed, labels.shape, strict=True)):
        raise _MisfitError("its place lies outside the stack")
    if labels[seed]:
        raise _MisfitError(f"there is a nucleus already ({int(labels[seed])})")
    box = drawing.around(labels.shape, seed, scene.diameter, scene.spacing)
    z, y, x = (at - part.start for at, part in zip(seed, box, strict=True))
    free = labels[box] == 0
    seen = scene.seen(box)
    if not isinstance(seen, str):
        drawn = drawing.draw_seen(seen, free, (z, y, x), scene.diameter, scene.spacing)
        if drawn is not None:
            return box, drawn, "drawn by the network"
        seen = "the network sees no nucleus there"
    image, where = drawing.crop(scene.planes, box), ((z, y, x), scene.diameter, scene.spacing)
    drawn = drawing.draw(image, free, *where)
    if drawn is None:
        raise _MisfitError("nothing stands out there: hand in what you see, with --mask")
    if not drawing.stands_out(image, free, *where):
        return box, drawn, f"drawn where nothing is clearly brighter than around it, so see whether it is one: {seen}"
    return box, drawn, f"drawn by its brightness alone: {seen}"


def _redraw(scene: EditScene, edit: NucleusEdit) -> EditOutcome:
    (label,) = _found(scene, edit)
    drawn = edit.drawn
    if drawn is None or not drawn.lies_in(scene.edited.labels.shape):
        raise _MisfitError("the stack is smaller now than what was drawn")
    before = scene.edited.region(label)
    others = sorted(set(drawn.overlaps(scene.edited.labels)) - {label})
    scene.edited.paint(before.box, before.mask, 0)
    scene.edited.paint(drawn.box, drawn.mask, label)
    left = [other for other in others if scene.edited.count(other)]
    gone = tuple(other for other in others if other not in left)
    return EditOutcome(edit.number, labels=(label,), changed=(label, *left), removed=gone)


_KINDS: dict[str, Callable[[EditScene, NucleusEdit], EditOutcome]] = {
    "confirm": _confirm,
    "delete": _delete,
    "merge": _merge,
    "split": _split,
    "add": _add,
    "redraw": _redraw,
}


def touched(outcomes: Sequence[EditOutcome], edited: EditedLabels) -> tuple[int, ...]:
    """Return the nuclei that are there and are not as they were found: those to be measured anew."""
    named = {label for one in outcomes for label in (*one.made, *one.changed)}
    return tuple(sorted(label for label in named if edited.count(label)))
