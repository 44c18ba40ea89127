"""The stack that signals are delivered on, as the C library knows it."""

from __future__ import annotations

import ctypes


class _Stack(ctypes.Structure):
    """`stack_t`."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def signal_stack() -> tuple[int | None, int]:
    """Address and size for the thread that asks; no address where signals use the ordinary stack."""
    found = _Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found.address, found.size
