"""Voxel size, interval and channel names out of a TIFF's metadata, for the dialects that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storage.readers.image import Voxel
from storage.readers.length_units import micrometres, seconds
from storage.readers.tiff import ome_xml

if TYPE_CHECKING:
    import tifffile


@dataclass(frozen=True)
class Metadata:
    """What a TIFF says about its image; None or empty where it says nothing.

    `in_order` says that the pages of one file follow each other as its planes do, also those that are yet to come.
    """

    dialect: str
    voxel_um: Voxel = (None, None, None)
    interval_s: float | None = None
    channel_names: tuple[str, ...] = ()
    image_name: str = ""
    time_stamps_s: tuple[float, ...] = ()
    started_at: str | None = None
    in_order: bool = False


def read(tif: tifffile.TiffFile, series_index: int) -> Metadata:
    """Return the metadata of one image of an open `tifffile.TiffFile`.

    The resolution tags of a plain TIFF are not used: they are print sizes, and programs fill them with 1 or 72.
    """
    if tif.is_ome and tif.ome_metadata:
        return _from_ome(tif.ome_metadata, series_index)
    if tif.is_imagej:
        return _from_imagej(tif.imagej_metadata or {}, tif.pages.first.tags)
    if tif.is_lsm:
        return _from_lsm(tif.lsm_metadata or {})
    return Metadata("tiff")


def _from_ome(text: str, index: int) -> Metadata:
    images = ome_xml.parse(text)
    image = images[min(index, len(images) - 1)]
    return Metadata(
        "ome-tiff", image.voxel_um, image.interval_s, image.channel_names, image.name, in_order=image.in_order
    )


def _from_imagej(values: dict[str, Any], tags: tifffile.TiffTags) -> Metadata:
    unit = values.get("unit")
    pixels = [_length_of_pixel(tags, f"{axis}Resolution") for axis in "YX"]
    y_um, x_um = (
        micrometres(length, values.get(f"{axis}unit", unit)) for axis, length in zip("yx", pixels, strict=True)
    )
    z_um = micrometres(values.get("spacing"), values.get("zunit", unit))
    rate = values.get("fps")
    interval = values.get("finterval") or (1.0 / rate if isinstance(rate, int | float) and rate > 0 else None)
    labels = values.get("Labels") if values.get("channels", 1) > 1 else None
    names = tuple(str(n) for n in labels[: values["channels"]]) if labels else ()
    return Metadata("imagej-tiff", (z_um, y_um, x_um), seconds(interval, values.get("tunit", "s")), names)


def _length_of_pixel(tags: tifffile.TiffTags, name: str) -> float | None:
    if name not in tags:
        return None
    pixels, units = tags[name].value
    return units / pixels if pixels else None


def _from_lsm(values: dict[str, Any]) -> Metadata:
    z_um, y_um, x_um = (micrometres(values.get(f"VoxelSize{axis}"), "m") for axis in "ZYX")
    names = tuple((values.get("ChannelColors") or {}).get("ColorNames") or ())
    stamps = tuple(float(stamp) for stamp in values.get("TimeStamps", ()))
    elapsed = tuple(round(stamp - stamps[0], 6) for stamp in stamps)
    interval = seconds(values.get("TimeIntervall"), "s")
    return Metadata("lsm", (z_um, y_um, x_um), interval, names, time_stamps_s=elapsed)
