"""The NuSeT network: a U-Net and a Region Proposal Network that share one encoder and one feature pyramid.

The decoder of the U-Net is the top-down path of a feature pyramid, so proposals are read from its strides 4, 8 and 16
instead of from the encoder's stride 16 alone: small crowded nuclei keep a cell of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from nuset_engine.anchors import LEVELS
from nuset_engine.errors import EngineError
from nuset_engine.loading import undisturbed
from nuset_engine.planes.normalize import CHANNELS

TENSORFLOW = "tensorflow"


@contextmanager
def _without_native_chatter() -> Iterator[None]:
    """Hide what TensorFlow's native code prints while it loads, before its own log level counts."""
    os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or TENSORFLOW
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a missing GPU is no error
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def as_trained() -> Iterator[None]:
    """Load Keras inside: what people wrote into ``keras.json`` for other programs does not hold for these weights.

    Raises
    ------
    EngineError
    """
    try:
        yield
    except (ImportError, ValueError) as error:
        if (asked := os.environ["KERAS_BACKEND"]) == TENSORFLOW:
            raise
        raise EngineError(
            f"KERAS_BACKEND is {asked!r} in the environment, and Keras cannot load that ({error}): take it out of the "
            "environment, or install what it asks for."
        ) from error
    from keras import config

    config.set_image_data_format("channels_last")
    config.set_floatx("float32")
    config.set_epsilon(1e-7)


with _without_native_chatter(), undisturbed(), as_trained():
    # First, because TensorFlow brings an SQLite of its own, without mathematical functions: whichever is loaded first
    # serves the whole process, and the database's views need square roots.
    import sqlite3  # noqa: F401

    import keras
    from keras import layers, ops

LARGEST_STRIDE = 16
PRIOR = 0.01  # share of positive anchors that the score layers start from (Lin et al. 2017, focal loss)


@dataclass(frozen=True)
class Architecture:
    """Sizes of the network: channels per encoder level (strides 1, 2, 4, 8, 16) and of the proposal heads."""

    filters: tuple[int, ...] = (24, 48, 96, 144, 192)
    head_filters: int = 96

    @classmethod
    def of_width(cls, width: int) -> Architecture:
        """The standard proportions for a first level of `width` channels."""
        return cls(tuple(width * factor for factor in (1, 2, 4, 6, 8)), width * 4)

    @classmethod
    def of(cls, sizes: Mapping[str, Any]) -> Architecture:
        """From the plain values of a manifest."""
        return cls(tuple(sizes["filters"]), sizes["head_filters"])

    def as_dict(self) -> dict[str, object]:
        """Plain values for a manifest."""
        return asdict(self)


class Build(Protocol):
    """Builds an untrained network, see `build_network`."""

    def __call__(
        self,
        architecture: Architecture | None = None,
        channels: int = CHANNELS,
        folded: bool = False,
        kernels: str = "glorot_uniform",
    ) -> keras.Model: ...


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers built here compute in `precision`: ``float32``, or ``bfloat16`` with variables and sums in float32.

    That is faster on processors with AMX and on GPUs, and slower on others, those with AVX512_BF16 alone among them.
    """
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(kept)


def convolution(filters: int, kernels: str, **more: object) -> layers.Conv2D:
    """A 3x3 convolution that keeps the shape."""
    return layers.Conv2D(filters, 3, padding="same", kernel_initializer=kernels, **more)


def _block(x: keras.KerasTensor, filters: int, name: str, folded: bool, kernels: str) -> keras.KerasTensor:
    """Two 3x3 convolutions with batch normalisation, or with a bias in its place where it is folded in."""
    for step in (1, 2):
        if folded:
            x = convolution(filters, kernels, name=f"{name}_conv{step}", activation="relu")(x)
            continue
        x = convolution(filters, kernels, name=f"{name}_conv{step}", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.98, epsilon=1e-3, name=f"{name}_norm{step}")(x)
        x = layers.Activation("relu", name=f"{name}_relu{step}")(x)
    return x


def pyramid(x: keras.KerasTensor, filters: tuple[int, ...], folded: bool, kernels: str) -> dict[int, keras.KerasTensor]:
    """Encoder and decoder; features of the decoder by stride."""
    skips = []
    for level, channels in enumerate(filters):
        if level:
            x = layers.MaxPooling2D(name=f"pool{2**level}")(x)
        x = _block(x, channels, f"encoder{2**level}", folded, kernels)
        skips.append(x)
    features = {2 ** (len(filters) - 1): x}
    for level in range(len(filters) - 2, -1, -1):
        join = _joined_quickly if folded else _joined
        x = join(x, skips[level], filters[level], f"decoder{2**level}", kernels)
        features[2**level] = x
    return features


def _joined(x: keras.KerasTensor, skip: keras.KerasTensor, filters: int, name: str, kernels: str) -> keras.KerasTensor:
    """One step up the decoder: the coarse features at twice their resolution beside the encoder's, and a block."""
    x = layers.UpSampling2D(name=f"{name}_double")(x)
    return _block(layers.Concatenate(name=f"{name}_join")([skip, x]), filters, name, False, kernels)


