"""The acquisition: one image with time, channels and slices, read plane by plane and never as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from types import TracebackType
from typing import Protocol, Self

from nuset_engine.arrays import PlaneYX
from nuset_engine.planes.lazy import LazyPlanes
from storage.description import Description
from storage.errors import StorageError
from storage.given_facts import GivenFacts, fitted
from storage.spans import spoken


class PlaneSource(Protocol):
    """What a reader provides: planes, and evidence of what they were read from.

    A source opens its files when first asked for a plane, and can be pickled: open files stay behind.
    """

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Return the (Y, X) plane at time point t, channel c, slice z."""
        ...

    def fingerprint(self, t: int) -> str:
        """Return a text that changes when the content of time point t at the source's path does."""
        ...

    def former_fingerprint(self, t: int) -> str | None:
        """Return that text as versions before made it; None where that cannot be known."""
        ...

    def close(self) -> None:
        """Close open files; a later read opens them again."""
        ...


@dataclass(frozen=True, eq=False)
class Acquisition(Description):
    """One image of a microscope, lazily: what its source says about it (`Description`), and its planes.

    Attributes
    ----------
    source : PlaneSource
    """

    source: PlaneSource = field(kw_only=True)

    @property
    def description(self) -> Description:
        """What is said about it, in plain values that any process can hold."""
        return Description(**{one.name: getattr(self, one.name) for one in fields(Description)})

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Read one plane.

        Returns
        -------
        (Y, X) array of `dtype`

        Raises
        ------
        StorageError
            When the index is outside of the image, or the file can no longer be read.
        """
        self._check(t, c)
        if not 0 <= z < self.size_z:
            raise StorageError(f"{self.name} has no slice {z}: its slices are 0 to {self.size_z - 1}.")
        return self.source.plane(t, c, z)

    def planes(self, t: int, c: int, room: int = 0, lock: AbstractContextManager[object] | None = None) -> LazyPlanes:
        """Return the slices of channel c at time point t, (Y, X) each, read when indexed; `room` bytes are kept.

        Several threads may ask for them where they share a `lock` with whoever else reads this source.
        """
        self._check(t, c)
        return LazyPlanes(partial(self.source.plane, t, c), self.size_z, room, lock=lock)

    def fingerprint(self, t: int) -> str:
        """Return a text that changes when the content of time point t does, see `storage.readers.fingerprint`."""
        self._check(t, 0)
        return self.source.fingerprint(t)

    def former_fingerprint(self, t: int) -> str | None:
        """Return the fingerprint as versions before made it; None where that cannot be known."""
        self._check(t, 0)
        return self.source.former_fingerprint(t)

    def with_voxel_size(self, voxel_size_um: Sequence[float] | None) -> Acquisition:
        """Return the same acquisition with a configured voxel size, if its metadata gave none.

        The file's own metadata is kept where there is any: it was written by the instrument.

        Raises
        ------
        StorageError
            When the size is not three positive numbers; for a plane, one or two will do.
        """
        if voxel_size_um is None or self.voxel_source == "metadata":
            return self
        return replace(self, voxel_size_um=fitted(voxel_size_um, self.size_z), voxel_source="configured")

    def with_given(self, given: GivenFacts) -> Acquisition:
        """Return the same acquisition with the voxel size and interval that a person gives.

        What of the file they overrule is kept in `overruled`. The axes count when it is opened.

        Raises
        ------
        StorageError
            When the voxel size is none for this image.
        """
        if given.voxel_size_override_um is not None:
            changed = self._with_override(given.voxel_size_override_um)
        else:
            changed = self.with_voxel_size(given.voxel_size_um)
        return changed._with_interval(given.frame_interval_s)

    def _with_override(self, given: Sequence[float]) -> Acquisition:
        own = self.voxel_size_um if self.voxel_source == "metadata" else None
        size = fitted(given, self.size_z, own[0] if own else None)
        said = {"voxel_size_um": list(own)} if own is not None and own != size else {}
        return replace(self, voxel_size_um=size, voxel_source="configured", overruled={**self.overruled, **said})

    def _with_interval(self, given: float | None) -> Acquisition:
        if given is None:
            return self
        own = self.frame_interval_s
        said = {"frame_interval_s": own} if own is not None and own != given else {}
        stamps = self.time_stamps_s if not said else ()
        return replace(
            self,
            frame_interval_s=float(given),
            time_stamps_s=stamps,
            origins=replace(self.origins, frame_interval="configured"),
            overruled={**self.overruled, **said},
        )

    def close(self) -> None:
        """Close open files; reading again reopens them."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self, t: int, c: int) -> None:
        if t not in self.time_points:
            raise StorageError(f"{self.name} has no time point {t}: {spoken(self.time_points)} are there.")
        if not 0 <= c < self.size_c:
            raise StorageError(f"{self.name} has no channel {c}: its channels are 0 to {self.size_c - 1}.")
