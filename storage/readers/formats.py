"""The formats that are read: the endings of their names, how each is opened, how one sees that a file is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers import names
from storage.readers.completion import Completion
from storage.readers.imaris import ims
from storage.readers.leica import lif
from storage.readers.metamorph import nd, stk
from storage.readers.micromanager import mmstack, ndtiff
from storage.readers.nikon import nd2_file
from storage.readers.olympus import oif, oir
from storage.readers.parts import OIF_FOLDER, companions
from storage.readers.pictures import picture_file
from storage.readers.remembered import Remembered
from storage.readers.series import planes
from storage.readers.series.plane_names import is_series
from storage.readers.tiff import companion, opening, tiff_probe
from storage.readers.tiff.ome_described import stand_in
from storage.readers.tiff.source import TiffSource
from storage.readers.zarr_images import omezarr
from storage.readers.zarr_images.omezarr import ZarrSource
from storage.readers.zeiss import czi


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes
    ----------
    suffixes : tuple of str
        Lower case endings of its names.
    open : callable
        (path, letters of unnamed axes or None) -> the images in it, each an acquisition.
    probe : callable
        path -> the verdict on the file and its companions.
    accepts : callable or None
        path -> whether the file is of this kind, for kinds that share an ending.
    """

    suffixes: tuple[str, ...]
    open: Callable[[Path, str | None], list[Acquisition]]
    probe: Callable[[Path], Completion]
    accepts: Callable[[Path], bool] | None = None


def close_all(images: Iterable[Acquisition]) -> None:
    """Close the files of images that are not needed any more; whoever reads from them still, opens them again."""
    for image in images:
        image.close()


_TOO_DEEP = "{path} has metadata that are nested too deep to be read: it is damaged, export it again."
_KEPT = 8  # files of which what was found is kept in mind
_verdicts: Remembered[Path, Completion] = Remembered(_KEPT)
_others_of_sets: dict[Path, Path] = {}
_images: Remembered[tuple[Path, str | None], list[Acquisition]] = Remembered(_KEPT, close_all)

FORMATS = (
    Format(names.TIFF_SUFFIXES + names.PICTURE_SUFFIXES, planes.open_planes, planes.probe, is_series),
    Format((".ome.tif", ".tif"), mmstack.open_mmstack, mmstack.probe, mmstack.is_mmstack),
    Format(names.TIFF_SUFFIXES, opening.open_tiff, tiff_probe.probe),
    Format(names.COMPANION_SUFFIXES, companion.open_companion, companion.probe),
    Format(names.ZARR_SUFFIXES, omezarr.open_ome_zarr, omezarr.probe),
    Format((names.NDTIFF_INDEX.lower(),), ndtiff.open_ndtiff, ndtiff.probe),
    Format(names.OIF_SUFFIXES + names.OIB_SUFFIXES, oif.open_oif, oif.probe),
    Format(names.OIR_SUFFIXES, oir.open_oir, oir.probe),
    Format(names.CZI_SUFFIXES, czi.open_czi, czi.probe),
    Format(names.ND2_SUFFIXES, nd2_file.open_nd2, nd2_file.probe),
    Format(names.LIF_SUFFIXES, lif.open_lif, lif.probe),
    Format(names.STK_SUFFIXES, stk.open_stk, stk.probe),
    Format(names.ND_SUFFIXES, nd.open_nd, nd.probe),
    Format(names.IMS_SUFFIXES, ims.open_ims, ims.probe),
    Format(names.PICTURE_SUFFIXES, picture_file.open_picture, picture_file.probe),
)


