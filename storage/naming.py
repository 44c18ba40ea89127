"""Every path and file name that nusetd writes, decided here and nowhere else."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from string import Formatter

from storage.errors import WrongRequestError

DATABASE_NAME = "nusetd.sqlite"
STORE_SUFFIX = ".ome.zarr"
LOCK_SUFFIX = ".lock"
WORKER_LOCK_SUFFIX = ".worker.lock"
PARTIAL_SUFFIX = ".partial"  # what zarr, too, appends to a file while it writes it
STAGING_SUFFIX = ".staging"

# Attribute in an OME-Zarr's root that says that nusetd wrote it, and which of its time points are whole.
OWN_ATTRIBUTE = "nusetd"

# A file system allows 255 bytes for a name; this leaves room for suffixes, numbers and temporary endings.
LONGEST_NAME_BYTES = 180


def database_path(output: str | Path) -> Path:
    """Return the database's path inside an output folder."""
    return Path(output) / DATABASE_NAME


def database_url(path_or_url: str | Path) -> str:
    """Return a database URL for what people write: a URL as it is, a path as an SQLite URL.

    A folder stands for the database inside it.
    """
    text = str(path_or_url)
    if "://" in text:
        return text
    path = Path(text)
    if path.is_dir():
        path = database_path(path)
    return f"sqlite:///{path.absolute()}"


def sqlite_path(url: str) -> Path | None:
    """Return the file behind an SQLite URL, or None for another server."""
    prefix = "sqlite:///"
    if not url.startswith("sqlite"):
        return None
    return Path(url.split("?", 1)[0].removeprefix("sqlite+pysqlite:///").removeprefix(prefix))


def lock_path(database: Path) -> Path:
    """Return the file whose lock the one writer holds."""
    return database.with_name(database.name + LOCK_SUFFIX)


def worker_lock_path(beside: Path) -> Path:
    """Return the file whose lock the one process holds that writes into stores."""
    return beside.with_name(beside.name + WORKER_LOCK_SUFFIX)


def open_corrections_folder(url: str) -> Path:
    """Return where pictures of corrections that do not fit are put: beside the database, of a server here."""
    path = sqlite_path(url)
    return Path("open-corrections") if path is None else path.with_name("open-corrections")


def wal_path(database: Path) -> Path:
    """Return where SQLite keeps what was written last, while the database is open."""
    return database.with_name(database.name + "-wal")


def backup_path(database: Path, revision: str) -> Path:
    """Return where the copy is kept that is made before a database is upgraded from `revision`."""
    return database.with_name(f"{database.name}.before-upgrade-from-{revision}")


# Where something lies: a path on this computer, or the URL of an object store such as ``s3://bucket/folder``.
Place = Path | str


