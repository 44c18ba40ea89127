"""OME-XML that lists the positions of a bundle."""

from __future__ import annotations

from xml.etree import ElementTree

from storage.acquisition import Acquisition
from storage.well_formed import well_formed

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
# How OME-XML calls the types of pixels whose names differ from numpy's.
_TYPES = {"float32": "float", "float64": "double"}


def with_position(text: str | None, number: int, acquisition: Acquisition) -> str:
    """Return OME-XML in which an acquisition is image `number`.

    Parameters
    ----------
    text : str or None
        What is there already; None for nothing.
    number : int
        Also the name of the image's group.
    acquisition : Acquisition
    """
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.Element(_tag("OME")) if text is None else ElementTree.fromstring(text)
    identity = f"Image:{number}"
    for image in root.findall(_tag("Image")):
        if image.get("ID") == identity:
            root.remove(image)
    root.append(_image(identity, number, acquisition))
    root[:] = sorted(root, key=lambda image: int(str(image.get("ID")).rpartition(":")[2]))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def without_position(text: str, number: int) -> str:
    """Return OME-XML without image `number`."""
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.fromstring(text)
    for image in root.findall(_tag("Image")):
        if image.get("ID") == f"Image:{number}":
            root.remove(image)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _image(identity: str, number: int, acquisition: Acquisition) -> ElementTree.Element:
    image = ElementTree.Element(_tag("Image"), {"ID": identity, "Name": well_formed(acquisition.name)})
    dtype = acquisition.dtype.name
    described = {
        "ID": f"Pixels:{number}",
        "DimensionOrder": "XYZCT",
        "Type": _TYPES.get(dtype, dtype),
        "SizeX": str(acquisition.size_x),
        "SizeY": str(acquisition.size_y),
        "SizeZ": str(acquisition.size_z),
        "SizeC": str(acquisition.size_c),
        "SizeT": str(max(1, acquisition.size_t)),
    }
    if acquisition.voxel_size_um is not None:
        for letter, size in zip("ZYX", acquisition.voxel_size_um, strict=True):
            described |= {f"PhysicalSize{letter}": repr(float(size)), f"PhysicalSize{letter}Unit": "µm"}
    pixels = ElementTree.SubElement(image, _tag("Pixels"), described)
    for c, name in enumerate(acquisition.channel_names):
        channel = {"ID": f"Channel:{number}:{c}", "Name": name, "SamplesPerPixel": "1"}
        ElementTree.SubElement(pixels, _tag("Channel"), channel)
    ElementTree.SubElement(pixels, _tag("MetadataOnly"))
    return image


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
