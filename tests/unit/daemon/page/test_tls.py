"""The page speaks TLS with a certificate of its own, and says in a sentence where it cannot."""

from __future__ import annotations

import http.client
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from cases import family
from cases.live_page import running

from daemon.configuration.page import PageConfig
from daemon.errors import DaemonError
from daemon.orders.page_services import PageServices
from daemon.page.live.app import make_app
from daemon.page.live.guard import COOKIE, Visitors
from daemon.page.live.server import PageServer, listen
from storage import naming

TOKEN = "a_word_that_is_long_enough"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this computer, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "page.pem", folder / "page.key"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command = [*words.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def test_visitors_come_by_tls_and_their_cookie_goes_no_other_way(tmp_path: Path, files: tuple[Path, Path]) -> None:
    config = PageConfig(listen="127.0.0.1:0", token_file=tmp_path, tls_certificate=files[0], tls_key=files[1])
    listening, ending = listen(config), threading.Event()
    assert listening.address.startswith("https://127.0.0.1:")
    visitors = Visitors(tokens={"anna": TOKEN}, secure=True)
    app = make_app(naming.database_url(family.fill(tmp_path)), PageServices(), visitors, ending)
    server = PageServer(app, ending, files)
    port = listening.socket.getsockname()[1]
    with running(server, lambda: server.run(sockets=[listening.socket])):
        trusted = ssl.create_default_context(cafile=str(files[0]))
        secure = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusted)
        secure.request("GET", f"/?token={TOKEN}")
        answer = secure.getresponse()
        cookie = answer.headers["set-cookie"]
        assert (answer.status, "Secure" in cookie.split("; ")) == (303, True)
        answer.read()
        secure.request("GET", "/api/overview", headers={"Cookie": cookie.split(";")[0], "Origin": listening.address})
        answer = secure.getresponse()
        assert answer.status == 200
        assert answer.read()
        secure.close()
        plain = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        plain.request("GET", "/", headers={"Cookie": f"{COOKIE}={TOKEN}"})
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.getresponse()
        plain.close()


def test_a_certificate_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "page.pem").write_text("no certificate")
    app = make_app("sqlite:///none", PageServices(), Visitors(), threading.Event())
    for name in ("page.pem", "missing.pem"):
        with pytest.raises(DaemonError, match="no certificate and key that can be used"):
            PageServer(app, threading.Event(), (tmp_path / name, tmp_path / name))
