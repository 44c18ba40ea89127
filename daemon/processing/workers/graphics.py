"""Which graphics cards there are, which worker uses which, and how a worker keeps to its own."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.processing.messages import Graphics

DEVICES = Path("/dev")
_VISIBLE = "CUDA_VISIBLE_DEVICES"


def cards() -> list[str]:
    """Names of the cards that are within reach, as ``CUDA_VISIBLE_DEVICES`` has them."""
    given = os.environ.get(_VISIBLE)
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    return sorted((path.name.removeprefix("nvidia") for path in DEVICES.glob("nvidia[0-9]*")), key=int)


def shared_out(device: str, workers: int, memory_gb: float | None) -> list[Graphics]:
    """Say which card each of so many workers uses.

    Parameters
    ----------
    device : str
        ``auto``: each worker the next one of the cards that there are; ``cpu``: none; ``gpu:1``, or ``gpu:0,gpu:1``:
        these in turn.
    memory_gb : float or None
        At most so much of a card's memory for each worker.
    """
    if device == "cpu":
        return [Graphics("")] * workers
    there = cards()
    if device != "auto":
        wanted = [int(name.strip().removeprefix("gpu:")) for name in device.split(",")]
        there = [there[number] if number < len(there) else str(number) for number in wanted]
    if not there:
        return [Graphics()] * workers
    return [Graphics(there[number % len(there)], memory_gb) for number in range(workers)]


def choose(graphics: Graphics) -> None:
    """Have this process see its card alone, and take of its memory what it needs; before anything is computed."""
    if graphics.visible is None:
        return
    os.environ[_VISIBLE] = graphics.visible or "-1"
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if graphics.memory_gb is not None:
        from nuset_engine.runtime.keras_runtime import limit_memory

        limit_memory(graphics.memory_gb)
