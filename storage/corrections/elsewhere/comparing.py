"""An edited movie beside what is stored: the orders that make the one of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection, and_, select

from nuset_engine.arrays import LabelsZYX
from nuset_engine.corrections.edited import LEAST_OVERLAP
from nuset_engine.corrections.overlaps import Overlaps
from nuset_engine.corrections.planning import PlannedEdit, plan_edits
from storage.corrections.elsewhere.edited_movie import EditedMovie
from storage.corrections.elsewhere.opening import done_times
from storage.corrections.ordering import order_of_links
from storage.database.corrections import events
from storage.database.corrections.events import CorrectionOrder
from storage.errors import StorageError, WrongRequestError
from storage.export.lineage import edges_of
from storage.omezarr.image_store import ImageStore
from storage.query.question import Question
from storage.query.statements import Selection
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei
from storage.spans import counted
from tracking.corrections.lineage_differences import NodeLink, lineage_differences
from tracking.corrections.rules import LinkRule, NodeKey

MOST_OF_THEM = 0.5
"""Of the stored nuclei: where a movie lacks more, somebody may have taken the wrong one."""
Names = dict[int, dict[int, int]]
"""Of every time point the labels that nuclei of the edited movie have in what is stored."""


@dataclass
class NucleusDifferences:
    """What is to be said of nuclei.

    Attributes
    ----------
    orders : list of CorrectionOrder
    names : Names
        Of those that are there already.
    changed : set of int
        Time points of which something is to be said.
    notes : list of str
        What cannot be.
    """

    orders: list[CorrectionOrder] = field(default_factory=list)
    names: Names = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def nucleus_differences(
    connection: Connection,
    row: AcquisitionRow,
    movie: EditedMovie,
    author: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> NucleusDifferences:
    """Compare the nuclei of all time points that both have.

    Raises
    ------
    WrongRequestError
        When the stacks have another size.
    StorageError
        When labels cannot be read, or are just being replaced.
    """
    store = ImageStore.open(str(row.zarr_path))
    there = set(done_times(connection, row.id))
    found = NucleusDifferences(notes=list(movie.notes))
    given, stored = _reserved(connection, row.id), 0
    for index, t in enumerate(movie.times):
        progress(index, len(movie.times))
        wanted = movie.labels(t)
        if t not in there:
            if wanted.any() or movie.places.get(t):
                found.notes.append(f"Time point {row.source_t(t)} has no result here: its nuclei are left out.")
            continue
        labels, track_of = _stored(connection, row, store, t)
        stored += len(track_of)
        if wanted.shape != labels.shape:
            raise WrongRequestError(
                f"Stacks of the edited movie have the shape {wanted.shape}, those of {row.name} {labels.shape}."
            )
        spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
        plan = plan_edits(labels, wanted, movie.places.get(t, {}), spacing, given.get(t, ()))
        found.orders += [_order(t, edit, track_of, author) for edit in plan.edits]
        found.names[t] = dict(plan.names)
        if plan.edits:
            found.changed.add(t)
        if plan.failed:
            wanting = counted(len(plan.failed), "nucleus", "nuclei")
            found.notes.append(f"At time point {row.source_t(t)} {wanting} cannot be made as wanted.")
    absent = sorted(there - set(movie.times))
    if absent:
        found.notes.append(f"{counted(len(absent), 'time point')} of {row.name} not in it: left as before.")
    found.notes += _lacking(row, found.orders, stored)
    return found


def _lacking(row: AcquisitionRow, orders: Sequence[CorrectionOrder], stored: int) -> list[str]:
    """Tell of a movie without most of the nuclei that are stored: it may be of another acquisition."""
    gone = sum(order.kind == "delete" for order in orders)
    if gone <= MOST_OF_THEM * stored:
        return []
    return [
        f"Of the {stored} nuclei that its time points have here {gone} are not in it, which deletes them: "
        f"see whether it was made of {row.name}."
    ]


def _stored(
    connection: Connection, row: AcquisitionRow, store: ImageStore, t: int
) -> tuple[LabelsZYX, Mapping[int, int | None]]:
    """Labels of a time point, and the track of each nucleus."""
    here = and_(nuclei.c.acquisition_id == row.id, nuclei.c.t == t)
    track_of = {int(label): track for label, track in connection.execute(
        select(nuclei.c.label, nuclei.c.track_id).where(here)
    )}  # fmt: skip
    labels = store.labels(t)
    if set(np.unique(labels).tolist()) - {0} != set(track_of):
        raise StorageError(f"Labels of time point {row.source_t(t)} are just being replaced: import again in a moment.")
    return labels, track_of


def _reserved(connection: Connection, acquisition_id: int) -> Mapping[int, set[int]]:
    """Labels that corrections of each time point gave to new nuclei: nobody else gets them."""
    found: dict[int, set[int]] = {}
    for one in events.of_acquisition(connection, acquisition_id):
        found.setdefault(one.t, set()).update(one.named("new_labels"))
    return found


def _order(t: int, edit: PlannedEdit, track_of: Mapping[int, int | None], author: str) -> CorrectionOrder:
    place = edit.regions[0].centre if edit.regions else edit.drawn.centre if edit.drawn is not None else edit.points[0]
    z, y, x = (float(at) for at in place)
    return CorrectionOrder(
        kind=edit.kind,
        times=(t,) * max(1, len(edit.labels)),
        labels=edit.labels,
        tracks=tuple(track_of.get(label) for label in edit.labels),
        regions=edit.regions,
        place_px=(z, y, x),
        points_px=edit.points,
        drawn=edit.drawn,
        author=author,
    )


def found_again(store: ImageStore, movie: EditedMovie, names: Names, changed: set[int]) -> Names:
    """Return the labels of nuclei after those of some time points were corrected."""
    return names | {t: _match(store.labels(t), movie, t) for t in sorted(changed)}


def _match(labels: LabelsZYX, movie: EditedMovie, t: int) -> dict[int, int]:
    """By overlap; those of which only a place is known, and those split there, by it."""
    found = Overlaps.between(labels, movie.labels(t)).best(LEAST_OVERLAP)
    taken = set(found.values())
    for name, place in sorted(movie.places.get(t, {}).items()):
        inside = all(0 <= at < size for at, size in zip(place, labels.shape, strict=True))
        label = int(labels[place]) if inside else 0
        if name not in found and label and label not in taken:
            found[name] = label
            taken.add(label)
    return found


def link_differences(
    connection: Connection, row: AcquisitionRow, movie: EditedMovie, names: Names
) -> tuple[tuple[LinkRule, ...], list[str]]:
    """Compare the links of nuclei that are there; what is to be said of them, and sentences for what cannot be."""
    wanted = [
        ((one[0], names[one[0]][one[1]]), (two[0], names[two[0]][two[1]]))
        for one, two in movie.links
        if one[1] in names.get(one[0], {}) and two[1] in names.get(two[0], {})
    ]
    known = {(t, label) for t, there in names.items() for label in there.values()}
    found = lineage_differences(present_links(connection, row.id), wanted, known)
    notes = []
    if found.too_many:
        notes.append(f"{_where(row, found.too_many)} goes on as more than two: a nucleus divides into two.")
    if found.several_pasts:
        notes.append(f"{_where(row, found.several_pasts)} comes from several: one of them is taken.")
    return found.rules, notes


def _where(row: AcquisitionRow, nodes: tuple[NodeKey, ...]) -> str:
    (t, label), more = nodes[0], len(nodes) - 1
    return f"Nucleus {label} of time point {row.source_t(t)}{f', and {more} more,' if more else ''}"


def present_links(connection: Connection, acquisition_id: int) -> list[NodeLink]:
    """Return the links as they are stored."""
    wanted = Selection(columns=("id", "t", "label", "track_id"))
    frame = Question.nuclei(connection, acquisition_id, wanted).frame()
    node = dict(zip(frame["id"], zip(frame["t"].tolist(), frame["label"].tolist(), strict=True), strict=True))
    edges = edges_of(frame, Question.tracks(connection, acquisition_id).frame())
    return [(node[one], node[two]) for one, two in edges.tolist()]


def link_orders(
    connection: Connection, row: AcquisitionRow, rules: tuple[LinkRule, ...], author: str
) -> Iterator[CorrectionOrder]:
    """Give the orders that rules for links are."""
    store = ImageStore.open(str(row.zarr_path))
    for rule in rules:
        yield order_of_links(connection, row, store, rule, author)
