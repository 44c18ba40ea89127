"""Answers for several visitors: made once, never older than a change, never more than memory allows."""

from __future__ import annotations

import threading

import pytest

from daemon.page.live.freshness import shared_answers
from daemon.page.live.freshness.shared_answers import SharedAnswers
from daemon.page.live.freshness.until_changed import UntilChanged


class Maker:
    """Counts how often it was asked."""

    def __init__(self, size: int = 1) -> None:
        self.size, self.count = size, 0

    def __call__(self) -> bytes:
        self.count += 1
        return b"x" * self.size


def test_an_answer_is_made_once_until_something_changes() -> None:
    kept, make = SharedAnswers(), Maker()
    assert kept.content("a", make) == kept.content("a", make) == b"x"
    assert make.count == 1
    kept.forget("first")
    kept.content("a", make)
    kept.forget("first")
    kept.content("a", make)
    assert make.count == 2


def test_an_answer_lasts_as_long_as_it_may() -> None:
    now = 0.0
    kept, make = SharedAnswers(lambda: now), Maker()
    for now in (0.0, 0.9, 1.1):  # noqa: B007 - the clock reads it
        kept.content("a", make, 1.0)
    assert make.count == 2


def test_what_changes_while_it_is_made_is_not_kept() -> None:
    kept, make = SharedAnswers(), Maker()

    def slow() -> bytes:
        kept.forget("changed meanwhile")
        return make()

    kept.content("a", slow)
    kept.content("a", make)
    assert make.count == 2


def test_memory_is_bounded_and_the_latest_used_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_answers, "_MOST_BYTES", 25)
    kept, makers = SharedAnswers(), {name: Maker(10) for name in "abc"}
    for name in ("a", "b", "a", "c", "a", "b"):
        kept.content(name, makers[name])
    assert [makers[name].count for name in "abc"] == [1, 2, 1]


def test_what_many_ask_for_at_once_is_made_once() -> None:
    kept, making, made, found = SharedAnswers(), threading.Event(), list[int](), list[bytes]()

    def slowly() -> bytes:
        made.append(1)
        assert making.wait(10)
        return b"it"

    threads = [threading.Thread(target=lambda: found.append(kept.content("a", slowly))) for _ in range(4)]
    for thread in threads:
        thread.start()
    making.set()
    for thread in threads:
        thread.join()
    assert (len(made), found) == (1, [b"it"] * 4)

    def broken() -> bytes:
        raise OSError("not now")

    for _ in range(2):
        with pytest.raises(OSError, match="not now"):
            kept.content("b", broken)
    assert kept.content("b", lambda: b"later") == b"later"


def test_what_was_begun_before_a_change_is_not_kept() -> None:
    kept = UntilChanged[str, int](most=2)
    kept.forget("before")

    def find() -> int:
        kept.forget("after")  # as somebody does meanwhile
        return 1

    assert kept.get("a", find) == 1
    assert [kept.get("a", lambda n=n: n) for n in (2, 3)] == [2, 2]  # type: ignore[misc]
    kept.forget("after")
    assert kept.get("a", lambda: 4) == 2
    kept.get("b", lambda: 5), kept.get("c", lambda: 6)
    assert kept.get("a", lambda: 7) == 7  # of three the latest two are kept
