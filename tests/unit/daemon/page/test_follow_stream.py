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
from daemon.configuration.rules import RuleConfig
from daemon.page.live.committed import following
from daemon.page.live.guard import Visitors
from storage import naming
from storage.database.catalog import Catalog
from storage.query.following.event_rows import last_event
from storage.query.noticing.sendings import Sending
from storage.query.snapshots import snapshot


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


def test_rules_and_what_they_sent_are_told(page: LivePage, results: Path) -> None:
    content = {
        "committed_at": "2026-01-01T00:00:00.000Z", "source_t": 3, "found": {"label": 2, "track_id": 4},
        "offset_um": {"z": 0.0, "y": 1.5, "x": -2.0},
    }  # fmt: skip
    rule = RuleConfig("follow", "tracks", "track_id = 4", webhook="http://127.0.0.1:9/secret", command=("tell", "word"))
    with Catalog.open(results) as catalog, snapshot(naming.database_url(results)) as connection:
        catalog.report({"state": "stopped", "rules": [rule.told()]})
        sending = Sending("follow", last_event(connection), "next", 1, 3, content, "2026-01-01T00:01:00.000Z")
        catalog.rules.keep({}, [sending])
    told = page.ask("/api/rules").json
    assert [one["name"] for one in told["rules"]] == ["follow"]
    assert "secret" not in str(told)
    assert "word" not in str(told)
    [sent] = told["sent"]
    assert {name: sent[name] for name in ("rule", "action", "state", "track_id", "offset_y_um")} == {
        "rule": "follow", "action": "next", "state": "due", "track_id": 4, "offset_y_um": 1.5,
    }  # fmt: skip


def test_a_stream_is_guarded_as_all_is(results: Path) -> None:
    with live_page(results, Visitors(tokens={"anna": "a word that is long enough"})) as page:
        assert page.ask("/api/follow").code == 401
        assert streamed(page, 1, Authorization="Bearer a word that is long enough")
