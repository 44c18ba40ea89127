"""When a file counts as finished, with the clock in our hands."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from daemon.configuration.settle_rules import SettleRules
from daemon.watching import readiness
from daemon.watching.readiness import Decision, Identity, conclude, identify, is_due, looks_unchanged, observe

RULES = SettleRules(quiet_s=2.0, give_up_s=60.0)


def test_a_new_file_is_left_alone_for_the_whole_quiet_period() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=100.0)
    assert not is_due(watched, 101.9)
    assert is_due(watched, 102.0)


def test_every_change_starts_the_quiet_period_anew() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    for now in (1.5, 3.0, 4.5):
        watched = observe(watched, Identity(10 + int(now), 1), RULES, now)
        assert not is_due(watched, now + 1.9)
    assert is_due(watched, 6.5)


def test_a_look_without_a_change_changes_nothing() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    assert observe(watched, Identity(10, 1), RULES, now=1.9) is watched


def test_same_size_but_newer_content_is_a_change() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    assert observe(watched, Identity(10, 2), RULES, now=1.0).last_change == 1.0


def test_quiet_and_whole_is_ready() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    assert conclude(watched, whole=True, rules=RULES, now=2.0).decision is Decision.READY


def test_whole_but_not_quiet_waits_for_the_rest_of_the_quiet_period() -> None:
    """A file that is still written can look whole: its plane count may only be filled in at the end."""
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    for now in (0.0, 1.0, 1.9):
        conclusion = conclude(watched, whole=True, rules=RULES, now=now)
        assert conclusion.decision is Decision.WAIT
        assert conclusion.ripe == ()
        assert conclusion.watched.next_look == 2.0
    watched = observe(watched, Identity(20, 2), RULES, now=1.9)
    assert conclude(watched, whole=True, rules=RULES, now=3.8).decision is Decision.WAIT
    assert conclude(watched, whole=True, rules=RULES, now=3.9).decision is Decision.READY


def test_time_points_of_a_growing_file_are_ripe_after_a_quiet_period_each() -> None:
    """The file never rests; the clock begins anywhere."""
    watched, taken = observe(None, Identity(10, 1), RULES, now=1000.0), list[tuple[int, ...]]()
    for now, ready in ((1001.0, (0,)), (1002.0, (0, 1)), (1002.9, (0, 1)), (1003.0, (0, 1)), (1004.0, (0, 1, 2))):
        watched = observe(watched, Identity(int(now * 10), 1), RULES, now)
        conclusion = conclude(watched, whole=False, rules=RULES, now=now, ready=ready)
        assert conclusion.decision is Decision.WAIT
        assert conclusion.watched.next_look == now + RULES.peek_s, "a file that never rests is looked into now and then"
        watched = conclusion.watched
        taken.append(conclusion.ripe)
    assert taken == [(), (), (), (0,), (0, 1)]
    assert observe(watched, Identity(20_000, 2), RULES, 1005.0).ready == watched.ready
    assert observe(watched, Identity(9, 2), RULES, 1005.0).ready == {}, "a smaller file is another one"


def test_a_growing_file_that_stops_is_taken_as_far_as_it_goes_after_its_own_time() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=50.0)
    early = conclude(watched, whole=False, rules=RULES, now=50.0 + RULES.partial_s - 0.1, ready=(1, 0))
    assert early.decision is Decision.WAIT
    assert early.watched.next_look == pytest.approx(50.0 + RULES.partial_s)
    late = conclude(early.watched, whole=False, rules=RULES, now=50.0 + RULES.partial_s, ready=(1, 0))
    assert (late.decision, late.ripe) == (Decision.PARTIAL, (0, 1))


def test_the_next_look_comes_later_the_longer_it_is_silent_and_the_more_it_costs() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    assert conclude(watched, whole=False, rules=RULES, now=30.0).watched.next_look == 36.0
    assert conclude(watched, whole=False, rules=RULES, now=4.0).watched.next_look == 6.0
    assert conclude(watched, whole=False, rules=RULES, now=4.0, cost_s=1.0).watched.next_look == 24.0
    assert conclude(watched, whole=False, rules=RULES, now=4.0).watched.last_look == 4.0


def test_a_change_brings_the_next_look_no_later_than_a_peek_after_the_last_one() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    for now in np.arange(1.0, 9.0):
        watched = observe(watched, Identity(int(10 + now), 1), RULES, float(now))
    assert watched.next_look == RULES.peek_s == 10.0
    assert observe(watched, Identity(99, 1), RULES, 11.0).next_look == 11.0
    assert SettleRules(quiet_s=0.1).peek_s == 1.0


def test_quiet_but_not_whole_waits_and_is_given_up_only_after_the_stated_time() -> None:
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    now, looks = 2.0, 0
    while True:
        conclusion = conclude(watched, whole=False, rules=RULES, now=now)
        decision, watched = conclusion.decision, conclusion.watched
        looks += 1
        if decision is Decision.SET_ASIDE:
            break
        assert decision is Decision.WAIT
        assert watched.next_look > now
        now = watched.next_look
    assert now == 60.0
    assert looks < 20, "a file that stays unfinished is not asked over and over"


def test_a_paused_writer_is_waited_for() -> None:
    """Thirty seconds of silence in the middle of a file are no reason to take it or to set it aside."""
    watched = observe(None, Identity(10, 1), RULES, now=0.0)
    conclusion = conclude(watched, whole=False, rules=RULES, now=30.0)
    watched = conclusion.watched
    assert conclusion.decision is Decision.WAIT
    watched = observe(watched, Identity(20, 2), RULES, now=31.0)
    assert not is_due(watched, 32.0)
    assert conclude(watched, whole=True, rules=RULES, now=33.0).decision is Decision.READY


def test_identity_of_a_file_follows_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    assert identify(path) is None
    path.write_bytes(b"12")
    first = identify(path)
    assert first is not None
    assert first.size == 2
    path.write_bytes(b"123")
    assert identify(path) != first


def test_identity_of_a_store_follows_every_file_inside(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    (store / "0").mkdir(parents=True)
    (store / "0" / "c").write_bytes(b"1")
    first = identify(store)
    assert first == Identity(1, os.stat(store / "0" / "c").st_mtime_ns, 1)
    (store / "0" / "d").write_bytes(b"2")
    assert identify(store) != first


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe.tif"
    os.mkfifo(path)
    identify(path)


def test_companions_count_as_one_with_their_file(tmp_path: Path) -> None:
    main, part = tmp_path / "x.oif", tmp_path / "s.tif"
    main.write_bytes(b"12")
    part.write_bytes(b"345")
    whole = identify(main, [part])
    assert whole is not None
    assert (whole.size, whole.files) == (5, 2)
    part.write_bytes(b"3456")
    assert identify(main, [part]) != whole
    assert identify(main, [tmp_path / "absent.tif"]) is None


def test_of_many_companions_those_are_opened_that_may_still_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [tmp_path / f"{n:03d}" for n in range(200)]
    for n, part in enumerate(parts):
        part.write_bytes(bytes(n))
        os.utime(part, (1e9 + n, 1e9 + n))
    series, opened, look = tmp_path / "{z}", list[Path](), readiness._identify_one
    monkeypatch.setattr(readiness, "_identify_one", lambda path: (opened.append(path), look(path))[1])
    whole = identify(series, parts)
    assert whole == Identity(sum(range(200)), 10**18 + 199 * 10**9, 200)
    assert opened == parts[-60:]
    parts[3].write_bytes(b"another")
    os.utime(parts[3], (1e9, 1e9))
    assert identify(series, parts) == replace(whole, size=whole.size + 4)
    monkeypatch.setattr(readiness.os, "access", lambda path, mode: False)
    assert identify(series, parts) == replace(whole, size=whole.size + 4, readable=False)
    parts[5].unlink()
    assert identify(series, parts) is None


def test_a_look_without_opening_knows_one_file_that_may_be_read_and_is_as_it_was(tmp_path: Path) -> None:
    """Of anything else it says nothing: that is looked at closely."""
    path = tmp_path / "a.tif"
    path.write_bytes(b"1234")
    known = identify(path)
    assert known is not None
    assert looks_unchanged(path, known)
    for other in (None, replace(known, size=5), replace(known, mtime_ns=7), replace(known, files=2)):
        assert not looks_unchanged(path, other)
    assert not looks_unchanged(path, replace(known, readable=False))
    assert not looks_unchanged(tmp_path / "absent.tif", known)
    status = tmp_path.stat()
    assert not looks_unchanged(tmp_path, Identity(status.st_size, status.st_mtime_ns))


def test_what_is_neither_file_nor_folder_is_nothing_to_look_into(tmp_path: Path) -> None:
    """Whoever opened a pipe would wait for its writer."""
    pipe = tmp_path / "pipe.tif"
    os.mkfifo(pipe)
    assert identify(pipe) is None
    assert identify(tmp_path / "absent.tif") is None
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    found = identify(folder)
    assert found is not None
    assert (found.size, found.files) == (0, 0)


def test_what_is_not_there_is_what_belongs_to_it(tmp_path: Path) -> None:
    """A series has no file of its own name, and an image may be described in a file that comes last."""
    part = tmp_path / "s.tif"
    part.write_bytes(b"345")
    found = identify(tmp_path / "x.oif", [part])
    assert found == Identity(3, os.stat(part).st_mtime_ns, 1)
    assert identify(tmp_path / "x.oif", [part, tmp_path / "absent.tif"]) is None
    assert identify(tmp_path / "x.oif") is None
    assert identify(tmp_path / "img_{z}.tif") == Identity(0, 0, 0), "none of its files is there yet"


def test_a_store_is_as_new_as_the_newest_of_its_files(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    store.mkdir()
    assert identify(store) == Identity(0, 0, 0)
    for name, changed in (("b", 5_000), ("c", 9_000), ("d", 7_000)):
        (store / name).write_bytes(b"12")
        os.utime(store / name, ns=(changed, changed))
    assert identify(store) == Identity(6, 9_000, 3)


def test_a_file_that_may_not_be_read_is_another_one_when_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"123")
    readable = identify(path)

    def refuse(*given: object) -> int:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        closed = identify(path)
        assert identify(tmp_path / "absent.tif") is None
    assert closed == replace(readable, readable=False)  # type: ignore[type-var]
    assert identify(path) == readable


def test_no_look_leaves_anything_open(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"123")
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        identify(path)
        identify(tmp_path)
    assert os.listdir("/proc/self/fd") == before
