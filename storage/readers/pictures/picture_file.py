"""PNG and JPEG files as acquisitions. imagecodecs decodes them, and only what their structure says is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nuset_engine.arrays import ImageYXS, PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError, UnsupportedInputError
from storage.readers.bounded import BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.fingerprint import of_files
from storage.readers.image import HandleSource, Image, acquisitions
from storage.readers.pictures import structure
from storage.readers.pictures.structure import Picture


class _Decoded:
    """A decoded picture: what there is to keep open of one."""

    def __init__(self, path: Path, said: Picture) -> None:
        import imagecodecs

        content = path.read_bytes()
        decode = imagecodecs.png_decode if content.startswith(structure.PNG_SIGNATURE) else imagecodecs.jpeg_decode
        pixels: ImageYXS = np.asarray(decode(content))
        self.pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if self.pixels.shape[:2] != (said.height, said.width) or self.pixels.dtype != said.dtype:
            raise ValueError(f"it decodes to {self.pixels.shape} {self.pixels.dtype}")

    def close(self) -> None:
        """Nothing is open."""


class PictureSource(HandleSource[_Decoded]):
    """The channels of a picture, decoded together."""

    def __init__(self, path: Path, said: Picture) -> None:
        super().__init__(path, (path,))
        self._said = said

    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the file."""
        del t
        return of_files((self._path,))

    def _open(self) -> _Decoded:
        structure.picture(self._path)  # what lies there now may be another file
        return _Decoded(self._path, self._said)

    def _read(self, handle: _Decoded, t: int, c: int, z: int) -> PlaneYX:
        return handle.pixels[..., c]


def probe(path: Path) -> Completion:
    """Return whether a picture is whole: a PNG ends and its check sums hold, a JPEG ends."""
    try:
        structure.picture(path)
    except UnsupportedInputError as error:  # there is nothing to wait for
        return Completion("complete", str(error))
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except BrokenFileError as error:
        return Completion("incomplete", f"{path} is not a whole picture: {error}.")
    return of_planes(path, 1, 1, (0,))


def open_picture(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the acquisition of one time point and slice that a picture is.

    Raises
    ------
    UnreadableInputError
        When it is no picture, is damaged, or is of a kind that is not read.
    """
    del axes  # it has a single plane
    try:
        said = structure.picture(path)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read ({error.strerror or error}).") from error
    except BrokenFileError as error:
        raise UnreadableInputError(f"{path} cannot be read as a picture ({error}): export it again.") from error
    image = Image(shape=(1, said.channels, 1, said.height, said.width), dtype=said.dtype, samples=said.channels)
    reader = "png" if path.suffix.lower() == ".png" else "jpeg"
    return acquisitions(path, reader, [(image, PictureSource(path, said))], (path,))
