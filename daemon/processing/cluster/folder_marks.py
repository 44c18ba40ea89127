"""Files by which workers elsewhere see that a folder with results is the one that is meant."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path


class FolderMarks:
    """One small file in each folder, there as long as the run lasts; one that a killed run left is taken over.

    Parameters
    ----------
    folders : sequence of Path
    whose : str
        What tells this run's files from those of others, and is the same for the next one.
    """

    def __init__(self, folders: Sequence[Path], whose: str) -> None:
        name = f".nusetd-seen-{hashlib.sha256(whose.encode()).hexdigest()[:12]}"
        self._paths = {str(folder): folder / name for folder in folders}
        self._word = secrets.token_hex(8)

    def made(self) -> dict[str, tuple[str, str]]:
        """Return for each folder the name of its file, and what is written in it now."""
        for path in self._paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._word)
        return {folder: (path.name, self._word) for folder, path in self._paths.items()}

    def remove(self) -> None:
        """Take them away."""
        for path in self._paths.values():
            path.unlink(missing_ok=True)
