"""Rules from the commit to the receiver: decided once, sent at least once, never late, the same in a replay."""

from __future__ import annotations

import http.server
import json
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.ruled import FOLLOW, MIDDLE, RULES, DriftingMovie
from cases.stored import Clock

from daemon.commands.rules import described
from daemon.configuration.rules import RuleConfig
from daemon.rules import delivery, rule_runner
from daemon.rules.dry_run import dry_run
from daemon.rules.rule_runner import RuleReader, RuleRunner
from daemon.rules.sender import ActionSender
from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.query.noticing.sendings import due
from storage.query.snapshots import snapshot
from tracking.tracker import Tracker


def place(catalog: Catalog) -> str:
    return catalog.address


def sent(catalog: Catalog) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(place(catalog).removeprefix("sqlite:///"))) as connection:
        return connection.execute("SELECT rule, t, action, state, attempts FROM rule_sendings ORDER BY id").fetchall()


def contents(catalog: Catalog) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(place(catalog).removeprefix("sqlite:///"))) as connection:
        return [json.loads(one) for (one,) in connection.execute("SELECT content FROM rule_sendings ORDER BY id")]


def reading(catalog: Catalog, *rules: RuleConfig) -> RuleReader:
    return RuleReader(catalog, place(catalog), rules)


def replayed(catalog: Catalog, movie: DriftingMovie, *rules: RuleConfig) -> list[dict[str, Any]]:
    with snapshot(place(catalog)) as connection:
        return list(dry_run(connection, rules, movie.row.id))


def test_a_replay_decides_as_the_service_did(catalog: Catalog, clock: Clock) -> None:
    live, movie = reading(catalog, *RULES), DriftingMovie(catalog, divides_at=4)
    for t in range(9):
        clock.pass_seconds(60)
        movie.commit(t)
        live.turn(0.0)
    found, again = contents(catalog), replayed(catalog, movie, *RULES)
    assert found == again
    said = {rule.name: [one["t"] for one in found if one["rule"] == rule.name] for rule in RULES}
    assert said["follow"] == [0, 1, 2, 3]
    assert said["daughters"] == [0, 2, 4, 6, 8]
    assert said["enough"] == said["division"] == [4]
    assert said["drift"] == [4, 5, 6]
    assert said["large"] == [2, 3, 4, 5, 6, 7, 8]


def test_whoever_is_killed_anywhere_decides_each_once(catalog: Catalog, clock: Clock) -> None:
    """Without a last word: what it read since it last kept its place is read again."""
    live, movie = reading(catalog, *RULES), DriftingMovie(catalog, divides_at=4)
    for t in range(9):
        clock.pass_seconds(60)
        movie.commit(t)
        live.turn(float(t))
        if t % 2:
            live = reading(catalog, *RULES)
            live.turn(float(t))
    assert contents(catalog) == replayed(catalog, movie, *RULES)


def test_what_is_decided_twice_is_there_once(catalog: Catalog) -> None:
    live, movie = reading(catalog, FOLLOW), DriftingMovie(catalog)
    movie.commit(0)
    live.turn(0.0)
    with snapshot(place(catalog)) as connection:
        again = due(connection, "follow", "next")
    catalog.rules.keep({}, again * 2)
    assert len(sent(catalog)) == len(again) == 1


def test_what_is_older_than_a_rule_is_not_its_business(catalog: Catalog) -> None:
    movie = DriftingMovie(catalog)
    movie.commit(0)
    live = reading(catalog, FOLLOW)
    movie.commit(1)
    live.turn(0.0)
    assert [row[1] for row in sent(catalog)] == [1]
    other = RuleConfig("follow", "tracks", "track_id = 2", next=Path("unused"))
    live = reading(catalog, other)
    live.turn(0.0)
    assert len(sent(catalog)) == 1, "another rule of that name begins with what comes"
    assert sent(catalog)[0][3] == "due"
    reading(catalog, RuleConfig("else", "tracks", "track_id = 2", next=Path("unused")))
    assert sent(catalog)[0][3] == "void", "and one that is no more sends nothing"


def test_a_late_or_repeated_time_point_moves_no_stage(catalog: Catalog) -> None:
    live, movie = reading(catalog, FOLLOW), DriftingMovie(catalog)
    for t in (0, 1):
        movie.commit(t)
    live.turn(0.0)
    catalog.add_timepoints(movie.row.id, {1: "changed"})
    job = catalog.claim_next()
    assert job is not None
    table = Nuclei.from_positions(1, np.array([[2.0, 5.0, 6.0]]))
    tracker = Tracker()
    tracker.advance(table)
    catalog.commit_timepoint(job, table, tracker.finish(), tracker.state())
    live.turn(0.0)
    assert [row[1] for row in sent(catalog)] == [0, 1]


