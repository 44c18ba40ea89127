"""An OME-Zarr as bioformats2raw writes it: what its OME-XML says besides counts where it fits the images."""

from __future__ import annotations

from pathlib import Path

import pytest
import zarr
from cases import images
from cases.stored import pixels

from storage.readers import open_acquisitions

ARRAY = pixels(2, 2, 3, 8, 9)
XML = (
    """<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{}</OME>"""
)
IMAGE = (
    '<Image ID="Image:{0}" Name="{1}"><AcquisitionDate>2026-01-02T03:04:05</AcquisitionDate><Pixels ID="P:{0}" '
    'DimensionOrder="XYZCT" SizeX="9" SizeY="{2}" SizeZ="3" SizeC="2" SizeT="2" Type="uint16" TimeIncrement="90">'
    '<Channel ID="C:{0}:0" Name="GFP"/><Channel ID="C:{0}:1" Name="Hoechst"/></Pixels></Image>'
)


def converted(folder: Path, height: int = 8, names: tuple[str, str] = ("left", "right"), own: bool = False) -> Path:
    """Two images, which say little themselves."""
    path = folder / "conv.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).attrs.update({"bioformats2raw.layout": 3})
    for number in "01":
        images.ome_zarr_04(folder, ARRAY).rename(path / number)
        group = zarr.open_group(path / number, mode="r+")
        said = dict(group.attrs)
        if not own:
            del said["multiscales"][0]["axes"][0]["unit"]
            said["omero"] = {}
        group.attrs.put(said)
    text = "".join(IMAGE.format(number, name, height) for number, name in enumerate(names))
    (path / "OME").mkdir()
    (path / "OME" / "METADATA.ome.xml").write_text(XML.format(text))
    return path


def test_names_channels_and_times_come_from_the_xml(tmp_path: Path) -> None:
    found = open_acquisitions(converted(tmp_path))
    assert [one.name for one in found] == ["conv_left", "conv_right"]
    for one in found:
        assert (one.channel_names, one.frame_interval_s) == (("GFP", "Hoechst"), 90.0)
        assert (one.origins.channel_names, one.origins.frame_interval) == ("metadata", "metadata")
        assert one.started_at == "2026-01-02T03:04:05"


def test_what_the_images_say_themselves_goes_before(tmp_path: Path) -> None:
    (one, _) = open_acquisitions(converted(tmp_path, own=True))
    assert (one.channel_names, one.frame_interval_s) == (("dye 0", "dye 1"), 60.0)


@pytest.mark.parametrize("text", [None, "no XML"])
def test_an_xml_that_does_not_fit_or_is_damaged_is_left_aside(tmp_path: Path, text: str | None) -> None:
    path = converted(tmp_path, height=7)
    if text is not None:
        (path / "OME" / "METADATA.ome.xml").write_text(text)
    for one in open_acquisitions(path):
        assert (one.channel_names, one.frame_interval_s) == (("channel 0", "channel 1"), None)
