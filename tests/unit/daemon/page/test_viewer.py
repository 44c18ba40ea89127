"""Neuroglancer at an address of its own: its files, the state that shows a store, the commands that print the link."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from cases.live_page import store_server
from cases.stored import acquisition, pixels, register, squares

from daemon import cli
from daemon.commands import serve as serve_command
from daemon.page import links, neuroglancer
from daemon.page.serve import StoreServer
from storage.contents import contents
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore

SIZE = (3, 2, 4, 40, 60)
STORE = "embryo 1.ome.zarr"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an acquisition of two channels, whose time point 0 failed."""
    folder = tmp_path_factory.mktemp("viewer")
    image = acquisition(pixels(*SIZE), name="embryo 1")
    with Catalog.open(folder) as catalog:
        row = register(catalog, image, output=folder)
    store = ImageStore.create(str(row.zarr_path), image, "0.5")
    for t in (1, 2):
        store.write_timepoint(t, [image.planes(t, c) for c in range(2)], squares(t, 6, SIZE[2:]))
        store.publish(t)
    return folder


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for the installed client: no test here needs more of it."""
    folder = tmp_path_factory.mktemp("site") / "neuroglancer" / "static" / "client"
    folder.mkdir(parents=True)
    for name in ("index.html", "main.js", "codec.wasm"):
        (folder / name).write_text(name)
    (folder.parent / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def server(output: Path, client: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreServer]:
    """A server on a free port."""
    monkeypatch.setattr(neuroglancer, "client_folder", lambda: client)
    with store_server(output) as made:
        yield made


def ask(server: StoreServer, path: str, **headers: str) -> tuple[int, Message, str]:
    """Send a request; status, headers, content."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def test_the_link_leads_to_the_viewer_with_the_state_of_the_store(server: StoreServer) -> None:
    status, headers, _ = ask(server, links.neuroglancer("", STORE))
    assert status == 302
    address, _, fragment = headers["Location"].partition("#!")
    shown = json.loads(unquote(fragment))
    assert address == links.CLIENT
    assert shown["displayDimensions"] == ["x", "y", "z"]
    assert list(shown["dimensions"]) == ["x", "y", "z", "t"]
    assert shown["dimensions"]["t"] == [60.0, "s"]
    np.testing.assert_allclose([shown["dimensions"][axis][0] for axis in "zyx"], [2e-6, 5e-7, 5e-7])
    assert shown["position"] == [29.5, 19.5, 2, 1], "in the middle of the first time point that is there"
    store = f"zarr://{server.base}/embryo%201.ome.zarr"
    layers = {layer["name"]: layer for layer in shown["layers"]}
    assert [layer["source"] for layer in shown["layers"]] == [
        store, store, f"{store}/labels/nuclei", f"{store}/labels/tracks",
    ]  # fmt: skip
    assert [layers[f"channel {c}"]["localPosition"] for c in (0, 1)] == [[0], [1]]
    assert "invlerp normalized(range=[1, 247])" in layers["channel 0"]["shader"]
    assert [layers[name]["type"] for name in ("nuclei", "tracks")] == ["segmentation"] * 2
    assert [layers[name]["visible"] for name in ("nuclei", "tracks")] == [True, False]


def test_addresses_are_those_by_which_the_browser_calls_a_forwarded_port(server: StoreServer) -> None:
    _, headers, _ = ask(server, links.neuroglancer("", STORE), Host="localhost:9000")
    assert "http://localhost:9000/embryo%201.ome.zarr" in unquote(headers["Location"])
    [listed] = json.loads(ask(server, "/", Host="localhost:9000")[2])["stores"]
    assert listed["neuroglancer"] == "http://localhost:9000/neuroglancer/embryo%201.ome.zarr"
    assert '<script type="module"' in ask(server, "/", Accept="text/html")[2], "people see the page"


def test_tracks_are_shown_first_where_all_are_painted(output: Path, tmp_path: Path) -> None:
    assert contents(output / STORE).shown_labels == "nuclei"
    image = acquisition(pixels(*SIZE))
    store = ImageStore.create(tmp_path / "x.ome.zarr", image)
    for t in (0, 1):
        store.write_timepoint(t, [image.planes(t, c) for c in range(2)], squares(t, 6, SIZE[2:]))
        store.publish(t)
        store.write_tracks(t, {1: 5})
        store.publish_tracks(t)
    assert contents(store.path).shown_labels == "tracks"


