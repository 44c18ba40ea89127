"""The shipped network, loaded once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cases.few_steps import few_steps

from nuset_engine.segment import Segmenter


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    """The default segmenter."""
    return Segmenter()


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Training takes few steps, without what comes before long ones."""
    with few_steps():
        yield
