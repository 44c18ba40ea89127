"""Where an OME-Zarr may lie besides a folder of its own: an object store, a bundle, beside a linked image."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import zarr
from cases import family
from cases.live_page import store_server
from cases.stored import acquisition, pixels, squares

import storage
from daemon import cli
from storage import naming
from storage.acquisition import Acquisition
from storage.contents import contents
from storage.errors import StorageError, StoreTakenError
from storage.omezarr import bundles, places
from storage.omezarr.image_store import ImageStore
from storage.omezarr.ownership import Owner
from storage.omezarr.published import PublishedState
from storage.query.question import Question
from storage.readers import open_acquisitions
from storage.readers.names import experiment

SIZE = (2, 2, 3, 300, 40)


@pytest.fixture(scope="module")
def image() -> Acquisition:
    """Two time points of two channels."""
    return acquisition(pixels(*SIZE) + 1)


def write(store: ImageStore, image: Acquisition, t: int, count: int = 12) -> np.ndarray:
    """Write and show a time point; its labels."""
    labels = squares(t, count, SIZE[2:])
    store.write_timepoint(t, [image.planes(t, c) for c in range(image.size_c)], labels)
    store.publish(t)
    return labels


# At a URL


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket of an S3 server that runs on loopback for this file."""
    server_module = pytest.importorskip("moto.server", reason="needs moto, an object server for tests")
    pytest.importorskip("s3fs", reason="needs the extra nusetd[remote]")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        import fsspec

        fsspec.filesystem("s3").mkdir("nuclei")
        yield "s3://nuclei"
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        server.stop()


@pytest.fixture(scope="module", params=["memory", pytest.param("s3", marks=pytest.mark.long)])  # `.ci/run` runs both
def bucket(request: pytest.FixtureRequest) -> str:
    """A place for objects: one of fsspec's that starts in a moment, and a server as people have it."""
    return str(request.getfixturevalue("s3")) if request.param == "s3" else "memory://nuclei"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_object_store_keeps_the_same_promises(bucket: str, image: Acquisition, version: str) -> None:
    url = f"{bucket}/{version}/embryo.ome.zarr"
    store = ImageStore.create(url, image, version)
    labels = squares(0, 12, SIZE[2:])
    store.write_timepoint(0, [image.planes(0, c) for c in range(2)], labels)
    seen = zarr.open_group(url if url.startswith("s3:") else places.store_at(url), mode="r")
    assert seen["labels/nuclei/0"].shape[0] == 0, "not before it is published"
    store.publish(0)
    write(store, image, 1)
    again = ImageStore.open(url)
    assert again.published_timepoints == (0, 1)
    np.testing.assert_array_equal(again.labels(0), labels)
    np.testing.assert_array_equal(again.image(1, 1), image.source.pixels[1, 1])  # type: ignore[attr-defined]
    store.write_timepoint(0, None, squares(0, 3, SIZE[2:]))
    np.testing.assert_array_equal(again.labels(0), labels, err_msg="the old version stays until the new one is shown")
    store.publish(0)
    np.testing.assert_array_equal(again.labels(0), squares(0, 3, SIZE[2:]))
    store.write_tracks(0, {1: 7})
    store.publish_tracks(0)
    assert set(np.unique(again.track_labels(0))) == {0, 7}
    files = places.store_at(bucket).files
    assert not [name for name in files.find("nuclei") if "staging" in name or "partial" in name]


def test_a_store_at_a_url_that_was_never_finished_is_made_anew(bucket: str, image: Acquisition) -> None:
    url = f"{bucket}/broken/embryo.ome.zarr"
    places.store_at(f"{bucket}/broken").seal([], "embryo.ome.zarr.partial")
    zarr.open_group(places.store_at(url), mode="w", zarr_format=2)
    store = ImageStore.create(url, image)
    write(store, image, 0)
    assert ImageStore.open(url).published_timepoints == (0,)


