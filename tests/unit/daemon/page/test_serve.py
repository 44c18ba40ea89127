"""Stores over HTTP: what is given out, parts of files, pages of other origins, and nothing else."""

from __future__ import annotations

import argparse
import http.client
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from cases.live_page import store_server
from cases.stored import acquisition, pixels, register, squares
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.commands import options
from daemon.errors import DaemonError
from daemon.orders.page_services import PageServices
from daemon.page.byte_ranges import part
from daemon.page.serve import StoreServer
from daemon.page.served_stores import ServedStores
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore

SIZE = (1, 1, 3, 40, 40)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with a store of shards, and a secret beside it."""
    folder = tmp_path_factory.mktemp("serve") / "out"
    folder.mkdir()
    image = acquisition(pixels(*SIZE) + 1, name="embryo 1")
    with Catalog.open(folder) as catalog:
        row = register(catalog, image, output=folder)
        store = ImageStore.create(str(row.zarr_path), image, "0.5")
    store.write_timepoint(0, [image.planes(0, 0)], squares(0, 6, SIZE[2:]))
    store.publish(0)
    (folder / "secret.txt").write_text("secret")
    os.symlink(folder / "secret.txt", store.path / "link.txt")
    os.symlink(folder, store.path / "way-out")
    return folder


@pytest.fixture(scope="module")
def server(output: Path) -> Iterator[StoreServer]:
    """A server on a free port."""
    with store_server(output) as made:
        yield made


def ask(
    server: StoreServer, path: str, method: str = "GET", host: str | None = None, **headers: str
) -> tuple[int, Message, bytes]:
    """Send a request exactly as written; status, headers, content."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True, skip_host=host is not None)
        if host is not None:
            connection.putheader("Host", host)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@cache
def known_stores(database: str) -> ServedStores:
    """Served stores that have read their database."""
    served = ServedStores(database)
    served.offers()
    return served


STORE = "/embryo%201.ome.zarr"


def test_stores_are_listed_and_open_in_zarr(server: StoreServer) -> None:
    pytest.importorskip("aiohttp", reason="reading over HTTP needs fsspec[http]")
    [found] = json.loads(ask(server, "/")[2])["stores"]
    assert (found["acquisition"], found["url"]) == ("embryo 1", server.base + STORE)
    group = zarr.open_group(found["url"], mode="r")
    np.testing.assert_array_equal(np.asarray(group["labels/nuclei/0"][0]), squares(0, 6, SIZE[2:]))  # type: ignore[index]


@pytest.mark.parametrize(
    "origin", ["https://example.org", "null", "http://127.0.0.1:1", "https://neuroglancer-demo.appspot.com"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_pages_of_any_other_origin_may_not(server: StoreServer, origin: str, method: str) -> None:
    status, headers, content = ask(server, f"{STORE}/zarr.json", method, Origin=origin)
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers
    assert b"nusetd" not in content


def test_pages_without_an_origin_get_no_permission(server: StoreServer) -> None:
    status, headers, _ = ask(server, f"{STORE}/zarr.json")
    assert status == 200
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_pages_of_named_origins_may_read(output: Path) -> None:
    origin = "https://lab.example"
    with store_server(output, [origin]) as other:
        for path in (f"{STORE}/zarr.json", f"{STORE}/0/c/9/9", "/"):
            headers = ask(other, path, Origin=origin)[1]
            assert (headers["Access-Control-Allow-Origin"], headers["Vary"]) == (origin, "Origin")
        status, headers, _ = ask(other, f"{STORE}/zarr.json", "OPTIONS", Origin=origin)
        assert status == 204
        assert "Range" in headers["Access-Control-Allow-Headers"]
        assert headers["Access-Control-Allow-Private-Network"] == "true"
        assert ask(other, "/", Origin=f"{origin}.x")[0] == 403
        assert ask(other, "/", Origin=other.base)[0] == 200  # its own list
        assert ask(other, "/api/overview", Origin=origin)[0] == 403  # stores, not what the page knows besides


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:8765", "127.0.0.1.attacker.example", "", "[", "0"]
)
def test_a_name_that_somebody_points_here_is_not_answered(server: StoreServer, host: str) -> None:
    for path in ("/", f"{STORE}/zarr.json"):
        status, _, content = ask(server, path, host=host)
        assert status == 421
        assert b"embryo" not in content
        assert b"zarr_format" not in content


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:8765", "LOCALHOST"])
def test_own_names_are_answered_whatever_port_was_forwarded(server: StoreServer, host: str) -> None:
    assert ask(server, "/", host=host)[0] == 200


@pytest.mark.parametrize(
    "text", ["*", "example.org", "https://example.org/page", "https://user@example.org", "file://"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not the origin"):
        options.origin(text)


def test_an_origin_is_taken_as_browsers_write_it() -> None:
    assert options.origin("https://Example.org:8443/") == "https://example.org:8443"


def test_parts_of_files(server: StoreServer, output: Path) -> None:
    path = f"{STORE}/0/c/0/0/0/0/0"
    whole = (output / "embryo 1.ome.zarr/0/c/0/0/0/0/0").read_bytes()
    status, headers, content = ask(server, path)
    assert (status, content, headers["Accept-Ranges"]) == (200, whole, "bytes")
    status, headers, content = ask(server, path, Range="bytes=3-10")
    assert (status, content) == (206, whole[3:11])
    assert headers["Content-Range"] == f"bytes 3-10/{len(whole)}"
    assert ask(server, path, Range="bytes=-20")[2] == whole[-20:]
    assert ask(server, path, Range=f"bytes={len(whole)}-")[0] == 416
    for wild in (f"bytes=0-{'9' * 5000}", f"bytes={'9' * 5000}-", f"bytes=-{'1' * 5000}"):
        assert ask(server, path, Range=wild)[0] == 416
    status, headers, content = ask(server, path, "HEAD")
    assert (status, headers["Content-Length"], content) == (200, str(len(whole)), b"")
    tag = headers["ETag"]
    assert ask(server, path, If_None_Match=tag)[0] == 304


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt", f"{STORE}/../secret.txt", f"{STORE}/%2e%2e/secret.txt", f"{STORE}/..%2fsecret.txt",
        f"{STORE}/link.txt", f"{STORE}/way-out/secret.txt", f"{STORE}/way-out/nusetd.sqlite", "//etc/passwd",
        "/nusetd.sqlite", f"{STORE}/0/../zarr.json", f"{STORE}/%00", f"{STORE}/..\\secret.txt", STORE, f"{STORE}/0",
        f"{STORE}/" + "a" * 5000, "/%ff%fe", f"{STORE}//zarr.json",
    ],
)  # fmt: skip
def test_nothing_else_is_given_out(server: StoreServer, path: str) -> None:
    status, _, content = ask(server, path)
    assert status == 404
    assert b"secret" not in content


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(["..", ".", "", "/", "%2f", "%2e%2e", "secret.txt", "way-out", "0", "\\", "%5c", "~"])))
def test_no_address_leads_out_of_a_store(output: Path, parts: list[str]) -> None:
    served = known_stores(f"sqlite:///{output}/nusetd.sqlite")
    found = served.file("/".join([STORE, *parts]))
    assert found is None or found.is_relative_to(output / "embryo 1.ome.zarr")


