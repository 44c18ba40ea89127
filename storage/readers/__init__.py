"""From files to acquisitions: which reader opens what, what is whole, what belongs together.

Takes paths; gives acquisitions whose planes are read when asked for, with every fact from the file's own metadata. It
knows neither rows nor stores, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from storage.acquisition import Acquisition
from storage.errors import IncompleteInputError, SourceGoneError, StorageError, UnreadableInputError
from storage.given_facts import GivenFacts
from storage.readers import formats, label_images, names
from storage.readers.completion import Completion
from storage.readers.discover import discover, left_out
from storage.readers.formats import close_kept, equal_files, let_go
from storage.readers.metamorph.nd import NdSource, is_member_whole
from storage.readers.names import AcquisitionKey, acquisition_key, is_candidate
from storage.readers.olympus.oif import OifSource
from storage.readers.parts import companions, owner
from storage.readers.series import named_alike, sequence
from storage.readers.series.plane_names import is_series
from storage.readers.series.planes import PlanesSource, is_plane_whole
from storage.readers.zarr_images.omezarr import is_own
from storage.schema.rows import AcquisitionRow

__all__ = [
    "AcquisitionKey",
    "Completion",
    "acquisition_key",
    "close_kept",
    "companions",
    "discover",
    "equal_files",
    "group",
    "is_candidate",
    "is_own",
    "left_out",
    "let_go",
    "open_acquisitions",
    "owner",
    "probe",
    "reopen",
]


def open_acquisitions(
    path: str | Path | Iterable[str | Path],
    *,
    voxel_size_um: Sequence[float] | None = None,
    pattern: str | None = None,
    axes: str | None = None,
    check: bool = True,
    given: GivenFacts | None = None,
) -> list[Acquisition]:
    """Open files or folders as acquisitions, sorted by source.

    Parameters
    ----------
    path : path or paths
        Files, OME-Zarr folders, or folders with such in them. Exactly these files count: of a series with one file per
        time point, those that are given become time points.
    voxel_size_um : (z, y, x) or None
        For images whose metadata gives no voxel size.
    pattern : str or None
        How names tell the time point, see `acquisition_key`.
    axes : str or None
        Letters for the dimensions of TIFFs, slowest first, such as ``TYX``; they overrule what the files say. Unnamed,
        the first is z. That files of other formats know their axes is remarked.
    check : bool
        Look whether each file is whole. Leave it out only for files that were just looked at.
    given : GivenFacts or None
        All that a person says of them, instead of `voxel_size_um` and `axes`. With it, images that look like labels
        or masks are found out (`drawn`), unless it says that they are none.

    Raises
    ------
    IncompleteInputError
        When a file breaks off, or is still growing and none of its time points is ready.
    UnreadableInputError
        When a file is not an image that is read here.
    """
    told = given or GivenFacts(axes, None if voxel_size_um is None else tuple(voxel_size_um))
    axes, places = told.axes, [path] if isinstance(path, str | Path) else path
    files = [file for one in places for file in discover(Path(one), pattern)]
    found: list[Acquisition] = []
    for key, members in group(files, pattern).items():
        ready = {member: _checked(member) if check else None for member in members}
        if len(members) > 1 or (_number(members[0], pattern) is not None and not names.is_alone(members[0], pattern)):
            twins = {member: names.counts_instead(member, pattern) for member in members}
            left_out = {member: one for member, one in twins.items() if one is not None and one in members}
            numbered = {_number(member, pattern) or 0: member for member in members if member not in left_out}
            said = tuple(names.same_number(*pair) for pair in left_out.items())
            opened = [
                replace(one, remarks=(*one.remarks, *said)) for one in sequence.open_sequence(key, numbered, axes)
            ]
        else:
            images = map(formats.looked_through, formats.open_file(members[0], axes))
            opened = [_limited(one, ready[members[0]]) for one in images]
        one_alone = pattern is None and len(opened) == 1
        found += [_doubted(members[0], opened[0])] if one_alone else opened
    if axes is not None:
        found = [_without_use_for(axes, one) for one in found]
    known = [one.with_given(told) for one in sorted(found, key=lambda one: str(one.source_path))]
    if given is not None and not given.as_image:
        known = [label_images.judged(one) for one in known]
    return known if pattern is not None else [_undated(one) for one in known]


def reopen(row: AcquisitionRow, t: int) -> Acquisition:
    """Open what holds one time point of an acquisition, from what the database knows about it.

    It is closed by `let_go`, or at once by its own `close`.

    Raises
    ------
    IncompleteInputError, UnreadableInputError
        As `open_acquisitions`, and when the source is gone.
    """
    path, axes = Path(row.source_path), row.params.get("axes")
    said = GivenFacts(
        voxel_size_override_um=row.voxel_size_um if row.voxel_source == "configured" else None,
        frame_interval_s=row.seconds_per_t if row.frame_interval_source == "configured" else None,
    )
    if row.reader is not None and sequence.is_sequence(row.reader):
        start = row.first_number or 0
        file = names.numbered_file(path, t + start)
        _checked(file)
        member = sequence.open_member(AcquisitionKey(path, row.name), t, file, start, axes)
        _refuse_other_size(file, member, row)
        return member.with_given(said)
    whole = Path(row.source_path.rpartition("#")[0] or path)  # of a file with several images
    owner = next((p for p in (path, path.parent, whole) if _holds(p)), None)
    try:
        if owner is None:
            raise SourceGoneError(f"{path} is gone: bring it back, then run `nusetd retry {row.name}`.")
        return _opened_again(owner, row, t, axes).with_given(said)
    except StorageError:
        other = formats.other_of_set(whole)  # the file that the image is called by may be the one that lacks
        if other is None:
            raise
        return _opened_again(other, row, t, axes).with_given(said)


def _opened_again(owner: Path, row: AcquisitionRow, t: int, axes: str | None) -> Acquisition:
    """Return the image of a row out of a file."""
    of_files = formats.is_of_files(owner)  # all of them are looked at only where a file of this time point is not whole
    if of_files or names.suffix(owner) in names.ZARR_SUFFIXES:
        opened = formats.open_file(owner, axes)
    else:
        known = formats.still_open(owner, axes, row.source_path, t)
        opened = open_acquisitions(owner, pattern="", axes=axes) if known is None else known
    for one in opened:
        if str(one.source_path) == row.source_path:
            if of_files and not _is_there(one, t):
                _checked(owner)
            if one.lacking and t not in one.time_points:
                raise IncompleteInputError(f"{one.lacking[0].rstrip('.')}: copy what is absent beside it, then retry.")
            return one
    name = Path(row.source_path).name
    raise UnreadableInputError(f"{owner} no longer holds the image {name}: put the former file back.")


def group(paths: Iterable[str | Path], pattern: str | None = None) -> dict[AcquisitionKey, list[Path]]:
    """Return which files make up one acquisition, in order of their names' numbers."""
    groups: dict[AcquisitionKey, list[Path]] = {}
    for path in sorted({Path(p) for p in paths}):
        groups.setdefault(acquisition_key(path, pattern).group, []).append(path)
    for members in groups.values():
        members.sort(key=lambda member: (acquisition_key(member, pattern).t or 0, member))
    return groups


