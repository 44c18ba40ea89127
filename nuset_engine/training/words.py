"""What settings of a training call the choices that there are; the usual one first."""

from __future__ import annotations

MODELS = ("nuset", "unet", "paper", "mask-rcnn")
"""Kinds of network, see `models.registry.MODELS`."""
MODES = ("nuclei", "events")
PRECISIONS = ("float32", "bfloat16")
OPTIMIZERS = ("adam", "rmsprop")
SIZES = ("labelled", "measured")
SCORES = ("learned", "fitted")
NORMS = ("learned", "fixed")
STRONG, MILD = "strong", "mild"
AUGMENTATION = (STRONG, MILD)
"""How much crops are changed, see `augment.AUGMENTATIONS`."""
