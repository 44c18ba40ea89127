"""What is committed, as server-sent events of the page: the lines of `nusetd follow`, resumable, read once for many."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cases import family
from cases.live_page import LivePage, live_page

import storage
from daemon.page.live import following
from daemon.page.live.guard import Visitors
from storage.database.catalog import Catalog


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family.fill(tmp_path_factory.mktemp("followed"))


@pytest.fixture(scope="module")
def page(results: Path) -> Iterator[LivePage]:
    with live_page(results) as made:
        yield made


def streamed(page: LivePage, count: int, query: str = "from=start", **headers: str) -> list[tuple[str, dict[str, Any]]]:
    """The first messages of a stream: id and line."""
    found: list[tuple[str, dict[str, Any]]] = []
    with closing(http.client.HTTPConnection(urlsplit(page.address).netloc, timeout=30)) as connection:
        connection.request("GET", f"/api/follow?{query}", headers=headers)
        answer = connection.getresponse()
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        number = ""
        while len(found) < count:
            line = answer.readline().decode().rstrip("\n")
            if line.startswith("id: "):
                number = line[4:]
            elif line.startswith("data: "):
                found.append((number, json.loads(line[6:])))
    return found


def test_the_stream_says_what_follow_says_and_goes_on_where_it_was(page: LivePage, results: Path) -> None:
    lines = list(storage.open(results)[family.NAME].follow("start", until_now=True))
    found = streamed(page, len(lines), f"from=start&acquisition={family.NAME}")
    assert [line for _, line in found] == lines
    assert all(number == line["cursor"] for number, line in found)
    cut = len(lines) // 2
    again = streamed(page, len(lines) - cut - 1, "from=start", **{"Last-Event-ID": found[cut][0]})
    assert [line for _, line in again] == lines[cut + 1 :]


def test_what_comes_is_told_at_once_and_read_once_for_all(
    page: LivePage, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    read, ready = following.read, threading.Barrier(5)

    def counted(*arguments: Any) -> Any:
        reads.append(str(arguments[2]))
        return read(*arguments)

    monkeypatch.setattr(following, "read", counted)
    begun: list[Any] = []
    begin = following.begin

    def begins(*arguments: Any) -> Any:
        found = begin(*arguments)
        begun.append(found)
        return found

    monkeypatch.setattr(following, "begin", begins)
    told: list[Any] = []

    def listen() -> None:
        ready.wait()
        told.extend(streamed(page, 1, "events=1"))

    threads = [threading.Thread(target=listen) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    while len(begun) < 4:  # all of them follow
        threading.Event().wait(0.01)
    with Catalog.open(results) as catalog:
        catalog.events.alarm("bleached", family.NAME, "It bleaches.", {})
    for thread in threads:
        thread.join(20)
    assert [line["message"] for _, line in told] == ["It bleaches."] * 4
    assert len(reads) <= 5, "four who are equally far share what is read: without it there are eight"


def test_what_cannot_be_followed_is_said(page: LivePage) -> None:
    for query, code in (("from=x", 400), ("acquisition=nobody", 404), ("where=volumes > 3", 400)):
        answer = page.ask(f"/api/follow?{query.replace(' ', '%20')}")
        assert (answer.code, bool(answer.json["error"])) == (code, True)


def test_a_stream_is_guarded_as_all_is(results: Path) -> None:
    with live_page(results, Visitors(tokens={"anna": "a word that is long enough"})) as page:
        assert page.ask("/api/follow").code == 401
        assert streamed(page, 1, Authorization="Bearer a word that is long enough")
