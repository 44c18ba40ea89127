"""The network in int8 by OpenVINO: a third of the time of float32 on processors that multiply bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nuset_engine.arrays import InputsNYXC, TensorF32
from nuset_engine.errors import EngineError
from nuset_engine.runtime.int8_file import read_int8
from nuset_engine.runtime.silent_openvino import import_silently
from nuset_engine.weights import WeightsInfo


@cache
def core() -> Any:
    """OpenVINO's entrance, one for the life of the process.

    Each one that computes sets a stack for signals in the thread that made it, and at its end puts back the one before.
    Where two end in the order in which they were made, that one is freed memory by then, and the next signal that has
    a handler writes over whatever lies there.
    """
    return import_silently("openvino").Core()


class Int8Network:
    """A quantised network, compiled for this processor.

    Parameters
    ----------
    model : openvino.Model
    threads : int, optional
        Cores to use; all of them where not given.
    """

    def __init__(self, model: Any, threads: int | None = None) -> None:
        # For any size: one compiled for a size of its own is a little faster, and rounds otherwise, so that results
        # would depend on what was seen before.
        self._run = core().compile_model(_by_planes(model), "CPU", _settings(threads))

    def __call__(self, inputs: InputsNYXC) -> list[TensorF32]:
        """Probabilities and heads, as `predictor.Network` promises."""
        found = self._run(np.ascontiguousarray(np.moveaxis(inputs, -1, 1), np.float32))
        maps, *heads = (found[index] for index in range(len(found)))
        return [np.moveaxis(maps, 1, -1), *heads]


def _by_planes(model: Any) -> Any:
    """The model from and to planes that lie one after the other, as they are made and used; heads stay as they are."""
    ov = import_silently("openvino")
    shown = ov.preprocess.PrePostProcessor(model.clone())
    for end in (shown.input(0), shown.output(0)):
        end.model().set_layout(ov.Layout("NHWC"))
        end.tensor().set_layout(ov.Layout("NCHW"))
    return shown.build()


def load_int8(weights: WeightsInfo, threads: int | None = None) -> Int8Network:
    """The int8 twin of weights, ready to run.

    Raises
    ------
    EngineError
        If OpenVINO is not there or does not understand the file.
    """
    assert weights.int8 is not None
    ov = import_silently("openvino")
    graph, constants = read_int8(weights.int8)
    try:
        return Int8Network(core().read_model(graph, constants), threads)
    except RuntimeError as error:
        raise EngineError(
            f"OpenVINO {ov.__version__} does not understand {weights.int8.path} ({str(error).splitlines()[0]}); "
            f"make it again by `nusetd train --quantise {weights.path}`, or set runtime = 'tensorflow'."
        ) from error


def _settings(threads: int | None) -> dict[str, object]:
    """One input at a time on all cores; what is not int8 in float32, not in the bfloat16 that is the default."""
    chosen: dict[str, object] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # several workers would all be pinned to the same cores
        # What is prepared for a shape, some 6 MiB, is kept for about ten of them; by default for thousands.
        "CPU_RUNTIME_CACHE_CAPACITY": 400,
    }
    if threads is not None:
        chosen["INFERENCE_NUM_THREADS"] = threads
    return chosen
