"""Numbers of things as people say them."""

from __future__ import annotations

import pytest

from storage.spans import counted


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (0, ("time point",), "0 time points"),
        (1, ("time point",), "1 time point"),
        (2, ("time point",), "2 time points"),
        (1, ("nucleus", "nuclei"), "1 nucleus"),
        (3, ("nucleus", "nuclei"), "3 nuclei"),
    ],
)
def test_one_is_said_otherwise_than_several(count: int, words: tuple[str, ...], said: str) -> None:
    assert counted(count, *words) == said
