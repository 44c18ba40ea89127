"""Editing an acquisition in napari: one layer in which every nucleus has the number of its track, and who divides.

What is painted there is a movie like one that was edited elsewhere: its differences are said as corrections.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from daemon.errors import UsageError
from storage.corrections.elsewhere.edited_movie import EditedMovie, movie_of_tracks
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import snapshot
from storage.schema import tables

if TYPE_CHECKING:
    from nuset_engine.arrays import LabelsZYX
    from storage.schema.rows import AcquisitionRow

LAYER = "edit: number of the track"
Save = Callable[[EditedMovie], str]
"""Says the differences of what was edited, and returns a sentence about it."""


class EditSession:
    """What a person edits, and how it is saved.

    Attributes
    ----------
    labels : (T, Z, Y, X) uint32
        Numbers of tracks; a file without a name on disk, so that a movie needs no memory.
    parents : dict
        Daughter -> mother, by number of track.
    changed : bool
        Something was edited since it was saved.

    Parameters
    ----------
    database : str
    row : AcquisitionRow
    save : callable
    """

    def __init__(self, database: str, row: AcquisitionRow, save: Save) -> None:
        self._save = save
        self._database, self._row = database, row
        self._known = self._warned_of = max(self._said_since(0), default=0)  # what was said before it was read
        self.changed = False
        numbers, self.parents = _tracks(database, row)
        store = ImageStore.open(str(row.zarr_path))
        self._times = store.published_timepoints
        shape = (store.shape[0], *store.shape[2:])
        with tempfile.TemporaryFile(prefix="nusetd-edit-") as file:
            self.labels = np.memmap(file, np.uint32, "w+", shape=shape)
        for t in self._times:
            self.labels[t] = _numbered(store.labels(t), numbers.get(t, {}))

    def show(self, viewer: Any) -> Any:
        """Put the layer into a viewer, or its model without a window, over the others; return it."""
        others = [layer for layer in viewer.layers if type(layer).__name__ == "Labels"]
        same = {name: getattr(others[0], name) for name in ("scale", "units", "translate")} if others else {}
        for layer in others:
            layer.visible = False
        layer = viewer.add_labels(self.labels, name=LAYER, **same)
        layer.n_edit_dimensions = 3
        layer.events.paint.connect(self._note)
        layer.events.labels_update.connect(self._note)
        viewer.layers.selection.active = layer
        return layer

    def divide(self, text: str) -> None:
        """Take who divides from lines such as ``3: 8, 9``: mother, and her two daughters.

        Raises
        ------
        UsageError
            When a line is something else.
        """
        parents: dict[int, int] = {}
        for line in filter(None, (line.strip() for line in text.splitlines())):
            mother, _, daughters = line.partition(":")
            numbers = [part.strip() for part in (mother, *daughters.split(","))]
            if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
                raise UsageError(f"{line!r} is no division: write mother and two daughters, as in 3: 8, 9.")
            parents |= dict.fromkeys(map(int, numbers[1:]), int(numbers[0]))
        self.changed |= parents != self.parents
        self.parents = parents

    def divisions(self) -> str:
        """Return who divides, as `divide` reads it."""
        families: dict[int, list[int]] = {}
        for daughter, mother in sorted(self.parents.items()):
            families.setdefault(mother, []).append(daughter)
        return "".join(f"{mother}: {', '.join(map(str, two))}\n" for mother, two in sorted(families.items()))

    def save(self) -> str:
        """Say what differs from what is stored; a sentence about it.

        Raises
        ------
        UsageError
            When others corrected it meanwhile, which would be taken back: once, so that a person decides.
        """
        others = self._said_since(self._known)
        if max(others, default=0) > self._warned_of:
            self._warned_of = max(others)
            times = ", ".join(map(str, sorted(set(others.values()))))
            raise UsageError(
                f"Others corrected {self._row.name} since it was read here (time points {times}): save once more to "
                "have it as it is here, or close it without saving and edit it anew."
            )
        said = self._save(self.movie())
        self._known = self._warned_of = max(self._said_since(0), default=0)
        self.changed = False
        return said

    def _said_since(self, number: int) -> dict[int, int]:
        """The time points of what was said, and taken back, after an event: by the number of each."""
        said = tables.corrections
        later = select(said.c.id, said.c.source_t).where(said.c.acquisition_id == self._row.id, said.c.id > number)
        with snapshot(self._database) as connection:
            return {int(event): int(source_t) for event, source_t in connection.execute(later)}

    def movie(self) -> EditedMovie:
        """What was edited."""
        nodes = {t: set(np.unique(self.labels[t]).tolist()) - {0} for t in self._times}
        return movie_of_tracks(nodes, self.parents, lambda t: np.asarray(self.labels[t]))

    def _note(self, event: Any = None) -> None:
        self.changed = True


def _tracks(database: str, row: AcquisitionRow) -> tuple[Mapping[int, Mapping[int, int]], dict[int, int]]:
    """The number of every nucleus, by time point and label, and the mother of every daughter."""
    nuclei, tracks = tables.nuclei, tables.tracks
    found: dict[int, dict[int, int]] = {}
    with snapshot(database) as connection:
        columns = select(nuclei.c.t, nuclei.c.label, nuclei.c.track_id).where(nuclei.c.acquisition_id == row.id)
        rows = connection.execute(columns.order_by(nuclei.c.t, nuclei.c.label)).all()
        born = select(tracks.c.track_id, tracks.c.parent_track_id).where(tracks.c.acquisition_id == row.id)
        parents = {int(a): int(b) for a, b in connection.execute(born.where(tracks.c.parent_track_id.is_not(None)))}
    free = max((int(track) for *_, track in rows if track is not None), default=0)
    for t, label, track in rows:
        free += track is None
        found.setdefault(int(t), {})[int(label)] = free if track is None else int(track)
    return found, parents


def _numbered(labels: LabelsZYX, numbers: Mapping[int, int]) -> LabelsZYX:
    colours = np.zeros(int(labels.max(initial=0)) + 1, np.uint32)
    for label, number in numbers.items():
        if label < len(colours):
            colours[label] = number
    painted: LabelsZYX = colours[labels]
    return painted


def add_dock(viewer: Any, session: EditSession) -> Any:
    """Add the panel that saves, and have the window ask before it closes on something unsaved; return the panel."""
    panel = edit_panel(session)
    viewer.window.add_dock_widget(panel, name="corrections", area="right")
    viewer.bind_key("Alt-S", lambda _: panel.save(), overwrite=True)
    ask_before_closing(viewer.window._qt_window, session, panel)
    return panel


def edit_panel(session: EditSession) -> Any:
    """Return a widget with who divides, a button that saves, and what came of it."""
    from qtpy.QtWidgets import QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

    class EditPanel(QWidget):
        def __init__(self) -> None:
            super().__init__()
            self.divisions = QPlainTextEdit(session.divisions())
            self.button = QPushButton("save as corrections (Alt+S)")
            self.answer = QLabel("Paint with the number of a track; a number that is new is a new track.")
            self.answer.setWordWrap(True)
            layout = QVBoxLayout(self)
            for part in (QLabel("divisions, as in 3: 8, 9"), self.divisions, self.button, self.answer):
                layout.addWidget(part)
            self.button.clicked.connect(self.save)
            self.divisions.textChanged.connect(session._note)

        def save(self, *_: Any) -> bool:
            """Save, and say what came of it; whether it could be."""
            try:
                session.divide(self.divisions.toPlainText())
                self.answer.setText(session.save())
            except Exception as error:  # noqa: BLE001  # a window that stays open tells it
                self.answer.setText(str(error))
                return False
            return True

    return EditPanel()


def ask_before_closing(window: Any, session: EditSession, panel: Any) -> Any:
    """Have a window ask, where something is not saved, whether to save it, or to stay open; return what does."""
    from qtpy.QtCore import QEvent, QObject
    from qtpy.QtWidgets import QMessageBox

    class CloseFilter(QObject):
        def eventFilter(self, watched: Any, event: Any) -> bool:
            if event.type() != QEvent.Type.Close or not session.changed:
                return False
            buttons = QMessageBox.StandardButton
            answer = QMessageBox.question(
                window,
                "corrections",
                "What you edited is not saved. Save it as corrections?",
                buttons.Save | buttons.Discard | buttons.Cancel,
            )
            stays = answer == buttons.Cancel or (answer == buttons.Save and not panel.save())
            if stays:
                event.ignore()
            return bool(stays)

    asker = CloseFilter(window)
    window.installEventFilter(asker)
    return asker
