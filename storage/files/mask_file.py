"""What a person drew, as a file: a stack of numbers, of which everything but 0 counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nuset_engine.arrays import Pixels
from storage.errors import UnreadableInputError


def read_mask(path: Path) -> Pixels:
    """Return the array of a .npy or TIFF file.

    Raises
    ------
    UnreadableInputError
        When it is neither.
    """
    import tifffile

    try:
        if path.suffix == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        return np.asarray(tifffile.imread(path))
    except (OSError, ValueError, EOFError, tifffile.TiffFileError) as error:
        raise UnreadableInputError(f"{path} cannot be read as a mask ({error}): save it as .npy or TIFF.") from error