def is_url(place: str | Path) -> bool:
    """Say whether a place is a URL; a path never is."""
    return isinstance(place, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", place) is not None


def as_place(text: str | Path) -> Place:
    """Return what people or the database call a place: a URL as it is, else an absolute path."""
    return str(text).rstrip("/") if is_url(text) else Path(text).absolute()


def inside(place: Place, name: str) -> Place:
    """Return the place of `name` inside another one."""
    return f"{place}/{name}" if isinstance(place, str) else place / name


def parent(place: Place) -> Place:
    """Return the place around another one."""
    return place.rpartition("/")[0] if isinstance(place, str) else place.parent


def base(place: Place) -> str:
    """Return the last part of a place's name."""
    return place.rpartition("/")[2] if isinstance(place, str) else place.name


def stored_place(place: Place, folder: Path | None) -> str:
    """Return a place as the database holds it: relative to the database's folder where it lies inside.

    So that a folder with results can be moved or copied, and is still whole. `folder` is None for a database on a
    server. Links on the way do not count: what lies inside lies inside by whichever name.
    """
    if isinstance(place, Path) and folder is not None:
        for path, around in ((place, folder), (Path(os.path.realpath(place)), Path(os.path.realpath(folder)))):
            if path.is_relative_to(around):
                return str(path.relative_to(around))
    return str(place)


def whole_place(stored: str, folder: Path | None) -> str:
    """Return the absolute path, or URL, of what the database holds; paths of before are absolute already."""
    return stored if is_url(stored) or folder is None else str(folder / stored)


def zarr_path(output: str | Path, name: str, bundle: str | None = None) -> Place:
    """Return the OME-Zarr of the acquisition `name` inside an output folder, or URL.

    Parameters
    ----------
    output : str or Path
    name : str
        Of the acquisition; each part before a ``/`` is a folder.
    bundle : str or None
        Of the experiment, when the acquisition is one of its several positions: they share one OME-Zarr, in which
        they are numbered from 0.
    """
    *folders, last = (name if bundle is None else bundle).split("/")
    place = as_place(output)
    for folder in folders:  # none of them may look like a bundle
        place = inside(place, safe_name(folder.replace(STORE_SUFFIX, STORE_SUFFIX.replace(".", "_"))))
    store = inside(place, safe_name(last) + STORE_SUFFIX)
    return store if bundle is None else inside(store, "0")


def bundle_of(place: Place) -> Place | None:
    """Return the bundle that an OME-Zarr is a position of, or None for one of its own."""
    around = parent(place)
    return around if base(around).endswith(STORE_SUFFIX) else None


def numbered(place: Place, number: int) -> Place:
    """Return `place` changed by a number, for a second result beside a first one: `-number` before its suffix.

    A position in a bundle gets the number that many places on.
    """
    name = base(place)
    if bundle_of(place) is not None:
        return inside(parent(place), str(int(name) + number - 1))
    stem = name.removesuffix(STORE_SUFFIX)
    return inside(parent(place), f"{stem}-{number}{STORE_SUFFIX}" if stem != name else f"{name}-{number}")


def next_free(place: Place, stem: str) -> Place:
    """Return `place` under the next number: `stem-2` after `stem`, `stem-3` after `stem-2`; a bundle's by its own name.

    Parameters
    ----------
    stem : str
        What the acquisition is called, which may itself end in a number.
    """
    bundle = bundle_of(place)
    if bundle is not None:
        before, dash, number = base(bundle).removesuffix(STORE_SUFFIX).rpartition("-")
        known = before if dash and number.isdecimal() else base(bundle).removesuffix(STORE_SUFFIX)
        return inside(next_free(bundle, known), base(place))
    name = safe_name(stem)
    number = base(place).removesuffix(STORE_SUFFIX).removeprefix(f"{name}-")
    return inside(parent(place), f"{name}-{int(number) + 1 if number.isdecimal() else 2}{STORE_SUFFIX}")


def unfinished(place: Place, whose: str = "", maker: str = "") -> Place:
    """Return where an OME-Zarr is made before it is moved to its place (or what marks it as not whole yet).

    Parameters
    ----------
    whose : str
        Identity of the database, so that services with one output folder leave each other's alone.
    maker : str
        Who makes it, where several make the same one at a time.
    """
    return inside(parent(place), f"{base(place)}{_mark_of(maker)}{_mark_of(whose)}{PARTIAL_SUFFIX}")


def unfinished_pattern(whose: str = "") -> str:
    """Return the pattern that finds what `unfinished` named; without `whose`, of everybody."""
    return f"*{_mark_of(whose)}{PARTIAL_SUFFIX}"


def _mark_of(whose: str) -> str:
    return f".{whose[:12]}" if whose else ""


def staging(place: Place) -> Place:
    """Return where new versions of an OME-Zarr's visible time points wait to replace them."""
    bundle = bundle_of(place)
    outermost = place if bundle is None else bundle
    waiting = inside(parent(outermost), base(outermost) + STAGING_SUFFIX)
    return waiting if bundle is None else inside(waiting, base(place))


NAME_TEMPLATE = "{folder}/{name}"
NAME_FIELDS = ("folder", "parent", "name")
_LONGEST_NAME = 255  # what the database has room for


def acquisition_name(template: str, folders: Sequence[str], name: str) -> str:
    """Return what an acquisition is called: by default the folders on the way to it, and its own name.

    Parameters
    ----------
    template : str
        In which ``{folder}`` stands for the folders with ``/`` between them, ``{parent}`` for the last of them,
        ``{name}`` for what the file itself says or is called.
    folders : sequence of str
        From what is watched down to the file.
    name : str

    Raises
    ------
    WrongRequestError
        When the template has another field, or leaves the name out.
    """
    folders = folders[:-1] if folders and folders[-1] == name else folders  # it is named after its folder
    fields = {"folder": "/".join(folders), "parent": folders[-1] if folders else "", "name": name}
    try:
        filled = template.format_map(fields)
        complete = name in filled and all(found in fields for _, found, _, _ in Formatter().parse(template) if found)
    except (ValueError, KeyError, IndexError, AttributeError):
        complete = False
    if not complete:
        raise WrongRequestError(
            f"The template {template!r} gives no names: write it with {{name}}, and {{folder}} or {{parent}}."
        )
    parts = [part for part in filled.split("/") if part.strip()]
    while len(parts) > 1 and len("/".join(parts)) > _LONGEST_NAME:
        del parts[0]
    return "/".join(parts)[:_LONGEST_NAME]


def flat_name(name: str) -> str:
    """Return the name of an acquisition as that of a file, its folders before it."""
    return safe_name(name.replace("/", "-"))


def safe_name(name: str) -> str:
    """Return `name` as a file name that every file system takes.

    Letters and digits of any script, ``-``, ``_``, ``.``, ``+`` and spaces inside stay; everything else becomes ``_``.
    A name that had to be changed so that another could become the same carries a short hash of the original.
    """
    kept = "".join(c if c.isalnum() or c in "-_.+ " else "_" for c in name).strip(" .")
    shortened = kept.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore")
    if name and shortened == name:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{shortened.strip(' .')}-{digest}" if shortened.strip(" ._") else f"acquisition-{digest}"
