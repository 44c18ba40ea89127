"""What lies neither beside the database nor in an output lies where the system keeps state, and stays there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.assembly import crash_record, worker_lock
from daemon.configuration import config
from daemon.errors import DaemonError
from daemon.installation.state_folder import state_folder
from daemon.processing.crash_record import SUFFIX

SERVER: Any = SimpleNamespace(url="postgresql+pg8000://lab@server/nuclei")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_folder_of_the_service_manager_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "xdg"))
    assert state_folder() == home / "xdg" / "nusetd"
    monkeypatch.setenv("STATE_DIRECTORY", f"{home / 'one'}:{home / 'two'}")
    assert state_folder() == home / "one"
    assert (home / "one").is_dir()


def test_without_any_it_is_the_one_of_the_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert state_folder() == home / ".local" / "state" / "nusetd"


def test_one_that_cannot_be_made_is_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    with pytest.raises(DaemonError, match=r"state cannot be made \(Not a directory\): set XDG_STATE_HOME"):
        state_folder()


def test_lock_and_crash_of_a_server_with_output_behind_a_url_lie_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(home / "state"))
    text = f'database = "{SERVER.url}"\n[[watch]]\npath = "in"\noutput = "memory://nuclei"\n'
    (home / "in").mkdir()
    given = config.parse(text, home / "nusetd.toml")
    with crash_record(SERVER, given.watch[0].output):
        crash = [path for path in (home / "state").iterdir() if path.name.endswith(SUFFIX)]
        assert len(crash) == 1
        assert str(worker_lock(SERVER, "memory://nuclei")) == f"{str(crash[0]).removesuffix(SUFFIX)}.worker.lock"


def test_they_lie_beside_a_database_in_a_file(home: Path) -> None:
    catalog: Any = SimpleNamespace(url=f"sqlite:///{home / 'nusetd.sqlite'}")
    assert str(worker_lock(catalog, home / "out")) == f"{home / 'nusetd.sqlite'}.worker.lock"
    assert not (home / ".local").exists()
