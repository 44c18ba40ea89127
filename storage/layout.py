"""Every path and file name that nusetd writes, decided here and nowhere else."""

from __future__ import annotations

import hashlib
from pathlib import Path

DATABASE_NAME = "nusetd.sqlite"
STORE_SUFFIX = ".ome.zarr"
LOCK_SUFFIX = ".lock"

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


def wal_path(database: Path) -> Path:
    """Return where SQLite keeps what was written last, while the database is open."""
    return database.with_name(database.name + "-wal")


def backup_path(database: Path, revision: str) -> Path:
    """Return where the copy is kept that is made before a database is upgraded from `revision`."""
    return database.with_name(f"{database.name}.before-upgrade-from-{revision}")


def zarr_path(output: str | Path, name: str) -> Path:
    """Return the OME-Zarr of the acquisition `name` inside an output folder."""
    return Path(output) / (safe_name(name) + STORE_SUFFIX)


def numbered(path: Path, number: int) -> Path:
    """Return `path` with `-number` before its suffix, for a second result beside a first one."""
    stem = path.name.removesuffix(STORE_SUFFIX)
    return path.with_name(f"{stem}-{number}{STORE_SUFFIX}" if stem != path.name else f"{path.name}-{number}")


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
