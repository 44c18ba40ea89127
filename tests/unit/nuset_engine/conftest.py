"""The shipped network, loaded once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nuset_engine.segment import Segmenter


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    """The default segmenter."""
    return Segmenter()


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Training without tracing its step first, which takes as long as ten steps of a small network."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
