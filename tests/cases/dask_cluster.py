"""A Dask cluster on loopback, made of processes as people start them: one scheduler, and `nusetd worker`."""

from __future__ import annotations

import datetime
import ipaddress
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cases.postgres import free_port
from cases.processes import children, command_of

WORKER = "daemon.cli", "worker", "--scheduler"
SCHEDULER = "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--no-dashboard", "--port"


class DaskCluster:
    """A scheduler and its workers.

    Parameters
    ----------
    folder : Path
        For their logs.
    environment : dict
        In which tests' engines are found.
    certificates : Path, optional
        A folder of `write_certificates`: then nobody gets in without.
    """

    def __init__(self, folder: Path, environment: dict[str, str], certificates: Path | None = None) -> None:
        pytest.importorskip("distributed", reason="needs the extra nusetd[dask]")
        self._folder = folder
        self._environment = environment
        self._certificates = certificates
        self._port = free_port()
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"{'tcp' if self._certificates is None else 'tls'}://127.0.0.1:{self._port}"

    def start_scheduler(self) -> None:
        """Start it, also again."""
        safe: list[str] = []
        if self._certificates is not None:
            files = {"ca-file": "ca.pem", "cert": "own.pem", "key": "own.key"}
            safe = [f"--tls-{name}={self._certificates / file}" for name, file in files.items()]
            safe.append("--protocol=tls")
        self.scheduler = self._start("scheduler", [*SCHEDULER, str(self._port), *safe], {})

    def add_worker(self, *arguments: str, cwd: Path | None = None, **more: str) -> None:
        """Start one more."""
        safe: list[str] = []
        if self._certificates is not None:
            files = {"ca": "ca.pem", "certificate": "own.pem", "key": "own.key"}
            safe = [f"--{name}={self._certificates / file}" for name, file in files.items()]
        name = f"worker-{len(self.workers)}"
        self.workers.append(self._start(name, [*WORKER, self.address, *safe, *arguments], more, cwd))

    def said(self, name: str) -> str:
        """The log of ``scheduler`` or ``worker-0``."""
        return (self._folder / f"{name}.log").read_text()

    def kill_scheduler(self) -> None:
        """As a power cut would."""
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()

    def kill_task_process(self, number: int) -> bool:
        """Kill what segments in a worker, which its nanny starts anew; False where none runs now."""
        for pid in children(self.workers[number].pid):
            if b"spawn_main" in command_of(pid):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def end(self) -> None:
        """End all of it."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            _end(worker)
        if self.scheduler is not None:
            self.scheduler.terminate()
            _end(self.scheduler)

    def _start(
        self, name: str, command: Sequence[str], more: dict[str, str], cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        scratch = {"DASK_TEMPORARY_DIRECTORY": str(self._folder)}
        with (self._folder / f"{name}.log").open("ab") as log:
            environment = {**self._environment, **scratch, **more}
            return subprocess.Popen(
                [sys.executable, "-m", *command], stdout=log, stderr=log, env=environment, cwd=cwd or self._folder
            )


def write_certificates(folder: Path) -> Path:
    """Make an authority, and a certificate for loopback that it signed."""
    x509 = pytest.importorskip("cryptography.x509", reason="needs cryptography, to make certificates for tests")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)

    def made(name: str, signer: tuple[object, object] | None) -> tuple[object, object]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        alternatives = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if signer is None else signer[1].subject)  # type: ignore[attr-defined]
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        )
        signed = builder.sign(key if signer is None else signer[0], hashes.SHA256())  # type: ignore[arg-type]
        return key, signed

    authority = made("tests", None)
    own = made("localhost", authority)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority[1].public_bytes(pem))  # type: ignore[attr-defined]
    (folder / "own.pem").write_bytes(own[1].public_bytes(pem))  # type: ignore[attr-defined]
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "own.key").write_bytes(own[0].private_bytes(pem, form, none))  # type: ignore[attr-defined]
    return folder


def _end(process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    if process.poll() is None:
        process.kill()
        process.wait()
