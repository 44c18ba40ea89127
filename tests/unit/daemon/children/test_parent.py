"""The child's end: it lets others go first."""

from __future__ import annotations

import ctypes
import os
from types import SimpleNamespace

import pytest

from daemon.children.parent import give_way


@pytest.mark.parametrize("allowed", [True, False])
def test_who_gives_way_is_behind_everybody_else_for_processor_and_disk(
    monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    """Whatever these tests are started with; a service manager may forbid the one, and the other is asked for still."""
    asked: list[tuple[int, ...]] = []

    def set_priority(*values: int) -> None:
        asked.append(values)
        if not allowed:
            raise PermissionError

    def system(_: None) -> SimpleNamespace:
        return SimpleNamespace(syscall=lambda *values: asked.append(values))

    monkeypatch.setattr(os, "setpriority", set_priority)
    monkeypatch.setattr(ctypes, "CDLL", system)
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="x86_64"))
    give_way()
    idle = 3 << 13
    assert asked == [(os.PRIO_PROCESS, 0, 19), (251, 1, 0, idle)]  # ioprio_set of this process
