"""Passwords of databases: read as people write them, out of a file where one is named, and never shown, not in part."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from storage.connection.database_url import parsed, safe_url
from storage.connection.engine import reading_engine, writing_engine
from storage.errors import DatabaseUnavailableError

PASSWORDS = ["q1", "q1@q2", "@", "q1@q2@q3", "q1@q2:q3/q4", "q1:q2@q3:12", "q1@q2?q3", "q1%", "q1#@q2"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+pg8000", "no-such-thing"])
def test_no_part_of_a_password_is_shown(scheme: str, password: str) -> None:
    shown = safe_url(f"{scheme}://lab:{password}@host.example/nuclei")
    assert shown == f"{scheme}://lab:***@host.example/nuclei"


def test_what_has_no_password_is_shown_whole() -> None:
    for url in (
        "sqlite:////a@b:c/nusetd.sqlite",
        "postgresql://lab@host/x",
        "postgresql://host/x",
        "plain.sqlite",
    ):
        assert safe_url(url) == url
    named = "postgresql://lab@host/x?password_file=/run/credentials/nusetd.service/database"
    assert safe_url(named) == named
    assert safe_url("postgresql://lab@host/x?password=secret&ssl=1") == "postgresql://lab@host/x?password=***&ssl=1"


@pytest.mark.parametrize("password", ["simple", "p@ss", "@", "a@b@c", "p@ss:w/rd", "se@cret:123"])
def test_a_password_with_an_at_sign_is_read(password: str) -> None:
    url = parsed(f"postgresql://lab:{password}@host.example:5433/nuclei?application_name=x")
    assert (url.username, url.password, url.host, url.port) == ("lab", password, "host.example", 5433)
    assert url.database == "nuclei"
    assert parsed("postgresql://lab:p%40ss@host/x").password == "p@ss"


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("form", ["no-such-thing://lab:{}@h/x", "postgresql://lab:{}@h:port/x"])
def test_what_cannot_be_opened_is_told_without_it(form: str, password: str) -> None:
    with pytest.raises(DatabaseUnavailableError) as raised:
        writing_engine(form.format(password)).connect()
    whole = "".join(traceback.format_exception(raised.value)).rpartition("DatabaseUnavailableError: ")[2]
    assert "lab:***@" in whole
    assert re.search(r"q\d", whole) is None


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_whatever_a_password_is(password: str) -> None:
    assert safe_url(f"postgresql://lab:{password}@h/x") == "postgresql://lab:***@h/x"


def _asked(url: str, opened: Any) -> dict[str, Any]:
    """What a driver would be given for a connection."""
    engine, given = opened(url), {}

    def refuse(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        given.update(named)
        raise ConnectionRefusedError

    event.listen(engine, "do_connect", refuse)
    try:
        with pytest.raises(ConnectionRefusedError):
            engine.connect()
    finally:
        event.remove(engine, "do_connect", refuse)
        engine.dispose()
    return given


@pytest.mark.parametrize("opened", [writing_engine, reading_engine])
def test_a_password_comes_from_a_file_and_is_nowhere_else(tmp_path: Path, opened: Any) -> None:
    pytest.importorskip("pg8000", reason="PostgreSQL needs nusetd[postgresql]")
    file = tmp_path / "password"
    file.write_text("p@ss word\n")
    url = f"postgresql://lab@127.0.0.1/x?password_file={file}"
    given = _asked(url, opened)
    assert given == {"user": "lab", "host": "127.0.0.1", "database": "x", "password": "p@ss word"}
    assert "p@ss" not in repr(opened(url).url.render_as_string(hide_password=False))
    file.write_text("new")
    assert _asked(url, opened)["password"] == "new"  # a connection that is made later reads it anew


def test_a_file_without_a_password_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pg8000", reason="PostgreSQL needs nusetd[postgresql]")
    with pytest.raises(DatabaseUnavailableError, match=r"cannot be read from .*absent \(No such file"):
        writing_engine(f"postgresql://lab@127.0.0.1/x?password_file={tmp_path}/absent").connect()
