"""The mask head: features of one stride cut out by boxes (RoIAlign, He et al. 2017), and a few convolutions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nuset_engine.anchors import LEVELS
from nuset_engine.arrays import HeadYXK, InputsNYXC, TensorF32
from nuset_engine.inference.predictor import Prediction
from nuset_engine.inference.proposals import EMPTY, Proposals, decode_heads, suppress
from nuset_engine.models.masks import ALIGNED, DRAWN, MaskedPrediction, MaskedProposals, painted
from nuset_engine.network import Build, convolution, keras, layers, ops
from nuset_engine.runtime.folding import load_folded
from nuset_engine.runtime.keras_runtime import compiled, limit_threads
from nuset_engine.weights import WeightsInfo

STRIDE = 4  # of the features: the finest that the original cuts from
LEAST_SCORE, MOST_IOU, MOST = 0.1, 0.5, 1000  # of the proposals that get a mask
SHOWN = 0.3  # score of those that make up the foreground
TOGETHER = 64  # boxes for which masks are drawn at once
DRAWING = ("mask_conv1", "mask_conv2", "mask_deconv", "mask_score")


class RoiAlign(layers.Layer):
    """Features (N, h, w, C) in boxes (N, R, 4), interpolated at ALIGNED x ALIGNED places each: (N * R, ..., C)."""

    def call(self, inputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """Cut."""
        features, boxes = inputs
        count, height, width, channels = ops.shape(features)
        flat = ops.reshape(features, (-1, channels))
        image = ops.reshape(ops.arange(count), (-1, 1, 1, 1))
        cut = 0.0
        for rows, row_weights in _neighbours(boxes[..., 0::2], height):
            for columns, column_weights in _neighbours(boxes[..., 1::2], width):
                index = (image * height + rows[..., :, None]) * width + columns[..., None, :]
                weights = row_weights[..., :, None] * column_weights[..., None, :]
                cut += ops.take(flat, index, axis=0) * ops.cast(weights, flat.dtype)[..., None]
        return ops.reshape(cut, (-1, ALIGNED, ALIGNED, features.shape[-1]))

    def compute_output_shape(self, shapes: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """(N * R, ALIGNED, ALIGNED, C)."""
        return (None, ALIGNED, ALIGNED, shapes[0][-1])


def _neighbours(ends: keras.KerasTensor, size: keras.KerasTensor) -> list[tuple[keras.KerasTensor, keras.KerasTensor]]:
    """The cells before and after ALIGNED places between two ends (N, R, 2) on an axis, and how much each counts."""
    share = (np.arange(ALIGNED, dtype=np.float32) + 0.5) / ALIGNED
    last = ops.cast(size - 1, "float32")
    place = ops.clip((ends[..., :1] + share * (ends[..., 1:] - ends[..., :1])) / STRIDE - 0.5, 0.0, last)
    before = ops.floor(place)
    part = place - before
    return [(ops.cast(before, "int32"), 1 - part), (ops.cast(ops.minimum(before + 1, last), "int32"), part)]


def masks_in(
    features: Mapping[int, keras.KerasTensor], boxes: keras.KerasTensor, filters: int, kernels: str
) -> keras.KerasTensor:
    """Logits (N * R, DRAWN, DRAWN, 1) of the masks in boxes (N, R, 4), from features by stride."""
    x = RoiAlign(name="mask_align")([features[STRIDE], boxes])
    for step in (1, 2):
        x = convolution(filters, kernels, name=f"mask_conv{step}", activation="relu")(x)
    x = layers.Conv2DTranspose(
        filters, 2, strides=2, kernel_initializer=kernels, activation="relu", name="mask_deconv"
    )(x)
    return layers.Conv2D(1, 1, kernel_initializer=kernels, name="mask_score", dtype="float32")(x)


class MaskNetwork:
    """Weights with a mask head, read by Keras in two steps: proposals first, then a mask for each of the good ones.

    Parameters
    ----------
    weights : WeightsInfo
    threads : int, optional
    build : callable
        Builds the network.
    """

    def __init__(self, weights: WeightsInfo, threads: int | None, build: Build) -> None:
        if threads is not None:
            limit_threads(threads)
        network = load_folded(weights, build)
        features = network.get_layer("mask_align").input[0]
        trunk = keras.Model(network.inputs[0], [features, *network.outputs[:-1]])
        self._trunk = compiled(lambda x: [ops.cast(one, "float32") for one in trunk(x, training=False)], trunk.inputs)
        cut = [keras.Input(features.shape[1:]), keras.Input((None, 4))]
        x = RoiAlign()(cut)
        for name in DRAWING:
            x = network.get_layer(name)(x)
        head = keras.Model(cut, x)
        self._head = compiled(lambda f, b: [ops.sigmoid(head([f, b], training=False))], cut)

    def __call__(self, inputs: InputsNYXC) -> list[Prediction]:
        """Predictions of a batch (N, Y, X, C)."""
        features, *heads = self._trunk(inputs)
        size = inputs.shape[1:3]
        return [self._one(features[i : i + 1], [head[i] for head in heads], size) for i in range(len(inputs))]

    def _one(self, features: TensorF32, heads: list[HeadYXK], shape: tuple[int, ...]) -> Prediction:
        found = suppress(decode_heads(heads, LEAST_SCORE, LEVELS), MOST_IOU)
        found = found.where(np.arange(min(len(found), MOST)))
        if len(found) == 0:
            nothing = np.zeros((shape[0], shape[1]), np.float32)
            return MaskedPrediction(nothing, nothing, (), (), found=EMPTY)
        masked = MaskedProposals(found.boxes, found.scores, self._masks(features, found))
        foreground, _ = painted(masked.where(masked.scores >= SHOWN), shape)
        return MaskedPrediction(foreground, foreground, (), (), found=masked)

    def _masks(self, features: TensorF32, found: Proposals) -> TensorF32:
        """(N, DRAWN, DRAWN) float32, drawn for equal numbers of boxes, so that nothing is compiled anew for another."""
        parts = []
        for start in range(0, len(found), TOGETHER):
            boxes = np.zeros((1, TOGETHER, 4), np.float32)
            some = found.boxes[start : start + TOGETHER]
            boxes[0, : len(some)] = some
            (drawn,) = self._head(features, boxes)
            parts.append(drawn[: len(some)].reshape(-1, DRAWN, DRAWN))
        return np.concatenate(parts)
