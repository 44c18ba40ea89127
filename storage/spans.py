"""Sets of time points as runs, so that thousands of them stay a few numbers; and numbers as people say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def to_spans(values: Iterable[int]) -> list[list[int]]:
    """Return sorted, closed runs: {0, 1, 2, 5} becomes [[0, 2], [5, 5]]."""
    spans: list[list[int]] = []
    for value in sorted(set(values)):
        if spans and value == spans[-1][1] + 1:
            spans[-1][1] = value
        else:
            spans.append([value, value])
    return spans


def from_spans(spans: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Return the values of runs, ascending."""
    return tuple(value for first, last in spans for value in range(first, last + 1))


def spoken(values: Iterable[int]) -> str:
    """Return values as people write them: ``0-2, 5``."""
    return ", ".join(f"{a}-{b}" if a != b else f"{a}" for a, b in to_spans(values)) or "none"


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return how many there are of something: ``1 nucleus``, ``2 nuclei``; with an s where nothing else is said."""
    return f"{count} {word_for(count, one, several)}"


def word_for(count: float, one: str, several: str | None = None) -> str:
    """Return the word for so many of something: that for one of it, or for several."""
    return one if count == 1 else several or f"{one}s"
