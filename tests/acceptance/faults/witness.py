"""Who watches a service while something is done to it: how soon do `/readyz`, `status` and an alert tell of it?"""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from typing import Any

from lab import Lab, asked

LIMIT_S = 10.0
Said = dict[str, Any]
TABLE: dict[str, dict[str, float]] = {}
"""Seconds by fault and by who told of it."""


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


class Witness:
    """Asks a service that listens on `port`.

    Parameters
    ----------
    lab : Lab
        Made with ``listen=f"127.0.0.1:{port}"``.
    """

    def __init__(self, lab: Lab, port: int) -> None:
        self.lab = lab
        self._base = f"http://127.0.0.1:{port}"

    def readyz(self) -> tuple[int, str]:
        """What `/readyz` answers; 0 while nobody does."""
        return self._get("/readyz")

    def metric(self, name: str) -> float:
        """One value of `/metrics`."""
        text = self._get("/metrics")[1]
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))

    def status(self) -> Said:
        """What `nusetd status` says; nothing where it cannot."""
        found = asked("status", "--database", self.lab.database, "--format", "json")
        return dict(json.loads(found.stdout)) if found.returncode == 0 else {}

    def troubles(self) -> list[str]:
        """What `nusetd status` says first."""
        return list(self.status().get("service", {}).get("troubles", []))

    def sees(
        self,
        fault: str,
        alert: str = "kind=stalled",
        since: int = 0,
        unready: Callable[[int], bool] | None = lambda code: code == 503,
        told_by_status: Callable[[Said], bool] = lambda said: bool(said.get("service", {}).get("troubles")),
    ) -> dict[str, float]:
        """Wait until all tell of it, and note the seconds; `since` is where the log was when it was done.

        `unready` is None where the service goes on as before: `/readyz` has nothing to tell then.
        """
        began, told = time.monotonic(), dict[str, float]()
        asks: dict[str, Callable[[], bool]] = {
            "status": lambda: told_by_status(self.status()),
            "alert": lambda: alert in self.lab.said()[since:],
        }
        if unready is not None:
            asks["readyz"] = lambda: unready(self.readyz()[0])
        while len(told) < len(asks):
            told |= {by: time.monotonic() - began for by, tells in asks.items() if by not in told and tells()}
            assert time.monotonic() - began < 3 * LIMIT_S, f"only {sorted(told)} tell of it:\n{self.lab.said()}"
            time.sleep(0.1)
        TABLE[fault] = told
        assert max(told.values()) <= LIMIT_S, told
        return told

    def is_well(self) -> bool:
        """Whether everything is as it should be again."""
        return self.readyz()[0] == 200 and not self.troubles()

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self._base + path, timeout=5.0) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""
