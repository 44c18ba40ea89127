"""The network in float32 by Keras, traced once: on processors of any kind, and on graphics cards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nuset_engine.arrays import InputsNYXC, TensorF32
from nuset_engine.network import keras
from nuset_engine.runtime.folding import load_folded
from nuset_engine.weights import WeightsInfo


class KerasNetwork:
    """Weights read by Keras, on the backend in use.

    Parameters
    ----------
    weights : WeightsInfo
    threads : int, optional
        Cores to use; all of them where not given. Only the first network of a process can set it.
    """

    def __init__(self, weights: WeightsInfo, threads: int | None = None) -> None:
        if threads is not None:
            _limit_threads(threads)
        self._run = _compiled(load_folded(weights))

    def __call__(self, inputs: InputsNYXC) -> list[TensorF32]:
        """Probabilities and heads, as `Network` promises."""
        return self._run(inputs)


def _compiled(model: keras.Model) -> Callable[[InputsNYXC], list[TensorF32]]:
    """The model as a function of arrays, compiled for any size by the backend in use."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec((None, None, None, model.input_shape[-1]), tf.float32)]
        traced = tf.function(lambda x: _activated(model, x), input_signature=signature)
        return lambda x: [out.numpy() for out in traced(tf.constant(x))]
    if backend == "jax":
        import jax

        jitted = jax.jit(lambda x: _activated(model, x))
        return lambda x: [np.asarray(out) for out in jitted(x)]
    return lambda x: [keras.ops.convert_to_numpy(out) for out in _activated(model, x)]


def _activated(model: keras.Model, x: InputsNYXC) -> list[keras.KerasTensor]:
    maps, *heads = model(x, training=False)
    return [keras.ops.sigmoid(maps), *heads]


def _limit_threads(threads: int) -> None:
    """Tell TensorFlow how many cores it may use; too late once it has run."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        import logging

        logging.getLogger(__name__).info("the number of threads stays as it is: %s", error)


def limit_memory(gigabytes: float) -> None:
    """Let TensorFlow take at most so much of the memory of each graphics card; too late once it has run."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    for card in tf.config.list_physical_devices("GPU"):
        limit = tf.config.LogicalDeviceConfiguration(memory_limit=1024 * gigabytes)
        tf.config.set_logical_device_configuration(card, [limit])
