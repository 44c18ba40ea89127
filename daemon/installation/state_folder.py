"""Where the service keeps what is neither result nor database: the folder that the system means for it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from daemon.errors import DaemonError

OVERRIDES = "overrides.toml"


def state_folder() -> Path:
    """Return the folder, and make it: systemd's ``StateDirectory``, else ``nusetd`` in the XDG folder for state.

    Raises
    ------
    DaemonError
        When it cannot be made.
    """
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]  # systemd lists several with colons between them
    try:
        folder = Path(given) if given else _xdg_state_home() / "nusetd"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # without a home folder pathlib raises RuntimeError
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DaemonError(
            f"The folder for the service's state cannot be made ({why}): set XDG_STATE_HOME to a local folder."
        ) from error
    return folder


def overrides_path(database: str) -> Path:
    """Return where the overrides of the service on a database lie; nothing is made.

    A service of systemd has a folder for its state alone; by hand, several services share one.

    Raises
    ------
    DaemonError
        When there is no home folder.
    """
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given) / OVERRIDES
    try:
        home = _xdg_state_home()
    except RuntimeError as error:
        raise DaemonError(f"There is no folder for the service's state ({error}): set XDG_STATE_HOME.") from error
    return home / "nusetd" / hashlib.sha256(database.encode()).hexdigest()[:16] / OVERRIDES


def _xdg_state_home() -> Path:
    """The XDG base directory for state; a relative path in the variable is ignored, as the specification asks."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".local" / "state"
