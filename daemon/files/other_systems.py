"""Label images that another system made of the same images, for one table with the engine's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.errors import DaemonError, UsageError
from nuset_engine.arrays import Labels
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.scores import check_instances
from nuset_engine.training.pairs import LABEL_SUFFIXES, read_image
from nuset_engine.training.words import LABELS

ENGINE = "nusetd"
"""The engine's own row."""


@dataclass(frozen=True)
class OtherSystem:
    """A name for the table, and a folder of label images, called as the images are or as `nusetd segment` does."""

    name: str
    folder: Path

    @classmethod
    def of(cls, words: str) -> OtherSystem:
        """From `NAME=FOLDER`.

        Raises
        ------
        ValueError
            If it is not of this form; the message is for people.
        """
        name, found, folder = words.partition("=")
        if not found or not name.strip() or not folder:
            raise ValueError(f"{words!r} is not NAME=FOLDER; give, for example, stardist=results/stardist.")
        if name.strip() == ENGINE:
            raise ValueError(f"{ENGINE} is the name of the engine's own row; give the other system another one.")
        return cls(name.strip(), Path(folder))

    def path(self, image: str) -> Path:
        """Where its labels of an image lie, whose name comes without suffix.

        Raises
        ------
        DaemonError
            If there are none, since a table of different images compares nothing.
        """
        if not self.folder.is_dir():
            raise DaemonError(f"{self.folder} is not a folder: give the folder of the label images of {self.name}.")
        suffixes = [spelled for suffix in LABEL_SUFFIXES for spelled in (suffix, suffix.upper())]
        for name in (f"{image}{behind}{suffix}" for behind in (LABELS, "") for suffix in suffixes):
            if (self.folder / name).is_file():
                return self.folder / name
        raise DaemonError(
            f"{self.name} has no labels of {image} in {self.folder} ({', '.join(LABEL_SUFFIXES)}): all are scored on "
            "the same images; make them, an empty label image where nothing was found."
        )

    def labels(self, image: str, shape: tuple[int, ...]) -> Labels:
        """Its labels of an image of this shape.

        Raises
        ------
        DaemonError
            If they are none, or of another shape.
        """
        path = self.path(image)
        found = read_image(path)
        if found.shape != shape:
            raise DaemonError(f"The labels {path} are {found.shape}, their image {shape}: give labels of whole images.")
        try:
            check_instances(found)
        except EngineError as error:
            raise DaemonError(f"{path} holds no instance labels: {error}") from error
        return found


def distinct(systems: list[OtherSystem]) -> tuple[OtherSystem, ...]:
    """The systems, if each has a name of its own.

    Raises
    ------
    UsageError
        If two have the same.
    """
    names = [system.name for system in systems]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--also names {twice} twice: give each system a name of its own.")
    return tuple(systems)
