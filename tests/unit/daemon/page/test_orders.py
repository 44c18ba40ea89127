"""What is ordered on the page: it reaches the service as a command's order does, and who it was is written down."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cases import family
from cases.live_page import LivePage, live_page

from daemon.errors import UsageError
from daemon.monitoring.report import Report, RootReport
from daemon.page.live.guard import Visitors
from daemon.page.live.orders.given import given_facts
from daemon.page.live.orders.visitor import account_of
from daemon.page.live.tokens import EVERYBODY, read_tokens
from storage.database.catalog import Catalog
from storage.errors import WrongRequestError
from storage.given_facts import GivenFacts

TOKEN = "a word that is long enough"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family."""
    return family.fill(tmp_path_factory.mktemp("filled"))


@pytest.fixture
def results(filled: Path, tmp_path: Path) -> Path:
    """A copy of it, and a source beside it that was set aside."""
    folder = Path(shutil.copytree(filled, tmp_path / "out"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.tif").write_bytes(b"no image")
    (tmp_path / "in" / "way-out").symlink_to("/etc")
    with Catalog.open(folder) as catalog:
        catalog.set_aside_source(tmp_path / "in" / "broken.tif", "<b>broken", "It is cut: copy it again.")
        report(catalog, tmp_path / "in")
    return folder


def report(catalog: Catalog, watched: Path, state: str = "stopped") -> None:
    """Say what a service says of itself."""
    root = RootReport(str(watched), str(watched.parent / "out"), True, "2026-01-01")
    said = Report(state, os.getpid(), socket.gethostname(), "1", "2026-01-01", 10.0, roots=(root,))
    catalog.report(said.as_dict())


@contextmanager
def service(results: Path, answer: str = "it is done.", accepted: bool = True) -> Iterator[list[Any]]:
    """A service that answers whatever is asked of it; gives what it was asked."""
    over, asked = threading.Event(), list[Any]()
    with Catalog.open(results) as catalog:
        report(catalog, results.parent / "in", "running")

        def work() -> None:
            while not over.wait(0.02):
                for one in catalog.requests.unanswered():
                    asked.append(one)
                    catalog.requests.answer(one.id, accepted, answer)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield asked
        finally:
            over.set()
            thread.join()


def latest(page: LivePage) -> dict[str, Any]:
    """The newest line of the record."""
    return dict(page.ask("/api/overview").json["changes"][0])


def test_what_was_set_aside_is_told_with_its_reason_until_it_is_queued_again(results: Path) -> None:
    with live_page(results) as page:
        [one] = page.ask("/api/overview").json["set_aside"]["rows"]
        assert (one["name"], one["reason"], one["given"]) == ("<b>broken", "It is cut: copy it again.", {})
        assert one["source_path"].endswith("/in/broken.tif")
        answer = page.order("retry", acquisition=one["id"])
        assert answer.json == {"said": "It is queued again; no service runs now: the next one takes it up."}
        assert "Nothing of it was set aside" in page.order("retry", acquisition=1).json["said"]
        with Catalog.open(results) as catalog:
            assert catalog.acquisition(2).state.value != "set_aside"
        assert page.ask("/api/overview").json["set_aside"] == {"rows": [], "more": False}


def test_problems_can_be_told_no_more(results: Path) -> None:
    with live_page(results) as page:
        assert page.ask("/api/overview").json["problems"]
        assert page.order("dismiss", acquisition=2).json["said"] == "Its problems are told no more."
        found = page.ask("/api/overview").json
        assert (found["problems"], found["set_aside"]["rows"]) == ([], [])
        assert "no problem" in page.order("dismiss", acquisition=1).json["said"]


def test_a_source_is_submitted_with_the_facts_that_a_person_gives(results: Path) -> None:
    facts = {"axes": "tyx", "voxel_um": "2, 0.3, 0.3", "interval_s": "60", "channel": "DAPI"}
    source = str(results.parent / "in" / "broken.tif")
    with live_page(results) as page:
        answer = page.order("submit", acquisition=2, **facts)
        assert answer.json["said"] == "It is noted; no service runs now: it is taken when one does."
        told = latest(page)
        assert (told["what"], told["subject"], told["accepted"]) == ("submit", source, None)
        with service(results, f"{source} is taken as it is now.") as asked:
            assert page.order("submit", path=source).json["said"] == f"{source} is taken as it is now."
            first, second = asked
        assert (first.path, second.path) == (source, source)
        assert first.given == GivenFacts("TYX", (2.0, 0.3, 0.3), None, 60.0, "DAPI")
        assert not second.given
        changes = page.ask("/api/overview").json["changes"]
        assert [one["accepted"] for one in changes] == [True, True], "the answer came to the record later"
        assert changes[1]["facts"]["axes"] == "TYX"
        with service(results, "It is in none of the folders.", accepted=False):
            refused = page.order("submit", path=source)
        assert (refused.code, refused.json["error"]) == (409, "It is in none of the folders.")
        assert latest(page)["accepted"] is False


def test_files_are_chosen_in_open_folders_only(results: Path) -> None:
    inside, wrong = results.parent / "in", ("/etc/hostname", "broken.tif", "", "\0", 7)
    outside = (inside / "none.tif", inside / ".." / "out" / "nusetd.sqlite", inside / "way-out" / "hostname")
    with live_page(results) as page:
        for path in (*wrong, *map(str, outside)):
            assert page.order("submit", path=path).code in (400, 409), path
        refused = page.order("submit", path=str(inside / "none.tif")).json["error"]
        assert str(inside) in refused, "what is open"
        assert "--folder FOLDER" in refused, "how more is opened"
        assert page.ask("/api/overview").json["changes"] == []
    with Catalog.open(results) as catalog:
        assert catalog.requests.unanswered() == []


def test_folders_are_looked_into_from_the_watched_and_the_named_ones(results: Path, tmp_path: Path) -> None:
    films = tmp_path / "films"
    (films / "day1").mkdir(parents=True)
    (films / "b.tif").touch()
    (films / ".hidden").touch()
    with live_page(results, folders=[films]) as page:
        top = page.ask("/api/files").json
        assert [one["path"] for one in top["entries"]] == [str(tmp_path / "in"), str(films)]
        inside = page.ask(f"/api/files?folder={films}").json
        assert [(one["name"], one["folder"]) for one in inside["entries"]] == [("day1", True), ("b.tif", False)]
        assert inside["above"] == ""
        assert page.ask(f"/api/files?folder={films}/day1").json["above"] == str(films)
        for wrong in (tmp_path, "/", "/etc", f"{films}/..", f"{tmp_path}/in/way-out", f"{films}/b.tif"):
            assert page.ask(f"/api/files?folder={wrong}").code == 409, wrong


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"axes": "ABC"}, "no order of axes"),
        ({"voxel_um": "wide"}, "no voxel size"),
        ({"voxel_um": "1,2,3,4"}, "no voxel size"),
        ({"interval_s": "-1"}, "no interval"),
        ({"interval_s": "1,2"}, "no interval"),
        ({"voxel_um": "nan"}, "no voxel size"),
    ],
)
def test_facts_that_cannot_be_are_refused(values: dict[str, str], told: str) -> None:
    with pytest.raises(WrongRequestError, match=told):
        given_facts(values)


