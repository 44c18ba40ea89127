"""The stack that signals are delivered on, which OpenVINO's plugin for processors replaces and leaves behind freed.

Each of its cores that computes sets a stack of its own in the thread that made it, and at its end puts back the one
before. Where two end in the order in which they were made, that one is freed memory by then, and the next signal with a
handler writes over whatever lies there. So a process has one core as long as it lives (`openvino_runtime.core`), and
what makes others runs inside `kept_signal_stack`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager


class SignalStack(ctypes.Structure):
    """`stack_t` of the C library."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def signal_stack() -> SignalStack:
    """The stack of this thread as it is now."""
    found = SignalStack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Put back the stack of this thread afterwards."""
    before = signal_stack()
    try:
        yield
    finally:
        ctypes.CDLL(None).sigaltstack(ctypes.byref(before), None)
