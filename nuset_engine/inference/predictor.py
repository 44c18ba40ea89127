"""The trained network made fast for inference: normalisation folded into the convolutions, half the products of the
decoder, traced once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nuset_engine.network import LARGEST_STRIDE, Architecture, build_network, keras
from nuset_engine.weights import WeightsInfo, load_weights


@dataclass(frozen=True)
class Prediction:
    """What the network says of one input.

    Attributes
    ----------
    foreground : (Y, X) float32
        Probability that a pixel belongs to a nucleus.
    ridge : (Y, X) float32
        Predicted distance to the nucleus' own border, 0 at the border and 1 in its middle.
    heads : tuple of (h, w, A * 5) float32, one per anchor level
        Score logits and box offsets.
    """

    foreground: np.ndarray
    ridge: np.ndarray
    heads: tuple[np.ndarray, ...]


def folded_network(model: keras.Model, architecture: Architecture) -> keras.Model:
    """The same function for inference: no batch normalisation layers, no pixels doubled before they are convolved.

    A normalisation of a convolution is a convolution with ``kernel * s`` and bias ``beta - mean * s``, where
    ``s = gamma / sqrt(variance + epsilon)`` (Jacob et al. 2018, section 3.2). The first convolution of each decoder
    block is divided into its part over the encoder's features and its part over the doubled ones.
    """
    folded = build_network(architecture, channels=model.input_shape[-1], folded=True)
    for layer in folded.layers:
        if not layer.weights:
            continue
        block, _, part = layer.name.rpartition("_")
        if part not in ("skip", "up"):
            layer.set_weights(_without_normalisation(model, layer.name))
            continue
        kernel, bias = _without_normalisation(model, f"{block}_conv1")
        skipped = kernel.shape[2] - model.get_layer(f"{block}_double").output.shape[-1]
        if part == "skip":
            layer.set_weights([kernel[:, :, :skipped], bias])
        else:
            layer.set_weights([doubling_kernel(kernel[:, :, skipped:])])
    return folded


def _without_normalisation(model: keras.Model, name: str) -> list[np.ndarray]:
    """Weights of a layer with the normalisation that follows it, if one does, folded in."""
    values = model.get_layer(name).get_weights()
    norm_name = name.replace("_conv", "_norm")
    if "_conv" not in name or norm_name not in {layer.name for layer in model.layers}:
        return values
    norm = model.get_layer(norm_name)
    gamma, beta, mean, variance = norm.get_weights()
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return [values[0] * factor, beta - mean * factor]


def doubling_kernel(kernel: np.ndarray) -> np.ndarray:
    """The transposed convolution (stride 2) that equals doubling every pixel along both axes and then convolving.

    Parameters
    ----------
    kernel : (3, 3, inputs, outputs) float32

    Returns
    -------
    (4, 4, outputs, inputs) float32
    """
    # An even output pixel sees its own coarse pixel through taps 1 and 2 and the one before through tap 0; an odd one
    # sees its own through taps 0 and 1 and the next through tap 2.
    taps = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)
    return np.einsum("ar,bs,rsio->aboi", taps, taps, kernel)


def _compiled(model: keras.Model) -> Callable[[np.ndarray], list[np.ndarray]]:
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


def _activated(model: keras.Model, x: np.ndarray) -> list[keras.KerasTensor]:
    maps, *heads = model(x, training=False)
    return [keras.ops.sigmoid(maps), *heads]


class Predictor:
    """A network with its weights, ready to predict.

    Parameters
    ----------
    weights : WeightsInfo
    threads : int, optional
        Cores to use; all of them where not given. Only the first predictor of a process can set it.
    """

    def __init__(self, weights: WeightsInfo, threads: int | None = None) -> None:
        if threads is not None:
            _limit_threads(threads)
        sizes = weights.architecture
        architecture = Architecture(tuple(sizes["filters"]), sizes["head_filters"])
        model = build_network(architecture)
        load_weights(model, weights)
        self.weights = weights
        self._run = _compiled(folded_network(model, architecture))

    def predict(self, inputs: np.ndarray) -> list[Prediction]:
        """Predict a batch.

        Parameters
        ----------
        inputs : (N, Y, X, C) float32
            Any size; edges are mirrored up to the next multiple of the largest stride and cut again.

        Returns
        -------
        list of Prediction, one per input; maps of the input's shape, heads covering the padded one
        """
        height, width = inputs.shape[1:3]
        maps, *heads = self._run(_pad(inputs))
        return [
            Prediction(maps[i, :height, :width, 0], maps[i, :height, :width, 1], tuple(head[i] for head in heads))
            for i in range(len(inputs))
        ]


def _pad(inputs: np.ndarray) -> np.ndarray:
    """Mirror the lower and right edges up to multiples of the largest stride."""
    edges = [(-n) % LARGEST_STRIDE for n in inputs.shape[1:3]]
    if not any(edges):
        return inputs
    return np.pad(inputs, ((0, 0), (0, edges[0]), (0, edges[1]), (0, 0)), mode="symmetric")


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
