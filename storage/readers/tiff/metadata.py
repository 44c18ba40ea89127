"""Voxel size, interval and channel names out of a TIFF's metadata, for the dialects that carry them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from storage.readers.axes import Axes
from storage.readers.image import Voxel
from storage.readers.length_units import micrometres, seconds
from storage.readers.tiff import ome_xml

if TYPE_CHECKING:
    import tifffile


_RGB, _SEPARATE = 2, 2  # of TIFF's PhotometricInterpretation and PlanarConfiguration


@dataclass(frozen=True)
class Metadata:
    """What a TIFF says about its image; None or empty where it says nothing.

    `remarks` are the ends of sentences about the file that people must know, `doubts_of_axes` those that a person
    settles who says which axes it has.
    """

    dialect: str
    voxel_um: Voxel = (None, None, None)
    interval_s: float | None = None
    channel_names: tuple[str, ...] = ()
    image_name: str = ""
    time_stamps_s: tuple[float, ...] = ()
    started_at: str | None = None
    stage_um: tuple[float, float] | None = None
    remarks: tuple[str, ...] = ()
    doubts_of_axes: tuple[str, ...] = ()

    @property
    def when_and_where(self) -> dict[str, Any]:
        """What is said of the moment and the place, by the names of `storage.description.Description`."""
        return {"started_at": self.started_at, "stage_um": self.stage_um}

    def remarks_on(self, axes: Axes) -> tuple[str, ...]:
        """Return what is left to be said of an image that is read with these axes."""
        return self.remarks if axes.origin == "configured" else self.remarks + self.doubts_of_axes


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
    if tif.is_svs:
        return _from_svs(tif.pages.first)
    planes = _planes_as_colours(tif.series[series_index])
    return Metadata("tiff", started_at=_date(tif.pages.first.tags), doubts_of_axes=planes)


def _planes_as_colours(series: tifffile.TiffPageSeries) -> tuple[str, ...]:
    """Writers take three planes of more than 8 bits for colours where nobody tells them that they are slices."""
    page = series.keyframe
    if int(page.photometric) != _RGB or int(page.planarconfig) != _SEPARATE or page.dtype == "uint8":
        return ()
    return (
        "says that its planes are red, green and blue, which programs write by themselves: if they are slices, say "
        "--axes ZYX, if time points --axes TYX (with a letter in front for what is over them)",
    )


def _from_svs(page: tifffile.TiffPage) -> Metadata:
    """Slides by Aperio say their micrometres per pixel."""
    said = re.search(r"MPP\s*=\s*([\d.]+)", page.description)
    pixel_um = micrometres(said[1], "um") if said else None
    return Metadata("tiff", (None, pixel_um, pixel_um))


def _from_ome(text: str, index: int) -> Metadata:
    images = ome_xml.parse(text)
    return of_ome(images[min(index, len(images) - 1)])


def of_ome(image: ome_xml.OmeImage, remarks: tuple[str, ...] = ()) -> Metadata:
    """Return what OME-XML says about one of its images."""
    return Metadata(
        "ome-tiff",
        image.voxel_um,
        image.interval_s,
        image.channel_names,
        image.name,
        time_stamps_s=image.stamps_s,
        started_at=image.started_at,
        stage_um=image.stage_um,
        remarks=remarks,
    )


def _from_imagej(values: dict[str, Any], tags: tifffile.TiffTags) -> Metadata:
    unit = values.get("unit")
    is_print = str(unit).lower() in ("inch", "in", "inches")  # what is left of a size for printing
    pixels = [_length_of_pixel(tags, f"{axis}Resolution") for axis in "YX"]
    y_um, x_um = (
        micrometres(length, values.get(f"{axis}unit", unit)) for axis, length in zip("yx", pixels, strict=True)
    )
    spacing = values.get("spacing")  # negative where the stage went down
    z_um = micrometres(abs(spacing) if isinstance(spacing, int | float) else None, values.get("zunit", unit))
    rate = values.get("fps")
    interval = values.get("finterval") or (1.0 / rate if isinstance(rate, int | float) and rate > 0 else None)
    labels = values.get("Labels") if values.get("channels", 1) > 1 else None
    names = tuple(str(n) for n in labels[: values["channels"]]) if labels else ()
    interval_s = seconds(interval, values.get("tunit", "s"))
    doubts = _doubts_of_imagej(values, interval_s)
    remarks = ("gives its pixels in inches, a size for printing: no voxel size is taken from it",) if is_print else ()
    voxel: Voxel = (None, None, None) if is_print else (z_um, y_um, x_um)
    return Metadata(
        "imagej-tiff", voxel, interval_s, names, started_at=_date(tags), remarks=remarks, doubts_of_axes=doubts
    )


def _date(tags: tifffile.TiffTags) -> str | None:
    """Return the date of the image as TIFF writes it, in the order of ISO 8601."""
    said = tags.valueof("DateTime")
    try:
        return datetime.strptime(str(said).strip(" \0"), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def _doubts_of_imagej(values: dict[str, Any], interval_s: float | None) -> tuple[str, ...]:
    """ImageJ opens any sequence of images as slices; a frame interval is what is left of the time that they were."""
    slices = values.get("slices", 1)
    if interval_s is None or values.get("frames", 1) > 1 or slices < 2:
        return ()
    order = "TCYX" if values.get("channels", 1) > 1 else "TYX"
    return (
        f"has {slices} slices, one time point and a frame interval of {interval_s:g} s: unless told otherwise it is "
        f"read as slices; if they are time points, say --axes {order} to nusetd process, or to nusetd submit where the "
        "service took it, or save it with frames in ImageJ",
    )


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
