"""What was taken from watched folders: as it is written down, and where it lies now.

A source that lies elsewhere, with the same content, keeps its results: only the place in their rows changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.errors import DaemonError
from daemon.watching.readiness import Identity
from storage import naming
from storage.database.sources.taken_files import Source
from storage.errors import DatabaseUnavailableError, StorageError
from storage.readers.names import experiment

if TYPE_CHECKING:
    from daemon.configuration.config import WatchConfig
    from daemon.processing.recipe import Recipe
    from storage.database.catalog import Catalog
    from storage.found import Found
    from storage.given_facts import GivenFacts
    from storage.schema.rows import AcquisitionRow


def sources(taken: Mapping[Path, Identity]) -> tuple[Source, ...]:
    """Return files with what they looked like, for the catalog."""
    return tuple(Source(os.fspath(p), i.size, i.mtime_ns, i.files, i.readable) for p, i in taken.items())


def moved_here(
    catalog: Catalog,
    found: Found,
    gone: Collection[str],
    recipe: Recipe,
    sources: Sequence[Source],
    left: Callable[[Iterable[Path]], None] = lambda files: None,
) -> AcquisitionRow | None:
    """Return the acquisition whose source was moved to where `found` lies, and needs nothing more; else None.

    Parameters
    ----------
    gone : collection of str
        Sources of the same content that are not at their paths any more.
    recipe : Recipe
        Of what would be processed now: what was moved is not processed anew with it.
    sources : sequence of Source
        The files, noted as taken.
    left : callable
        Told of the paths where it lay: whatever comes to lie there is another file.
    """
    for one in catalog.sources.elsewhere(found) if gone else ():
        if one.source_path not in gone:
            continue
        catalog.sources.relocate(one.source_path, found)
        number = catalog.sources.confirm(found, sources)
        assert number is not None  # its content is what it was found by
        row = catalog.acquisition(number)
        left(one.files)
        logs.info("moved", acquisition=row.name, before=one.source_path, now=found.description.source_path)
        return None if recipe.made(row) else row
    return None


def lying_elsewhere(
    catalog: Catalog, found: Iterable[Found], reachable: Callable[[Path], bool]
) -> dict[str, tuple[Path, ...]]:
    """Sources at other paths with the content of these, and their files: those that can be there at all."""
    known = [one for image in found for one in catalog.sources.elsewhere(image)]
    return {one.source_path: one.files for one in known if all(reachable(file) for file in one.files)}


def admitted(
    catalog: Catalog,
    found: Found,
    gone: Collection[str],
    recipe: Recipe,
    watch: WatchConfig,
    first: Path,
    taken: Sequence[Source],
    told: GivenFacts | None,
    left: Callable[[Iterable[Path]], None],
) -> AcquisitionRow:
    """Return the row of an image of a watched folder: where it was moved here from, else queued.

    One of several in a file costs the others nothing: it is set aside by itself where it cannot be processed.

    Raises
    ------
    DaemonError, StorageError
        When the only image of a file cannot be processed as it is.
    """
    row = moved_here(catalog, found, gone, recipe, taken, left)
    if row is not None:
        return row
    called = named_after(watch, first)
    try:
        return pipeline.admit(catalog, found, recipe, watch.output, taken, called, told)
    except DatabaseUnavailableError:
        raise
    except (StorageError, DaemonError) as error:
        image = found.description
        if experiment(image) is None:
            raise
        logs.warning("image set aside", path=image.source_path, reason=error)
        return catalog.set_aside_source(image.source_path, called(image.name), str(error), taken)


def folders_to(path: Path, root: Path) -> tuple[str, ...]:
    """The folders between a root and a file inside it; none where it is not inside."""
    return path.relative_to(root).parent.parts if path.is_relative_to(root) else ()


def named_after(watch: WatchConfig, path: Path) -> Callable[[str], str]:
    """What acquisitions of a file are called, from what it calls them."""
    return partial(naming.acquisition_name, watch.name, folders_to(path, watch.path))


def forgotten(catalog: Catalog, folder: Path, known: dict[str, Identity]) -> list[Path]:
    """The files in a folder whose results were forgotten, added to what is known of others."""
    found = catalog.upkeep.forgotten_files(folder)
    for source in found:
        known.setdefault(source.path, Identity(source.size, source.mtime_ns, source.files, source.readable))
    return [Path(source.path) for source in found]


def owner_of(source_path: str, known: Mapping[str, Identity]) -> str | None:
    """The known file that holds an acquisition on its own: it itself, or the one of whose images it is one."""
    choices = (source_path, source_path.rpartition("#")[0], os.path.dirname(source_path))
    return next((choice for choice in choices if choice in known), None)


def printable(path: Path) -> str:
    """A path as text that every database takes; bytes that are none in UTF-8 are written as escapes."""
    return os.fspath(path).encode(errors="backslashreplace").decode()
