"""Items that are used in a thread while the next ones are made: the same outcome, and nothing goes on behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.processing.threads.handed_on import handed_on
from daemon.processing.threads.image_beside import image_beside


class GivenUp(BaseException):
    """As a worker of a cluster ends a task that nobody wants any more."""


def none_is_left() -> bool:
    """Whether all threads that this module starts have ended."""
    return not any(thread.name.startswith(("handed-on", "beside")) for thread in threading.enumerate())


def test_the_outcome_is_that_of_one_thread() -> None:
    assert handed_on(range(50), list) == list(range(50))
    assert handed_on([], list) == []
    assert none_is_left()


def test_items_are_made_while_those_before_them_are_used_but_not_all_at_once() -> None:
    made, wait = list[int](), threading.Event()

    def items() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            if number == 3:
                wait.set()  # the first is not used up by now
            yield number

    def use(given: Iterator[int]) -> int:
        first = next(given)
        assert wait.wait(10), "the next ones are not made while the first is used"
        assert len(made) < 10, "all of them would be in memory"
        return first + len(list(given))

    assert handed_on(items(), use) == 19


def test_who_cannot_use_an_item_ends_the_making_of_further_ones() -> None:
    made = count()

    def use(given: Iterator[int]) -> None:
        next(given)
        raise MemoryError("enough")

    with pytest.raises(MemoryError, match="enough"):
        handed_on(made, use)
    assert next(made) < 10
    assert none_is_left()


@pytest.mark.parametrize("error", [ValueError("a slice is damaged"), GivenUp("nobody waits")])
def test_what_stops_the_making_of_items_is_what_is_said(error: BaseException) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise error

    used = list[int]()
    with pytest.raises(type(error), match=str(error)):
        handed_on(items(), used.extend)
    assert used == [1]
    assert none_is_left()


def a_writing(write: Any, is_new: bool = True) -> Any:
    return SimpleNamespace(write_image=write, is_new=is_new)


def test_an_image_is_written_while_something_else_is_done_and_waited_for() -> None:
    may, done = threading.Event(), list[str]()

    def write() -> None:
        assert may.wait(10)
        done.append("image")

    with image_beside(a_writing(write), at_once=True) as written:
        done.append("nuclei")
        may.set()
        written()
        done.append("labels")
    assert done == ["nuclei", "image", "labels"]


def test_nothing_is_written_any_more_after_something_else_failed() -> None:
    may, done = threading.Event(), list[str]()

    def write() -> None:
        assert may.wait(10)
        done.append("image")

    threading.Timer(0.05, may.set).start()
    with pytest.raises(GivenUp), image_beside(a_writing(write), at_once=True):
        raise GivenUp
    assert done == ["image"]
    assert none_is_left()


def test_why_an_image_cannot_be_written_is_said_where_it_is_asked_for() -> None:
    def write() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), image_beside(a_writing(write), at_once=True) as written:
        written()


@pytest.mark.parametrize(("is_new", "at_once"), [(False, True), (True, False)])
def test_what_lies_there_is_not_written_over_before_there_are_nuclei(is_new: bool, at_once: bool) -> None:
    done = list[str]()
    with image_beside(a_writing(lambda: done.append("image"), is_new), at_once) as written:
        done.append("nuclei")
        written()
    assert done == ["nuclei", "image"]
