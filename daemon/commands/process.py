"""Process images once, with the same pipeline as the service: segment, join, measure, track, store.

Exit code 0 only if all of them succeeded; what cannot be processed is named in one sentence, the others go on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd process embryo.tif more_stacks/ --output results --voxel-size 2.0,0.3,0.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="images, OME-Zarr stores, or folders")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="gets nusetd.sqlite and one OME-Zarr per acquisition"
    )
    options.add_reading(parser)
    parser.add_argument("--pattern", help="name pattern of images written as one file per time point")
    parser.add_argument("--ome-zarr-version", choices=("0.4", "0.5"), default="0.4", help="(default: 0.4)")
    options.add_engine(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Process everything."""
    from daemon import logs
    from daemon.config import EngineConfig, Processing
    from daemon.process import Order, process

    logs.set_up("error")
    return process(
        Order(
            paths=options.existing(arguments.paths),
            output=arguments.output,
            engine=EngineConfig(arguments.engine, arguments.weights, arguments.threads),
            processing=Processing(),
            voxel_size_um=arguments.voxel_size,
            nuclear_channel=options.channel(arguments.channel),
            ome_zarr_version=arguments.ome_zarr_version,
            pattern=arguments.pattern,
        )
    )