def test_an_image_by_reference_shows_the_arrays_of_its_source_and_nothing_else(tmp_path: Path) -> None:
    folder, source = tmp_path / "out", tmp_path / "in" / "raw.ome.zarr"
    folder.mkdir()
    (source / "full/0").mkdir(parents=True)
    (source / "full/0/0").write_bytes(b"pixels")
    (source / "notes").write_text("secret")
    (source.parent / "secret").write_text("secret")
    image = replace(acquisition(pixels(*SIZE), name="raw"), source_path=source)
    with Catalog.open(folder) as catalog:
        store = Path(str(register(catalog, image, output=folder).zarr_path))
    store.mkdir()
    served = ServedStores(f"sqlite:///{folder}/nusetd.sqlite")
    os.symlink(source / "full", store / "0")
    assert served.file("/raw.ome.zarr/0/0/0") == source / "full/0/0"
    os.symlink(source.parent / "secret", source / "full/leak")  # the source turns hostile after it was linked
    os.symlink(source.parent, source / "full/up")
    os.symlink("/etc", store / "1")
    os.symlink(source, store / "2")
    for address in ("0/leak", "0/up/secret", "1/passwd", "1/hostname", "2/notes"):
        assert served.file(f"/raw.ome.zarr/{address}") is None
    (store / "0").unlink()
    (source / "full").rename(source / "moved")
    os.symlink("/etc", source / "full")  # what was linked becomes a link itself
    os.symlink(source / "full", store / "0")
    assert served.file("/raw.ome.zarr/0/passwd") is None


def test_files_cannot_be_written(server: StoreServer, output: Path) -> None:
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        assert ask(server, f"{STORE}/zarr.json", method, Content_Length="0")[0] == 403
    assert (output / "embryo 1.ome.zarr/zarr.json").exists()


def test_it_listens_on_loopback_only_and_a_taken_port_is_one_sentence(server: StoreServer, output: Path) -> None:
    assert server.base.startswith("http://127.0.0.1:")
    with pytest.raises(DaemonError, match="choose another with --port"):
        StoreServer(f"sqlite:///{output}/nusetd.sqlite", PageServices(), server.port)


@given(st.binary(max_size=40), st.text("0123456789-", max_size=8))
def test_a_part_is_what_it_asks_for_or_nothing(content: bytes, asked: str) -> None:
    span: Any = part(f"bytes={asked}", len(content))
    if span is not None:
        first, end = span
        assert 0 <= first < end <= len(content)
        low, _, high = asked.partition("-")
        if low:
            assert first == int(low)
            assert not high or end == min(len(content), int(high) + 1)
        else:
            assert content[first:end] == content[-int(high) :]
