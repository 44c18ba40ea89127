"""Image files of every kind that is read, written from one array (T, C, Z, Y, X)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import zarr

VOXEL = {"PhysicalSizeZ": 2.0, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.25}
Writer = Callable[[Path, np.ndarray], Path]


def ome_tiff(folder: Path, array: np.ndarray, **options: object) -> Path:
    path = folder / "embryo.ome.tif"
    names = [f"dye {i}" for i in range(array.shape[1])]
    metadata = {
        "axes": "TCZYX", **VOXEL, "TimeIncrement": 60.0, "TimeIncrementUnit": "s", "Channel": {"Name": names},
    }  # fmt: skip
    tifffile.imwrite(path, array, ome=True, metadata=metadata, **options)  # type: ignore[arg-type]
    return path


def ome_tiff_files(folder: Path, array: np.ndarray, called: str = "embryo-{}") -> Path:
    """A file for each time point; each describes all of them."""
    t, c, z, y, x = array.shape
    names = [f"{called.format(i)}.ome.tif" for i in range(t)]
    data = "".join(
        f'<TiffData FirstT="{i}" FirstC="{k}" FirstZ="{s}" IFD="{k * z + s}" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:00000000-0000-0000-0000-00000000000{i}</UUID></TiffData>'
        for i, name in enumerate(names)
        for k in range(c)
        for s in range(z)
    )
    channels = "".join(f'<Channel ID="Channel:0:{i}" Name="dye {i}" SamplesPerPixel="1"/>' for i in range(c))
    sizes = f'SizeT="{t}" SizeC="{c}" SizeZ="{z}" SizeY="{y}" SizeX="{x}"'
    lengths = 'PhysicalSizeZ="2.0" PhysicalSizeY="0.5" PhysicalSizeX="0.25" TimeIncrement="60.0"'
    for i, name in enumerate(names):
        text = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:00000000-0000-0000-0000-00000000000{i}"><Image ID="Image:0" Name="all">'
            f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="{array.dtype.name}" {sizes} {lengths}>'
            f"{channels}{data}</Pixels></Image></OME>"
        )
        with tifffile.TiffWriter(folder / name) as writer:
            for n, plane in enumerate(array[i].reshape(-1, y, x)):
                writer.write(plane, description=text if n == 0 else None, contiguous=False, metadata=None)
    return folder / names[0]


def ome_tiff_compressed(folder: Path, array: np.ndarray) -> Path:
    return ome_tiff(folder, array, compression="zlib", tile=(16, 16))


def ome_tiff_other_order(folder: Path, array: np.ndarray) -> Path:
    path = folder / "embryo.ome.tif"
    turned = np.moveaxis(array, 0, 2)  # C Z T Y X: time is the fastest axis over pages
    metadata = {"axes": "CZTYX", **VOXEL, "TimeIncrement": 1.0, "TimeIncrementUnit": "min"}
    tifffile.imwrite(path, turned, ome=True, metadata=metadata)
    return path


def imagej_tiff(folder: Path, array: np.ndarray) -> Path:
    path = folder / "embryo.tif"
    metadata = {"axes": "TZCYX", "spacing": 2.0, "unit": "um", "finterval": 60.0}
    turned = np.moveaxis(array, 1, 2)
    tifffile.imwrite(path, turned, imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    return path


def tiff_with_axes(folder: Path, array: np.ndarray) -> Path:
    path = folder / "embryo.tif"
    tifffile.imwrite(path, array, metadata={"axes": "TCZYX"}, byteorder=">", bigtiff=True, photometric="minisblack")
    return path


def plain_tiff(folder: Path, array: np.ndarray) -> Path:
    path = folder / "embryo.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane in array[0, 0]:
            writer.write(plane, contiguous=False, metadata=None)
    return path


def tiff_series(folder: Path, array: np.ndarray) -> Path:
    for t, stack in enumerate(array):
        metadata = {"axes": "ZCYX", "spacing": 2.0, "unit": "micron"}
        turned = np.moveaxis(stack, 0, 1)
        tifffile.imwrite(folder / f"embryo_t{t:03d}.tif", turned, imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    return folder


def tiff_planes(folder: Path, array: np.ndarray) -> Path:
    for t, c, z in np.ndindex(array.shape[:3]):
        name = folder / f"embryo_t{t:02d}_z{z + 1}_ch{c}.tif"
        tifffile.imwrite(name, array[t, c, z], imagej=True, resolution=(4.0, 2.0), metadata={"unit": "um"})
    return folder / "embryo_t{t}_z{z}_ch{c}.tif"


def ome_zarr_04(folder: Path, array: np.ndarray) -> Path:
    return _ome_zarr(folder, array, 2)


def ome_zarr_05(folder: Path, array: np.ndarray) -> Path:
    return _ome_zarr(folder, array, 3)


def _ome_zarr(folder: Path, array: np.ndarray, zarr_format: int) -> Path:
    path = folder / "embryo.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    units = {"t": ("time", "minute"), "c": ("channel", None), **dict.fromkeys("zyx", ("space", "nanometer"))}
    axes = [
        {"name": letter, "type": kind, **({"unit": unit} if unit else {})} for letter, (kind, unit) in units.items()
    ]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 2000.0, 500.0, 250.0]}]
    attributes = {
        "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}],
        "omero": {"channels": [{"label": f"dye {i}"} for i in range(array.shape[1])]},
    }
    group.attrs.update(attributes if zarr_format == 2 else {"ome": {"version": "0.5", **attributes}})
    stored = group.create_array(
        "0", shape=array.shape, dtype=array.dtype, chunks=(1, 1, 2, *array.shape[3:]), fill_value=0,
        **({"chunk_key_encoding": {"name": "v2", "separator": "/"}} if zarr_format == 2 else {}),
    )  # fmt: skip
    stored[:] = array
    return path
