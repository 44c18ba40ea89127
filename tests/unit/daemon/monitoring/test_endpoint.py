"""Metrics and health over real HTTP on the loopback interface."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.errors import DaemonError
from daemon.monitoring.endpoint import Endpoint
from daemon.monitoring.metrics import Metrics, Pulse
from daemon.monitoring.pace import pace_of
from daemon.monitoring.report import Report, RootReport
from daemon.processing.workers.protocol import WorkerNow
from storage.query.health import Passage, QueueState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPORT = Report(
    state="running",
    pid=1,
    host="here",
    version="9",
    started_at="2026",
    interval_s=10.0,
    model="m",
    worker_deaths=2,
    roots=(RootReport("/data/a", "/out", True, "2026", 3, 1000), RootReport("/data/b", "/out", False, "2026")),
)


class Site:
    """An endpoint with what it shows, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.metrics, self.pulse = Metrics(), Pulse(limit_s=30.0)
        self.endpoint = Endpoint("127.0.0.1:0", self.metrics, self.pulse, lambda: self.now)

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.endpoint.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def samples(self) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.endpoint.stop()


def test_metrics_are_what_prometheus_reads(site: Site) -> None:
    passage = Passage(*(NOW - timedelta(seconds=s) for s in (30, 20, 8)))
    state = QueueState(NOW, {"queued": 4, "done": 7}, 1, NOW - timedelta(seconds=50), recent=(passage,))
    workers = (WorkerNow(1, "works"), WorkerNow(2, "works"), WorkerNow(3, "idle"))
    site.metrics.look(replace(REPORT, workers=workers), pace_of(state, 3), 1000.0)
    site.metrics.done(12, {"segment_s": 3.0, "write_s": 1.0})
    found = site.samples()
    assert found["nusetd_timepoints", "waiting"] == 4
    assert found["nusetd_oldest_waiting_seconds",] == 50
    assert found["nusetd_lag_seconds", "0.95"] == 22
    assert found["nusetd_folder_online", "/data/b"] == 0
    assert found["nusetd_folder_settling_files", "/data/a"] == 3
    assert found["nusetd_nuclei_total",] == 12
    assert found["nusetd_step_seconds_total", "segment"] == 3
    assert found["nusetd_timepoint_seconds_count",] == 1
    assert found["nusetd_timepoints_ended_total", "failed"] == 0
    assert found["nusetd_worker_deaths_total",] == 2
    assert found["nusetd_keeps_up",] == 1
    assert (found["nusetd_workers", "works"], found["nusetd_workers", "starts"]) == (2, 0)
    assert found["nusetd_timepoint_interval_seconds",] == 4.0
    assert "process_resident_memory_bytes" in {name for name, *_ in found}


def test_counters_grow_with_the_report_and_folders_that_are_gone_are_gone(site: Site) -> None:
    pace = pace_of(QueueState(NOW, {}))
    site.metrics.look(REPORT, pace, 1.0)
    site.metrics.look(replace(REPORT, worker_deaths=5, roots=REPORT.roots[:1]), pace, 2.0)
    found = site.samples()
    assert found["nusetd_worker_deaths_total",] == 5
    assert ("nusetd_folder_online", "/data/b") not in found
    assert found["nusetd_folder_online", "/data/a"] == 1


def test_health_is_that_the_loop_goes_round(site: Site) -> None:
    assert site.get("/healthz")[0] == 503
    site.pulse.turned(100.0)
    assert site.get("/healthz") == (200, "the main loop went round 0.0 s ago\n")
    site.now = 131.0
    assert site.get("/healthz")[0] == site.get("/readyz")[0] == 503


def test_readiness_tells_why_not(site: Site) -> None:
    site.pulse.turned(100.0)
    assert site.get("/readyz")[0] == 503
    site.pulse.tell(("the network is being loaded", "/data/b cannot be reached"), {})
    assert site.get("/readyz") == (503, "the network is being loaded; /data/b cannot be reached\n")
    site.pulse.tell((), {})
    assert site.get("/readyz") == (200, "ready\n")


def test_the_status_is_there_as_json_and_nothing_else_is(site: Site) -> None:
    site.pulse.tell((), {"service": {"state": "running"}})
    assert json.loads(site.get("/status")[1]) == {"service": {"state": "running"}}
    assert site.get("/etc/passwd")[0] == 404
    assert site.get("/metrics?x=1", method="HEAD") == (200, "")
    assert site.get("/metrics", method="POST")[0] == 501


def test_a_client_that_goes_away_or_talks_nonsense_harms_nobody(site: Site) -> None:
    for words in (b"", b"GET /metrics HTTP/1.1\r\n", b"\x00\xff\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", site.endpoint.port), timeout=5) as client:
            client.sendall(words)
    site.pulse.turned(100.0)
    assert site.get("/healthz")[0] == 200


def test_a_port_that_is_taken_is_one_sentence(site: Site) -> None:
    with pytest.raises(DaemonError, match="choose another port"):
        Endpoint(f"127.0.0.1:{site.endpoint.port}", site.metrics, site.pulse, lambda: 0.0)


@pytest.mark.parametrize("path", ["/metrics", "/status", "/healthz", "/readyz"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:9464"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_neither_other_names_nor_pages_of_other_origins_are_answered(
    site: Site, path: str, headers: dict[str, str], code: int
) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{site.endpoint.port}{path}", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    with refused.value as answer:
        assert answer.code == code
        assert b"nusetd_" not in answer.read()


def test_what_the_database_cannot_say_does_not_keep_up(site: Site) -> None:
    site.metrics.look(REPORT, pace_of(QueueState(NOW, {"done": 7}, 0, None)), 1000.0)
    site.metrics.stopped()
    assert site.samples()["nusetd_keeps_up",] == 0.0
