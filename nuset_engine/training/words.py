"""What settings of a training call the choices that there are, the usual one first; and what its files are called."""

from __future__ import annotations

MODELS = ("nuset", "unet", "paper", "mask-rcnn")
"""Kinds of network, see `models.registry.MODELS`."""
NUCLEI, EVENTS = MODES = ("nuclei", "events")
PRECISIONS = ("float32", "bfloat16")
OPTIMIZERS = ("adam", "rmsprop")
SIZES = ("labelled", "measured")
SCORES = ("learned", "fitted")
NORMS = ("learned", "fixed")
STRONG, MILD = "strong", "mild"
AUGMENTATION = (STRONG, MILD)
"""How much crops are changed, see `augment.AUGMENTATIONS`."""
LABELS = ".labels"
"""What `nusetd segment` puts behind the name of an image whose labels it writes."""
