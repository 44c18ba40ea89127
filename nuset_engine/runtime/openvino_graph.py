"""The folded network as an OpenVINO model, built operation by operation, so that all of it can be quantised.

OpenVINO's own converters keep the doubling of the decoder in float32, and with it what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from nuset_engine.arrays import TensorF32
from nuset_engine.errors import EngineError
from nuset_engine.network import keras
from nuset_engine.runtime.silent_openvino import import_silently

OPERATIONS = "openvino.opset13"
UPSAMPLED = 2  # by each transposed convolution, along both axes


def openvino_model(folded: keras.Model) -> Any:
    """The same function as `folding.folded_network` gave, and the sigmoid of the maps.

    Parameters
    ----------
    folded : keras.Model
        From images to a list of which the first are maps of logits.

    Returns
    -------
    openvino.Model
        From (N, Y, X, C) float32 of any size to the maps as probabilities, and the other outputs as they are.

    Raises
    ------
    EngineError
        If a layer is of a kind that this cannot build.
    """
    ov, op = import_silently("openvino"), import_silently(OPERATIONS)
    image = op.parameter([-1, -1, -1, folded.input_shape[-1]], np.float32, name="image")
    values = {folded.inputs[0].name: op.transpose(image, np.array([0, 3, 1, 2]))}
    for layer in folded.layers:
        if layer.output.name in values:
            continue
        build = BUILDERS.get(type(layer).__name__)
        if build is None:
            raise EngineError(f"The layer {layer.name} ({type(layer).__name__}) has no counterpart in OpenVINO here.")
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        values[layer.output.name] = build(op, layer, [values[part.name] for part in inputs])
    maps, *heads = (values[part.name] for part in folded.outputs)
    outputs = [op.transpose(part, np.array([0, 2, 3, 1])) for part in (op.sigmoid(maps), *heads)]
    return ov.Model(outputs, [image], folded.name)


def _activated(op: ModuleType, layer: keras.Layer, value: Any) -> Any:
    name = layer.activation.__name__
    if name not in ("relu", "linear"):
        raise EngineError(f"The layer {layer.name} ends in {name}, which has no counterpart in OpenVINO here.")
    return op.relu(value) if name == "relu" else value


def _convolution(op: ModuleType, layer: keras.Layer, inputs: Sequence[Any]) -> Any:
    kernel = np.asarray(layer.kernel)
    keeps = layer.padding == "same" or kernel.shape[:2] == (1, 1)
    if not keeps or any(side % 2 == 0 for side in kernel.shape[:2]) or max(layer.strides) > 1:
        raise EngineError(f"The layer {layer.name} is no convolution of odd size and stride 1 that keeps the shape.")
    value = _convolved(op, inputs[0], kernel, layer.name)
    if layer.bias is not None:
        value = op.add(value, op.constant(np.asarray(layer.bias).reshape(1, -1, 1, 1)))
    return _activated(op, layer, value)


def _convolved(op: ModuleType, value: Any, kernel: TensorF32, name: str) -> Any:
    margins = [side // 2 for side in kernel.shape[:2]]
    filters = op.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32))
    return op.convolution(value, filters, [1, 1], margins, margins, [1, 1], name=name)


def _doubled(op: ModuleType, layer: keras.Layer, inputs: Sequence[Any]) -> Any:
    kernel = np.asarray(layer.kernel)
    if (
        kernel.shape[:2] != (4, 4)
        or layer.padding != "same"
        or layer.bias is not None
        or max(layer.strides) != UPSAMPLED
    ):
        raise EngineError(f"The layer {layer.name} is no transposed convolution of 4 x 4 at stride 2 without bias.")
    wide = _convolved(op, inputs[0], phases_kernel(kernel), layer.name)
    return _activated(op, layer, op.depth_to_space(wide, "blocks_first", UPSAMPLED))


def phases_kernel(kernel: TensorF32) -> TensorF32:
    """The 3x3 convolution whose channels, spread over 2 x 2 pixels, equal a transposed 4x4 convolution of stride 2.

    Parameters
    ----------
    kernel : (4, 4, outputs, inputs) float32

    Returns
    -------
    (3, 3, inputs, 4 * outputs) float32
        The outputs of the upper left pixel first, then of the upper right, the lower left and the lower right one.
    """
    # Coarse pixel j reaches output pixel 2 i + a through tap a + 1 - 2 (j - i), where there is such a tap.
    place = np.zeros((2, 3, 4), np.float32)
    for phase in range(2):
        for offset in range(3):
            tap = phase + 1 - 2 * (offset - 1)
            if 0 <= tap < 4:
                place[phase, offset, tap] = 1
    wide: TensorF32 = np.einsum("ayt,bxu,tuoi->yxiabo", place, place, kernel)
    return wide.reshape(3, 3, kernel.shape[3], 4 * kernel.shape[2])


def _pooled(op: ModuleType, layer: keras.Layer, inputs: Sequence[Any]) -> Any:
    size = list(layer.pool_size)
    return op.max_pool(inputs[0], size, [1, 1], [0, 0], [0, 0], size).output(0)


BUILDERS: dict[str, Callable[[ModuleType, keras.Layer, Sequence[Any]], Any]] = {
    "Conv2D": _convolution,
    "Conv2DTranspose": _doubled,
    "MaxPooling2D": _pooled,
    "Activation": lambda op, layer, inputs: _activated(op, layer, inputs[0]),
    "Add": lambda op, layer, inputs: op.add(*inputs),
    "Concatenate": lambda op, layer, inputs: op.concat(list(inputs), 1),
}
