"""Turning what a damaged or unreachable OME-Zarr makes libraries raise into one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import StorageError, StoreDamagedError
from storage.naming import Place

# What zarr, its codecs and JSON raise when files are missing, cut off or hold something else. OSError is told apart.
_SIGNS = (
    KeyError, ValueError, TypeError, RuntimeError, IndexError, AttributeError, AssertionError,
    FileNotFoundError, IsADirectoryError, NotADirectoryError,
)  # fmt: skip


@contextmanager
def readable(place: Place, what: str = "") -> Iterator[None]:
    """Explain failures while an OME-Zarr is read; `what` names the part of it."""
    named = f"{what} of {place}" if what else f"{place}"
    try:
        yield
    except (StorageError, NotImplementedError):
        raise
    except _SIGNS as error:
        raise StoreDamagedError(
            f"{named} cannot be read as OME-Zarr ({_reason(error)}): it is damaged, "
            "move it away and process its source again.",
            str(place),
        ) from error
    except OSError as error:
        raise StorageError(
            f"{named} cannot be read ({_reason(error)}): check the disk, the permissions and the connection."
        ) from error


@contextmanager
def writable(place: Place) -> Iterator[None]:
    """Turn the disk's refusals while an OME-Zarr is written into one sentence."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{place} cannot be written ({_reason(error)}): check the disk, then retry.") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing" if error.args else "something is missing"
    return " ".join(str(error).split())[:200] or type(error).__name__
