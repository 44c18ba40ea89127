"""Processes that never outlive the service that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when `parent` dies, however it dies; and notice when it is dead already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    """The same without the kernel's help, for systems that have no such signal."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def offer_to_the_oom_killer() -> None:
    """When memory runs out, the kernel is to take this process and not the service that watches."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("500")
    except OSError:  # not Linux, or not allowed: the kernel chooses by itself
        return
