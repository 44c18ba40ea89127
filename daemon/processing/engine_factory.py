"""What the flow needs of a segmenter, and the one that an import path names: NuSeT by default, or anybody's own."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from daemon.errors import EngineFailedError
from daemon.installation.kept_weights import located
from daemon.processing.workers.graphics import choose, shared_out
from nuset_engine.arrays import PlaneYX
from nuset_engine.params import SegmentationParams
from nuset_engine.reconstruction.volume import SliceLabels
from nuset_engine.runtime.names import AUTO

if TYPE_CHECKING:
    from daemon.configuration.service_config import EngineConfig
    from daemon.processing.messages import Graphics

# TensorFlow writes pages about processors and absent graphics cards; what stops it still arrives as an exception.
QUIET_ENGINE = {"TF_CPP_MIN_LOG_LEVEL": "3"}


class ModelInfo(Protocol):
    """What identifies the model that a result was made with."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def sha256(self) -> str:
        """Of everything that decides a result."""


class StackSegmenter(Protocol):
    """Finds nuclei slice by slice."""

    @property
    def weights_info(self) -> ModelInfo:
        """Its model."""

    def segment_stack(
        self,
        planes: Sequence[PlaneYX],
        statistics: None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[SliceLabels]:
        """Labels of each slice in turn; `progress` is told how many are done."""


Factory = Callable[..., StackSegmenter]


def load_factory(path: str) -> Factory:
    """Import `module:callable`.

    Returns
    -------
    callable
        Called with `weights`, `params` (a `SegmentationParams`) and `threads`; gives an object with `weights_info`
        (`name`, `sha256`) and `segment_stack(planes, statistics=None, progress=None)`; called with `runtime` too where
        one is asked for.

    Raises
    ------
    EngineFailedError
        When there is no such callable.
    """
    for variable, value in QUIET_ENGINE.items():
        os.environ.setdefault(variable, value)
    module, _, name = path.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise EngineFailedError(f"The engine {path} cannot be imported ({error}): check its name.") from error
    if not callable(factory):
        raise EngineFailedError(f"The engine {path} is not there: write its factory as 'module:callable'.")
    made: Factory = factory
    return made


def make_segmenter(
    factory: Factory, weights: str, params: SegmentationParams, threads: int | None, runtime: str
) -> StackSegmenter:
    """Call a factory; only one that is asked for a runtime need know what that is."""
    asked = {} if runtime == AUTO else {"runtime": runtime}
    return factory(weights=weights, params=params, threads=threads, **asked)


def compute_on(engine: EngineConfig, graphics: Graphics | None) -> None:
    """Have this process compute on the card that is given; None: on what a configuration names for one process."""
    choose(graphics or shared_out(engine.device, 1, engine.gpu_memory_gb)[0])


def segmenter_of(engine: EngineConfig, params: SegmentationParams, graphics: Graphics | None = None) -> StackSegmenter:
    """The segmenter that a configuration names, with these parameters, in this process; on the card that is given."""
    compute_on(engine, graphics)
    return make_segmenter(load_factory(engine.factory), located(engine.weights), params, engine.threads, engine.runtime)
