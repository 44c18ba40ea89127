"""Where the database may be, and who may write to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from storage.connection import availability
from storage.connection.filesystems import network_filesystem
from storage.database.catalog import Catalog
from storage.errors import DatabaseUnavailableError

MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/lab rw - cifs //server/lab rw
31 30 8:2 / /mnt/lab/local rw - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/with\\040space rw - nfs4 server:/x rw
33 22 8:3 / /mnt/over rw - nfs server:/y rw
34 22 8:3 / /mnt/over rw - ext4 /dev/sdc1 rw
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """A kernel's list of mounts."""
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/x.sqlite", None),
        ("/mnt/lab/x.sqlite", "cifs"),
        ("/mnt/laboratory/x.sqlite", None),
        ("/mnt/lab/not/yet/there/x.sqlite", "cifs"),
        ("/mnt/lab/local/x.sqlite", None),
        ("/mnt/with space/x.sqlite", "nfs4"),
        ("/mnt/over/x.sqlite", None),
    ],
)
def test_network_shares_are_recognised(mounts: Path, path: str, kind: str | None) -> None:
    assert network_filesystem(Path(path), mounts) == kind


def test_without_a_list_of_mounts_every_disk_is_local(tmp_path: Path) -> None:
    assert network_filesystem(tmp_path, tmp_path / "absent") is None


def test_a_database_on_a_share_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "network_filesystem", lambda path: "nfs4")
    with pytest.raises(DatabaseUnavailableError, match=r"network share \(nfs4\).*local disk"):
        Catalog.open(tmp_path / "x.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused_until_the_first_closes(tmp_path: Path) -> None:
    with Catalog.open(tmp_path), pytest.raises(DatabaseUnavailableError, match="Another nusetd"):
        Catalog.open(tmp_path)
    Catalog.open(tmp_path).close()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    program = (
        f"import os; from storage.database.catalog import Catalog; c = Catalog.open({str(tmp_path)!r}); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    Catalog.open(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailableError, match="cannot be made"):
        Catalog.open(tmp_path / "file" / "x.sqlite")


@pytest.mark.parametrize("url", ["mystery://x", "://"])
def test_a_url_of_no_known_database_is_one_sentence(url: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="is not a database that can be opened"):
        Catalog.open(url)


def test_a_server_without_a_user_is_said() -> None:
    with pytest.raises(DatabaseUnavailableError, match="names no user"):
        Catalog.open("postgresql://127.0.0.1:1/results")
