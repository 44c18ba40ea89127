"""The network by Keras, traced once, in float32 or bfloat16: on processors of any kind, and on graphics cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nuset_engine.arrays import InputsNYXC, TensorF32
from nuset_engine.network import Build, build_network, keras
from nuset_engine.runtime.folding import load_folded
from nuset_engine.weights import WeightsInfo


class KerasNetwork:
    """Weights read by Keras, on the backend in use.

    Parameters
    ----------
    weights : WeightsInfo
    threads : int, optional
        Cores to use; all of them where not given. Only the first network of a process can set it.
    build : callable
        Builds their network.
    """

    def __init__(self, weights: WeightsInfo, threads: int | None = None, build: Build = build_network) -> None:
        if threads is not None:
            limit_threads(threads)
        model = load_folded(weights, build)
        self._run = compiled(lambda x: _activated(model, x), model.inputs)

    def __call__(self, inputs: InputsNYXC) -> list[TensorF32]:
        """Probabilities and heads, as `Network` promises."""
        return self._run(inputs)


def compiled(
    function: Callable[..., Sequence[keras.KerasTensor]], inputs: Sequence[keras.KerasTensor]
) -> Callable[..., list[TensorF32]]:
    """A function of tensors shaped as `inputs`, as one of arrays, compiled for any size by the backend in use."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec(one.shape, tf.float32) for one in inputs]
        traced = tf.function(function, input_signature=signature)
        return lambda *arrays: [out.numpy() for out in traced(*(tf.constant(one) for one in arrays))]
    if backend == "jax":
        import jax

        jitted = jax.jit(function)
        return lambda *arrays: [np.asarray(out) for out in jitted(*arrays)]
    return lambda *arrays: [keras.ops.convert_to_numpy(out) for out in function(*arrays)]


def _activated(model: keras.Model, x: InputsNYXC) -> list[keras.KerasTensor]:
    maps, *heads = keras.tree.flatten(model(x, training=False))  # a single output comes without its list
    return [keras.ops.sigmoid(maps), *heads]


def limit_threads(threads: int) -> None:
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
