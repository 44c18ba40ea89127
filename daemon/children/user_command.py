"""A command of the user's: run as it is written, never by a shell, with facts that may hold anything."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

_SHOWN = 500  # characters of what a failed command said


def run_command(
    command: Sequence[str], timeout_s: float, facts: Mapping[str, Any], variables: Mapping[str, object]
) -> str | None:
    """Run a command with facts as JSON on its standard input, and the main ones as variables.

    Returns
    -------
    str or None
        Why it failed; None when it ended with exit code 0.
    """
    content = json.dumps(facts, ensure_ascii=False).encode(errors="replace")
    # To a file and from a file: a command that says much, or does not read, never holds us up.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(content)
        given.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={**os.environ, **{name: str(value).replace("\0", "") for name, value in variables.items()}},
                start_new_session=True,  # so that all of its children end with it
            )
        except OSError as error:
            return f"it cannot be run ({error.strerror})"
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"it was ended after {timeout_s:g} s"
        if code == 0:
            return None
        said.seek(max(said.seek(0, os.SEEK_END) - _SHOWN, 0))
        return f"exit code {code}: {said.read().decode(errors='replace').strip()}"
