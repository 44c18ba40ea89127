"""What bioformats2raw writes beside its images: OME-XML, with names, channels and times that an OME-Zarr lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from storage.acquisition import Acquisition
from storage.errors import UnsupportedInputError
from storage.readers.confined import leading_out
from storage.readers.image import channel_names, interval_of, origins
from storage.readers.names import stem
from storage.readers.tiff import ome_xml
from storage.readers.xml_text import decoded

_FILE = Path("OME") / "METADATA.ome.xml"
_LARGEST = 1 << 28


def completed(path: Path, images: list[Acquisition]) -> list[Acquisition]:
    """Return the images of an OME-Zarr with what the OME-XML in it says of them and the OME-Zarr does not.

    It is left aside where it does not fit them.
    """
    document = path / _FILE
    try:
        if leading_out(path, [document]) is not None or document.stat().st_size > _LARGEST:
            return images
        described = ome_xml.parse(decoded(document.read_bytes()))
    except (OSError, ValueError, UnsupportedInputError):
        return images
    sizes = [(one.size_t, one.size_c, one.size_z, one.size_y, one.size_x) for one in described]
    if sizes != [(one.size_t, one.size_c, one.size_z, one.size_y, one.size_x) for one in images]:
        return images
    named = len({one.name for one in described}) == len(described) > 1
    return [_completed(path, image, said, named) for image, said in zip(images, described, strict=True)]


def _completed(path: Path, image: Acquisition, said: ome_xml.OmeImage, named: bool) -> Acquisition:
    interval, stamps = image.frame_interval_s, said.stamps_s
    known = origins(said.interval_s, stamps, said.channel_names, image.origins.axes)
    names = image.channel_names
    has_names = image.origins.channel_names != "none"
    if not has_names and said.channel_names:
        names = channel_names(said.channel_names, image.size_c, 1)
    return replace(
        image,
        name=f"{stem(path)}_{said.name}" if named else image.name,
        channel_names=names,
        frame_interval_s=interval or said.interval_s or interval_of(stamps),
        started_at=image.started_at or said.started_at,
        stage_um=image.stage_um or said.stage_um,
        origins=replace(
            image.origins,
            channel_names=image.origins.channel_names if has_names else known.channel_names,
            frame_interval=image.origins.frame_interval if interval else known.frame_interval,
        ),
    )
