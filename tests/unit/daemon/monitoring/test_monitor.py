"""What the service tells of itself at once, and not only with its next report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.configuration import config
from daemon.monitoring import monitor as monitor_module
from daemon.monitoring.monitor import Live, Monitor, Root
from daemon.monitoring.notify import Notifier
from daemon.monitoring.status import lines, look
from storage.database.catalog import Catalog


def live(root: Path, online: bool) -> Callable[[], Live]:
    """A service on one folder."""
    return lambda: Live("running", model="classical", roots=[Root(root / "in", root / "out", online, 0)])


def reported_online(database: Path) -> bool:
    """What `nusetd status` says of the folder."""
    report = look(database, datetime.now(UTC)).report
    assert report is not None
    return report.roots[0].online


def test_a_folder_that_goes_away_or_comes_back_does_not_wait_for_the_next_report(tmp_path: Path) -> None:
    text = '[[watch]]\npath = "in"\noutput = "out"\n[service]\nreport_s = 60.0\n'
    database = tmp_path / "nusetd.sqlite"
    with Catalog.open(database) as catalog:
        monitor = Monitor(config.parse(text, tmp_path / "nusetd.toml"), catalog, Notifier({}), lambda: 0.0)
        monitor.look(live(tmp_path, True), 0.0)
        assert reported_online(database)
        monitor.look(live(tmp_path, False), 1.5)
        assert not reported_online(database)
        monitor.look(live(tmp_path, True), 3.0)
        assert reported_online(database)
        monitor.close(live(tmp_path, True)())


def test_a_service_that_fails_raises_an_alert_before_it_ends(tmp_path: Path) -> None:
    text = '[[watch]]\npath = "in"\noutput = "out"\n'
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        for failure in (None, "The engine cannot be loaded."):
            monitor = Monitor(config.parse(text, tmp_path / "nusetd.toml"), catalog, Notifier({}), lambda: 0.0)
            monitor.close(live(tmp_path, True)(), failure)
            assert (monitor.alert_sender.last or "").endswith(failure or "")
            assert monitor.alert_sender.sent == (failure is not None)


def test_the_latest_alerts_and_how_long_the_disk_lasts_are_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[[watch]]\npath = "in"\noutput = "out"\n'
    database, free, now = tmp_path / "nusetd.sqlite", [100.0e9], [0.0]
    monkeypatch.setattr(monitor_module, "_free", lambda folder: int(free[0]))
    with Catalog.open(database) as catalog:
        monitor = Monitor(config.parse(text, tmp_path / "nusetd.toml"), catalog, Notifier({}), lambda: now[0])
        monitor.look(live(tmp_path, False), 0.0)
        free[0], now[0] = 99.0e9, 360.0  # a gigabyte in a tenth of an hour
        monitor.look(live(tmp_path, False), 360.0)
        seen = look(database, datetime.now(UTC))
        monitor.close(live(tmp_path, True)())
    assert seen.report is not None
    [alert] = seen.report.latest_alerts
    assert (alert.kind, "cannot be reached" in alert.message) == ("folder_offline", True)
    assert seen.report.roots[0].free_hours == pytest.approx(9.9)
    assert any("99.0 GB free, enough for 10 h at the present rate" in line for line in lines(seen))
