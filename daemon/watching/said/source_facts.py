"""What people say of the images in a watched folder: of all by its configuration, of single sources by `submit`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.configuration.config import WatchConfig
from storage import readers
from storage.given_facts import GivenFacts
from storage.readers.names import file_of_image

if TYPE_CHECKING:
    from daemon.processing.recipe import Recipe
    from storage.schema.rows import AcquisitionRow


class SourceFacts:
    """The facts that count for each source: what was said of it alone goes before what the configuration says."""

    def __init__(self, watch: WatchConfig) -> None:
        self._watch = watch
        self._told: dict[Path, GivenFacts] = {}

    def restore(self, row: AcquisitionRow, path: Path) -> None:
        """Take up what was said of the source of a row, of which `path` is a file."""
        if row.given:
            self.note((path, file_of_image(Path(row.source_path))), GivenFacts.restored(row.given))

    def note(self, paths: Iterable[Path], given: GivenFacts) -> None:
        """From now on this counts for the source that these files are of."""
        self._told |= {self._source(path): given for path in paths}

    def told(self, path: Path) -> GivenFacts | None:
        """Return what was said of the source of a file alone, None for nothing."""
        return self._told.get(self._source(path)) or None

    def of(self, path: Path) -> GivenFacts:
        """Return all that counts for the source of a file."""
        return (self.told(path) or GivenFacts()).over(self._watch.given)

    def recipe(self, path: Path, recipe: Recipe) -> Recipe:
        """Return how the source of a file is processed."""
        facts = self.of(path)
        return replace(recipe, axes=facts.axes, nuclear_channel=facts.nuclear_channel)

    def _source(self, path: Path) -> Path:
        return readers.acquisition_key(path, self._watch.pattern).path
