"""The live page over HTTP: its numbers and pictures are those of the results, and it answers only whom it should."""

from __future__ import annotations

import gzip
import io
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from cases import family
from cases.live_page import LivePage, live_page
from PIL import Image

import storage
from daemon import cli
from daemon.configuration.page import PageConfig
from daemon.errors import DaemonError
from daemon.page import neuroglancer
from daemon.page.live.guard import Visitors
from daemon.page.live.pictures import grey_png, labels_png, levels_of
from daemon.page.live.server import listen
from storage.database.catalog import Catalog

ONE = "/api/acquisitions/1"
TOKEN = "a word that is long enough"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`."""
    return family.fill(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def page(results: Path) -> Iterator[LivePage]:
    """Its page."""
    with live_page(results) as made:
        yield made


def decoded(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


def read_labels(png: bytes) -> np.ndarray:
    return decoded(png).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)


def test_the_overview_is_what_the_commands_say(page: LivePage, results: Path) -> None:
    found = page.ask("/api/overview").json
    table = storage.open(results).acquisitions()
    [one] = found["acquisitions"]
    assert (one["name"], one["state"]) == (family.NAME, "complete")
    assert one["nuclei_count"] == int(table["nuclei_count"].iloc[0])
    assert one["divisions"] == len(storage.open(results)[family.NAME].divisions())
    assert one["last_t"] == 5
    assert found["lines"][0].startswith("service")
    assert found["read_only"] is False


def test_tables_are_those_of_the_database(page: LivePage, results: Path) -> None:
    mine = storage.open(results)[family.NAME]
    rows = page.ask(f"{ONE}/nuclei?t=3").json
    assert rows["columns"]["track_id"] == mine.nuclei(t=3)["track_id"].tolist()
    assert rows["columns"]["channel_1_mean"] == mine.nuclei(t=3)["channel_1_mean"].tolist()
    assert rows["more"] is False
    where = quote("score < 0.8")
    assert page.ask(f"{ONE}/nuclei?t=3&where={where}").json["columns"]["track_id"] == [6]
    course = page.ask(f"{ONE}/nuclei?track=2").json["columns"]
    assert course["t"] == mine.nuclei(track=2)["t"].tolist()
    lineage = page.ask(f"{ONE}/tracks").json["columns"]
    assert dict(zip(lineage["track_id"], lineage["parent_track_id"], strict=True)) == family.PARENTS
    counts = page.ask(f"{ONE}/counts").json
    assert counts["nuclei_count"] == mine.counts()["nuclei_count"].tolist()
    assert sum(counts["divisions"]) == len(mine.divisions())


def test_plots_are_those_of_the_command(page: LivePage) -> None:
    answer = page.ask(f"{ONE}/plot.svg?picture=nuclei&t=2")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "2 nuclei at t = 2" in answer.body.decode()
    assert decoded(page.ask(f"{ONE}/plot.png?picture=counts").body).shape[1] > 1000
    assert page.ask(f"{ONE}/plot.png?picture=pie").code == 400
    assert page.ask(f"{ONE}/plot.png?picture=nuclei&t=77").code == 409


@pytest.mark.parametrize("view", ["slice", "top", "side"])
def test_pictures_are_the_arrays(page: LivePage, results: Path, view: str) -> None:
    mine = storage.open(results)[family.NAME]
    labels, image = mine.labels()[2].compute(), mine.image()[2, 1].compute()
    flat = {"slice": lambda a: a[1], "top": lambda a: a.max(0), "side": lambda a: a.max(1)}[view]
    asked = f"t=2&z=1&c=1&view={view}"
    np.testing.assert_array_equal(read_labels(page.ask(f"{ONE}/labels.png?{asked}").body), flat(labels))
    seen = decoded(page.ask(f"{ONE}/image.png?{asked}&low=0&high=255").body)
    np.testing.assert_allclose(seen, flat(image), atol=1)


def test_labels_of_every_size_come_back_from_their_colours() -> None:
    labels = np.array([[0, 1, 255], [256, 65535, 65536], [70000, 2**24 - 2, 2**24 - 1]])
    np.testing.assert_array_equal(read_labels(labels_png(labels)), labels)


def test_grey_values_go_from_black_to_white_and_nothing_breaks_them() -> None:
    plane = np.array([[0.0, 10.0, 20.0], [30.0, np.nan, np.inf]])
    assert decoded(grey_png(plane, (10.0, 20.0))).tolist() == [[0, 0, 255], [255, 0, 255]]
    assert decoded(grey_png(np.full((2, 2), 7.0), (7.0, 7.0))).tolist() == [[0, 0], [0, 0]]
    assert levels_of(np.full((2, 2), np.nan)) == (0.0, 1.0)


def test_a_thumbnail_shows_outlines_in_place(page: LivePage, results: Path) -> None:
    picture = decoded(page.ask(f"{ONE}/thumbnail.png?t=5").body)
    labels = storage.open(results)[family.NAME].labels()[5].compute().max(0)
    outlined = np.all(picture == (0, 224, 255), axis=-1)
    assert outlined.any()
    assert not outlined[labels == 0].any()


@pytest.mark.parametrize(
    ("path", "code", "sentence"),
    [
        ("/api/acquisitions/99", 404, "99"),
        (f"{ONE}/nuclei?t=x", 400, "'x' is no whole number"),
        (f"{ONE}/nuclei?where=volume", 400, "volume"),
        (f"{ONE}/nuclei?where={quote('colour > 3')}", 400, "colour"),
        (f"{ONE}/image.png?t=0&z=9", 404, "no slice 9"),
        (f"{ONE}/image.png?t=6", 404, "no time point 6"),
        (f"{ONE}/image.png?t=0&c=7", 404, "channel 7"),
        (f"{ONE}/labels.png?t=6", 404, "not published yet"),
        (f"{ONE}/image.png?view=inside", 400, "'inside' is no view"),
        (f"{ONE}/image.png?low=nan", 400, "'nan' is no number"),
        (f"{ONE}/image.png?t={'9' * 5000}", 400, "no whole number"),
        (f"{ONE}/nuclei?track=77", 400, "77"),
        ("/api/nothing", 404, "nothing under this address"),
        ("/static/../app.py", 404, "nothing under this address"),
        ("/static/%2e%2e/app.py", 404, "nothing under this address"),
    ],
)
def test_what_is_not_there_is_a_sentence(page: LivePage, path: str, code: int, sentence: str) -> None:
    answer = page.ask(path)
    assert answer.code == code
    assert sentence in answer.json["error"]


def test_stores_are_given_out_whole_and_in_parts(page: LivePage, results: Path) -> None:
    name = f"/{family.NAME}.ome.zarr"
    whole = page.ask(f"{name}/.zattrs")
    assert whole.body == (results / f"{family.NAME}.ome.zarr" / ".zattrs").read_bytes()
    assert page.ask(f"{name}/.zattrs", Range="bytes=3-9").body == whole.body[3:10]
    assert page.ask(f"{name}/.zattrs", Range="bytes=3-9").code == 206
    assert page.ask(f"{name}/.zattrs", Range="bytes=999999-").code == 416
    assert page.ask(f"{name}/.zattrs", If_None_Match=whole.headers["etag"]).code == 304
    for wrong in (
        "/none.ome.zarr/.zattrs",
        f"{name}/../nusetd.sqlite",
        f"{name}/%2e%2e/nusetd.sqlite",
        "/.ome.zarr/",
    ):
        assert page.ask(wrong).code == 404, wrong


def test_long_answers_are_compressed_for_those_who_take_it(page: LivePage) -> None:
    plain, packed = page.ask(f"{ONE}/nuclei"), page.ask(f"{ONE}/nuclei", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < 0.5 * len(plain.body)


@pytest.mark.skipif(neuroglancer.client_folder() is None, reason=neuroglancer.MISSING)
def test_the_viewer_is_here_with_a_policy_of_its_own(page: LivePage) -> None:
    opened = page.ask(f"/neuroglancer/{family.NAME}.ome.zarr")
    assert opened.code == 302
    assert quote(f"zarr://{page.address}/{family.NAME}.ome.zarr", safe="") in opened.headers["location"]
    client = page.ask(opened.headers["location"].partition("#")[0])
    assert client.code == 200
    assert "unsafe-eval" in client.headers["content-security-policy"]
    assert page.ask("/neuroglancer/none").code == 404
    assert page.ask(ONE).json["viewer"] == f"/neuroglancer/{family.NAME}.ome.zarr"


def test_only_the_page_itself_may_ask_under_its_own_name(page: LivePage) -> None:
    assert page.ask("/api/overview", Host="evil.example").code == 421
    assert page.ask("/api/overview", Origin="https://evil.example").code == 403
    assert page.ask("/api/overview", Origin="null").code == 403
    assert page.ask("/api/overview", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").code == 403
    assert page.ask("/api/overview", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").code == 200
    assert page.ask("/api/overview", Origin=page.address).code == 200
    assert page.ask("/", Host=f"localhost:{urlsplit(page.address).port}").code == 200


def test_every_answer_forbids_what_is_not_from_here(page: LivePage) -> None:
    for path in ("/", "/static/main.js", "/api/overview", "/api/nothing"):
        headers = page.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_with_a_token_only_those_who_know_it_are_let_in(results: Path) -> None:
    with live_page(results, Visitors(tokens={"anna": TOKEN})) as page:
        assert page.ask("/").code == 401
        assert page.ask("/api/overview?token=wrong").code == 401
        entered = page.ask(f"/?token={quote(TOKEN)}")
        assert entered.code == 303
        assert TOKEN not in entered.headers["location"]
        cookie = entered.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
        assert page.ask("/api/overview", Cookie=cookie.split(";")[0]).code == 200
        assert page.ask("/api/overview", Authorization=f"Bearer {TOKEN}").code == 200
        assert page.ask("/api/overview", Cookie="nusetd_token=wrong").code == 401


def test_addresses_that_others_reach_need_a_token_and_tls(tmp_path: Path) -> None:
    reached = PageConfig(listen="0.0.0.0:0")
    with pytest.raises(DaemonError, match="can be reached from other computers"):
        listen(reached)
    with pytest.raises(DaemonError, match="could be read on the way"):
        listen(replace(reached, token_file=tmp_path))
    with pytest.raises(DaemonError, match="through a proxy"):
        listen(PageConfig(listen="127.0.0.1:0", host_names=("scope.example",)))
    for right in ({"behind_proxy": True}, {"tls_certificate": tmp_path, "tls_key": tmp_path}):
        listen(replace(reached, token_file=tmp_path, **right)).socket.close()  # type: ignore[arg-type]
    for wrong in ("8765", "127.0.0.1:", "127.0.0.1:99999", ":8765"):
        with pytest.raises(DaemonError, match="is no address"):
            listen(PageConfig(listen=wrong))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DaemonError, match="cannot be listened on"):
            listen(PageConfig(listen=f"127.0.0.1:{taken.getsockname()[1]}"))


def test_wrong_use_is_a_sentence(tmp_path: Path, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = tmp_path / "token"
    short.write_text("short")
    assert cli.main(["page", "--database", str(tmp_path / "none")]) == 1
    assert "There is no database" in capsys.readouterr().err
    assert cli.main(["page", "--database", str(results), "--token-file", str(short)]) == 2
    assert "16 at least" in capsys.readouterr().err
    assert cli.main(["page", "--database", str(results), "--token-file", str(tmp_path / "no")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_change_is_told_within_two_seconds(tmp_path: Path) -> None:
    with Catalog.open(family.fill(tmp_path)) as catalog, live_page(tmp_path) as page:
        host = urlsplit(page.address).netloc
        line = socket.create_connection(("127.0.0.1", urlsplit(page.address).port or 0), timeout=10)
        line.sendall(f"GET /api/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert b"text/event-stream" in _until(line, b"event: change", 5)
        catalog.report({"state": "running"})
        started = time.monotonic()
        _until(line, b"event: change", 5)
        assert time.monotonic() - started < 2.0
        line.close()


def _until(line: socket.socket, wanted: bytes, limit_s: float) -> bytes:
    """What arrives, up to something."""
    seen, end = b"", time.monotonic() + limit_s
    while wanted not in seen:
        assert time.monotonic() < end, seen
        seen += line.recv(4096)
    return seen


def test_divisions_and_distributions_are_given(results: Path) -> None:
    with live_page(results) as page:
        found = page.ask("/api/acquisitions/1/divisions").json["columns"]
        assert found["track_id"] == [2, 3, 4, 5]
        assert found["parent_track_id"] == [1, 1, 3, 3]
        assert (found["first_t"], found["parent_last_t"]) == ([2, 2, 4, 4], [1, 1, 3, 3])
        picture = page.ask("/api/distribution.png?id=1&column=volume_um3")
        assert (picture.code, picture.body[:4]) == (200, b"\x89PNG")
        assert page.ask("/api/distribution.png").code == 400
        assert page.ask("/api/distribution.png?id=99").code == 404
