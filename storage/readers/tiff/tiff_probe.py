"""Whether a TIFF is whole: its chain of pages ends properly, and all the planes that it declares are there."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from storage.readers.completion import Completion
from storage.readers.tiff import ome_xml
from storage.readers.tiff.chain import Chain, is_whole, walk


@dataclass(frozen=True)
class Declared:
    """What the description says should be there: planes in this file, and planes per time point if time is slowest."""

    planes: int
    planes_per_time_point: int | None = None
    in_one_page: bool = False  # ImageJ and tifffile may write one page and all planes behind it
    others: tuple[str, ...] = ()  # files beside it that hold further planes of the same image


def probe(path: Path) -> Completion:
    """Return whether a TIFF (OME-TIFF, ImageJ TIFF, BigTIFF) is whole."""
    try:
        chain = walk(path)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    if chain.fault is not None:
        return Completion("incomplete", f"{path} is not a whole TIFF: {chain.fault}.")
    try:
        declared = _declared(chain, path)
    except ValueError as error:
        return Completion("incomplete", f"{path} is not a whole TIFF: {error}.")
    return _judged(path, chain, declared)


def _judged(path: Path, chain: Chain, declared: Declared) -> Completion:
    planes, others = chain.pages, tuple(path.with_name(name) for name in declared.others)
    if declared.in_one_page and chain.pages == 1 and chain.page_bytes:
        planes = (chain.file_bytes - chain.data_offset) // chain.page_bytes
    if planes >= declared.planes:
        absent = next((one.name for one in others if not is_whole(one)), None)
        if absent is not None:
            reason = f"{path} is whole, but not {absent}, which it says belongs to it."
            return Completion("growing", reason, others=others)
        return Completion("complete", f"{path} is whole.", others=others)
    if declared.in_one_page and chain.pages == 1:
        return Completion(
            "incomplete", f"{path} is not a whole TIFF: it breaks off after {planes} of {declared.planes} planes."
        )
    per_t = declared.planes_per_time_point
    ready = tuple(range(planes // per_t)) if per_t else None
    return Completion("growing", f"{path} holds {planes} of the {declared.planes} planes that it declares.", ready)


def _declared(chain: Chain, path: Path) -> Declared:
    text = chain.description
    if chain.lsm:
        return _declared_by_lsm(chain.lsm)
    if text.startswith("ImageJ="):
        return _declared_by_imagej(text)
    if ome_xml.is_ome(text):
        return _declared_by_ome(ome_xml.parse(text), path)
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


def _declared_by_ome(images: tuple[ome_xml.OmeImage, ...], path: Path) -> Declared:
    named = any(image.planes_by_file for image in images)
    if named and any(path.name in image.planes_by_file for image in images):
        others = {name for image in images for name in image.planes_by_file} - {path.name}
        safe = tuple(sorted(name for name in others if "/" not in name and "\0" not in name))
        return Declared(sum(image.planes_by_file.get(path.name, 0) for image in images), others=safe)
    # No file is named, or this one was renamed and is all that there is.
    planes = sum(image.planes for image in images)
    grows = len(images) == 1 and images[0].order.endswith("T") and images[0].size_t > 1
    return Declared(planes, planes // images[0].size_t if grows else None)


def _declared_by_tifffile(text: str, chain: Chain) -> Declared:
    try:
        shape = json.loads(text)["shape"]
        planes = math.prod(int(n) for n in shape) // max(1, chain.page_pixels)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its description is damaged ({error})") from error
    return Declared(planes, in_one_page='"truncated": true' in text)
