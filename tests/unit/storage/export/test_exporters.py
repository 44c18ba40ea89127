"""Exports: complete, valid by their own tools, never over something else."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from cases import family
from cases.stored import Clock, acquisition, one_to_one, pixels, register, squares, work_off

from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.errors import OutputExistsError, StorageError, UnknownAcquisitionError
from storage.export import exporters as export_package
from storage.export.exporters import ENDINGS, EXPORTERS, export
from storage.export.lineage import Segment, segments
from storage.export.snapshot import Snapshot
from storage.files.whole_file import part_of
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import TimepointJob
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate

# Track of each label over time: 1 divides after t = 1 into 3 and 4; 2 is missed at t = 1.
#   t = 0: 1 2    t = 1: 1    t = 2: 3 4 2    t = 3: 3 4 2
TRACKS_AT = {0: [1, 2], 1: [1], 2: [3, 4, 2], 3: [3, 4, 2]}
PARENTS = {1: None, 2: None, 3: 1, 4: 1}


def fill(folder: Path) -> Path:
    """A folder with a database and an OME-Zarr of the lineage drawn above."""
    with Catalog.open(folder, clock=Clock()) as catalog:
        _fill(catalog, folder)
    return folder


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a folder that is only read."""
    return fill(tmp_path_factory.mktemp("output"))


def _fill(catalog: Catalog, folder: Path) -> None:
    image = acquisition(pixels(4, z=3))
    path = folder / "embryo.ome.zarr"
    row = catalog.register(image, zarr_path=path, model_name="m", model_sha256="0", params={})
    store = ImageStore.create(path, image)
    catalog.add_timepoints(row.id, dict.fromkeys(TRACKS_AT, "x"))

    def result(job: TimepointJob) -> tuple[Nuclei, TrackUpdate]:
        ids = TRACKS_AT[job.t]
        store.write_timepoint(job.t, [image.planes(job.t, 0)], squares(job.t, len(ids)))
        store.publish(job.t)
        labels = np.arange(1, len(ids) + 1)
        places = np.stack([labels, 10.0 * labels, 20.0 * labels], axis=1)
        times = {i: [t for t in TRACKS_AT if i in TRACKS_AT[t]] for i in PARENTS}
        tracks = tuple(Track(i, PARENTS[i], times[i][0], times[i][-1], len(times[i]), True, None) for i in ids)
        table = Nuclei.from_positions(job.t, places, channel_1_mean=labels * 0.5)
        return table, TrackUpdate((FrameTracks(job.t, labels, np.array(ids), True),), tracks, ())

    work_off(catalog, result)


def test_ctc_has_masks_and_an_unbroken_lineage(output: Path, tmp_path: Path) -> None:
    folder = export(output, "embryo", "ctc", tmp_path / "ctc")
    lines = [tuple(map(int, line.split())) for line in (folder / "res_track.txt").read_text().splitlines()]
    # The missed time point cuts track 2; its rest (3) is the child of its beginning (2). 3 and 4 follow as 4 and 5.
    assert lines == [(1, 0, 1, 0), (2, 0, 0, 0), (3, 2, 3, 2), (4, 2, 3, 1), (5, 2, 3, 1)]
    assert sorted(path.name for path in folder.glob("*.tif")) == [f"mask{t:03d}.tif" for t in range(4)]
    for t, numbers in {0: [1, 2], 1: [1], 2: [4, 5, 3], 3: [4, 5, 3]}.items():
        mask = tifffile.imread(folder / f"mask{t:03d}.tif")
        expected = np.array([0, *numbers], dtype=np.uint16)[squares(t, len(numbers))]
        np.testing.assert_array_equal(mask, expected)
        assert mask.dtype == np.uint16


