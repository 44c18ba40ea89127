"""The shipped network, loaded once for all tests of this folder."""

from __future__ import annotations

import pytest

from nuset_engine.segment import Segmenter


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    """The default segmenter."""
    return Segmenter()
