"""The child's end: it meets the process that started it, and never outlives it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection

_PR_SET_PDEATHSIG = 1
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}  # numbers of the system call, for which there is no function
_IDLE_CLASS = 3


def meet() -> Connection:
    """Return the pipe to the process that started this one as `daemon.children.child.Child` does.

    What a terminal or the service manager signals to the whole group is the parent's to handle. What the process is for
    is loaded by now: it stays, and is not looked through for garbage.
    """
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    die_with_parent(int(sys.argv[2]))
    offer_to_the_oom_killer()
    return Connection(int(sys.argv[1]))


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when `parent` dies, however it dies; and notice when it is dead already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def give_way() -> None:
    """Let everybody else have processor and disk first, for good: there is no way back without privileges."""
    with contextlib.suppress(OSError):  # a service manager may forbid it; the work is the same
        os.setpriority(os.PRIO_PROCESS, 0, 19)
    number = _IOPRIO_SET.get(os.uname().machine)
    if number is not None:  # elsewhere the kernel derives it from the priority above
        ctypes.CDLL(None).syscall(number, 1, 0, _IDLE_CLASS << 13)


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
