"""How a process loads libraries: nobody looks for garbage meanwhile.

A service makes half a million objects of libraries when it starts, TensorFlow a million. Python looks through them for
garbage again and again while they are made, which is a quarter of the time; and once more when the process ends.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Load libraries inside: garbage is looked for after it, where it was before."""
    looked_for = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked_for:
            gc.enable()


def load_to_stay(module: str) -> None:
    """Load what a process of our own is for; what is there then stays to its end, and is never looked through."""
    if module not in sys.modules:
        with undisturbed():
            importlib.import_module(module)
        gc.freeze()
