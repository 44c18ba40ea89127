"""How a process loads libraries: nobody looks for garbage meanwhile.

A service makes half a million objects of libraries when it starts, TensorFlow a million. Python looks through them for
garbage again and again while they are made, which is a quarter of the time; and once more when the process ends.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_loading = 0
_looked_for = True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Load libraries inside: garbage is looked for after it, where it was before, once no thread loads any more."""
    global _loading, _looked_for  # as the collector is one for all threads, so is this
    with _lock:
        if _loading == 0:
            _looked_for = gc.isenabled()
            gc.disable()
        _loading += 1
    try:
        yield
    finally:
        with _lock:
            _loading -= 1
            if _loading == 0 and _looked_for:
                gc.enable()


def load_to_stay(module: str) -> None:
    """Load what a process of our own is for; what is there then stays to its end, and is never looked through."""
    if module not in sys.modules:
        with undisturbed():
            importlib.import_module(module)
        gc.freeze()
