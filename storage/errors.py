"""The errors that `storage` raises on purpose: one sentence each that says what, why and what to do."""

from __future__ import annotations


class StorageError(Exception):
    """Root of the errors that `storage` raises on purpose."""


class UnreadableInputError(StorageError):
    """A file is not an image that any reader understands; waiting will not help."""


class UnsupportedInputError(UnreadableInputError):
    """A file is whole, and of a kind that is not read here: it is set aside at once, and its end is not waited for."""


class IncompleteInputError(StorageError):
    """A file is an image whose end is missing: it may still be arriving, or its transfer broke."""


class LabelsChangingError(StorageError):
    """Labels do not agree with rows for a moment, because they are just being replaced."""


class WrongRequestError(StorageError):
    """What was asked for cannot be: an unknown column or format, or a filter that is not one."""


class SourceGoneError(UnreadableInputError):
    """A file that was known is not there any more: moved, removed, or on a share that is away."""


class UnknownAcquisitionError(StorageError):
    """No acquisition has the id or name that was asked for."""


class DatabaseUnavailableError(StorageError):
    """The database is absent, locked by another writer, damaged, or on a disk where it cannot be kept safely.

    `may_pass` says that trying again later makes sense: it is locked, or its disk is full, but not damaged.
    """

    may_pass = False


class DatabaseReplacedError(DatabaseUnavailableError):
    """The database file is not the one any more that was opened: it was deleted, moved or replaced."""


class AnotherWriterError(DatabaseUnavailableError):
    """The service, or another nusetd, writes to the database: it alone may."""


class OtherSchemaError(DatabaseUnavailableError):
    """The database is of another version of nusetd than this one."""


class NewerSchemaError(OtherSchemaError):
    """The database was written by a newer nusetd than this one."""


class StoreGoneError(StorageError):
    """An OME-Zarr that was made is not there any more."""


class StoreTakenError(StorageError):
    """At the place of an OME-Zarr lies one of another database or acquisition: it is never written to."""


class StoreDamagedError(StorageError):
    """An OME-Zarr cannot be read for what it holds; `place` is where it lies."""

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.place = place

    def __reduce__(self) -> tuple[type[StoreDamagedError], tuple[str, str]]:
        """Pickle both, as an error goes from one process to another."""
        return (type(self), (str(self), self.place))


class IllegalTransitionError(StorageError):
    """A state was to change in a way that the table of transitions does not allow."""


class StaleJobError(StorageError):
    """A result was handed in for a time point that is no longer being processed under that claim."""


class OutputExistsError(StorageError):
    """An output is already there and is never overwritten."""
