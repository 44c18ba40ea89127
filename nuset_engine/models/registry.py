"""Which kinds of network there are, by the names that manifests and commands give them."""

from __future__ import annotations

from collections.abc import Mapping

from nuset_engine.errors import EngineError
from nuset_engine.inference.predictor import Predictor
from nuset_engine.models.base import Model
from nuset_engine.models.mask_rcnn import MaskRCNN
from nuset_engine.models.nuset import Nuset
from nuset_engine.models.paper import PaperDesign
from nuset_engine.models.unet import UNet
from nuset_engine.weights import WeightsInfo

MODELS: Mapping[str, Model] = {model.name: model for model in (Nuset(), UNet(), PaperDesign(), MaskRCNN())}


def model_named(name: str) -> Model:
    """A kind of network by its name.

    Raises
    ------
    EngineError
        If there is none of that name.
    """
    if name not in MODELS:
        raise EngineError(f"There is no model '{name}'; choose one of {', '.join(MODELS)}.")
    return MODELS[name]


def model_of(weights: WeightsInfo) -> Model:
    """The kind of network that weights are of.

    Raises
    ------
    EngineError
        If their manifest names one that is not known here.
    """
    if weights.model not in MODELS:
        raise EngineError(
            f"The weights {weights.name} are of the model '{weights.model}', which this nusetd does not know "
            f"({', '.join(MODELS)}); use the version that trained them."
        )
    return MODELS[weights.model]


def predictor_of(weights: WeightsInfo, threads: int | None = None) -> Predictor:
    """The network of weights, ready to predict, whichever kind it is."""
    return Predictor(weights, model_of(weights), threads)
