"""Which files of the server people may choose on the page: in watched folders, and below folders that are named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError

_MOST = 1000


class Folders:
    """Names and looks into folders that are open to visitors; a link leads nowhere else.

    Parameters
    ----------
    named : sequence of Path
        Those of the configuration.
    watched : callable
        Gives those that the service watches.
    """

    def __init__(self, named: Sequence[Path], watched: Callable[[], Sequence[Path]]) -> None:
        self._named = named
        self._watched = watched

    def open_ones(self) -> list[Path]:
        """The folders themselves, the watched ones first."""
        return list(dict.fromkeys([*self._watched(), *self._named]))

    def inside(self, text: str) -> Path:
        """The file or folder of that path, which lies in one of the folders.

        Raises
        ------
        DaemonError
            When it does not, or there is none.
        """
        path = Path(text)
        folders = self.open_ones()
        try:
            if not path.is_absolute() or ".." in path.parts:
                raise ValueError
            real = path.resolve(strict=True)
            if any(real.is_relative_to(folder.resolve()) for folder in folders):
                return path
        except (OSError, ValueError, RuntimeError):
            pass
        told = ", ".join(map(str, folders)) or "none is open"
        raise DaemonError(
            f"{text[:300]} is not there, or in none of the folders that the page may use ({told}); others are opened "
            "by `nusetd page --folder FOLDER`, or folders = [...] in [page] of the configuration."
        )

    def listing(self, text: str) -> dict[str, Any]:
        """What lies in a folder; without a path, the folders themselves.

        Raises
        ------
        DaemonError
        """
        if not text:
            entries = [{"name": str(one), "path": str(one), "folder": True} for one in self.open_ones()]
            return {"path": "", "above": None, "entries": entries, "more": False}
        folder = self.inside(text)
        try:
            found = sorted(self._entries(folder), key=lambda one: (not one["folder"], str(one["name"]).lower()))
        except OSError as error:
            raise DaemonError(f"{folder} cannot be looked into ({error.strerror}).") from error
        above = "" if folder in self.open_ones() else str(folder.parent)
        return {"path": str(folder), "above": above, "entries": found[:_MOST], "more": len(found) > _MOST}

    @staticmethod
    def _entries(folder: Path) -> Iterator[dict[str, Any]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    yield {"name": entry.name, "path": entry.path, "folder": entry.is_dir()}
