"""Label images drawn in ASCII: a letter is a nucleus, everything else background."""

from __future__ import annotations

import numpy as np


def drawn(picture: str) -> np.ndarray:
    """(Y, X) int32 labels of a drawing, A = 1, B = 2 and so on; indentation and empty lines do not count."""
    rows = [line.strip() for line in picture.strip().splitlines()]
    return np.array([[ord(c) - ord("A") + 1 if c.isalpha() else 0 for c in row] for row in rows], dtype=np.int32)


def drawn_slices(picture: str) -> list[np.ndarray]:
    """Slices side by side, separated by blanks."""
    columns = zip(*(line.split() for line in picture.strip().splitlines()), strict=True)
    return [drawn("\n".join(column)) for column in columns]
