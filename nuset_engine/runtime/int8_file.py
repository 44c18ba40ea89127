"""The int8 twin of weights at rest: OpenVINO's own form of a network, its graph and its constants, in one ``.npz``."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.errors import EngineError
from nuset_engine.runtime.silent_openvino import import_silently
from nuset_engine.weights import INT8, Int8File, WeightsInfo, int8_path, whole, write_manifest

GRAPH, CONSTANTS = "graph", "constants"


def read_int8(file: Int8File) -> tuple[bytes, bytes]:
    """Graph (XML) and constants of a twin, checked against its hash.

    Raises
    ------
    EngineError
        If the file is missing, damaged or no twin.
    """
    file.check()
    try:
        with np.load(file.path, allow_pickle=False) as stored:
            return stored[GRAPH].tobytes(), stored[CONSTANTS].tobytes()
    except (KeyError, ValueError) as error:
        raise EngineError(f"{file.path} is no int8 twin of weights ({error}); restore or make it again.") from error


def save_int8(model: Any, weights: WeightsInfo, made: Mapping[str, Any]) -> WeightsInfo:
    """Write a quantised OpenVINO model beside its weights, and its hash and how it was `made` into their manifest."""
    ov = import_silently("openvino")
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "graph.xml"
        ov.save_model(model, graph, compress_to_fp16=False)
        arrays = {
            GRAPH: np.frombuffer(graph.read_bytes(), np.uint8),
            CONSTANTS: np.frombuffer(graph.with_suffix(".bin").read_bytes(), np.uint8),
        }
    path = int8_path(weights.path)
    with whole(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = {**weights.manifest, INT8: {"sha256": digest, **made}}
    write_manifest(weights.path, manifest)
    return replace(weights, manifest=manifest, int8=Int8File(path, digest))
