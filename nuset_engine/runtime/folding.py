"""The trained network made fast for inference: normalisation folded into the convolutions, half the products of the
decoder."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import TensorF32
from nuset_engine.network import Architecture, Build, build_network, computing_in, keras
from nuset_engine.runtime.names import BFLOAT16
from nuset_engine.weights import WeightsInfo, load_weights


def load_folded(weights: WeightsInfo, build: Build = build_network) -> keras.Model:
    """The network of stored weights, which `build` builds, for inference, in the precision of their runtime.

    Raises
    ------
    EngineError
        If the weights do not fit the network that their manifest describes.
    """
    architecture = Architecture.of(weights.architecture)
    model = build(architecture, channels=weights.channels, kernels="zeros")
    load_weights(model, weights)
    with computing_in("bfloat16" if weights.runtime == BFLOAT16 else "float32"):
        return folded_network(model, architecture, build)


def folded_network(model: keras.Model, architecture: Architecture, build: Build = build_network) -> keras.Model:
    """The same function for inference: no batch normalisation layers, no pixels doubled before they are convolved.

    A normalisation of a convolution is a convolution with ``kernel * s`` and bias ``beta - mean * s``, where
    ``s = gamma / sqrt(variance + epsilon)`` (Jacob et al. 2018, section 3.2). The first convolution of each decoder
    block is divided into its part over the encoder's features and its part over the doubled ones.
    """
    folded = build(architecture, channels=model.inputs[0].shape[-1], folded=True, kernels="zeros")
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


def _without_normalisation(model: keras.Model, name: str) -> list[TensorF32]:
    """Weights of a layer with the normalisation that follows it, if one does, folded in."""
    values: list[TensorF32] = model.get_layer(name).get_weights()
    norm_name = name.replace("_conv", "_norm")
    if "_conv" not in name or norm_name not in {layer.name for layer in model.layers}:
        return values
    norm = model.get_layer(norm_name)
    gamma, beta, mean, variance = norm.get_weights()
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return [values[0] * factor, beta - mean * factor]


def doubling_kernel(kernel: TensorF32) -> TensorF32:
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
    doubling: TensorF32 = np.einsum("ar,bs,rsio->aboi", taps, taps, kernel)
    return doubling
