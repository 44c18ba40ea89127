"""Weights at rest: float16 arrays in an ``.npz``, with a JSON manifest that says what they are and how they were made.

No pickles and no downloads: the architecture is code, the arrays are plain numbers, and a sha256 binds the two files.
Beside them may lie their int8 twin (`runtime.int8_file`), bound by a sha256 too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nuset_engine.arrays import TensorF32
from nuset_engine.errors import EngineError

if TYPE_CHECKING:
    import keras

FORMAT = 1
SINGLE_PLANES = "single_planes"  # in a manifest: the name of the weights beside it that read single planes
INT8 = "int8"  # in a manifest: the hash of the int8 twin and how it was made
CHANNELS = "channels"  # in a manifest: of the network's input
MODEL = "model"  # in a manifest: the kind of network, a name of `models.registry.MODELS`
NUSET = "nuset"  # the kind of those whose manifest does not say
FEWEST_CHANNELS = 2  # of weights whose manifest does not say


@dataclass(frozen=True)
class Int8File:
    """The int8 twin of weights: its file, and the sha256 that the manifest gives."""

    path: Path
    sha256: str

    @classmethod
    def beside(cls, weights: Path, manifest: Mapping[str, Any]) -> Int8File | None:
        """What a manifest says of the twin of weights (``.npz``); None where it knows of none."""
        return cls(int8_path(weights), manifest[INT8]["sha256"]) if INT8 in manifest else None

    def check(self) -> None:
        """Refuse a file that is missing, or another one than the manifest describes.

        Raises
        ------
        EngineError
            With the remedy.
        """
        if not self.path.is_file():
            weights = self.path.with_suffix("").with_suffix(".npz")
            raise EngineError(
                f"{self.path} is missing, though the manifest beside it describes it: restore it, make it again by "
                f"`nusetd train --quantise {weights}`, or set runtime = 'tensorflow'."
            )
        _checked(self.path, self.sha256)


def int8_path(weights: Path) -> Path:
    """Where the int8 twin of weights (``.npz``) lies."""
    return weights.with_suffix(".int8.npz")


@dataclass(frozen=True)
class WeightsInfo:
    """Identity of a set of weights.

    Attributes
    ----------
    name : str
    sha256 : str
        Of the array file; where other weights read single planes, of both files' hashes together.
    manifest : mapping
    path : Path
        The array file.
    single_planes : WeightsInfo or None
        Weights that read single planes in place of these, which read stacks; None where these read both.
    int8 : Int8File or None
        The same network in int8, where it was made.
    runtime : str
        What reads them, see `runtime.choice`.
    """

    name: str
    sha256: str
    manifest: Mapping[str, Any]
    path: Path
    single_planes: WeightsInfo | None = None
    int8: Int8File | None = None
    runtime: str = "tensorflow"

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return int(self.manifest.get(CHANNELS, FEWEST_CHANNELS))

    @property
    def model(self) -> str:
        """The kind of network, a name of `models.registry.MODELS`."""
        return str(self.manifest.get(MODEL, NUSET))

    @property
    def learned(self) -> str | None:
        """What they learned to find, ``nuclei`` or ``events`` among them; None where the manifest does not say."""
        said = (self.manifest.get(made, {}).get("mode") for made in ("recipe", INT8))
        return next((str(mode) for mode in said if mode), None)

    @property
    def architecture(self) -> Mapping[str, Any]:
        """Sizes of the network, as `network.Architecture.as_dict` gave them."""
        sizes: Mapping[str, Any] = self.manifest["architecture"]
        return sizes


def shipped_weights() -> list[str]:
    """Names of the weights that the package brings."""
    return sorted(path.stem for path in _shipped_folder().glob("*.json"))


def is_shipped(weights: WeightsInfo) -> bool:
    """Whether they are those that the package brings, which nobody changes."""
    return weights.path.absolute().parent == _shipped_folder().absolute()


def _shipped_folder() -> Path:
    return Path(str(resources.files("nuset_engine"))) / "trained"


def manifest_path(weights: str | Path) -> Path:
    """The manifest of shipped weights by name, or of a user's by the path of either file."""
    path = Path(weights)
    if path.suffix in (".json", ".npz"):
        return path.with_suffix(".json")
    return _shipped_folder() / f"{weights}.json"


