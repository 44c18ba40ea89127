"""All stores of an output: whose they are, whether they are whole, and which nobody knows any more. It only reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from storage import naming
from storage.connection.database_folder import folder_of
from storage.errors import StorageError, StoreTakenError
from storage.naming import PARTIAL_SUFFIX, STAGING_SUFFIX, STORE_SUFFIX, Place
from storage.omezarr import bundles, places
from storage.omezarr.image_store import ImageStore
from storage.omezarr.ownership import Owner
from storage.query.owners import database_id, owner_of
from storage.query.snapshots import snapshot
from storage.schema.rows import AcquisitionRow, acquisition_row
from storage.schema.tables import acquisitions, timepoints
from storage.spans import counted

WHOLE, IN_WORK, FOREIGN = "whole", "in work", "foreign"
FINE = frozenset({WHOLE, IN_WORK, FOREIGN})


@dataclass(frozen=True)
class StoreVerdict:
    """What was found at one place.

    Attributes
    ----------
    state : str
        ``whole``; ``in work``: not all of it is there yet; ``foreign``: another database's, or another program's. What
        a person should look at: ``missing``, ``damaged``, ``taken`` (another's lies at our place), ``orphaned``: ours,
        and no acquisition has it, ``left over``: half made.
    place : Place
    acquisition : str or None
    what : str
        A sentence.
    """

    state: str
    place: Place
    acquisition: str | None
    what: str

    @property
    def is_fine(self) -> bool:
        """False where a person should look."""
        return self.state in FINE


@dataclass(frozen=True)
class _Known:
    """An acquisition as the database has it."""

    row: AcquisitionRow
    owner: Owner
    published: int
    waiting: int
    seen: str


def check_stores(path_or_url: str | Path, folders: Iterable[Path] = ()) -> Iterator[StoreVerdict]:
    """Look at the stores of all acquisitions, then at what else lies in these folders and those around the stores.

    In object stores only those that acquisitions have are looked at.
    """
    with snapshot(path_or_url) as connection:
        mine = database_id(connection)
        known = {str(one.row.zarr_path): one for one in _known(connection)}
    around = {Path(place).parent for place in known if not naming.is_url(place)}
    around = {one.parent if one.name.endswith(STORE_SUFFIX) else one for one in around}
    for place, one in known.items():
        yield _of_acquisition(naming.as_place(place), one)
    for path in sorted(_others({*around, *folders}, known)):
        yield _other(path, mine)


def _known(connection: Connection) -> list[_Known]:
    counts = select(
        func.count().filter(timepoints.c.published_at.is_not(None)),
        func.count().filter(timepoints.c.published_at.is_(None)),
        func.max(timepoints.c.completed_at),
    )
    found = []
    query = select(acquisitions).where(acquisitions.c.zarr_path.is_not(None)).order_by(acquisitions.c.id)
    for values in connection.execute(query).mappings().all():
        row = acquisition_row(values, folder_of(connection))
        published, waiting, last = connection.execute(counts.where(timepoints.c.acquisition_id == row.id)).one()
        found.append(_Known(row, owner_of(connection, row), published, waiting, str(last or row.created_at)))
    return found


def _of_acquisition(place: Place, known: _Known) -> StoreVerdict:
    name = known.row.name
    if not places.exists(place):
        if not known.published:
            return StoreVerdict(IN_WORK, place, name, "nothing is visible yet")
        return StoreVerdict(
            "missing", place, name, f"was last seen at {known.seen}: bring it back, or `nusetd relocate`"
        )
    try:
        store = ImageStore.open(place)
        visible = len(store.published_timepoints)
        whose = store.owner
    except StoreTakenError as error:
        return StoreVerdict("taken", place, name, str(error))
    except StorageError as error:
        return StoreVerdict("damaged", place, name, str(error))
    if whose not in (None, known.owner):
        return StoreVerdict("taken", place, name, _owned(whose))
    if visible != known.published:
        return StoreVerdict("damaged", place, name, f"{visible} time points are visible, {known.published} should be")
    by = "" if whose is not None else ", of an earlier version, which did not sign it"
    if known.waiting:
        return StoreVerdict(IN_WORK, place, name, f"{visible} time points of {visible + known.waiting}{by}")
    return StoreVerdict(WHOLE, place, name, f"{counted(visible, 'time point')}{by}")


def _owned(owner: Owner | None) -> str:
    if owner is None:
        return "not signed by any database"
    return f"of acquisition {owner.acquisition} of database {owner.database[:12]}"


def _others(folders: Iterable[Path], known: Mapping[str, _Known]) -> set[Path]:
    """Find stores, and what was half made, that no acquisition has; stores are not looked into but for positions."""
    found: set[Path] = set()
    for folder in folders:
        for around, names, _ in os.walk(folder):
            for name in list(names):
                path = Path(around) / name
                is_store = name.endswith((STORE_SUFFIX, ".zarr"))
                if not (is_store or name.endswith((PARTIAL_SUFFIX, STAGING_SUFFIX))):
                    continue
                names.remove(name)
                inside = _positions(path) if is_store else []
                found.update(one for one in inside or [path] if str(one) not in known)
    return found


def _positions(path: Path) -> list[Path]:
    try:
        return [path / name for name in bundles.positions(path)]
    except (StorageError, KeyError, OSError):
        return []


def _other(path: Path, mine: str) -> StoreVerdict:
    if path.name.endswith(PARTIAL_SUFFIX):
        ours = path.name.endswith(f".{mine[:12]}{PARTIAL_SUFFIX}")
        what = "half made, or half removed; the next start of its service removes it"
        return StoreVerdict("left over" if ours else FOREIGN, path, None, what)
    if path.name.endswith(STAGING_SUFFIX):
        what = "new versions of time points, to be put in the place of old ones"
        return StoreVerdict(
            IN_WORK if path.with_name(path.name.removesuffix(STAGING_SUFFIX)).exists() else "left over",
            path,
            None,
            what,
        )
    try:
        whose = ImageStore.open(path).owner
    except StoreTakenError:
        return StoreVerdict(FOREIGN, path, None, "not written by nusetd")
    except StorageError as error:
        return StoreVerdict("damaged", path, None, str(error))
    if whose is not None and whose.database == mine:
        return StoreVerdict(
            "orphaned", path, None, f"{_owned(whose)}, which has it no more: remove it, if it is not needed"
        )
    return StoreVerdict(FOREIGN, path, None, _owned(whose))
