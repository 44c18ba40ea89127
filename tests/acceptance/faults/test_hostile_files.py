"""Files that mean harm, beside good ones: each costs itself alone, in the service and in `process`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from lab import ENGINE, SHAPE, Lab, asked, stack, write_stack

SECRET = 54_321  # the grey value of what lies outside the watched folder
DEEP = "[" * 200_000 + "]" * 200_000
AXES = [{"name": "t", "type": "time"}, *({"name": letter, "type": "space"} for letter in "zyx")]
PROMPT_S = 10.0  # a good file waits no longer for bad ones, beside what it takes by itself


def ome_zarr(path: Path, level: str = "0") -> Path:
    """An OME-Zarr 0.4 of one time point, whose level is said to lie at this path."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=stack(0)[None], chunks=(1, 1, *SHAPE[1:]))
    step = [{"type": "scale", "scale": [1, 1, 0.5, 0.5]}]
    sets = [{"path": level, "coordinateTransformations": step}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": AXES, "datasets": sets}]
    return path


def reaching_out(path: Path, elsewhere: str) -> None:
    """An OME-TIFF of two time points, the second of which is said to lie in another file."""
    pixels = f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="{SHAPE[2]}" SizeY="{SHAPE[1]}"'
    sizes = f' SizeZ="{SHAPE[0]}" SizeC="1" SizeT="2"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
    uuid = "urn:uuid:0000000{}-0000-0000-0000-000000000000".format
    planes = "".join(
        f'<TiffData IFD="{z}" FirstZ="{z}" FirstC="0" FirstT="{t}" PlaneCount="1">'
        f'<UUID FileName="{(path.name, elsewhere)[t]}">{uuid(t)}</UUID></TiffData>'
        for t in range(2)
        for z in range(SHAPE[0])
    )
    opening = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid(0)}">'
    text = f'<?xml version="1.0"?>{opening}<Image ID="Image:0">{pixels}{sizes}{planes}</Pixels></Image></OME>'
    tifffile.imwrite(path, stack(0), description=text, metadata=None, photometric="minisblack")


def hostile(folder: Path, private: Path) -> set[str]:
    """Lay harmful files into a folder; their names."""
    private.mkdir()
    tifffile.imwrite(private / "secret.ome.tif", np.full(SHAPE, SECRET, np.uint16), photometric="minisblack")
    ome_zarr(private / "secret.ome.zarr")
    zarr.open_array(private / "secret.ome.zarr" / "0", mode="r+")[:] = SECRET
    (ome_zarr(folder / "deep.ome.zarr") / ".zattrs").write_text(DEEP)
    absurd = ome_zarr(folder / "absurd.ome.zarr") / "0" / ".zarray"
    absurd.write_text(json.dumps({**json.loads(absurd.read_text()), "shape": [300_000_000, *SHAPE]}))
    ome_zarr(folder / "outward.ome.zarr", f"../../{private.name}/secret.ome.zarr/0")
    linked = ome_zarr(folder / "linked.ome.zarr") / "0"
    linked.rename(linked.with_name("own"))
    os.symlink(private / "secret.ome.zarr" / "0", linked)
    tifffile.imwrite(folder / "nested.tif", stack(0), description='{"shape": ' + DEEP + "}", metadata=None)
    reaching_out(folder / "reaching.ome.tif", f"../{private.name}/secret.ome.tif")
    return {"deep", "absurd", "outward", "linked", "nested", "reaching"}


def shows_the_secret(output: Path) -> bool:
    """Whether any image in an output holds what lies outside."""
    stores = [zarr.open_group(path, mode="r") for path in output.rglob("*.ome.zarr") if path.is_dir()]
    return any(SECRET in np.asarray(store["0"]) for store in stores)


@pytest.mark.long  # `.ci/run` runs it once
def test_each_costs_itself_alone_in_the_service(new_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = new_lab(give_up_s=2.0)
    write_stack(lab.incoming / "first.tif", stack(0))
    lab.start()
    lab.wait(lambda: lab.done() == 1)
    harmful = hostile(lab.incoming, tmp_path / "private")
    began = time.monotonic()
    write_stack(lab.incoming / "good.tif", stack(0))
    lab.wait(lambda: bool(lab.rows("select 1 from acquisitions where name = 'good' and state = 'complete'")))
    assert time.monotonic() - began < PROMPT_S + 20.0  # the rest is for its own look and work, on a busy machine
    query = "select name, error from acquisitions where state = 'set_aside'"
    lab.wait(lambda: harmful <= {name.split(".")[0] for name, _ in lab.rows(query)} | done_harmlessly(lab))
    for name, error in lab.rows(query):
        assert error, name
        assert "\n" not in error
    assert not lab.rows("select 1 from service_reports where report like '%\"worker_deaths\": 1%'")
    assert lab.stop() == 0, lab.said()
    assert not shows_the_secret(lab.output)


def done_harmlessly(lab: Lab) -> set[str]:
    """What was taken as far as it is its own, such as the first time point of a set whose second lies elsewhere."""
    rows = lab.rows("select name from acquisitions where state in ('complete', 'partial')")
    return {name.split(".")[0] for (name,) in rows}


def test_each_costs_itself_alone_in_process(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_stack(folder / "good.tif", stack(0))
    harmful = hostile(folder, tmp_path / "private")
    done = asked("process", folder, "--output", tmp_path / "out", "--engine", ENGINE, "--voxel-size", "1,0.5,0.5")
    assert done.returncode == 1
    assert "good: complete" in done.stdout
    assert all(name in done.stderr + done.stdout for name in harmful), done.stderr
    assert not shows_the_secret(tmp_path / "out")
