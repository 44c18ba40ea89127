"""Signals that end a command in order."""

from __future__ import annotations

import os
import signal

import pytest

from daemon.files.sharing.signals import ENDING, ended_by_signal


@pytest.mark.parametrize("first", ENDING)
def test_a_signal_ends_in_order_whatever_comes_after_it(first: signal.Signals) -> None:
    before = [signal.getsignal(number) for number in ENDING]
    ended: list[str] = []

    def work() -> None:
        with ended_by_signal():
            try:
                os.kill(os.getpid(), first)
                ended.append("not at all")
            finally:
                for number in ENDING:
                    os.kill(os.getpid(), number)
                ended.append("in order")

    with pytest.raises((KeyboardInterrupt, SystemExit)) as found:
        work()
    assert ended == ["in order"]
    assert found.type is KeyboardInterrupt if first == signal.SIGINT else found.value.args == (128 + first,)
    assert [signal.getsignal(number) for number in ENDING] == before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signal():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
