"""What a command says of one image after another: a kind of sentence a few times, then how often it would have come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from daemon.output import complain
from storage.query.sentences import kind_for
from storage.spans import counted

_MOST = 3


class Sentences:
    """Says the same sentence once, and of those that differ in names and numbers alone the first ones.

    Parameters
    ----------
    speak : callable
        Gets what is said.
    more : str
        Where a person reads what was left out.
    """

    def __init__(self, speak: Callable[[str], None] = complain, more: str = "") -> None:
        self._speak = speak
        self._more = more
        self._said: set[str] = set()
        self._kinds: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def say(self, sentence: str, path: str | Path, *names: str) -> None:
        """Say it, unless it was said, or others of its kind often enough; `path` and `names` are what it is about."""
        if sentence in self._said:
            return
        self._said.add(sentence)
        what = kind_for(sentence, path, *names)
        self._kinds[what] += 1
        self._first.setdefault(what, Path(path).name)
        if self._kinds[what] <= _MOST:
            self._speak(sentence)

    def end(self) -> None:
        """Say what was left out, and how often."""
        for what, count in self._kinds.items():
            if count > _MOST:
                more = f"; {self._more}" if self._more else ""
                self._speak(f"As with {self._first[what]}, so it is with {counted(count - _MOST, 'more image')}{more}.")
        self._kinds.clear()