def test_facts_are_taken_as_written() -> None:
    assert given_facts({}) == GivenFacts()
    assert given_facts({"channel": " 2 ", "axes": ""}) == GivenFacts(nuclear_channel=2)
    whatever = given_facts({"voxel_um": "0.3", "voxel_whatever_the_file_says": True})
    assert whatever == GivenFacts(voxel_size_override_um=(0.3,))


def test_forgetting_needs_the_name_and_a_service(results: Path) -> None:
    with live_page(results) as page:
        assert page.order("forget", acquisition=1).code == 400
        assert page.order("forget", acquisition=1, name="another").code == 400
        refused = page.order("forget", acquisition=1, name=family.NAME)
        assert (refused.code, "No service runs now" in refused.json["error"]) == (409, True)
        assert latest(page)["accepted"] is False
        with service(results, "embryo is forgotten.") as asked:
            answer = page.order("forget", acquisition=1, name=family.NAME, keep_files=True)
            assert answer.json["said"] == "embryo is forgotten."
        assert [(one.kind, one.path) for one in asked] == [("forget rows", "1")]
        assert latest(page)["facts"] == {"keep_files": True}


def test_who_it_was_is_the_account_or_the_name_of_the_token(results: Path) -> None:
    with live_page(results) as page:
        page.order("retry", acquisition=1)
        told = latest(page)
        assert (told["who"], told["via"], told["what"], told["subject"]) == (
            getpass.getuser(), "page", "retry", family.NAME,
        )  # fmt: skip
    with live_page(results, Visitors(tokens={"anna": TOKEN, "ben": f"{TOKEN}!"})) as page:
        headers = {"X_Nusetd_Order": "1", "Authorization": f"Bearer {TOKEN}!"}
        assert page.ask("/api/orders/retry", "POST", {"acquisition": 1}, **headers).code == 200
        changes = page.ask("/api/overview", Authorization=f"Bearer {TOKEN}").json["changes"]
        assert [one["who"] for one in changes] == ["ben", getpass.getuser()]


def test_an_order_that_fails_is_in_the_record_too(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from daemon.orders import page_services

    def broken(*_: object) -> None:
        raise UsageError("It cannot be.")

    monkeypatch.setattr(page_services, "ask_again", broken)
    with live_page(results) as page:
        answer = page.order("retry", acquisition=1)
        assert (answer.code, answer.json["error"]) == (409, "It cannot be.")
        assert (latest(page)["accepted"], latest(page)["outcome"]) == (False, "It cannot be.")


def test_an_account_is_found_by_its_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert account_of(client.getsockname()[1], port) == getpass.getuser()
            assert account_of(client.getsockname()[1], 1) is None
    assert account_of(1, 2, tmp_path) is None
    line = "0: 0100007F:0001 0100007F:0002 01 0:0 0:0 0 987654321 0"
    (tmp_path / "tcp").write_text(f"head\n{line}\n")
    assert account_of(1, 2, tmp_path) == "user 987654321"


def test_tokens_have_names_where_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# who may look\n\nanna: {TOKEN}\nben b.: {TOKEN}: more\n{TOKEN}\n")
    assert read_tokens(file) == {"anna": TOKEN, "ben b.": f"{TOKEN}: more", EVERYBODY: TOKEN}
    for wrong, told in (("", "no token"), ("anna: short", "16 at least"), (f"a: {TOKEN}\na: {TOKEN}", "two tokens")):
        file.write_text(wrong)
        with pytest.raises(UsageError, match=told):
            read_tokens(file)


def test_two_people_hear_of_each_other(results: Path) -> None:
    from storage.query.changes import change_mark
    from storage.query.snapshots import snapshot

    url = f"sqlite:///{results}/nusetd.sqlite"

    def mark() -> str:
        with snapshot(url) as connection:
            return change_mark(connection)

    with live_page(results) as page:
        before = mark()
        page.order("dismiss", acquisition=2)
        assert mark() != before
        before = mark()
        page.order("submit", acquisition=2)
        assert mark() != before
        before = mark()
        page.order("retry", acquisition=1)  # which changes nothing, but stands in the record
        assert mark() != before
        assert mark() == mark()