def find_weights(weights: str | Path) -> WeightsInfo:
    """Find weights by the name of a shipped set or by path, and check their hash.

    Raises
    ------
    EngineError
        If there are none, or the arrays are not the ones that the manifest describes.
    """
    described = manifest_path(weights)
    arrays = described.with_suffix(".npz")
    if not described.is_file() or not arrays.is_file():
        known, path = ", ".join(shipped_weights()) or "none", f"{weights}.npz"
        if Path(path).is_file():
            raise EngineError(f"There are no weights '{weights}': where {path} is meant, give that.")
        raise EngineError(
            f"There are no weights '{weights}': {described.name} and {arrays.name} must lie side by side; "
            f"give the path of an .npz or one of the shipped names ({known})."
        )
    try:
        manifest = json.loads(described.read_text(encoding="utf-8"))
        expected, name = manifest["sha256"], manifest["name"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise EngineError(f"{described} is no manifest of weights ({error}); restore it or train again.") from error
    found = _checked(arrays, expected)
    int8 = Int8File.beside(arrays, manifest)
    if SINGLE_PLANES not in manifest:
        return WeightsInfo(name, found, manifest, arrays, int8=int8)
    other = find_weights(described.with_name(f"{manifest[SINGLE_PLANES]}.npz"))
    both = hashlib.sha256(f"{found} {other.sha256}".encode()).hexdigest()
    return WeightsInfo(name, both, manifest, arrays, other, int8)


def _checked(file: Path, expected: str) -> str:
    """The hash of a file, which must be the one that its manifest gives."""
    status = file.stat()
    found = _sha256(file, status.st_ino, status.st_size, status.st_mtime_ns)
    if found != expected:
        raise EngineError(
            f"{file} is not the file that its manifest describes (sha256 {found[:12]}, expected {expected[:12]}); "
            "reinstall nusetd or restore the file."
        )
    return found


@lru_cache(maxsize=16)
def _sha256(file: Path, inode: int, size: int, mtime_ns: int) -> str:
    """The hash of a file, which is read again only when it is another one, or was written since."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _arrays(model: keras.Model) -> dict[str, keras.Variable]:
    """The model's variables by address, such as ``encoder1_conv1/kernel``."""
    return {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer.weights}


def save_weights(model: keras.Model, path: Path, manifest: Mapping[str, Any]) -> WeightsInfo:
    """Write the arrays as float16 to `path` (``.npz``) and the manifest, completed with name and hash, beside it."""
    arrays = {}
    for name, variable in _arrays(model).items():
        values = np.asarray(variable, np.float32)
        # Running variances may exceed what float16 can hold or fall below it; they are few, so they stay float32.
        arrays[name] = values if name.endswith("moving_variance") else values.astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    int8_path(path).unlink(missing_ok=True)  # of the weights that were here before
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    complete = {"format": FORMAT, "name": path.stem, "sha256": digest, CHANNELS: model.inputs[0].shape[-1], **manifest}
    write_manifest(path, complete)
    return WeightsInfo(path.stem, digest, complete, path)


def write_manifest(weights: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of weights (``.npz``) beside them."""
    with whole(weights.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give where to write a file, which comes to its place when it is on the disk: a power cut leaves no empty one.

    Where that fails, as on a full disk, nothing of it is left.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _widened(kernel: TensorF32, channels: int) -> TensorF32:
    """The first kernel (3, 3, inputs, outputs) for at least so many inputs; new ones count nothing."""
    lacking = max(0, channels - kernel.shape[2])
    return np.pad(kernel, ((0, 0), (0, 0), (0, lacking), (0, 0)))


def load_weights(model: keras.Model, info: WeightsInfo) -> None:
    """Put stored arrays into a model of the same architecture, which may read more channels than they did.

    Raises
    ------
    EngineError
        If names or shapes do not fit the model.
    """
    wanted = _arrays(model)
    first = next(iter(wanted))
    with np.load(info.path, allow_pickle=False) as stored:
        unlike = sorted(set(wanted) ^ set(stored.files))
        if unlike:
            raise EngineError(f"{info.path} does not fit this network (first difference: {unlike[0]}); train again.")
        for name, variable in wanted.items():
            values = stored[name].astype(np.float32)
            if name == first:
                values = _widened(values, variable.shape[2])
            if values.shape != tuple(variable.shape):
                raise EngineError(
                    f"{info.path} does not fit this network ({name} is {values.shape}, "
                    f"not {tuple(variable.shape)}); train again."
                )
            variable.assign(values)
