"""The OME-Zarr of an acquisition: image, labels of nuclei, labels of tracks, growing by time points."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np

from storage import ngff
from storage.acquisition import Acquisition
from storage.durable import PARTIAL_SUFFIX, DurableStore
from storage.errors import StorageError
from storage.growing import GrowingPyramid
from storage.layout import OWN_ATTRIBUTE
from storage.pyramid import halved_image, halved_labels, level_sizes
from storage.spans import from_spans, to_spans
from storage.store_layout import LABEL_DTYPE, build

IMAGE, NUCLEI, TRACKS = "", "labels/nuclei", "labels/tracks"


class ImageStore:
    """One OME-Zarr folder on a local disk or a share.

    A time point is written durably but invisibly by `write_timepoint`, and shown by `publish` after the database has
    its rows. Writing it again, at any moment, is safe. `published` and `painted` in the group's ``nusetd`` attribute
    say which time points are whole, for those that arrive out of order.
    """

    def __init__(self, path: Path) -> None:
        """Use `create` or `open`."""
        import zarr

        self.path = path
        self._store = DurableStore(path)
        self._root = zarr.open_group(self._store, mode="r+")
        if OWN_ATTRIBUTE not in self._root.attrs:
            raise StorageError(f"{path} is not an OME-Zarr that nusetd wrote: choose another output folder.")

    @classmethod
    def create(cls, path: str | Path, acquisition: Acquisition, version: str = "0.4") -> ImageStore:
        """Return the store for an acquisition, made if it is not there; it appears whole or not at all.

        Parameters
        ----------
        path : str or Path
        acquisition : Acquisition
            Gives sizes, voxel size, interval, channels, and the contrast limits (from its first time point).
        version : "0.4" or "0.5"
            Of OME-Zarr; counts only when the store is made.

        Raises
        ------
        StorageError
            When something else is at the path, it holds an image of another size, or the disk refuses.
        """
        path = Path(path)
        if version not in get_args(ngff.Version):
            raise StorageError(f"OME-Zarr {version!r} cannot be written: choose 0.4 or 0.5.")
        try:
            if not path.exists():
                build(path, acquisition, version)  # type: ignore[arg-type]  # checked above
        except OSError as error:
            raise StorageError(
                f"{path} cannot be made ({error.strerror or error}): check disk and permissions."
            ) from error
        store = cls.open(path)
        wanted = (acquisition.size_c, acquisition.size_z, acquisition.size_y, acquisition.size_x)
        if store.shape[1:] != wanted:
            raise StorageError(
                f"{path} holds an image of size (C, Z, Y, X) {store.shape[1:]}, not {wanted}: remove it."
            )
        return store

    @classmethod
    def open(cls, path: str | Path) -> ImageStore:
        """Return the store at a path.

        Raises
        ------
        StorageError
            When there is none, or not one of ours.
        """
        path = Path(path)
        try:
            return cls(path) if path.is_dir() else _absent(path)
        except (OSError, ValueError, KeyError) as error:
            raise StorageError(
                f"{path} cannot be read as OME-Zarr ({error}): it is damaged, process it again."
            ) from error

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """(T, C, Z, Y, X) as readers see it now."""
        shape = self._root["0"].shape
        return (int(shape[0]), int(shape[1]), int(shape[2]), int(shape[3]), int(shape[4]))

    @property
    def published_timepoints(self) -> tuple[int, ...]:
        """The time points that readers see, image and labels of nuclei."""
        return from_spans(self._own()["published"])

    @property
    def painted_timepoints(self) -> tuple[int, ...]:
        """The time points whose track labels readers see."""
        return from_spans(self._own()["painted"])

    def write_timepoint(self, t: int, image: Sequence[Sequence[np.ndarray]] | None, labels: np.ndarray) -> None:
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
        _, size_c, size_z, size_y, size_x = self.shape
        if labels.shape != (size_z, size_y, size_x):
            raise StorageError(
                f"Labels of shape {labels.shape} do not fit {self.path}: it wants {(size_z, size_y, size_x)}."
            )
        if image is not None and [len(planes) for planes in image] != [size_z] * size_c:
            raise StorageError(f"{self.path} wants {size_c} channels of {size_z} planes: other planes were given.")
        with _disk(self.path):
            if image is not None:
                self._write_image(t, image)
            nuclei = self._pyramid(NUCLEI)
            for z in range(0, size_z, nuclei.chunk_z):
                nuclei.write(t, None, z, np.asarray(labels[z : z + nuclei.chunk_z], dtype=LABEL_DTYPE))
            self._store.flush()

    def publish(self, t: int) -> None:
        """Show a written time point to readers. Doing it again changes nothing."""
        with _disk(self.path):
            for name in (IMAGE, NUCLEI):
                self._pyramid(name).show(t)
            self._add_own("published", t)

    def write_tracks(self, t: int, track_ids: Mapping[int, int]) -> None:
        """Paint a time point's labels with track ids, durably, not visible yet.

        Parameters
        ----------
        t : int
        track_ids : mapping of label to track id; labels that are not in it become background
        """
        _, _, size_z, _, _ = self.shape
        colours = np.zeros(max(track_ids, default=0) + 1, dtype=LABEL_DTYPE)
        colours[list(track_ids)] = list(track_ids.values())
        nuclei, tracks = self._pyramid(NUCLEI), self._pyramid(TRACKS)
        with _disk(self.path):
            for z in range(0, size_z, nuclei.chunk_z):
                block = nuclei.read(t, None, slice(z, min(z + nuclei.chunk_z, size_z)))
                known = np.where(block < len(colours), block, 0)
                tracks.write(t, None, z, colours[known])
            self._store.flush()

    def publish_tracks(self, t: int) -> None:
        """Show painted tracks to readers. Doing it again changes nothing."""
        with _disk(self.path):
            self._pyramid(TRACKS).show(t)
            self._add_own("painted", t)

    def labels(self, t: int, z: slice = slice(None)) -> np.ndarray:
        """Return the (Z, Y, X) uint32 labels of nuclei of a time point, or some of its slices."""
        return self._pyramid(NUCLEI).read(t, None, z)

    def track_labels(self, t: int, z: slice = slice(None)) -> np.ndarray:
        """Return the (Z, Y, X) uint32 track labels of a time point, or some of its slices."""
        return self._pyramid(TRACKS).read(t, None, z)

    def image(self, t: int, c: int, z: slice = slice(None)) -> np.ndarray:
        """Return the (Z, Y, X) image of a time point and channel, or some of its slices."""
        return self._pyramid(IMAGE).read(t, c, z)

    def sweep(self) -> int:
        """Remove what interrupted writes left behind; return the number of files. Only while nobody writes."""
        return self._store.sweep()

    def _write_image(self, t: int, image: Sequence[Sequence[np.ndarray]]) -> None:
        pyramid = self._pyramid(IMAGE)
        for c, planes in enumerate(image):
            for z in range(0, len(planes), pyramid.chunk_z):
                block = np.stack([planes[i] for i in range(z, min(z + pyramid.chunk_z, len(planes)))])
                if block.shape[1:] != pyramid.plane_shape:
                    raise StorageError(f"Planes of shape {block.shape[1:]} do not fit {self.path}.")
                pyramid.write(t, c, z, block)

    def _pyramid(self, name: str) -> GrowingPyramid:
        """Return the arrays of an image, opened anew: another process may have made them longer."""
        import zarr

        group = zarr.open_group(self._store, path=name, mode="r+")
        count = len(level_sizes(*self.shape[-2:]))
        return GrowingPyramid([group[str(i)] for i in range(count)], halved_labels if name else halved_image)

    def _own(self) -> dict[str, Any]:
        import zarr

        attributes = zarr.open_group(self._store, mode="r+").attrs[OWN_ATTRIBUTE]
        assert isinstance(attributes, dict)  # we wrote it
        return attributes

    def _add_own(self, name: str, t: int) -> None:
        own = self._own()
        spans = to_spans([*from_spans(own[name]), t])
        if spans != own[name]:
            self._root.attrs[OWN_ATTRIBUTE] = {**own, name: spans}
        self._store.flush()


def sweep_unfinished(folder: str | Path) -> int:
    """Remove stores that a crash left half made in an output folder; return their number. Only while nobody writes."""
    leftovers = [p for p in Path(folder).glob(f"*.zarr{PARTIAL_SUFFIX}") if p.is_dir()]
    for path in leftovers:
        shutil.rmtree(path, ignore_errors=True)
    return len(leftovers)


def _absent(path: Path) -> ImageStore:
    raise StorageError(f"{path} is not there: the acquisition has no labels yet, or its OME-Zarr was moved.")


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turn the disk's refusals while writing a store into one sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{path} cannot be written ({reason}): check the disk, then retry.") from error
