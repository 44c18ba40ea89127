"""Where the service keeps what is neither result nor database: the folder that the system means for it."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.errors import DaemonError


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


def _xdg_state_home() -> Path:
    """The XDG base directory for state; a relative path in the variable is ignored, as the specification asks."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".local" / "state"
