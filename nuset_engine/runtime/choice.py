"""Which runtime reads weights: part of what identifies a result, because others than float32 move an outline here and
there.

int8 needs three things: the int8 twin of the weights, the package `openvino`, and a processor that multiplies and adds
bytes in one instruction. Without such instructions it is no faster and, on some processors, less exact. bfloat16 needs
nothing but a processor with AMX; on others it is slower than float32.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from nuset_engine.errors import EngineError
from nuset_engine.runtime.names import AUTO, BFLOAT16, ENDINGS, OPENVINO, RUNTIMES, TENSORFLOW, read_as
from nuset_engine.weights import NUSET, WeightsInfo, find_weights, manifest_path

INT8_INSTRUCTIONS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
BFLOAT16_INSTRUCTION = "amx_bf16"
"""Those of AVX512_BF16 alone, without its tiles, take half as long again as float32 does."""
QUICKEST_FIRST = (OPENVINO, BFLOAT16, TENSORFLOW)
CPUINFO = Path("/proc/cpuinfo")
DEVICES = Path("/dev")


def weights_named(weights: str | Path) -> WeightsInfo:
    """Find weights by name or path, see `find_weights`; what results call a model leads to the weights it is of.

    Raises
    ------
    EngineError
        If there are none, or they are damaged.
    """
    ending = Path(weights).suffix if Path(weights).suffix in (".json", ".npz") else ""
    own, runtime = read_as(str(weights).removesuffix(ending))
    if runtime != TENSORFLOW and not manifest_path(weights).is_file():
        raise EngineError(
            f"There are no weights '{weights}': results call '{own}{ending}' so where {runtime} computed them; "
            f"give '{own}{ending}', with runtime = '{runtime}' for the same results."
        )
    return find_weights(weights)


def read_by(weights: WeightsInfo, wanted: str = AUTO) -> WeightsInfo:
    """The weights as they will be read, each file of them by the runtime that is wanted and can be had.

    Parameters
    ----------
    weights : WeightsInfo
        From `weights_named`.
    wanted : str
        ``tensorflow``: Keras in float32. ``tensorflow-bfloat16``: Keras in bfloat16, or an error. ``openvino``: int8,
        or an error. ``auto``: where neither a graphics card nor another backend of Keras is, int8 if all that it needs
        is there, else bfloat16 if the processor computes in it; else float32.

    Returns
    -------
    WeightsInfo
        With the runtime, and with a name and a hash of its own where that does not compute in float32.

    Raises
    ------
    EngineError
        If what is wanted cannot be had, or int8 is not the file that the manifest describes or cannot be read, or no
        such runtime is known. It says what was wanted.
    """
    try:
        return _read_by(weights, wanted)
    except (EngineError, OSError) as error:
        raise EngineError(f"runtime = '{wanted}': {error}") from error


def _read_by(weights: WeightsInfo, wanted: str) -> WeightsInfo:
    if wanted not in RUNTIMES:
        raise EngineError(f"there is no such runtime; choose one of {', '.join(RUNTIMES)}.")
    other = _read_by(weights.single_planes, wanted) if weights.single_planes else None
    runtime, own = _runtime(weights, wanted), weights.manifest["sha256"]
    if runtime == OPENVINO:
        assert weights.int8 is not None
        weights.int8.check()
        own = _digest(f"{own} int8 {weights.int8.sha256}")
    elif runtime == BFLOAT16:
        own = _digest(f"{own} bfloat16")
    name = weights.name + ENDINGS.get(runtime, "")
    sha256 = own if other is None else _digest(f"{own} {other.sha256}")
    return replace(weights, name=name, sha256=sha256, single_planes=other, runtime=runtime)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _runtime(weights: WeightsInfo, wanted: str) -> str:
    """The runtime that is wanted, if it can be had, or the quickest."""
    if wanted != AUTO:
        reason = lacking(weights, wanted)
        if reason is not None:
            raise EngineError(f"{reason}; or choose 'auto' or 'tensorflow'.")
        return wanted
    if _graphics_card() or os.environ.get("KERAS_BACKEND", TENSORFLOW) != TENSORFLOW:
        return TENSORFLOW
    return next(runtime for runtime in QUICKEST_FIRST if lacking(weights, runtime) is None)


def lacking(weights: WeightsInfo, runtime: str) -> str | None:
    """What is missing to read weights by a runtime; None where nothing is."""
    if runtime == OPENVINO:
        return without_int8(weights)
    return without_bfloat16() if runtime == BFLOAT16 else None


def wanted_for(weights: WeightsInfo, sha256: str, likely: str) -> str:
    """What is to be wanted of `read_by` so that it gives the model with this hash; `likely` where nothing does.

    Of two sets of weights, each may have been read by another runtime, as only ``auto`` has it.
    """
    for wanted in (likely, AUTO):
        with suppress(EngineError):
            if read_by(weights, wanted).sha256 == sha256:
                return wanted
    return likely


def without_bfloat16() -> str | None:
    """What is missing to compute in bfloat16; None where nothing is."""
    if _graphics_card() or BFLOAT16_INSTRUCTION in _processor_flags():
        return None
    return f"this processor has no instructions {BFLOAT16_INSTRUCTION}, without which it would be slower than float32"


def without_int8(weights: WeightsInfo) -> str | None:
    """What is missing to read weights in int8, and what to do about it; None where nothing is."""
    if weights.model != NUSET:
        return f"the weights {weights.name} are of the model {weights.model}, and only those of {NUSET} have int8 twins"
    if weights.int8 is None:
        return f"the weights {weights.name} have no int8 twin; make it by `nusetd train --quantise {weights.path}`"
    if find_spec("openvino") is None:
        return "the package openvino is not installed (pip install openvino)"
    if not INT8_INSTRUCTIONS & _processor_flags():
        return f"this processor has none of the instructions {', '.join(sorted(INT8_INSTRUCTIONS))}"
    return None


def _processor_flags() -> frozenset[str]:
    """What the processor knows, as Linux lists it; nothing where that is not known."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").partition(":")[2].split())


def _graphics_card() -> bool:
    """True where a graphics card that TensorFlow could use is within reach: it is faster than int8 on a processor."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return False
    return any(DEVICES.glob("nvidia[0-9]*")) or (DEVICES / "kfd").exists()
