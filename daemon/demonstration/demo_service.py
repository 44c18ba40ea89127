"""The real service as the demonstration runs it: `nusetd run --config FILE` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import daemon
from daemon.errors import DaemonError

STOP_S = 60.0
"""Longest wait for a graceful stop before the service is killed."""

CONFIG = """\
# The configuration that `nusetd demo` ran the service with. Run it again: nusetd run --config {own_path}

[[watch]]
path = {incoming}
output = {output}
quiet_s = 1.0  # the files of a real microscope may need longer
acquisition_quiet_s = {quiet_s}  # after this long without a new file it is complete

[service]
rescan_s = 2.0
"""


def write_config(path: Path, incoming: Path, output: Path, quiet_s: float, engine: str | None = None) -> None:
    """Write the configuration file of the demonstration.

    Parameters
    ----------
    path : Path
    incoming, output : Path
        The watched folder, and the one for the results.
    quiet_s : float
        The acquisition counts as complete when no file came for this long.
    engine : str or None
        Another segmenter as ``module:callable``; None: NuSeT.
    """
    # A JSON string is also a TOML string.
    texts = {"incoming": json.dumps(str(incoming)), "output": json.dumps(str(output))}
    text = CONFIG.format(own_path=path, quiet_s=float(quiet_s), **texts)
    if engine is not None:
        text += f"\n[engine]\nfactory = {json.dumps(engine)}\n"
    path.write_text(text, encoding="utf-8")


class ServiceProcess:
    """Context manager: starts the service, and stops it gracefully whatever happens inside.

    Parameters
    ----------
    config : Path
    log : Path
        Receives everything that the service prints.
    """

    def __init__(self, config: Path, log: Path) -> None:
        self.config, self.log = config, log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # Found from any working directory, and before another package that calls itself `daemon`.
        home = str(Path(daemon.__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-P", "-m", "daemon.cli", "run", "--config", str(self.config)]
        with self.log.open("wb") as log:
            # Its own session: Ctrl-C reaches only the demonstration, which then stops the service in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.stop()
        if kind is None and code != 0:
            raise DaemonError(f"the service did not stop in order (exit code {code}){self.last_words()}")

    @property
    def pid(self) -> int:
        """Process number of the running service."""
        assert self._process is not None  # only inside the context
        return self._process.pid

    def check(self) -> None:
        """Make sure that the service is alive.

        Raises
        ------
        DaemonError
            With the service's own last words when it has ended.
        """
        code = self._process.poll() if self._process is not None else None
        if code is not None:
            raise DaemonError(f"the service ended before its work was done (exit code {code}){self.last_words()}")

    def stop(self) -> int:
        """Ask the service to stop, wait, and return its exit code; after a minute it is killed."""
        assert self._process is not None  # only inside the context
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def last_words(self) -> str:
        """The end of the log as the end of a sentence."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        said = f": {lines[-1]}" if lines else " without a word."
        return f"{said}\nIts whole log is in {self.log}"
