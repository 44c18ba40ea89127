"""What the service manager is told."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.monitoring.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5.0)
        yield listener


def environment(listener: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": listener.getsockname(), **more}


def test_ready_comes_with_a_status(manager: socket.socket) -> None:
    Notifier(environment(manager)).ready("watching")
    assert manager.recv(100) == b"READY=1\nSTATUS=watching"


def test_pings_come_four_times_per_interval_and_no_more(manager: socket.socket) -> None:
    notifier = Notifier(environment(manager, WATCHDOG_USEC="20000000", WATCHDOG_PID=str(os.getpid())))
    for now in (0.0, 1.0, 4.9, 5.0):
        notifier.ping(now)
    assert manager.recv(100) == manager.recv(100) == b"WATCHDOG=1"
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_a_status_is_not_repeated(manager: socket.socket) -> None:
    notifier = Notifier(environment(manager))
    for text in ("a", "a", "b"):
        notifier.status(text)
    assert (manager.recv(100), manager.recv(100)) == (b"STATUS=a", b"STATUS=b")


def test_more_time_is_asked_for_before_the_last_is_over(manager: socket.socket) -> None:
    notifier = Notifier(environment(manager))
    for now in (0.0, 14.0, 15.0):
        notifier.extend(now, 60.0)
    assert manager.recv(100) == manager.recv(100) == b"EXTEND_TIMEOUT_USEC=60000000"
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_a_reload_carries_its_moment(manager: socket.socket) -> None:
    Notifier(environment(manager)).reloading()
    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=[0-9]+", manager.recv(100))


def test_another_process_watchdog_is_not_ours(manager: socket.socket) -> None:
    assert Notifier(environment(manager, WATCHDOG_USEC="20000000", WATCHDOG_PID="1")).watchdog_s is None


def test_abstract_sockets_are_reached() -> None:
    name = f"nusetd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(5.0)
        Notifier({"NOTIFY_SOCKET": "@" + name}).stopping("finishing")
        assert listener.recv(100) == b"STOPPING=1\nSTATUS=finishing"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    Notifier({}).ready("x")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")


def test_a_manager_that_does_not_read_holds_nothing_up_and_hears_it_later(manager: socket.socket) -> None:
    notifier = Notifier(environment(manager, WATCHDOG_USEC="1000000"))
    for number in range(30):
        notifier.status(str(number))
    notifier.stopping("at last")
    heard = [manager.recv(100).decode()]
    while heard[-1] != "STOPPING=1\nSTATUS=at last":
        notifier.ping(0.0)
        heard.append(manager.recv(100).decode())
    assert [text for text in heard if "WATCHDOG" not in text][:-1] == [f"STATUS={number}" for number in range(30)]