def test_ctc_is_read_by_traccuracy(output: Path, tmp_path: Path) -> None:
    from traccuracy.loaders import load_ctc_data

    folder = export(output, "embryo", "ctc", tmp_path / "ctc")
    graph = load_ctc_data(str(folder), str(folder / "res_track.txt"), name="embryo", run_checks=True)
    assert graph.graph.number_of_nodes() == sum(len(ids) for ids in TRACKS_AT.values())
    divided = [node for node in graph.graph.nodes if graph.graph.out_degree(node) == 2]
    assert len(divided) == 1


def test_csv_holds_every_nucleus_and_track(output: Path, tmp_path: Path) -> None:
    folder = export(output, 1, "csv", tmp_path / "csv")
    nuclei, tracks = pd.read_csv(folder / "nuclei.csv"), pd.read_csv(folder / "tracks.csv")
    assert list(nuclei["track_id"]) == [1, 2, 1, 3, 4, 2, 3, 4, 2]
    assert nuclei["parent_track_id"].tolist()[3:5] == [1.0, 1.0]
    assert nuclei["channel_1_mean"].tolist()[:2] == [0.5, 1.0]
    assert list(tracks["track_id"]) == [1, 2, 3, 4]
    alone = export(output, 1, "csv", tmp_path / "nuclei.csv")
    assert alone.read_text() == (folder / "nuclei.csv").read_text()


def test_parquet_equals_csv(output: Path, tmp_path: Path) -> None:
    csv = pd.read_csv(export(output, 1, "csv", tmp_path / "csv") / "nuclei.csv")
    parquet = pd.read_parquet(export(output, 1, "parquet", tmp_path / "parquet") / "nuclei.parquet")
    assert list(parquet.columns) == list(csv.columns)
    assert str(parquet["track_id"].dtype) == "Int64"
    np.testing.assert_array_equal(parquet["centroid_y_um"], csv["centroid_y_um"])


def test_napari_gets_tracks_in_order(output: Path, tmp_path: Path) -> None:
    table = pd.read_csv(export(output, 1, "napari", tmp_path / "tracks.csv"))
    assert list(table.columns) == ["track_id", "t", "z", "y", "x"]
    assert list(zip(table["track_id"], table["t"] / 60.0, strict=True)) == [
        (1, 0), (1, 1), (2, 0), (2, 2), (2, 3), (3, 2), (3, 3), (4, 2), (4, 3),
    ]  # fmt: skip
    assert table["x"].tolist()[0] == 20.0


def test_napari_gets_scale_units_and_divisions_beside_the_table(output: Path, tmp_path: Path) -> None:
    export(output, 1, "napari", tmp_path / "tracks")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tracks.csv", "tracks.layer.json"]
    assert json.loads((tmp_path / "tracks.layer.json").read_text()) == {
        "name": "embryo tracks",
        "scale": [1.0, 1.0, 1.0, 1.0],
        "units": ["second", "micrometer", "micrometer", "micrometer"],
        "graph": {"3": [1], "4": [1]},
    }


def test_napari_gets_frames_and_pixels_where_nothing_else_is_known(tmp_path: Path, catalog: Catalog) -> None:
    row = register(catalog, replace(acquisition(voxel=False), frame_interval_s=None))
    catalog.add_timepoints(row.id, dict.fromkeys((0, 1), "x"))
    places = Nuclei.from_positions(0, np.ones((1, 3)), unit="px", volume_px=100)
    work_off(catalog, lambda job: (replace(places, t=job.t), one_to_one(job.t, 1)))
    table = export(tmp_path, 1, "napari", tmp_path / "tracks")
    assert pd.read_csv(table)["t"].tolist() == [0, 1]
    assert json.loads((tmp_path / "tracks.layer.json").read_text())["units"] == ["pixel"] * 4


