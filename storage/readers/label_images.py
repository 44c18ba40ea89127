"""Labels, masks and maps of probabilities among images: told by their pixels, and where these leave it open by names.

Nobody wants nuclei of a segmentation, and no rule of names finds all of them: what is certainly drawn is not processed,
and what may be a clipped image as well is doubted, unless its name says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from nuset_engine.arrays import PlaneYX
from nuset_engine.planes.drawn import Drawn, drawn
from storage.acquisition import Acquisition

_READERS = ("tiff", "ome-tiff", "imagej-tiff", "tiff-planes", "png", "picture-planes", "ome-zarr")
"""What programs write labels as. Those of microscopes hold none, and JPEG blurs them."""
_LARGEST_PIXELS = 2**27
_NAME = re.compile(
    r"(?:\A|[_\-. ])(?:masks?|labels?|labell?ed|seg(?:m|ment(?:ed|ation)s?)?|gt|truth|annotations?|outlines?|rois?|"
    r"binary|thresh(?:old(?:ed)?)?|instances?|pred(?:ictions?)?|tra(?:ck)?)\d*(?=[_\-. *{]|\Z)",
    re.IGNORECASE,
)
_MAP = re.compile(r"(?:\A|[_\-. ])prob(?:s|abilit(?:y|ies))?\d*(?=[_\-. *{]|\Z)", re.IGNORECASE)
_REMEDY = "if it is an image all the same, give --as-image (as_image = true of the watch)"
_KINDS: dict[Drawn, str] = {
    "labels": "each of its values fills a flat region, as in labels that a program drew",
    "mask": "it is named like a mask, and has flat regions of a few values alone",
    "two values": "it is named like a mask, and has two values alone",
}


def judged(image: Acquisition) -> Acquisition:
    """Return an image with what it is instead, `drawn`, or with a remark where it may be a mask and may be an image.

    One plane of it is read, and more only of what looks drawn.
    """
    if _is_map(image):
        said = "it is named like a map of probabilities, and none of its values is below 0 or above 1"
        return replace(image, drawn=f"{image.source_path} is taken for no image: {said}: {_REMEDY}.")
    found = _of_all_channels(image)
    if found == "labels" or (found is not None and _is_named(image, _NAME)):
        return replace(image, drawn=f"{image.source_path} is taken for no image: {_KINDS[found]}: {_REMEDY}.")
    if found == "mask":
        return replace(image, remarks=(*image.remarks, _doubt(image)))
    return image


def _doubt(image: Acquisition) -> str:
    return (
        f"{image.source_path} has flat regions of a few values alone, as masks have, and is taken for an image all the "
        "same: if it is a mask, move it elsewhere and forget its result (`nusetd forget`)."
    )


def _can_be_looked_at(image: Acquisition) -> bool:
    reader = image.reader.removesuffix("-sequence")
    return reader in _READERS and bool(image.time_points) and image.size_y * image.size_x <= _LARGEST_PIXELS


def _is_map(image: Acquisition) -> bool:
    """Say whether it is named like probabilities, and its values can be some."""
    if image.dtype.kind != "f" or not _is_named(image, _MAP) or not _can_be_looked_at(image):
        return False
    try:
        plane = next(_planes(image, 0))
        return bool(plane.size and plane.min() >= 0 and plane.max() <= 1)
    except Exception:  # noqa: BLE001  # as below
        return False
    finally:
        image.close()


def _of_all_channels(image: Acquisition) -> Drawn | None:
    """What all channels are that hold anything; None where one is an image."""
    if not _can_be_looked_at(image):
        return None
    found: set[Drawn] = set()
    try:
        for channel in range(image.size_c):
            of_channel = _of_channel(image, channel)
            if of_channel is None:
                return None
            found |= of_channel
    except Exception:  # noqa: BLE001  # whatever is wrong with its planes is said when it is their turn
        return None
    finally:
        image.close()
    return next((kind for kind in _KINDS if kind in found), None)


def _of_channel(image: Acquisition, channel: int) -> set[Drawn] | None:
    found: set[Drawn] = set()
    for plane in _planes(image, channel):
        if plane.size and plane.min() == plane.max():  # nothing to be seen
            continue
        kind = drawn(plane)
        if kind is None:
            return None
        found.add(kind)
        if kind == "labels":
            break
    return found


def _planes(image: Acquisition, channel: int) -> Iterator[PlaneYX]:
    """Some slices of the first time point, the middle one first."""
    t, z = image.time_points[0], image.size_z
    for number in dict.fromkeys((z // 2, z // 4, 3 * z // 4)):
        yield image.plane(t, channel, number)


def _is_named(image: Acquisition, words: re.Pattern[str]) -> bool:
    path = image.source_path
    return any(words.search(text) is not None for text in (path.name, path.parent.name, image.name))