def test_an_image_that_the_viewer_cannot_draw_is_named_and_its_labels_are_shown(tmp_path: Path) -> None:
    store = ImageStore.create(tmp_path / "x.ome.zarr", acquisition(pixels(*SIZE).astype(float)))
    shown = neuroglancer.state("http://localhost/x", "x", contents(store.path))
    assert "float64" in shown["title"]
    assert [layer["name"] for layer in shown["layers"]] == ["nuclei", "tracks"]


def test_channels_of_one_name_are_told_apart(tmp_path: Path) -> None:
    from dataclasses import replace

    image = replace(acquisition(pixels(*SIZE)), channel_names=("GFP", "GFP"))
    shown = neuroglancer.state("", "x", contents(ImageStore.create(tmp_path / "x.ome.zarr", image).path))
    assert [layer["name"] for layer in shown["layers"][:2]] == ["GFP 0", "GFP 1"]


def test_the_client_is_given_out_with_a_policy_that_keeps_it_here(server: StoreServer) -> None:
    for path, kind in (
        ("", "text/html; charset=utf-8"),
        ("main.js", "text/javascript"),
        ("codec.wasm", "application/wasm"),
    ):
        status, headers, content = ask(server, links.CLIENT + path)
        assert (status, headers["Content-Type"], content) == (200, kind, path or "index.html")
        assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert ask(server, links.VIEWER)[1]["Location"] == links.CLIENT


@pytest.mark.parametrize("path", ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "nothing.js", "..", "%00"])
def test_nothing_else_of_the_package_is(server: StoreServer, path: str) -> None:
    status, _, content = ask(server, links.CLIENT + path)
    assert (status, "secret" in content) == (404, False)


def test_an_unknown_store_has_no_page(server: StoreServer) -> None:
    assert ask(server, f"{links.VIEWER}nobody.ome.zarr")[0] == 404


def test_other_names_and_origins_are_refused_for_the_viewer_too(server: StoreServer) -> None:
    for path in (links.VIEWER, links.CLIENT, links.EVENTS, links.neuroglancer("", STORE)):
        assert ask(server, path, Host="attacker.example")[0] == 421
        assert ask(server, path, Origin="https://example.org")[0] == 403


def test_who_listens_for_messages_is_let_go_when_the_server_ends(server: StoreServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", links.EVENTS)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream")
    assert answer.readline() == b":\n"
    server.ending.set()
    assert answer.read() == b"\n"
    connection.close()


def test_without_the_package_the_page_and_the_commands_say_how_to_get_it(
    server: StoreServer, output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(neuroglancer, "client_folder", lambda: None)
    status, _, content = ask(server, links.neuroglancer("", STORE))
    assert (status, json.loads(content)["error"]) == (404, neuroglancer.MISSING)
    assert "neuroglancer" not in json.loads(ask(server, "/")[2])["stores"][0]
    assert cli.main(["view", "embryo 1", "--database", str(output), "--neuroglancer"]) == 1
    assert "pip install 'nusetd[viewer]'" in capsys.readouterr().err
    assert cli.main(["view", "embryo 1", "--database", str(output), "--links"]) == 0
    said = capsys.readouterr()
    assert said.out == "store: http://127.0.0.1:8765/embryo%201.ome.zarr\n"
    assert "pip install" in said.err


def test_the_installed_client_is_found_without_importing_it() -> None:
    import sys

    if neuroglancer.client_folder() is None:
        pytest.skip(neuroglancer.MISSING)
    page = neuroglancer.client_file("")
    assert page is not None
    assert "<script" in page.read_text()
    assert "neuroglancer" not in sys.modules


def test_commands_print_the_link_that_they_serve(
    output: Path, client: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(neuroglancer, "client_folder", lambda: client)
    served: list[str] = []
    monkeypatch.setattr(serve_command, "until_stopped", lambda server: served.append(server.base))
    for words in (["serve"], ["view", "embryo 1", "--neuroglancer"]):
        assert cli.main([*words, "--port", "0", "--database", str(output)]) == 0
        assert f"neuroglancer: {served.pop()}/neuroglancer/embryo%201.ome.zarr\n" in capsys.readouterr().out
    assert cli.main(["view", "embryo 1", "--links", "--port", "9000", "--database", str(output)]) == 0
    assert "neuroglancer: http://127.0.0.1:9000/neuroglancer/embryo%201.ome.zarr\n" in capsys.readouterr().out
    assert served == []
