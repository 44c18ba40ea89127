"""What the page does not know itself: how the service is, and how orders reach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from storage.corrections.persons_word import PersonsWord
from storage.given_facts import GivenFacts


@dataclass(frozen=True)
class Said:
    """What came of an order.

    Attributes
    ----------
    text : str
        A sentence for people.
    accepted : bool
    requests : sequence of int
        Numbers of the requests whose answers will tell more.
    values : mapping
        More for programs.
    """

    text: str
    accepted: bool = True
    requests: Sequence[int] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Steer:
    """Other settings of a folder: values by full names, those to be as the configuration says, and who it is."""

    values: Mapping[str, Any]
    removed: tuple[str, ...]
    by: str


class Services(Protocol):
    """The other rooms, as the page sees them; errors are a `DaemonError` or `StorageError`."""

    def status(self, database: str) -> Mapping[str, Any]:
        """The status of a database as plain values."""

    def watched(self, database: str) -> Sequence[Path]:
        """The watched folders that can be reached now."""

    def begin(self, database: str, who: str, what: str, subject: str, facts: Mapping[str, Any]) -> int:
        """Write down what somebody is about to change; return its number."""

    def end(self, database: str, number: int, said: Said) -> None:
        """Write down how it ended."""

    def retry(self, database: str, number: int) -> Said:
        """Queue again what was set aside of an acquisition."""

    def submit(self, database: str, path: Path, given: GivenFacts) -> Said:
        """Have the service take files as they are, with facts that a person gives."""

    def forget(self, database: str, number: int, keep_files: bool) -> Said:
        """Have the service remove an acquisition for good."""

    def dismiss(self, database: str, number: int) -> Said:
        """Have the problems of an acquisition told no more."""

    def correct(self, database: str, number: int, word: PersonsWord, by: str) -> Said:
        """Have something that a person says of nuclei or links carried out."""

    def undo(self, database: str, number: int, event: int | None, by: str) -> Said:
        """Take back what was said, the last of it by default."""

    def steering(self, database: str, source_path: str) -> Mapping[str, Any]:
        """The watched folder of a source, its settings that are no defaults, the segmenter, who changed what."""

    def override(self, database: str, watch: str, order: Steer) -> Said:
        """Ask for other settings of a watched folder."""

    def weights(self, database: str) -> Mapping[str, Any]:
        """The weights of the service, where they come from, and who changed them."""

    def use_weights(self, database: str, weights: str | None, by: str) -> Said:
        """Ask the service to go on with other weights; None: those of its configuration."""

    def again(self, database: str, number: int, by: str) -> Said:
        """Ask for a second result of an acquisition."""

    def answered(self, database: str, number: int) -> Mapping[str, Any] | None:
        """What the service made of a request."""
