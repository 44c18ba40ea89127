"""A training of few steps without what only long ones need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nuset_engine.training.dataset import CropSampler


@contextmanager
def few_steps() -> Iterator[None]:
    """Trace no step, which takes as long as ten of a small network, and draw few synthetic images to choose from.

    There, each crop of the first hundred and fifty is of another one, or of another stack of them.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CropSampler, "POOL", 4)
        yield
    tf.config.run_functions_eagerly(False)
