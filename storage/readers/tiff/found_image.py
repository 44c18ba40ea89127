"""From what a TIFF says of one of its images, and where its pages are, to an acquisition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.axes import Axes
from storage.readers.image import LARGEST_PLANE_PIXELS, channel_names, interval_of, origins, voxel_size
from storage.readers.names import stem
from storage.readers.tiff import colours, metadata
from storage.readers.tiff.source import FilesBeside, PageFinder, TiffSource

if TYPE_CHECKING:
    import tifffile


def acquisition(
    path: Path,
    index: int,
    own: str,
    files: tuple[Path, ...],
    page: tifffile.TiffPage,
    said: metadata.Metadata,
    axes: Axes,
    pages: PageFinder | None,
    time_points: tuple[int, ...] | None = None,
    beside: FilesBeside | None = None,
) -> Acquisition:
    """Return one acquisition.

    Parameters
    ----------
    path : Path
        What it is called by: its file, or the first that its set names, there or not.
    index : int
        Of its series in the file, where the library finds its pages.
    own : str
        What tells it from others in the same file; empty where it is alone.
    files : tuple of Path
        Those that hold its pages.
    page : one of its pages
    said, axes
    pages : PageFinder or None
        Where its pages are; None: the library finds them.
    time_points : tuple of int, or None for all
    beside : FilesBeside
        Other files on which it depends what it is.

    Raises
    ------
    UnreadableInputError
        When it has planes or pixels that no microscope makes.
    """
    dtype = np.dtype(page.dtype)
    _refuse_absurd(path, axes, dtype)
    found, axes = colours.of_page(page, axes, str(path))
    voxel, source = voxel_size(said.voxel_um, axes.size("Z"))
    return Acquisition(
        name=f"{stem(path)}_{said.image_name if said.image_name and not axes.fixed else own}" if own else stem(path),
        source_path=path.with_name(f"{path.name}#{own}") if own else path,
        files=files,
        reader=said.dialect,
        size_t=axes.size("T"),
        size_c=axes.size_c,
        size_z=axes.size("Z"),
        size_y=axes.size("Y"),
        size_x=axes.size("X"),
        dtype=dtype.newbyteorder("="),
        voxel_size_um=voxel,
        voxel_source=source,
        frame_interval_s=said.interval_s or interval_of(said.time_stamps_s),
        channel_names=channel_names(said.channel_names, axes.size_c, axes.samples if found.named else 1),
        time_points=tuple(range(axes.size("T"))) if time_points is None else time_points,
        origins=origins(said.interval_s, said.time_stamps_s, said.channel_names, axes.origin),
        source=TiffSource(path, index, axes, files, dtype, pages, beside, found.white),
        time_stamps_s=said.time_stamps_s if len(said.time_stamps_s) == axes.size("T") else (),
        **said.when_and_where,
        remarks=tuple(f"{path} {remark}." for remark in (*said.remarks_on(axes), *found.remarks)),
    )


def _refuse_absurd(path: Path, axes: Axes, dtype: np.dtype) -> None:
    if axes.size("Y") * axes.size("X") > LARGEST_PLANE_PIXELS:
        raise UnreadableInputError(f"{path} claims planes of {axes.page_shape} pixels: it is damaged, export it again.")
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise UnreadableInputError(f"{path} holds pixels of type {dtype}: export it as 8 or 16 bit grey values.")