def test_neither_of_two_files_is_written_over_another(output: Path, tmp_path: Path) -> None:
    (tmp_path / "tracks.layer.json").write_text("precious")
    with pytest.raises(OutputExistsError, match=r"layer\.json is already there"):
        export(output, 1, "napari", tmp_path / "tracks.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_geff_is_a_valid_graph_with_the_lineage(output: Path, tmp_path: Path) -> None:
    import geff

    path = export(output, 1, "geff", tmp_path / "lineage.geff")
    geff.validate_structure(str(path))
    graph, _ = geff.read(str(path))
    assert graph.number_of_nodes() == 9
    links = {(graph.nodes[a]["track_id"], graph.nodes[b]["track_id"], graph.nodes[b]["t"]) for a, b in graph.edges}
    assert links == {(1, 1, 1), (2, 2, 2), (2, 2, 3), (3, 3, 3), (4, 4, 3), (1, 3, 2), (1, 4, 2)}


@pytest.mark.parametrize("form", EXPORTERS)
def test_an_acquisition_without_nuclei_can_be_exported(catalog: Catalog, tmp_path: Path, form: str) -> None:
    image, path = acquisition(), tmp_path / "empty.ome.zarr"
    row = catalog.register(image, zarr_path=path, model_name="m", model_sha256="0", params={})
    ImageStore.create(path, image)
    catalog.add_timepoints(row.id, {0: "x"})
    work_off(catalog, lambda job: (Nuclei.empty(job.t), TrackUpdate((), (), ())))
    assert export(tmp_path, "embryo", form, tmp_path / "out").exists()


@pytest.mark.parametrize("form", EXPORTERS)
def test_nothing_is_overwritten(output: Path, tmp_path: Path, form: str) -> None:
    mine = tmp_path / f"mine{ENDINGS.get(form, '')}"
    mine.write_text("precious")
    with pytest.raises(OutputExistsError, match="already there"):
        export(output, 1, form, tmp_path / "mine")
    assert mine.read_text() == "precious"


@pytest.mark.parametrize("form", EXPORTERS)
def test_an_export_takes_the_place_of_another_where_that_is_said(output: Path, tmp_path: Path, form: str) -> None:
    first = export(output, 1, form, tmp_path / "mine")
    assert first.name == f"mine{ENDINGS.get(form, '')}"
    inside = sorted(path.name for path in tmp_path.iterdir())
    if first.is_dir():
        file = min(path for path in first.rglob("*") if path.is_file())
        file.unlink()
    else:
        file = first
        file.write_text("old")
    assert export(output, 1, form, tmp_path / "mine", overwrite=True) == first
    assert file.is_file()
    assert file.read_bytes() != b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == inside, "nothing is left beside it"


def test_a_folder_with_other_things_is_never_replaced(output: Path, tmp_path: Path) -> None:
    folder = export(output, 1, "csv", tmp_path / "mine")
    (folder / "notes.txt").write_text("precious")
    with pytest.raises(OutputExistsError, match=r"holds more than what would be written there \(.txt\)"):
        export(output, 1, "csv", folder, overwrite=True)
    for form, there in (("csv", tmp_path / "file"), ("trackmate", tmp_path / "folder.xml")):
        there.mkdir() if there.suffix else there.write_text("precious")  # type: ignore[func-returns-value]
        with pytest.raises(OutputExistsError, match="and is not overwritten"):
            export(output, 1, form, there, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "nuclei.csv", "tracks.csv"]


@pytest.mark.parametrize("form", EXPORTERS)
def test_a_failed_export_leaves_nothing(
    output: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_snapshot: object, path: Path) -> None:
        path.mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_package, "EXPORTERS", {form: fail})
    with pytest.raises(StorageError, match="No space left"):
        export(output, 1, form, tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_wrong_requests_are_one_sentence(output: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no export format 'xml': choose one of"):
        export(output, 1, "xml", tmp_path / "out")
    with pytest.raises(UnknownAcquisitionError):
        export(output, "nobody", "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_that_are_gone_are_one_sentence(tmp_path: Path) -> None:
    output = fill(tmp_path)
    (output / "embryo.ome.zarr").rename(output / "elsewhere")
    with pytest.raises(StorageError, match="is not there"):
        export(output, 1, "ctc", output / "out")


def test_more_tracks_than_16_bits_hold_are_refused(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_package.ctc, "LARGEST_NUMBER", 4)
    with pytest.raises(StorageError, match="has 5 tracks"):
        export(output, 1, "ctc", tmp_path / "out")


def test_nuclei_without_a_track_stand_alone() -> None:
    nuclei = pd.DataFrame({"t": [0, 0, 1], "label": [1, 2, 1], "track_id": pd.array([9, None, None], dtype="Int64")})
    tracks = pd.DataFrame({"track_id": [9], "parent_track_id": pd.array([None], dtype="Int64")})
    found = segments(nuclei, tracks)
    assert found.segments == (Segment(1, 0, 0, 0), Segment(2, 0, 0, 0), Segment(3, 1, 1, 0))
    assert found.of_nucleus == {0: {1: 1, 2: 2}, 1: {1: 3}}


def test_trackmate_is_read_back_as_the_same_graph(tmp_path: Path) -> None:
    """By the converter of the GEFF project, which reads what TrackMate writes."""
    import geff
    from geff.convert import from_trackmate_xml_to_geff

    family.fill(tmp_path)
    xml = export(tmp_path, "embryo", "trackmate", tmp_path / "embryo.xml")
    from_trackmate_xml_to_geff(xml, tmp_path / "embryo.geff")
    graph, _ = geff.read(str(tmp_path / "embryo.geff"))
    ours, _ = geff.read(str(export(tmp_path, "embryo", "geff", tmp_path / "ours.geff")))
    assert set(graph.nodes) == set(ours.nodes)
    assert set(graph.edges) == set(ours.edges)
    for node, there in ours.nodes.items():
        spot = graph.nodes[node]
        assert [spot[f"POSITION_{axis}"] for axis in "XYZ"] == [there[axis] for axis in "xyz"]
        assert (spot["FRAME"], spot["POSITION_T"]) == (there["t"], there["t"] * 60.0)
        assert (spot["NUSETD_TRACK_ID"], spot["NUSETD_LABEL"]) == (there["track_id"], there["label"])
    families = {graph.nodes[node]["TRACK_ID"] for node in graph.nodes}
    assert families == {0, 1}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ('<a & "b">', '<a & "b">'), ("line\nbreak\ttab", "line\nbreak\ttab"), ("]]> -- é µ 細胞 \U0001f52c",) * 2,
        ("bell\x07 escape\x1b[31m", r"bell\x07 escape\x1b[31m"), ("not a character \ufffe", r"not a character \ufffe"),
    ],
)  # fmt: skip
def test_trackmate_takes_names_that_are_no_xml(tmp_path: Path, catalog: Catalog, name: str, written: str) -> None:
    import xml.etree.ElementTree as ElementTree

    row = register(catalog, acquisition(name=name, voxel=False))
    catalog.add_timepoints(row.id, {0: "x"})
    places = Nuclei.from_positions(0, np.ones((2, 3)), unit="px", volume_px=100)
    work_off(catalog, lambda job: (places, TrackUpdate((), (), ())))
    root = ElementTree.parse(export(tmp_path, 1, "trackmate", tmp_path / "a.xml")).getroot()
    model, image = root.find("Model"), root.find("Settings/ImageData")
    assert model is not None
    assert image is not None
    assert (model.get("spatialunits"), image.get("filename")) == ("pixel", f"{written}.tif")
    assert str(root.findtext("Log")).startswith(f"Exported from {written} by nusetd")
    assert [spot.get("NUSETD_TRACK_ID") for spot in root.iter("Spot")] == [None, None]
    assert [float(spot.get("RADIUS", 0)) for spot in root.iter("Spot")] == pytest.approx([2.8794, 2.8794], abs=1e-3)
    assert list(root.iter("Edge")) == []


NAPARI = """
import json, sys, pandas
from napari.layers import Tracks
table = pandas.read_csv(sys.argv[1])
settings = json.load(open(sys.argv[2]))
settings["graph"] = {int(daughter): parents for daughter, parents in settings["graph"].items()}
layer = Tracks(table.to_numpy(), **settings)
print(len(layer.data), dict(layer.graph), *layer.units)
"""


@pytest.mark.skipif(importlib.util.find_spec("napari") is None, reason="napari is not installed")
def test_napari_takes_the_tracks_and_their_divisions(tmp_path: Path) -> None:
    """In a process of its own: napari's libraries warn, and warnings are errors here."""
    family.fill(tmp_path)
    path = export(tmp_path, "embryo", "napari", tmp_path / "tracks")
    done = subprocess.run(
        [sys.executable, "-c", NAPARI, str(path), str(path.with_suffix(".layer.json"))],
        capture_output=True,
        text=True,
        check=True,
    )
    units = "second micrometer micrometer micrometer"
    assert done.stdout.strip() == f"{family.NUCLEI} {{2: [1], 3: [1], 4: [3], 5: [3]}} {units}"


def test_geff_satisfies_its_specification_in_full(output: Path, tmp_path: Path) -> None:
    import geff
    from geff.core_io import read_to_memory
    from geff.validate.data import ValidationConfig, validate_data

    path = str(export(output, 1, "geff", tmp_path / "lineage.geff"))
    everything = ValidationConfig(graph=True, tracklet=True)
    validate_data(read_to_memory(path), everything)
    metadata = geff.GeffMetadata.read(path)
    assert metadata.track_node_props == {"tracklet": "track_id"}
    assert metadata.axes is not None
    assert [(axis.unit, axis.scale, axis.scaled_unit) for axis in metadata.axes] == [
        ("frame", 60.0, "second"), *[("micrometer", 1.0, "micrometer")] * 3,
    ]  # fmt: skip


def test_geff_leads_to_its_label_image(output: Path, tmp_path: Path) -> None:
    import geff
    import zarr

    path = export(output, 1, "geff", tmp_path / "deeper" / "lineage.geff")
    graph, metadata = geff.read(str(path))
    assert metadata.related_objects is not None
    labels, image = metadata.related_objects
    assert (labels.type, labels.node_prop, image.type) == ("labels", "label", "image")
    stored = zarr.open_group(path / labels.path, mode="r")["0"]
    assert isinstance(stored, zarr.Array)
    assert zarr.open_group(path / image.path, mode="r")["0"].shape[0] == 4
    for node in graph.nodes.values():
        assert node["label"] in np.unique(np.asarray(stored[node["t"]]))


def test_labels_that_do_not_belong_to_the_rows_are_not_exported(tmp_path: Path) -> None:
    output = fill(tmp_path)
    store = ImageStore.open(output / "embryo.ome.zarr")
    store.write_timepoint(2, None, squares(2, 4))
    store.publish(2)
    with pytest.raises(StorageError, match="labels of time point 2 are not those that the database knows"):
        export(output, 1, "ctc", output / "out")
    assert not (output / "out").exists()


def test_two_commands_at_once_write_each_its_own(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_another_one_meanwhile(moment: Snapshot, path: Path) -> None:
        monkeypatch.setitem(EXPORTERS, "ctc", usual)  # type: ignore[misc]
        usual(moment, path)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(export, output, 1, "ctc", tmp_path / "out").result()

    usual = EXPORTERS["ctc"]
    monkeypatch.setitem(EXPORTERS, "ctc", with_another_one_meanwhile)  # type: ignore[misc]
    assert export(output, 1, "ctc", tmp_path / "out", overwrite=True) == tmp_path / "out"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(list((tmp_path / "out").glob("mask*.tif"))) == len(TRACKS_AT)


@pytest.mark.parametrize("name", ["out.geff", "out"])
def test_what_a_killed_command_left_is_removed_by_the_next_one(output: Path, tmp_path: Path, name: str) -> None:
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    mine = part_of(tmp_path / name, "".join(Path(name).suffixes)).name
    left = tmp_path / mine.replace(str(threading.get_native_id()), str(dead.pid))
    (left / "inside").mkdir(parents=True)
    export(output, 1, "geff" if "." in name else "ctc", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
