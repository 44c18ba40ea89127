"""No route of the page is open to who should not ask, and none changes anything without a record of who it was."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cases import family
from cases.live_page import LivePage, live_page
from starlette.routing import BaseRoute, Mount, Route

from daemon.orders.page_services import PageServices
from daemon.page.live.app import make_app
from daemon.page.live.guard import Visitors
from daemon.page.live.jobs.job_orders import JobRules
from daemon.page.live.orders.changing import CHANGES_NOTHING, LARGEST_BODY, MARK
from storage import naming
from storage.query.recorded_changes import latest_changes
from storage.query.snapshots import snapshot

TOKEN = "a word that is long enough"
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
FILES = {"/api/uploads/1"}
"""Those that take files, not orders; what they refuse is tested with uploads."""

ORDERS = ("retry", "submit", "forget", "dismiss", "settings", "again", "correct", "undo")
OF_ACQUISITIONS = [*(f"/api/orders/{what}" for what in ORDERS), "/api/trials", "/api/trials/1/stop", "/api/movies"]
ORDER = {"X_Nusetd_Order": "1"}
OTHERS = ({"Origin": "https://evil.example"}, {"Origin": "null"},
          {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, {"Host": "evil.example"})  # fmt: skip


def routes() -> list[BaseRoute]:
    """Every route of the application."""
    return list(
        make_app("sqlite:///none", PageServices(), Visitors(), threading.Event(), JobRules(Path("none"))).routes
    )


def addresses(changing: bool) -> list[str]:
    """An address of each route that does, or does not, change something."""
    found = []
    for route in routes():
        methods = (route.methods or set()) if isinstance(route, Route) else {"GET"}
        assert isinstance(route, Route | Mount), route
        if bool(methods & CHANGING) == changing:
            text = route.path + ("/main.js" if isinstance(route, Mount) else "")
            text = text.replace("{store:store}", f"{family.NAME}.ome.zarr")
            found.append(re.sub(r"{[^}]*}", "1", text))
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database."""
    return family.fill(tmp_path_factory.mktemp("guarded"))


@pytest.fixture(scope="module")
def page(results: Path) -> Iterator[LivePage]:
    """Its page."""
    with live_page(results) as made:
        yield made


def count(results: Path) -> int:
    """How much is in the record."""
    with snapshot(naming.database_url(results)) as connection:
        return len(latest_changes(connection, 1000))


def test_there_are_routes_of_both_kinds() -> None:
    assert {"/api/orders/retry", "/api/orders/forget"} <= set(addresses(changing=True))
    assert {"/", "/api/overview", "/api/files", "/api/acquisitions/1/image.png"} <= set(addresses(changing=False))


def test_each_route_that_changes_something_is_recorded() -> None:
    changing = [route for route in routes() if isinstance(route, Route) and (route.methods or set()) & CHANGING]
    unrecorded = [route for route in changing if not getattr(route.endpoint, MARK, None)]
    assert [route.path for route in unrecorded if not getattr(route.endpoint, CHANGES_NOTHING, None)] == []
    computing = {f"/api/{what}{rest}" for what in ("trials", "movies") for rest in ("", "/{number:int}/stop")}
    assert {route.path for route in unrecorded} == computing


@pytest.mark.parametrize("path", addresses(changing=False))
def test_others_read_nothing(page: LivePage, path: str) -> None:
    for headers in OTHERS:
        answer = page.ask(path, **headers)
        assert answer.code in (403, 421), (path, headers)
        assert family.NAME.encode() not in answer.body


@pytest.mark.parametrize("path", addresses(changing=True))
def test_others_order_nothing(page: LivePage, results: Path, path: str) -> None:
    before, order = count(results), {"acquisition": 1, "name": family.NAME}
    for headers in OTHERS:
        assert page.ask(path, "POST", order, **ORDER, **headers).code in (403, 421), headers
    assert page.ask(path, "POST", order).code == 403, "a form of another page cannot send our header"
    assert page.ask(path, "GET").code == 405 or path == "/api/movies", "what there is is read there"
    assert count(results) == before


@pytest.mark.parametrize("path", addresses(changing=True))
def test_a_page_that_is_read_only_takes_no_order(results: Path, path: str) -> None:
    before = count(results)
    with live_page(results, Visitors(read_only=True)) as closed:
        answer = closed.ask(path, "POST", {"acquisition": 1, "name": family.NAME}, **ORDER)
        assert (answer.code, b"read only" in answer.body) == (403, True)
        assert closed.ask("/api/overview").json["read_only"] is True
    assert count(results) == before


def test_without_the_token_no_route_answers(results: Path) -> None:
    with live_page(results, Visitors(tokens={"anna": TOKEN, "ben": f"{TOKEN}."})) as closed:
        for path in addresses(changing=False):
            assert closed.ask(path).code == 401, path
            assert closed.ask(f"{path}?token=wrong").code == 401, path
        for path in addresses(changing=True):
            assert closed.ask(path, "POST", {}, **ORDER).code == 401, path
        assert closed.ask("/", Authorization=f"Bearer {TOKEN}").code == 200
        assert closed.ask(f"//evil.example?token={quote(TOKEN)}").headers["location"] == "/"


@pytest.mark.parametrize("path", [path for path in addresses(changing=True) if path not in FILES])
def test_an_order_is_small_and_an_object(page: LivePage, results: Path, path: str) -> None:
    before = count(results)
    assert page.ask(path, "POST", "x" * LARGEST_BODY, **ORDER).code == 413
    for wrong in ([1], "text", 7, None):
        assert page.ask(path, "POST", wrong, **ORDER).code == 400
    assert count(results) == before


@pytest.mark.parametrize("path", OF_ACQUISITIONS)
def test_an_order_names_an_acquisition_that_is_there(page: LivePage, results: Path, path: str) -> None:
    before = count(results)
    for wrong in ("1; --", True, -1, 1.5, None, 10**30):
        answer = page.ask(path, "POST", {"acquisition": wrong}, **ORDER)
        assert answer.code == 400
        assert "id" in answer.json["error"]
    assert page.ask(path, "POST", {"acquisition": 99}, **ORDER).code == 404
    assert count(results) == before