def _joined_quickly(
    x: keras.KerasTensor, skip: keras.KerasTensor, filters: int, name: str, kernels: str
) -> keras.KerasTensor:
    """The same function with less than half of the products for the coarse features.

    A 3x3 convolution of pixels that were doubled meets each of them several times; with the products summed beforehand
    it is a transposed 4x4 convolution of the coarse features themselves (`folding.doubling_kernel`).
    """
    up = {"strides": 2, "padding": "same", "use_bias": False, "kernel_initializer": kernels}
    x = layers.Conv2DTranspose(filters, 4, name=f"{name}_up", **up)(x)
    skip = convolution(filters, kernels, name=f"{name}_skip")(skip)
    x = layers.Activation("relu", name=f"{name}_relu")(layers.Add(name=f"{name}_join")([skip, x]))
    return convolution(filters, kernels, name=f"{name}_conv2", activation="relu")(x)


def proposal_head(x: keras.KerasTensor, stride: int, anchors: int, filters: int, kernels: str) -> keras.KerasTensor:
    """Scores (logits) and box offsets of the anchors at one stride: (h, w, A * 5)."""
    x = convolution(filters, kernels, name=f"rpn{stride}_conv", activation="relu")(x)
    full = {"dtype": "float32"}  # what the losses see, whatever the layers before it compute in
    prior = keras.initializers.Constant(-float(ops.log((1 - PRIOR) / PRIOR)))
    scores = layers.Conv2D(
        anchors, 1, kernel_initializer=kernels, bias_initializer=prior, name=f"rpn{stride}_score", **full
    )(x)
    boxes = layers.Conv2D(anchors * 4, 1, kernel_initializer="zeros", name=f"rpn{stride}_box", **full)(x)
    return layers.Concatenate(name=f"rpn{stride}", **full)([scores, boxes])


def foreground_map(x: keras.KerasTensor, kernels: str) -> keras.KerasTensor:
    """Logits (h, w, 1) of the foreground, of a network that has no distance map."""
    return layers.Conv2D(1, 1, kernel_initializer=kernels, name="maps", dtype="float32")(x)


def build_network(
    architecture: Architecture | None = None,
    channels: int = CHANNELS,
    folded: bool = False,
    kernels: str = "glorot_uniform",
) -> keras.Model:
    """The untrained network; `folded` gives its quicker twin for inference, filled by `folding.folded_network`.

    What `kernels` names fills the convolutions: at random for training, ``zeros`` for a network that is filled next,
    because JAX compiles every draw, which takes longer than all the rest.

    Returns
    -------
    keras.Model
        From (N, Y, X, channels) float32, sides multiples of 16, to a list: (N, Y, X, 2) logits of foreground and of
        the normalised distance map, then for each level of `LEVELS` (N, Y / s, X / s, A * 5): A score logits and
        A * 4 offsets.
    """
    arch = architecture or Architecture()
    image = keras.Input((None, None, channels), name="image")
    features = pyramid(image, arch.filters, folded, kernels)
    maps = layers.Conv2D(2, 1, kernel_initializer=kernels, name="maps", dtype="float32")(features[1])
    heads = [proposal_head(features[lv.stride], lv.stride, lv.count, arch.head_filters, kernels) for lv in LEVELS]
    return keras.Model(image, [maps, *heads], name="nuset")
