"""Write a label image for each image: DIR/<stem>.labels.tif, of the image's own shape, uint16 or, if needed, uint32.

Nothing else is kept; for tables, tracks and OME-Zarr use `nusetd process`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd segment image.tif stack.tif --output labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="images, OME-Zarr stores, folders")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder for the label images")
    options.add_reading(parser)
    options.add_engine(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Segment one image after the other."""
    from daemon.files.segment_files import SegmentOptions, segment_files

    config = options.configured(arguments)
    return segment_files(
        SegmentOptions(
            images=options.existing(arguments.images),
            output=arguments.output,
            given=options.given_facts(arguments),
            engine=config.engine,
            processing=config.processing,
            unclear_channel=arguments.unclear_channel,
        )
    )
