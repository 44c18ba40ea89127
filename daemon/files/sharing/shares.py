"""How many processes the images of a command are shared out among, and what each of them computes with."""

from __future__ import annotations

import os

from daemon.configuration.service_config import DEFAULT_ENGINE, EngineConfig
from daemon.files.sharing.work import Share
from daemon.installation.best_workers import threads_each
from daemon.processing.workers.graphics import cards, shared_out

FEWEST = 3
"""Images that are worth a second process, which loads a network of its own."""

MEMORY_EACH = 2 << 30
"""Bytes of this computer's memory for each process, where nobody says how many there are to be."""


def shares(wanted: int | None, images: int, engine: EngineConfig) -> list[Share]:
    """Return what each process gets, never more of them than images.

    Where nobody says how many are `wanted`: one for each core, or graphics card, that the engine may use, as far as
    memory does; one for few images, and for an engine of the user's own, of which nobody knows what several take.
    """
    count = max(1, min(images, _usual(images, engine) if wanted is None else wanted))
    if count == 1:
        return [Share(engine.threads)]
    threads = threads_each(engine.threads, count)
    return [Share(threads, graphics) for graphics in shared_out(engine.device, count, engine.gpu_memory_gb)]


def _usual(images: int, engine: EngineConfig) -> int:
    if images < FEWEST or engine.factory != DEFAULT_ENGINE:
        return 1
    seen = {one.visible for one in shared_out(engine.device, len(cards()), None)} - {None, ""}
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(len(seen) or engine.threads or len(os.sched_getaffinity(0)), memory // MEMORY_EACH)