def test_an_answer_says_what_caused_it_and_where_the_stage_may_go(catalog: Catalog, clock: Clock) -> None:
    live, movie = reading(catalog, FOLLOW), DriftingMovie(catalog)
    movie.commit(0, stage=(1000.0, 2000.0))
    live.turn(0.0)
    [found] = contents(catalog)
    assert (found["acquisition"], found["t"], found["slice"]) == ("embryo", 0, 1)
    assert (found["found"]["label"], found["found"]["track_id"]) == (1, 1)
    assert found["file"].endswith("_t000.tif")
    offset = dict(zip("zyx", np.subtract((2.0, 5.0, 6.0), MIDDLE), strict=True))
    assert found["offset_um"] == pytest.approx(offset)
    assert found["suggested_stage_um"] == pytest.approx({"y": 1000.25, "x": 2000.25})
    assert found["note"] is None
    assert datetime.fromisoformat(found["expires_at"]) == clock() + timedelta(seconds=FOLLOW.expires_s)


def test_where_no_stage_is_known_the_offset_alone_is_said(catalog: Catalog) -> None:
    live, movie = reading(catalog, FOLLOW), DriftingMovie(catalog)
    movie.commit(0)
    live.turn(0.0)
    [found] = contents(catalog)
    assert found["stage_um"] is found["suggested_stage_um"] is None
    assert found["offset_um"] is not None
    assert "only the offset is" in found["note"]


def test_bleaching_and_loss_are_counts(catalog: Catalog, clock: Clock) -> None:
    rule = RuleConfig("bleached", "counts", "signal_ratio < 0.6", once=True, command=("true",))
    live, movie = reading(catalog, rule), DriftingMovie(catalog)
    for t in range(8):
        clock.pass_seconds(60)
        movie.commit(t, signal=100.0 * 0.9**t)
        live.turn(0.0)
    [one] = contents(catalog)
    assert one["t"] == 6
    assert one["found"]["signal_ratio"] == pytest.approx(0.9**6 / 0.9, rel=1e-6)


def sender(catalog: Catalog, rule: RuleConfig, action: str, clock: Clock) -> ActionSender:
    return ActionSender(place(catalog), rule, action, clock)


def test_what_is_late_is_void(catalog: Catalog, clock: Clock, tmp_path: Path) -> None:
    rule = RuleConfig("follow", "tracks", "track_id = 1", next=tmp_path, expires_s=30.0)
    live, movie = reading(catalog, rule), DriftingMovie(catalog)
    movie.commit(0)
    live.turn(0.0)
    clock.pass_seconds(31)
    movie.commit(1)
    live.turn(0.0)
    sender(catalog, rule, "next", clock).send_due(catalog)
    assert [row[3] for row in sent(catalog)] == ["void", "sent"]
    assert json.loads((tmp_path / "next.json").read_text())["t"] == 1
    assert list(tmp_path.glob(".next*")) == []


def test_what_did_not_arrive_is_sent_again_until_it_is_void(catalog: Catalog, clock: Clock, tmp_path: Path) -> None:
    rule = RuleConfig("follow", "tracks", "track_id = 1", next=tmp_path / "later", expires_s=30.0)
    live, movie = reading(catalog, rule), DriftingMovie(catalog)
    movie.commit(0)
    live.turn(0.0)
    sending = sender(catalog, rule, "next", clock)
    assert sending.send_due(catalog) == 0.5
    assert sending.send_due(catalog) == 1.0
    assert sent(catalog)[0][3:] == ("due", 2)
    (tmp_path / "later").mkdir()
    assert sending.send_due(catalog) is None
    assert sent(catalog)[0][3:] == ("sent", 3)
    movie.commit(1)
    live.turn(0.0)
    (tmp_path / "later" / "next.json").unlink()
    (tmp_path / "later").rmdir()
    sending.send_due(catalog)
    clock.pass_seconds(31)
    sending.send_due(catalog)
    assert sent(catalog)[1][3:] == ("failed", 1)