def probe(path: str | Path) -> Completion:
    """Return what the bytes of a file and its companions say about whether it is whole.

    Never raises for what is inside the file.
    """
    return formats.probe(Path(path))


def _number(path: Path, pattern: str | None) -> int | None:
    return acquisition_key(path, pattern).t


def _holds(path: Path) -> bool:
    """Say whether a path is an image, and not a scene's name or a folder around images."""
    return (path.exists() or is_series(path)) and names.suffix(path) is not None


def _is_there(acquisition: Acquisition, t: int) -> bool:
    """Say whether every file of a time point, of an image with one for each plane, is there and whole."""
    source = acquisition.source
    assert isinstance(source, OifSource | PlanesSource | NdSource)  # the kinds that `formats.is_of_files` knows
    check = is_member_whole if isinstance(source, NdSource) else is_plane_whole
    return t in acquisition.time_points and all(check(file) for file in source.files_of(t))


def _checked(path: Path) -> tuple[int, ...] | None:
    """Return the time points that are ready, None for all; refuse a file of which none is."""
    formats.format_of(path)  # what no reader knows is another error than what is not whole
    verdict = formats.probe(path)
    if verdict.state == "growing" and verdict.takeable:
        return verdict.takeable
    if verdict.state != "complete":
        raise IncompleteInputError(verdict.refusal)
    return None


def _doubted(file: Path, acquisition: Acquisition) -> Acquisition:
    """Say it where files that are named as parts of one image, or of one series, are taken one by one."""
    if is_series(file) or file.is_dir() or len(acquisition.files) > max(1, len(acquisition.time_points)):
        return acquisition
    is_numbered = acquisition.first_number is not None or acquisition.size_t > 1
    doubt = named_alike.doubt(file, names.stem(file), acquisition.size_c, acquisition.size_z, is_numbered)
    remarks = (*acquisition.remarks, f"{doubt}.") if doubt is not None else acquisition.remarks
    return replace(acquisition, remarks=remarks)


def _undated(acquisition: Acquisition) -> Acquisition:
    """Say it where nothing but their names tells that files are the time points of one series."""
    said = (acquisition.frame_interval_s, acquisition.started_at, acquisition.stage_um)
    is_known = any(one is not None for one in said) or any(sequence.REMEDY in one for one in acquisition.remarks)
    if is_known or not sequence.is_sequence(acquisition.reader) or acquisition.size_t < 2:
        return acquisition
    return replace(acquisition, remarks=(*acquisition.remarks, sequence.undated(acquisition.source_path)))


def _refuse_other_size(file: Path, member: Acquisition, row: AcquisitionRow) -> None:
    """Refuse a file that has become, or always was, none of its series."""
    found = (member.size_c, member.size_z, member.size_y, member.size_x)
    wanted = (row.size_c, row.size_z, row.size_y, row.size_x)
    differ = f"has the size (C, Z, Y, X) {found}, the others of its series {wanted}" if found != wanted else ""
    if not differ and row.dtype not in (None, member.dtype.name):
        differ = f"has pixels of {member.dtype.name}, the others of its series of {row.dtype}"
    if differ:
        raise UnreadableInputError(
            f"{file} {differ}: export it again, move it out of the series, or switch series off with --pattern none."
        )


def _without_use_for(axes: str, acquisition: Acquisition) -> Acquisition:
    if acquisition.origins.axes == "configured":
        return acquisition
    remark = f"{acquisition.source_path} says which axes it has: the axes {axes} that were given are not used."
    return replace(acquisition, remarks=(*acquisition.remarks, remark))


def _limited(acquisition: Acquisition, ready: tuple[int, ...] | None) -> Acquisition:
    """Return the acquisition with the time points that can be read already."""
    if ready is None:
        return acquisition
    there = set(ready)
    return replace(acquisition, time_points=tuple(t for t in acquisition.time_points if t in there))