def test_a_store_at_a_url_that_is_read_again_gives_way_whole(
    bucket: str, image: Acquisition, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{bucket}/again/embryo.ome.zarr"
    first, second = (Owner("a" * 32, 1, store * 32) for store in "12")
    old = ImageStore.create(url, image, owner=first)
    write(old, image, 0)
    old.write_timepoint(0, None, squares(0, 3, SIZE[2:]))  # waits to be shown in the place of the first
    planes = acquisition(pixels(3, 1, 1, 20, 24) + 1)
    with pytest.raises(StoreTakenError):
        ImageStore.create(url, planes, owner=Owner("b" * 32, 1, "3" * 32), reading=1)
    assert ImageStore.open(url, first).published_timepoints == (0,), "another database's is none of its business"
    with monkeypatch.context() as killed:
        killed.setattr("storage.omezarr.image_store.build", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            ImageStore.create(url, planes, owner=second, reading=1)
    new = ImageStore.create(url, planes, owner=second, reading=1)
    assert (new.shape, new.published_timepoints, new.owner) == ((0, 1, 1, 20, 24), (), second)
    labels = squares(0, 3, (1, 20, 24))
    new.write_timepoint(0, [planes.planes(0, 0)], labels)
    new.publish(0)
    again = ImageStore.create(url, planes, owner=second, made=True, reading=1)
    np.testing.assert_array_equal(again.labels(0), labels)
    np.testing.assert_array_equal(again.image(0, 0), planes.source.pixels[0, 0])  # type: ignore[attr-defined]
    files = places.store_at(bucket).files
    assert not [name for name in files.find("nuclei/again") if "staging" in name or "partial" in name]


def raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database and its image."""
    return family.fill(tmp_path_factory.mktemp("here"), SIZE[2:])


@pytest.fixture(scope="module")
def at_url(bucket: str, at_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same database; its image was copied into the bucket: writing there is what the tests above do."""
    folder, there = tmp_path_factory.mktemp("there"), f"{bucket}/family/{family.NAME}.ome.zarr"
    shutil.copy(at_home / "nusetd.sqlite", folder)
    places.store_at(bucket).files.put(f"{at_home}/{family.NAME}.ome.zarr/", f"{there}/", recursive=True)
    with sqlite3.connect(folder / "nusetd.sqlite") as connection:
        connection.execute("UPDATE acquisitions SET zarr_path = ?", (there,))
    connection.close()
    return folder


def test_results_at_a_url_are_lazy_arrays_and_pictures(at_home: Path, at_url: Path, tmp_path: Path) -> None:
    here, there = (storage.open(place)[family.NAME] for place in (at_home, at_url))
    for level in (0, 1):
        np.testing.assert_array_equal(there.labels(level).compute(), here.labels(level).compute())
    np.testing.assert_array_equal(there.image()[2, 1].compute(), here.image()[2, 1].compute())
    np.testing.assert_array_equal(there.track_labels()[-1].compute(), here.track_labels()[-1].compute())
    for picture in ("summary", "nuclei"):
        words = ["plot", family.NAME, "--database", str(at_url), "--picture", picture]
        output = tmp_path / f"{picture}.png"
        assert cli.main([*words, "--output", str(output)]) == 0
        assert output.read_bytes().startswith(b"\x89PNG")


def test_results_at_a_url_are_passed_on_to_viewers_which_need_no_credentials(at_url: Path) -> None:
    """A browser has no keys, and cannot read s3:// at all."""
    with store_server(at_url) as server:

        def ask(path: str, **headers: str) -> tuple[int, bytes, str]:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, content, answer.getheader("ETag", "")

        [found] = json.loads(ask("/")[1])["stores"]
        assert found["url"] == f"{server.base}/{family.NAME}.ome.zarr"
        path = f"/{family.NAME}.ome.zarr"
        store = places.store_at(Question.acquisitions(at_url).frame()["zarr_path"][0])
        assert ask(f"{path}/.zattrs")[:2] == (200, str(store.text(".zattrs")).encode())
        status, chunk, tag = ask(f"{path}/labels/nuclei/0/0/0/0/0")
        assert (status, len(chunk) > 20) == (200, True)
        assert ask(f"{path}/labels/nuclei/0/0/0/0/0", Range="bytes=3-9")[:2] == (206, chunk[3:10])
        assert ask(f"{path}/labels/nuclei/0/0/0/0/0", **{"If-None-Match": tag})[0] == 304
        for absent in ("labels/nuclei/0/99/0/0/0", "labels", "../other", "%2e%2e/other", ""):
            assert ask(f"{path}/{absent}")[0] == 404, absent
        assert b"secret" not in ask("/")[1]
        shown = contents(naming.as_place(store.url))
        assert shown.timepoints == tuple(family.TRACKS_AT)


def test_results_whose_url_does_not_answer_are_one_sentence(bucket: str, at_url: Path, tmp_path: Path) -> None:
    shutil.copy(at_url / "nusetd.sqlite", tmp_path)
    with sqlite3.connect(tmp_path / "nusetd.sqlite") as connection:
        connection.execute("UPDATE acquisitions SET zarr_path = ?", (f"{bucket}/gone/{family.NAME}.ome.zarr",))
    connection.close()
    with pytest.raises(StorageError, match="it was moved"):
        storage.open(tmp_path)[family.NAME].labels()


@pytest.mark.long  # `.ci/run` runs it
def test_an_object_store_that_is_not_there_is_one_sentence(
    s3: str, image: Acquisition, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match="cannot be made"):
        ImageStore.create("s3://no-such-bucket/embryo.ome.zarr", image)
    with pytest.raises(StorageError, match=r"install nusetd\[remote\]"):
        ImageStore.create("nowhere://x/embryo.ome.zarr", image)


# In a bundle


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_positions_of_one_experiment_are_one_bundle(tmp_path: Path, image: Acquisition, version: str) -> None:
    first = naming.zarr_path(tmp_path, "exp_A", "exp")
    stores = []
    for number, name in enumerate(("exp_A", "exp_B")):
        position = replace(image, name=name)
        stores.append(ImageStore.create(naming.numbered(first, number + 1), position, version))
        write(stores[-1], position, 0)
    bundle = tmp_path / "exp.ome.zarr"
    assert [path.parent for path in (store.path for store in stores)] == [bundle, bundle]
    assert bundles.positions(bundle) == ["0", "1"]
    write(stores[0], image, 0, count=5)
    write(stores[0], image, 0, count=6)
    np.testing.assert_array_equal(stores[0].labels(0), squares(0, 6, SIZE[2:]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exp.ome.zarr"]
    group = zarr.open_group(bundle, mode="r")
    if version == "0.4":
        from ome_zarr_models.v04 import BioFormats2Raw, Image
    else:
        from ome_zarr_models.v05 import BioFormats2Raw, Image  # type: ignore[assignment]
    assert BioFormats2Raw.from_zarr(group)
    for name in ("0", "1"):
        found: Any = Image.from_zarr(group[name])  # type: ignore[arg-type]
        attributes = found.attributes if version == "0.4" else found.attributes.ome
        assert attributes.multiscales[0].name == f"exp_{'AB'[int(name)]}"


def test_a_bundle_lists_its_positions_for_napari_and_bio_formats(tmp_path: Path, image: Acquisition) -> None:
    first = naming.zarr_path(tmp_path, "exp_A", "exp")
    for number in (1, 0):
        ImageStore.create(naming.numbered(first, number + 1), replace(image, name=f"exp_{number}"))
    root = ElementTree.parse(tmp_path / "exp.ome.zarr" / "OME" / "METADATA.ome.xml").getroot()
    space = {"ome": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}
    found = root.findall("ome:Image", space)
    assert [(one.get("ID"), one.get("Name")) for one in found] == [("Image:0", "exp_0"), ("Image:1", "exp_1")]
    [described] = found[0].findall("ome:Pixels", space)
    assert described.get("PhysicalSizeZ") == "2.0"
    assert [one.get("Name") for one in described.findall("ome:Channel", space)] == list(image.channel_names)


def test_scenes_of_a_file_know_their_experiment(image: Acquisition) -> None:
    file = Path("/data/exp.v2.lif")
    scene = replace(image, source_path=Path(f"{file}#1"), files=(file,))
    assert experiment(scene) == "exp.v2"
    assert experiment(image) is None
    assert experiment(replace(image, files=(file, Path("/data/other.lif")))) is None


def test_something_else_in_a_bundles_place_is_left_alone(tmp_path: Path, image: Acquisition) -> None:
    zarr.open_group(tmp_path / "exp.ome.zarr", mode="w", zarr_format=2)
    before = sorted(path.name for path in (tmp_path / "exp.ome.zarr").rglob("*"))
    with pytest.raises(StorageError, match="not a bundle that nusetd wrote"):
        ImageStore.create(naming.zarr_path(tmp_path, "exp_A", "exp"), image)
    assert sorted(path.name for path in (tmp_path / "exp.ome.zarr").rglob("*")) == before


def test_the_list_of_positions_is_well_formed_whatever_their_names(tmp_path: Path) -> None:
    image = replace(acquisition(pixels(1, 1, 2, 20, 24)), name='bell\x07 <a & "b"> \x1b[31m')
    ImageStore.create(naming.zarr_path(tmp_path, image.name, "exp"), image)
    [described] = ElementTree.parse(tmp_path / "exp.ome.zarr" / bundles.METADATA).getroot()
    assert described.get("Name") == r'bell\x07 <a & "b"> \x1b[31m'


# By reference


@pytest.fixture(params=["0.4", "0.5"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An OME-Zarr of another program: axes t, z, y, x in nanometres, two levels with names of their own."""
    path = tmp_path / "in" / "embryo.ome.zarr"
    path.parent.mkdir()
    group = zarr.open_group(path, mode="w", zarr_format={"0.4": 2, "0.5": 3}[request.param])
    data = pixels(*SIZE)[:, 0]
    for name, step in (("full", 1), ("half", 2)):
        small = data[:, :, ::step, ::step]
        group.create_array(name, data=small, chunks=(1, 1, *small.shape[2:]))
    axes = [{"name": "t", "type": "time", "unit": "minute"}]
    axes += [{"name": letter, "type": "space", "unit": "nanometer"} for letter in "zyx"]
    steps = [{"type": "scale", "scale": [2.0, 2000.0, 500.0 * f, 500.0 * f]} for f in (1, 2)]
    levels = [{"path": n, "coordinateTransformations": [s]} for n, s in zip(("full", "half"), steps, strict=True)]
    content: dict[str, Any] = {"multiscales": [{"axes": axes, "datasets": levels}]}
    if request.param == "0.4":
        content["multiscales"][0]["version"] = "0.4"
        group.attrs.update(content)
    else:
        group.attrs["ome"] = {"version": "0.5", **content}
    return path


def test_an_image_by_reference_is_seen_and_not_copied(foreign: Path, tmp_path: Path) -> None:
    image = open_acquisitions(foreign)[0]
    before = {path: path.stat().st_mtime_ns for path in foreign.rglob("*")}
    store = ImageStore.create(tmp_path / "out" / "embryo.ome.zarr", image, "0.4", image="reference")
    labels = squares(0, 5, SIZE[2:])
    store.write_timepoint(0, [image.planes(0, 0)], labels)
    store.publish(0)
    np.testing.assert_array_equal(ImageStore.open(store.path).labels(0), labels)
    root = zarr.open_group(store.path, mode="r")
    np.testing.assert_array_equal(np.asarray(root["0"][1, 2]), image.plane(1, 0, 2))  # type: ignore[index]
    assert {path: path.stat().st_mtime_ns for path in foreign.rglob("*")} == before
    attributes = dict(root.attrs.get("ome", root.attrs))  # type: ignore[arg-type]
    scale = attributes["multiscales"][0]["datasets"][1]["coordinateTransformations"][0]["scale"]
    np.testing.assert_allclose(scale, [120.0, 2.0, 1.0, 1.0])
    nuclei = dict(root["labels/nuclei"].attrs)
    described = nuclei.get("ome", nuclei)["multiscales"][0]
    np.testing.assert_allclose(described["datasets"][0]["coordinateTransformations"][0]["scale"], [120, 2, 0.5, 0.5])
    with pytest.raises(StorageError, match="only refers"):
        store.image(0, 0)


def test_what_cannot_be_referred_to_is_one_sentence(image: Acquisition, foreign: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="let the image be copied"):
        ImageStore.create(tmp_path / "x.ome.zarr", image, image="reference")
    with pytest.raises(StorageError, match="let the image be copied"):
        ImageStore.create("memory://x/y.ome.zarr", open_acquisitions(foreign)[0], image="reference")
    assert not (tmp_path / "x.ome.zarr").exists()


def test_an_attribute_that_is_damaged_is_one_sentence(tmp_path: Path, image: Acquisition) -> None:
    store = ImageStore.create(tmp_path / "x.ome.zarr", image)
    zarr.open_group(store.path, mode="r+").attrs[naming.OWN_ATTRIBUTE] = "all of them"
    with pytest.raises(StorageError, match="it is damaged"):
        PublishedState(store.path, places.store_at(store.path)).own()
