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
        When it is neither, or holds anything but numbers.
    """
    import tifffile

    try:
        with path.open("rb") as file:
            if path.suffix == ".npy":
                mask = np.asarray(np.lib.format.read_array(file, allow_pickle=False))
            else:
                mask = np.asarray(tifffile.imread(file))
    except OSError as error:
        why = error.strerror or error
        raise UnreadableInputError(f"{path} cannot be read ({why}): name a .npy or TIFF file.") from error
    except (ValueError, EOFError, tifffile.TiffFileError) as error:
        raise UnreadableInputError(f"{path} cannot be read as a mask ({error}): save it as .npy or TIFF.") from error
    if mask.dtype.kind not in "biuf" or (mask.dtype.kind == "f" and np.isnan(mask).any()):
        raise UnreadableInputError(f"{path} holds other things than numbers ({mask.dtype}): save 0, and 1 within.")
    return mask
