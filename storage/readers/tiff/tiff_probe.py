"""Whether a TIFF is whole: its chain of pages ends properly, and all the planes that it declares are there."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from storage.errors import UnsupportedInputError
from storage.readers.completion import Completion
from storage.readers.tiff import ome_planes, ome_set, ome_xml
from storage.readers.tiff.chain import Chain, Walk, walked
from storage.readers.tiff.ome_described import AbsentCompanionError, Described, described, files_beside


@dataclass(frozen=True)
class Declared:
    """What the description says should be there: planes in this file, and planes per time point if time is slowest."""

    planes: int
    planes_per_time_point: int | None = None
    in_one_page: bool = False  # ImageJ and tifffile may write one page and all planes behind it


def probe(path: Path) -> Completion:
    """Return whether a TIFF (OME-TIFF, ImageJ TIFF, BigTIFF) is whole."""
    try:
        walk = walked(path)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    chain = walk.chain
    try:
        if ome_xml.is_ome(chain.description):
            return _judged_by_ome(path, walk)
        declared = _declared(chain) if chain.fault is None else Declared(0)
    except ValueError as error:
        return Completion("incomplete", f"{path} is not a whole TIFF: {chain.fault or error}.")
    except AbsentCompanionError as error:
        return Completion("incomplete", error.reason, others=error.others)
    except UnsupportedInputError as error:  # there is nothing to wait for
        return Completion("complete", str(error))
    return _broken_off(path, chain) if chain.fault is not None else _judged(path, chain, declared)


def _broken_off(path: Path, chain: Chain) -> Completion:
    return Completion("incomplete", f"{path} is not a whole TIFF: {chain.fault}.")


def _judged_by_ome(path: Path, walk: Walk) -> Completion:
    """Compare what OME-XML declares with the pages: those that it names for each plane, not their number alone.

    Of a set, the other files count as well, and that one is cut short makes the others no worse.
    """
    document = described(path, walk.chain.description)
    if files_beside(path, document.images):
        return ome_set.verdict(path, document.images, document.others)
    if walk.chain.fault is not None:
        return _broken_off(path, walk.chain)
    return _judged_alone(path, walk, document)


def _judged_alone(path: Path, walk: Walk, document: Described) -> Completion:
    images = ome_planes.arranged(path, walk, document.images)
    declared = sum(len(one.pages) for one in images)
    ready = sum(n is not None for one in images for n in one.pages)
    others = document.others
    if ready == declared:
        return Completion("complete", f"{path} is whole.", others=others)
    times = tuple(sorted({t for one in images for t in one.time_points}))
    reason = f"{path} holds {ready} of the {declared} planes that it declares."
    return Completion("growing", reason, times, others=others)


def _judged(path: Path, chain: Chain, declared: Declared) -> Completion:
    planes = chain.pages
    if declared.in_one_page and chain.pages == 1 and chain.page_bytes:
        planes = (chain.file_bytes - chain.data_offset) // chain.page_bytes
    if planes >= declared.planes:
        return Completion("complete", f"{path} is whole.")
    if declared.in_one_page and chain.pages == 1:
        return Completion(
            "incomplete", f"{path} is not a whole TIFF: it breaks off after {planes} of {declared.planes} planes."
        )
    per_t = declared.planes_per_time_point
    ready = tuple(range(planes // per_t)) if per_t else None
    return Completion("growing", f"{path} holds {planes} of the {declared.planes} planes that it declares.", ready)


def _declared(chain: Chain) -> Declared:
    text = chain.description
    if chain.lsm:
        return _declared_by_lsm(chain.lsm)
    if text.startswith("ImageJ="):
        return _declared_by_imagej(text)
    if text.startswith('{"shape"'):
        return _declared_by_tifffile(text, chain)
    return Declared(1)


def _declared_by_lsm(info: bytes) -> Declared:
    """A page for each slice of each time point of each position; channels lie within a page."""
    if len(info) < 28:
        raise ValueError("its LSM information breaks off")
    slices, _, times = struct.unpack_from("<3i", info, 16)
    more = struct.unpack_from("<2i", info, 264) if len(info) >= 272 else (0, 0)
    sizes = [slices, times, *more]
    return Declared(math.prod(max(1, size) for size in sizes), max(1, slices) if times > 1 and max(more) < 2 else None)


def _declared_by_imagej(text: str) -> Declared:
    values = dict(re.findall(r"^(images|channels|slices|frames)=(\d+)", text, flags=re.MULTILINE))
    sizes = {name: int(value) for name, value in values.items()}
    per_t = sizes.get("channels", 1) * sizes.get("slices", 1)
    # RGB images count as one image each.
    return Declared(sizes.get("images", 1), per_t if sizes.get("frames", 1) > 1 else None, in_one_page=True)


def _declared_by_tifffile(text: str, chain: Chain) -> Declared:
    try:
        shape = json.loads(text)["shape"]
        planes = math.prod(int(n) for n in shape) // max(1, chain.page_pixels)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its description is damaged ({error})") from error
    return Declared(planes, in_one_page='"truncated": true' in text)
