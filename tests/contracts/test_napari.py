"""napari with its plug-in for OME-Zarr, without a window: image, labels and tracks lie over each other."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases.processed import COUNT, SHAPE, TIME_POINTS, process
from cases.stored import acquisition, pixels, squares

from daemon.errors import UsageError
from daemon.plots import napari_view
from daemon.plots.napari_editing import EditSession, ask_before_closing, edit_panel
from storage import naming
from storage.corrections.asking import Corrector
from storage.database.catalog import Catalog
from storage.export.exporters import export
from storage.omezarr.image_store import ImageStore
from storage.query.question import Question
from storage.query.snapshots import resolved, snapshot
from storage.query.statements import Selection

pytest.importorskip("napari_ome_zarr", reason="needs the extra nusetd[napari]")


@pytest.fixture
def viewer() -> Iterator[Any]:
    """The model of a viewer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # napari's own, which nothing here can change
        from napari.components import ViewerModel
        from npe2 import PluginManager

        PluginManager.instance().discover()  # what a window does when it opens
        yield ViewerModel()


VOXEL = (2.0, 0.5, 0.5)
INTERVAL_S = 60.0
ONE_VOXEL = np.array([INTERVAL_S, *VOXEL])


@pytest.fixture(scope="module", params=["0.4", "0.5"])
def output(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A movie that was processed, its voxels four times as deep as wide, a minute between its time points."""
    folder = tmp_path_factory.mktemp("napari")
    return process(folder / "in", request.param, voxel=VOXEL, interval_s=INTERVAL_S)[0]


def show(viewer: Any, output: Path) -> dict[str, list[Any]]:
    """Fill a viewer; its layers by kind."""
    with snapshot(output) as connection:
        row = resolved(connection, "embryo")
    napari_view.fill(viewer, str(output), row)
    kinds: dict[str, list[Any]] = {}
    for layer in viewer.layers:
        kinds.setdefault(type(layer).__name__, []).append(layer)
    return kinds


def full(layer: Any) -> np.ndarray:
    """The full size of a layer's data."""
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def middles(labels: Any) -> np.ndarray:
    """Where the middles of the labels of every time point lie in the world: (N, 4)."""
    data = full(labels)
    found = [
        np.append(t, np.argwhere(data[t] == label).mean(axis=0))
        for t in range(len(data))
        for label in range(1, COUNT + 1)
    ]
    return np.array([labels.data_to_world(point) for point in found])


def test_image_labels_and_tracks_lie_over_each_other(viewer: Any, output: Path) -> None:
    kinds = show(viewer, output)
    assert {kind: len(layers) for kind, layers in kinds.items()} == {"Image": 1, "Labels": 2, "Tracks": 1}
    for layer in viewer.layers:
        np.testing.assert_allclose(layer.scale, ONE_VOXEL, err_msg=layer.name)
        np.testing.assert_allclose(layer.translate, 0.0, err_msg=layer.name)
        assert [str(unit) for unit in layer.units] == ["second", *["micrometer"] * 3], layer.name
    image = full(kinds["Image"][0])
    assert image.shape == (TIME_POINTS, *SHAPE)
    for layer in kinds["Labels"]:
        data = full(layer)
        for t in range(TIME_POINTS):
            inside = data[t] > 0
            assert np.array_equal(inside, squares(t, COUNT, SHAPE) > 0)
            assert image[t][inside].min() > image[t][~inside].max()
    lines = kinds["Tracks"][0]
    points = np.array([lines.data_to_world(point) for point in lines.data[:, 1:]])
    assert len(points) == COUNT * TIME_POINTS
    voxels_off = np.abs(points[:, None] - middles(kinds["Labels"][0])[None]) / ONE_VOXEL
    assert voxels_off.max(axis=2).min(axis=1).max() < 1


def test_labels_are_seen_at_once_one_of_the_two(viewer: Any, output: Path) -> None:
    kinds = show(viewer, output)
    assert {layer.name.rpartition("/")[2]: layer.visible for layer in kinds["Labels"]} == {
        "nuclei": False, "tracks": True,
    }  # fmt: skip


def test_the_exported_table_and_its_settings_lie_there_too(viewer: Any, output: Path, tmp_path: Path) -> None:
    kinds = show(viewer, output)
    table = export(output, "embryo", "napari", tmp_path / "tracks.csv")
    settings = json.loads((tmp_path / "tracks.layer.json").read_text())
    settings["graph"] = {int(daughter): parents for daughter, parents in settings["graph"].items()}
    lines = viewer.add_tracks(pd.read_csv(table).to_numpy(), **settings)
    assert lines.units == kinds["Image"][0].units
    shown = kinds["Tracks"][0]
    for ours, exported in zip(shown.data, lines.data, strict=True):
        np.testing.assert_allclose(shown.data_to_world(ours[1:]), lines.data_to_world(exported[1:]))


def copied(output: Path, tmp_path: Path) -> tuple[Path, Any]:
    """A copy that may be corrected, and its row."""
    shutil.copytree(output, tmp_path / "copy")
    with Catalog.open(tmp_path / "copy") as catalog:
        catalog.complete_acquisition(catalog.acquisitions()[0].id)
    with snapshot(tmp_path / "copy") as connection:
        return tmp_path / "copy", resolved(connection, "embryo")


def test_what_is_painted_is_saved_as_corrections(viewer: Any, output: Path, tmp_path: Path) -> None:
    folder, row = copied(output, tmp_path)
    show(viewer, folder)
    corrector = Corrector(naming.database_url(folder), row.id)
    session = EditSession(str(folder), row, lambda movie: corrector.import_movie(lambda *_: movie).text())
    layer = session.show(viewer)
    np.testing.assert_allclose(layer.scale, ONE_VOXEL)
    assert (session.changed, session.save()) == (False, "embryo: there is no difference.")
    _, first, second, *_ = np.unique(layer.data[0]).tolist()
    z, y, x = (int(at) for at in np.argwhere(layer.data[1] == first).mean(axis=0))
    layer.fill((1, z, y, x), 0)
    assert session.changed
    z, y, x = (int(at) for at in np.argwhere(layer.data[0] == second).mean(axis=0))
    layer.fill((0, z, y, x), 999)
    said = session.save()
    assert not session.changed
    with snapshot(folder) as connection:
        nuclei = Question.nuclei(connection, row.id, Selection(columns=("t", "label", "track_id"))).frame()
    assert "1 delete" in said
    assert len(nuclei) == COUNT * TIME_POINTS - 1
    assert "do not fit" not in said
    other = nuclei[nuclei["label"] == 2].set_index("t")["track_id"]
    assert other[0] != other[1], "a number of its own is a track of its own"
    assert session.save() == "embryo: there is no difference."


def test_divisions_are_written_beside_it(output: Path, tmp_path: Path) -> None:
    folder, row = copied(output, tmp_path)
    session = EditSession(str(folder), row, lambda movie: str(len(movie.links)))
    links = int(session.save())
    _, first, second, third, *_ = np.unique(session.labels[0]).tolist()
    session.labels[1][session.labels[1] == first] = 999
    session.labels[1][session.labels[1] == second] = 998
    session.divide(f"{first}: 999, 998\n\n{second}: {third}, 999")
    session.divide(f"{first}: 999, 998\n\n")
    assert session.divisions() == f"{first}: 998, 999\n"
    assert session.changed
    with pytest.raises(UsageError, match="mother and two daughters"):
        session.divide("1: 50")
    assert int(session.save()) == links, "two tracks were cut, and two daughters have a mother"


def test_the_panel_saves_and_asks_before_the_window_closes(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    try:  # Qt, or a library of the system that it needs
        from qtpy import QtWidgets
    except Exception as error:  # noqa: BLE001  # qtpy has kinds of its own for what is not there
        pytest.skip(f"needs Qt, as nusetd[napari] brings it, and what it needs of the system ({error})")
    widgets: Any = QtWidgets
    application = widgets.QApplication.instance() or widgets.QApplication([])
    folder, row = copied(output, tmp_path)
    said: list[object] = []
    session = EditSession(str(folder), row, lambda movie: said.append(movie) or "saved")
    panel, window = edit_panel(session), widgets.QMainWindow()
    ask_before_closing(window, session, panel)
    panel.divisions.setPlainText("nonsense")
    assert session.changed
    answers = {"Cancel": False, "Save": False, "Discard": True}
    for name, closes in answers.items():
        answer = getattr(widgets.QMessageBox.StandardButton, name)
        monkeypatch.setattr(widgets.QMessageBox, "question", lambda *_, answer=answer: answer)
        window.show()
        assert window.close() is closes, name
    assert "is no division" in panel.answer.text()
    panel.divisions.setPlainText("")
    panel.button.click()
    assert (len(said), panel.answer.text(), session.changed) == (1, "saved", False)
    window.show()
    assert window.close()
    application.processEvents()


def test_a_bundle_shows_all_its_positions(viewer: Any, tmp_path: Path) -> None:
    first, image = naming.zarr_path(tmp_path, "exp_A", "exp"), acquisition(pixels(1, 2, 3, 20, 24))
    for number, name in enumerate(("exp_A", "exp_B"), start=1):
        store = ImageStore.create(naming.numbered(first, number), replace(image, name=name))
        store.write_timepoint(0, [image.planes(0, c) for c in range(2)], squares(0, 4))
        store.publish(0)
    viewer.open(str(tmp_path / "exp.ome.zarr"), plugin="napari-ome-zarr")
    kinds = [type(layer).__name__ for layer in viewer.layers]
    assert kinds.count("Image") == 2 * 2, "two channels of two positions"
    assert kinds.count("Labels") == 2 * 2