def open_file(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images in one file (with its companions) or OME-Zarr folder, whether it is whole or not.

    What was found in it before is returned again, with the files that are open, as long as it is the same file.

    Raises
    ------
    UnreadableInputError
        When it is not an image that is read here.
    """
    if is_of_files(path):
        # A folder shows what comes and goes, not what is written in place: that is seen for each time point.
        in_folder = names.suffix(path) in names.OIF_SUFFIXES
        folder = path.with_name(path.name + OIF_FOLDER) if in_folder else path.parent
        files = [folder, *([path] if path.exists() else [])]
        found = _images.of((path, axes), files, lambda: _opened(path, axes), lasting=_are_complete)
    else:
        files, lasting = ([path], _are_complete) if path.is_dir() else (_files_of(path), lambda images: True)
        found = _images.of((path, axes), files, lambda: _opened(path, axes), _files_behind, lasting)
    return _current(found)


def still_open(path: Path, axes: str | None, source_path: str, t: int) -> list[Acquisition] | None:
    """Return the images in a file of which they are known, if what counts for one time point is as it was then.

    None where they are not known, or where a look at the whole file costs no more with many time points.

    Parameters
    ----------
    source_path : str
        Which of the images the time point is of.
    """

    def asked(images: list[Acquisition]) -> list[Path]:
        (image,) = [one for one in images if str(one.source_path) == source_path] or [images[0]]
        if t not in image.time_points:
            return []
        if isinstance(image.source, ZarrSource):
            return _files_behind(images)
        if isinstance(image.source, TiffSource) and _is_of_set(image):
            files = image.source.files_of(t)
            return [path, *files] if files else []
        return []

    found = _images.still((path, axes), asked)
    return None if found is None else _current(found)


def equal_files(image: Acquisition) -> tuple[Path, ...]:
    """Return the files of an image where each of them stands for all of it, as in an OME-TIFF of several files."""
    if not isinstance(image.source, TiffSource):
        return ()
    files = tuple(sorted({*image.files, *image.source.beside.described_by}))
    return files if len(files) > 1 else ()


def other_of_set(path: Path) -> Path | None:
    """Return another file of the set that is called by a path, there or not; None where there is none."""
    if names.suffix(path) not in names.TIFF_SUFFIXES:
        return None
    known = _others_of_sets.get(path)
    if known is None or not known.exists():
        _others_of_sets.pop(path, None)
        known = stand_in(path)
        if known is not None:
            _others_of_sets[path] = known
            while len(_others_of_sets) > _KEPT:
                del _others_of_sets[next(iter(_others_of_sets))]
    return known


def _is_of_set(image: Acquisition) -> bool:
    """Say whether an image may have further files, there or not."""
    return isinstance(image.source, TiffSource) and bool(image.source.beside.set_of)


def let_go(image: Acquisition) -> None:
    """Close what is open of an image, unless it is kept in mind: of that, more may be asked for in a moment."""
    if not any(one.source is image.source for images in _images for one in images):
        image.close()


def close_kept() -> None:
    """Close what is open of the images that are kept in mind; whoever reads from them again, opens them again."""
    for images in _images:
        close_all(images)


def looked_through(image: Acquisition) -> Acquisition:
    """Return an image with what shows only when all of it is looked at: which chunks of an OME-Zarr are absent."""
    return omezarr.with_gaps(image) if isinstance(image.source, ZarrSource) else image


def _files_behind(images: Iterable[Acquisition]) -> list[Path]:
    """Return the files from which it is known what the images are."""
    files: dict[Path, None] = {}
    for image in images:
        if isinstance(image.source, TiffSource):
            files |= dict.fromkeys((*image.files, *image.source.beside.set_of, *image.source.beside.described_by))
        else:
            files |= dict.fromkeys(image.source.described_by() if isinstance(image.source, ZarrSource) else image.files)
    return list(files)


def _current(images: Iterable[Acquisition]) -> list[Acquisition]:
    """Return images that hold no pixels of which it is not known whether they are still the same."""
    for image in images:
        if isinstance(image.source, ZarrSource):
            image.source.forget_pixels()
    return list(images)


def _opened(path: Path, axes: str | None) -> list[Acquisition]:
    try:
        return format_of(path).open(path, axes)
    except RecursionError as error:  # JSON or the like in a file, nested without end
        raise UnreadableInputError(_TOO_DEEP.format(path=path)) from error


def _probed(path: Path) -> Completion:
    try:
        return format_of(path).probe(path)
    except RecursionError:
        return Completion("incomplete", _TOO_DEEP.format(path=path))


def is_of_files(path: Path) -> bool:
    """Say whether an image has a file for each plane, of which one after the other may come."""
    return is_series(path) or names.suffix(path) in names.OIF_SUFFIXES + names.ND_SUFFIXES


def _are_complete(images: Iterable[Acquisition]) -> bool:
    return all(len(image.time_points) == image.size_t for image in images)


def probe(path: Path) -> Completion:
    """Return what the bytes of a file say about whether it is whole. Never raises for what is inside the file."""
    try:
        if not path.exists() and not is_series(path) and (parts := companions(path)):
            return _without_head(path, parts)
        return _verdicts.of(path, _files_of(path), lambda: _probed(path), lambda said: said.others)
    except UnreadableInputError as error:
        return Completion("incomplete", str(error))


def _without_head(path: Path, parts: Sequence[Path]) -> Completion:
    """The verdict on parts of an image whose file that describes them is not there."""
    more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    reason = f"{path} is not there, but what belongs to it is ({parts[0].name}{more})."
    return Completion("growing", reason, (), others=(path,))


def _files_of(path: Path) -> list[Path]:
    """Return the files whose states tell whether what is known of an image still holds; none where others count too."""
    if path.is_dir() or is_of_files(path):
        return []
    return [path, *companions(path)]


def format_of(path: Path) -> Format:
    """Return the format of a file, by its name.

    Raises
    ------
    UnreadableInputError
        When no reader knows its ending.
    """
    ending = names.suffix(path)
    for one in FORMATS:
        if ending in one.suffixes and (one.accepts is None or one.accepts(path)):
            return one
    known = ", ".join(s for one in FORMATS[2:] for s in one.suffixes if s.count(".") == 1)
    raise UnreadableInputError(f"{path} has no ending that a reader knows: convert it to one of {known}.")
