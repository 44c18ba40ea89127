"""Weights that people keep by name, beside those that the package brings: in the folder for the service's state."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.errors import DaemonError
from daemon.installation.state_folder import state_folder
from nuset_engine.runtime.names import ENDINGS, OPENVINO, name_fault
from nuset_engine.weights import WeightsInfo, find_weights, int8_path, shipped_weights
from storage.files.whole_file import whole

_LOCK = "keeping.lock"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def kept_folder() -> Path:
    """Where they lie; made when the first are kept.

    Raises
    ------
    DaemonError
        When there is no folder for the service's state.
    """
    return state_folder() / "weights"


def kept_weights() -> list[str]:
    """Their names."""
    try:
        found = sorted(path.stem for path in kept_folder().glob("*.npz") if path.with_suffix(".json").is_file())
    except (DaemonError, OSError):
        return []
    return [name for name in found if not name.endswith(ENDINGS[OPENVINO])]


def located(weights: str) -> str:
    """The path of weights that are kept under this name; whatever else is given stays as it is."""
    if not NAME.fullmatch(weights) or weights.endswith((".npz", ".json")) or weights in shipped_weights():
        return weights
    return str(kept_folder() / f"{weights}.npz") if weights in kept_weights() else weights


def keep(weights: Path, name: str) -> Path:
    """Keep a copy of weights under a name, with which `--weights` finds them from now on.

    Raises
    ------
    DaemonError
        When the name cannot be one, or is taken, or the copy cannot be written.
    EngineError
        When there are no such weights.
    """
    if not NAME.fullmatch(name) or name.endswith((".npz", ".json")):
        raise DaemonError(f"{name[:80]!r} is no name for weights: use letters, digits, dots, dashes; at most 64.")
    fault = name_fault(name)
    if fault is not None:
        raise DaemonError(f"{fault}.")
    found, target = find_weights(weights), kept_folder() / f"{name}.npz"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(target.parent):
            if name in shipped_weights() or name in kept_weights():
                raise DaemonError(f"There are weights {name!r} already: choose another name.")
            _copy(found, target, name)
    except OSError as error:
        raise DaemonError(
            f"{target} cannot be written ({error.strerror}): make room, or look at who owns it."
        ) from error
    return target


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for whoever else keeps weights: a name is given once, and its files are those of the same weights."""
    with (folder / _LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(found: WeightsInfo, target: Path, name: str) -> None:
    for source, copy in ((found.path, target), (int8_path(found.path), int8_path(target))):
        if source.is_file():
            with whole(copy) as unfinished:
                shutil.copyfile(source, unfinished)
    with whole(target.with_suffix(".json")) as unfinished:  # last: from now on they are there
        unfinished.write_text(json.dumps({**found.manifest, "name": name}, indent=1) + "\n", encoding="utf-8")
