"""The page's process ends within seconds of a signal, whatever its visitors do and wherever its threads are."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cases import family
from cases.live_page import LivePage

ENDS_WITHIN_S = 5.0
LARGE = 32 * 2**20
ONE = "/api/acquisitions/1"
PATIENCE_S = 60.0


pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for open files in /proc")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`, with a file in its store that fills every buffer of a connection."""
    folder = family.fill(tmp_path_factory.mktemp("ends"))
    [store] = folder.glob("*.ome.zarr")
    (store / "large").write_bytes(bytes(LARGE))
    return folder


@contextmanager
def page_of(results: Path) -> Iterator[tuple[subprocess.Popen[str], LivePage]]:
    """`nusetd page` as people start it, once it answers."""
    command = [sys.executable, "-m", "daemon.cli", "page", "--database", str(results), "--listen", "127.0.0.1:0"]
    command += ["--jobs", str(results.parent / "jobs")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        page = LivePage(process.stdout.readline().strip())
        assert page.ask("/api/overview").code == 200
        yield process, page
    finally:
        process.kill()
        process.communicate()


def sent(page: LivePage, what: str) -> socket.socket:
    """A connection on which that was sent; nothing is read from it."""
    host = urlsplit(page.address)
    line = socket.create_connection((host.hostname, host.port or 80))
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.sendall(what.replace("HOST", host.netloc).encode())
    return line


def get(path: str) -> str:
    """A request."""
    return f"GET {path} HTTP/1.1\r\nHost: HOST\r\n\r\n"


def ends(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal; the process ends in time, and says nothing of faults. What it said."""
    begun = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - begun < ENDS_WITHIN_S
    assert process.returncode == 0
    assert "Traceback" not in said
    return said


def waited(what: str, reached: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def opened(process: subprocess.Popen[str], file: Path) -> int:
    """How many times it has a file open."""
    count = 0
    for one in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):
            count += os.readlink(one) == str(file)
    return count


def test_whatever_visitors_have_open_is_cut(results: Path) -> None:
    [store] = results.glob("*.ome.zarr")
    with page_of(results) as (process, page), ExitStack() as lines:
        job = page.order("draft").json["job"]
        headers = "Host: HOST\r\nX-Nusetd-Order: 1\r\nContent-Length: 1000000\r\n\r\n"
        begun = [
            *[get("/api/events")] * 5,  # which nobody reads
            get("/api/follow?from=0&events=1"),
            *[get(f"/{store.name}/large")] * 3,  # downloads that nobody reads on
            f"POST /api/uploads/{job}?name=a.tif HTTP/1.1\r\n{headers}II",
            f"POST /api/orders/retry HTTP/1.1\r\n{headers}{{",
            "GET /api/over",  # a request that is not whole
            "",  # none yet
        ]
        sockets = [lines.enter_context(closing(sent(page, one))) for one in begun]
        for one in sockets[:9]:
            one.recv(1, socket.MSG_PEEK)
        waited("three downloads", lambda: opened(process, store / "large") == 3)
        waited("an upload", lambda: bool(list(results.parent.glob("jobs/*/images/.*.part"))))
        ends(process, signal.SIGTERM)
        assert not list(results.parent.glob("jobs/*/images/.*.part"))


@contextmanager
def unreadable_image(results: Path) -> Iterator[Path]:
    """Chunks that are opened and never read, as on a share that hangs; one of them."""
    [store] = results.glob("*.ome.zarr")
    chunks = [path for path in (store / "0").rglob("*") if path.is_file() and path.name.isdecimal()]
    kept = {path: path.read_bytes() for path in chunks}
    for path in chunks:
        path.unlink()
        os.mkfifo(path)
    try:
        yield next(path for path in chunks if path.relative_to(store / "0").parts[0] == "1")
    finally:
        for path, content in kept.items():
            path.unlink()
            path.write_bytes(content)


@contextmanager
def locked_database(results: Path) -> Iterator[Path]:
    """A database that nobody can read for now."""
    file = results / "nusetd.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        yield file


@pytest.mark.long  # `.ci/run` runs it once
def test_no_thread_that_waits_for_a_share_holds_it(results: Path) -> None:
    with unreadable_image(results) as chunk, page_of(results) as (process, page), ExitStack() as lines:
        lines.enter_context(closing(sent(page, get(f"{ONE}/image.png?t=1&z=0&c=0"))))
        held: list[int] = []

        def is_read() -> bool:
            with suppress(OSError):
                held.append(os.open(chunk, os.O_WRONLY | os.O_NONBLOCK))
            return bool(held)

        waited("the chunk to be read", is_read)
        assert "a disk" in ends(process, signal.SIGINT)
        os.close(held[0])


@pytest.mark.long  # `.ci/run` runs it once
def test_no_thread_that_waits_for_the_database_holds_it(results: Path) -> None:
    with page_of(results) as (process, page), locked_database(results) as file, ExitStack() as lines:
        lines.enter_context(closing(sent(page, get(f"{ONE}/counts"))))
        waited("the database to be read", lambda: opened(process, file) > 0)
        assert "a database" in ends(process, signal.SIGTERM)
