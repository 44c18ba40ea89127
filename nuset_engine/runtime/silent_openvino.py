"""OpenVINO without its telemetry.

Both `openvino` and `nncf` report that they were imported, and what they convert, to a server of their makers, through
the package `openvino_telemetry`. A facility's computer must call nobody, so that package is forbidden in this process
before either is imported; without it both go on without a word.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from nuset_engine.errors import EngineError

TELEMETRY = "openvino_telemetry"


def import_silently(name: str) -> ModuleType:
    """Import `openvino`, `nncf` or a part of them.

    Raises
    ------
    EngineError
        Where it is not installed, or another package of this process started the telemetry before.
    """
    if sys.modules.setdefault(TELEMETRY, None) is not None:  # type: ignore[arg-type]  # None forbids the import
        raise EngineError(
            f"Something in this process imported {TELEMETRY} before nusetd could forbid it, and it would report to "
            "its makers; import nusetd's engine first, or set runtime = 'tensorflow'."
        )
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package, _, _ = name.partition(".")
        otherwise = ", or set runtime = 'tensorflow'" if package == "openvino" else ""
        raise EngineError(
            f"The package {name} cannot be imported ({error}): pip install {package}{otherwise}."
        ) from error
