"""The OME-Zarr of an acquisition: image, labels of nuclei, labels of tracks, growing by time points."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from nuset_engine.arrays import LabelsZYX, PlaneYX, StackZYX
from storage import naming
from storage.acquisition import Acquisition
from storage.errors import StorageError, StoreGoneError, StoreTakenError
from storage.naming import Place
from storage.omezarr import corruption, ngff, places
from storage.omezarr.disks.documents import Documents
from storage.omezarr.empty_store import LABEL_DTYPE, TimepointPlanes, build
from storage.omezarr.growing import GrowingPyramid
from storage.omezarr.ownership import Owner, claim, taken, withdraw
from storage.omezarr.places import OutputStore, sweep_unfinished
from storage.omezarr.published import PublishedState
from storage.omezarr.pyramid import halved_image, halved_labels
from storage.omezarr.references import ImageKind
from storage.omezarr.staging import Staging
from storage.omezarr.succession import earlier
from storage.omezarr.timepoint_writing import TimepointWriting

__all__ = ["ImageStore", "sweep_unfinished"]

IMAGE, NUCLEI, TRACKS = "", "labels/nuclei", "labels/tracks"

# How often, and after which pause, a time point that is just being replaced is read again.
_TRIES, _PAUSE_S = 100, 0.02


class ImageStore:
    """One OME-Zarr, in a folder on a disk or a share, or at the URL of an object store.

    A time point is written durably but invisibly by `write_timepoint`, and shown by `publish` after the database has
    its rows. Writing it again, at any moment, is safe: a version that readers see stays whole until another one takes
    its place. What they are promised then is in `storage.omezarr.published`.
    """

    def __init__(self, place: Place) -> None:
        """Use `create` or `open`."""
        self.path: Place = place
        self._store = places.store_at(place)
        self._documents = Documents(self._store)
        self._visible = PublishedState(place, self._store)
        self._staging = Staging(place)
        self.image_kind: str = self._visible.own().get("image", "copy")

    @classmethod
    def create(
        cls,
        path: str | Path,
        acquisition: Acquisition,
        version: str = "0.4",
        image: ImageKind = "copy",
        owner: Owner | None = None,
        made: bool = False,
        first: TimepointPlanes | None = None,
        reading: int = 0,
        maker: str = "",
    ) -> ImageStore:
        """Return the store for an acquisition, made if it is not there; it appears whole or not at all.

        Parameters
        ----------
        path : str or Path
            A folder, or a URL; a position of a bundle where `naming.bundle_of` says so.
        acquisition : Acquisition
            Gives sizes, voxel size, interval and channels.
        version : "0.4" or "0.5"
            Of OME-Zarr, 0.5 with shards; counts only when the store is made.
        image : "copy", "reference" or "none"
            Copy it, refer to the OME-Zarr that it is in already, whose version then counts, or keep labels alone.
        owner : Owner, optional
            Whose it is to be; the place is claimed for it before anything is written.
        made : bool
            It was made before, and results are in it.
        first : per channel a sequence of (Y, X) planes, optional
            The time point whose contrast is shown, where it is at hand; without it the first one is.
        reading : int
            How often the source was read anew with other facts: a store of an earlier reading gives way.
        maker : str
            A name of whoever makes it, where another process may be making the same one in a folder at the same time:
            both get the one that appears first.

        Raises
        ------
        StoreTakenError
            When one of another owner lies there, or is just being made.
        StoreGoneError
            When it was `made` and is not there any more.
        StorageError
            When something else is at the path, it holds an image of another size, or the disk refuses.
        """
        place = naming.as_place(path)
        if version not in get_args(ngff.Version):
            raise StorageError(f"OME-Zarr {version!r} cannot be written: choose 0.4 or 0.5.")
        whose = "" if owner is None else owner.database
        try:
            if reading and earlier.is_earlier(place, reading, owner):
                earlier.put_away(place, whose)
            if isinstance(place, str) and owner is not None and not made:
                claim(places.remote_at(place), owner)
            if not places.exists(place) or places.is_unfinished(place, whose):
                if made:
                    raise StoreGoneError(f"{place} is not there any more: it was moved or removed.")
                build(place, acquisition, version, image, owner, first, reading, maker)  # type: ignore[arg-type]  # checked
        except StoreTakenError:
            if not isinstance(place, Path) or not places.exists(place):
                raise  # else somebody was first, perhaps for the same owner: `open` sees whose it is
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"{place} cannot be made ({reason}): check disk and permissions.") from error
        try:
            store = cls.open(place, owner, made)
        except StoreTakenError:
            if isinstance(place, str) and owner is not None and not made:
                withdraw(places.remote_at(place), owner)
            raise
        store._refuse_size(acquisition.size_c, acquisition.size_z, acquisition.size_y, acquisition.size_x)
        return store

    @classmethod
    def open(cls, path: str | Path, owner: Owner | None = None, made: bool = True) -> ImageStore:
        """Return the store at a path or URL.

        Parameters
        ----------
        owner : Owner, optional
            Who is going to write to it. One without an owner, which an earlier version made, is signed where results
            of this owner's are in it (`made`), and is somebody else's where there are none.

        Raises
        ------
        StoreGoneError, StoreTakenError, StoreDamagedError
            When there is none, it is another owner's, or damaged.
        StorageError
            When it is not one of ours, or cannot be reached.
        """
        place = naming.as_place(path)
        with corruption.readable(place):
            if not places.exists(place):
                raise StoreGoneError(
                    f"{place} is not there: the acquisition has no labels yet, or its OME-Zarr was moved."
                )
            store = cls(place)
            _ = store.shape  # a store without its arrays is better refused now than half way
        if owner is not None:
            store.belong_to(owner, made)
        return store

    @property
    def owner(self) -> Owner | None:
        """Whose it is; None where an earlier version, or no database, made it."""
        return self._visible.owner()

    @property
    def _parts(self) -> tuple[str, ...]:
        """Where arrays are."""
        return (IMAGE, NUCLEI, TRACKS) if self.image_kind == "copy" else (NUCLEI, TRACKS)

    def _refuse_size(self, *wanted: int) -> None:
        """See that it holds an image of this size (C, Z, Y, X)."""
        found = self.shape[1:]
        if found != wanted:
            raise StorageError(f"{self.path} holds an image of size (C, Z, Y, X) {found}, not {wanted}: remove it.")

    def refuse_others(self, owner: Owner | None) -> None:
        """See that it is nobody else's, without a word written: another process may be writing what it says."""
        present = self.owner
        if owner is not None and present not in (None, owner):
            raise taken(self.path, present, owner)

    def belong_to(self, owner: Owner, made: bool) -> None:
        """See that it is this owner's, as `open` does."""
        present = self.owner
        if present is None and made:
            self._visible.sign(owner)
        elif present != owner:
            raise taken(self.path, present, owner)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(T, C, Z, Y, X) as readers see it now; of an image by reference, T is that of the labels."""
        with corruption.readable(self.path):
            t, z, y, x = self._documents.shape(self._levels(NUCLEI)[0])
            if self.image_kind == "copy":
                return (t, self._documents.shape(self._levels(IMAGE)[0])[1], z, y, x)
            return (t, int(self._visible.own()["size_c"]), z, y, x)

    @property
    def published_timepoints(self) -> tuple[int, ...]:
        """The time points that readers see, image and labels of nuclei."""
        return self._visible.timepoints("published")

    @property
    def painted_timepoints(self) -> tuple[int, ...]:
        """The time points whose track labels readers see."""
        return self._visible.timepoints("painted")

    def write_timepoint(self, t: int, image: Sequence[Sequence[PlaneYX]] | None, labels: LabelsZYX) -> None:
        """Write one time point durably, not visible yet.

        Parameters
        ----------
        t : int
        image : per channel a sequence of (Y, X) planes, read one chunk of slices at a time; None: leave the image as is
        labels : (Z, Y, X) integers, 0 background

        Raises
        ------
        StorageError
            When shapes do not fit the store, or the disk refuses.
        """
        writing = self.timepoint(t, image)
        writing.refuse(labels)
        writing.write_image()
        writing.end(labels)

    def timepoint(self, t: int, image: Sequence[Sequence[PlaneYX]] | None) -> TimepointWriting:
        """Begin to write one time point, as `write_timepoint` does: its image can be written before it has labels.

        Raises
        ------
        StorageError
            When the image does not fit the store, or the disk refuses.
        """
        _, size_c, size_z, *_ = self.shape
        if self.image_kind != "copy":
            image = None
        if image is not None and [len(planes) for planes in image] != [size_z] * size_c:
            raise StorageError(f"{self.path} wants {size_c} channels of {size_z} planes: other planes were given.")
        nuclei = self._pyramid(NUCLEI)
        pyramids = [nuclei] if image is None else [self._pyramid(IMAGE), nuclei]
        with corruption.writable(self.path):
            into = self._begin(f"timepoint-{t}", pyramids, t)
        end = partial(self._end, f"timepoint-{t}", pyramids, t, into)
        return TimepointWriting(self.path, t, image, pyramids, into or self._store, end)

    def publish(self, t: int) -> None:
        """Show a written time point to readers. Doing it again changes nothing."""
        self._show(f"timepoint-{t}", [part for part in self._parts if part != TRACKS], "published", t)

    def write_tracks(self, t: int, track_ids: Mapping[int, int]) -> None:
        """Paint a time point's labels with track ids, durably, not visible yet.

        Parameters
        ----------
        t : int
        track_ids : mapping of label to track id; labels that are not in it become background
        """
        _, _, size_z, _, _ = self.shape
        colours = np.zeros(max(track_ids, default=0) + 2, dtype=LABEL_DTYPE)  # the last is for labels beyond
        colours[list(track_ids)] = list(track_ids.values())
        tracks = self._pyramid(TRACKS)
        with corruption.writable(self.path):
            into = self._begin(f"tracks-{t}", [tracks], t)
            for z in range(0, size_z, tracks.chunk_z):
                block = self.labels(t, slice(z, min(z + tracks.chunk_z, size_z)))
                tracks.write(t, None, z, colours[np.minimum(block, len(colours) - 1)], into)
            self._end(f"tracks-{t}", [tracks], t, into)

    def publish_tracks(self, t: int) -> None:
        """Show painted tracks to readers. Doing it again changes nothing."""
        self._show(f"tracks-{t}", (TRACKS,), "painted", t)

    def keep_interval(self, interval_s: float | None) -> None:
        """Bring the scales along time to another interval (s), where they have one that differs."""
        with corruption.writable(self.path):
            last = self._documents.attributes(NUCLEI)
            if ngff.with_interval(last, interval_s) == last:
                return  # it is written last: then the others have it too
            for part in (IMAGE, TRACKS, NUCLEI):
                attributes = self._documents.attributes(part)
                self._documents.put_attributes(part, ngff.with_interval(attributes, interval_s))
                self._store.flush()

    def labels(self, t: int, z: slice = slice(None)) -> LabelsZYX:
        """Return the (Z, Y, X) uint32 labels of nuclei of a time point, or some of its slices, of one version."""
        return self._read(NUCLEI, t, None, z)

    def track_labels(self, t: int, z: slice = slice(None)) -> LabelsZYX:
        """Return the (Z, Y, X) uint32 track labels of a time point, or some of its slices, of one version."""
        return self._read(TRACKS, t, None, z)

    def image(self, t: int, c: int, z: slice = slice(None)) -> StackZYX:
        """Return the (Z, Y, X) image of a time point and channel, or some of its slices, of one version.

        Raises
        ------
        StorageError
            Also when the image is only referred to, or left out: then its source holds it.
        """
        if self.image_kind != "copy":
            why = "only refers to its image" if self.image_kind == "reference" else "holds labels without their image"
            raise StorageError(f"{self.path} {why}: read it from the acquisition's source.")
        return self._read(IMAGE, t, c, z)

    def sweep_timepoint(self, t: int) -> int:
        """Remove what interrupted writes of one time point left behind, while others may write other ones."""
        folders = [folder for part in self._parts for folder in self._pyramid(part).folders(t)]
        return sum(self._store.sweep(folder) for folder in folders)

    def sweep(self) -> int:
        """Remove what interrupted writes left behind; return the number of files. Only while nobody writes."""
        with corruption.writable(self.path):
            self._complete_interrupted()
        return self._store.sweep()

    def _begin(self, name: str, pyramids: Sequence[GrowingPyramid], t: int) -> OutputStore | None:
        """Return the store for a version of a time point that readers see already; None when they do not."""
        self._complete_interrupted(t)
        return self._staging.begin(name) if any(pyramid.is_visible(t) for pyramid in pyramids) else None

    def _end(self, name: str, pyramids: Sequence[GrowingPyramid], t: int, into: OutputStore | None) -> None:
        if into is None:
            self._store.flush()
        else:
            self._staging.end(name, [folder for pyramid in pyramids for folder in pyramid.folders(t)])

    def _show(self, name: str, shown: Sequence[str], attribute: str, t: int) -> None:
        with corruption.writable(self.path):
            self._complete_interrupted()
            if self._staging.waits(name):
                with self._visible.replacing(t, name):
                    self._staging.show(name, self._store)
            for part in shown:
                for level in self._levels_before(part, t):
                    self._documents.lengthen(level, t + 1)
            self._visible.add(attribute, t)

    def _complete_interrupted(self, only: int | None = None) -> None:
        """Put in place what a crash left half replaced: until then its readers wait, this process among them.

        Who writes a time point completes this one `only`: what the store says of others may be changing just now.
        """
        left = self._visible.interrupted()
        if left is not None and only in (None, left[0]):
            t, name = left
            with self._visible.replacing(t, name):
                if self._staging.waits(name):  # else the crash came after it was put in place
                    self._staging.show(name, self._store)

    def _read(self, part: str, t: int, c: int | None, z: slice) -> StackZYX:
        for _ in range(_TRIES):
            stamp = self._visible.stamp(t)
            if stamp is not None:
                with corruption.readable(self.path, f"Time point {t} in {part or 'the image'}"):
                    block = self._pyramid(part).read(t, c, z)
                if self._visible.stamp(t) == stamp:
                    return block
            time.sleep(_PAUSE_S)
        raise StorageError(
            f"Time point {t} of {self.path} is being replaced and does not come to rest: "
            "if the service was stopped meanwhile, start it again."
        )

    def _levels(self, part: str) -> list[str]:
        """Return the paths of an image's levels, full size first."""
        paths = ngff.dataset_paths(self._documents.attributes(part))
        return [f"{part}/{path}" if part else path for path in paths]

    def _levels_before(self, part: str, t: int) -> list[str]:
        """Return those that end before a time point; the full size last, since its length is what readers go by."""
        with corruption.readable(self.path, part or "The image"):
            return [level for level in reversed(self._levels(part)) if self._documents.shape(level)[0] <= t]

    def _pyramid(self, part: str) -> GrowingPyramid:
        """Return the arrays of an image, opened anew: another process may have made them longer."""
        import zarr

        with corruption.readable(self.path, part or "The image"):
            kind = self._documents.zarr_format(part)
            levels = [
                zarr.open_array(self._store, path=path, mode="r+", zarr_format=kind) for path in self._levels(part)
            ]
            return GrowingPyramid(levels, halved_labels if part else halved_image)
