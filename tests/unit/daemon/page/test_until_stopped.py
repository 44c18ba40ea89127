"""The end of a page's process where it is not its visitors who hold it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from threading import Event, Thread

from daemon.page.live.server import PageServer

HELD = """
import threading, time
from daemon.configuration.page import PageConfig
from daemon.page.live.server import PageServer, listen
from daemon.page.until_stopped import serve_until_stopped

async def app(scope, receive, send):
    print("held", flush=True)
    while True:
        time.sleep(1.0)  # holds the loop, and with it the main thread

def ask():
    import http.client
    http.client.HTTPConnection(listening.address.partition("//")[2]).request("GET", "/")

listening = listen(PageConfig(listen="127.0.0.1:0"))
threading.Thread(target=ask, daemon=True).start()
server = PageServer(app, threading.Event())
serve_until_stopped(server, lambda: server.run(sockets=[listening.socket]))
"""


def test_a_loop_that_is_held_does_not_hold_the_end() -> None:
    with subprocess.Popen([sys.executable, "-c", HELD], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert time.monotonic() - begun < 5.0
        finally:
            process.kill()


def test_a_signal_in_the_midst_of_another_one_waits_for_nothing() -> None:
    server = PageServer(None, ending := Event())  # type: ignore[arg-type]
    handling = Thread(target=server.handle_exit, args=(signal.SIGTERM, None), daemon=True)
    with ending._cond:  # type: ignore[attr-defined]  # as while the first one lets the end begin
        handling.start()
        handling.join(10)
        assert not handling.is_alive()
    assert server.should_exit