def test_a_kill_between_sending_and_its_note_sends_it_again_under_the_same_id(
    catalog: Catalog, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = RuleConfig("follow", "tracks", "track_id = 1", next=tmp_path)
    live, movie = reading(catalog, rule), DriftingMovie(catalog)
    movie.commit(0)
    live.turn(0.0)
    with monkeypatch.context() as broken:
        broken.setattr("storage.database.ledger.rule_book.RuleBook.note", lambda *_: (_ for _ in ()).throw(OSError))
        with pytest.raises(OSError):
            sender(catalog, rule, "next", clock).send_due(catalog)
    first = json.loads((tmp_path / "next.json").read_text())
    (tmp_path / "next.json").unlink()
    sender(catalog, rule, "next", clock).send_due(catalog)
    assert json.loads((tmp_path / "next.json").read_text()) == first
    assert sent(catalog) == [("follow", 0, "next", "sent", 1)]


def test_hostile_names_reach_a_command_as_they_are_and_no_shell(catalog: Catalog, clock: Clock, tmp_path: Path) -> None:
    name = f"$(touch {tmp_path}/owned)`touch {tmp_path}/owned`;\n'\" --x"
    script = (
        "import json, os, sys\n"
        "json.dump([os.environ['NUSETD_RULE_ACQUISITION'], json.load(sys.stdin)], open(sys.argv[1], 'w'))"
    )
    rule = RuleConfig("tell", "tracks", "track_id = 1", command=(sys.executable, "-c", script, str(tmp_path / "got")))
    live, movie = reading(catalog, rule), DriftingMovie(catalog, name=name)
    movie.commit(0)
    live.turn(0.0)
    sender(catalog, rule, "command", clock).send_due(catalog)
    variable, content = json.loads((tmp_path / "got").read_text())
    assert variable == content["acquisition"] == movie.row.name
    assert not (tmp_path / "owned").exists()
    assert sent(catalog)[0][3] == "sent"


@contextmanager
def receiver(*codes: int) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """A server on loopback that answers with these codes, and what it was sent."""
    heard: list[tuple[str, dict[str, Any]]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.headers["X-Nusetd-Id"], content))
            code = codes[min(len(heard), len(codes)) - 1]
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook?a=1", heard
        server.shutdown()


def test_a_webhook_is_posted_to_until_it_takes_it(catalog: Catalog, clock: Clock) -> None:
    with receiver(500, 302, 204) as (address, heard):
        rule = RuleConfig("tell", "tracks", "track_id = 1", webhook=address)
        live, movie = reading(catalog, rule), DriftingMovie(catalog)
        movie.commit(0)
        live.turn(0.0)
        sending = sender(catalog, rule, "webhook", clock)
        assert [sending.send_due(catalog) for _ in range(3)] == [0.5, 1.0, None]
    assert [number for number, _ in heard] == [f"tell/{contents(catalog)[0]['id'].split('/')[1]}"] * 3
    assert sent(catalog)[0][3:] == ("sent", 3)


def test_nobody_listens(catalog: Catalog) -> None:
    assert "does not answer" in (delivery.post("http://127.0.0.1:9/", 1.0, {"id": "x"}) or "")


def test_threads_send_soon_and_hold_nothing_up(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook that hangs delays neither the file nor the commits."""
    monkeypatch.setattr(rule_runner, "_END_S", 0.2)
    hangs = threading.Event()
    monkeypatch.setattr(delivery, "post", lambda *_: hangs.wait(60) and None)
    rule = RuleConfig("follow", "tracks", "track_id = 1", next=tmp_path, webhook="http://127.0.0.1:9/", expires_s=1e9)
    runner = RuleRunner(place(catalog), [rule])
    runner.start()
    try:
        movie, seen = DriftingMovie(catalog), []
        while catalog.rules.memory("follow") is None:
            threading.Event().wait(0.01)
        for t in range(3):
            movie.commit(t)
            runner.wake()
            while not (tmp_path / "next.json").exists() or json.loads((tmp_path / "next.json").read_text())["t"] != t:
                threading.Event().wait(0.01)
            seen.append(t)
        assert seen == [0, 1, 2]
    finally:
        hangs.set()
        runner.stop()


def test_forgetting_takes_what_was_sent_along(catalog: Catalog) -> None:
    live, movie = reading(catalog, FOLLOW), DriftingMovie(catalog)
    movie.commit(0)
    live.turn(0.0)
    assert sent(catalog)
    while not catalog.upkeep.forget_some(movie.row.id):
        pass
    live.turn(10.0)
    assert sent(catalog) == []


def test_a_rule_is_told_in_a_line() -> None:
    told = described(RULES[2].told())
    assert told == "enough: counts where divisions_total >= 1 -> next c (once, void after 60 s)"
