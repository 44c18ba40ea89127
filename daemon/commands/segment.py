"""Write a label image for each image: DIR/<stem>.labels.tif, of the image's own shape, uint16 or, if needed, uint32.

Nothing else is kept, unless `--report` asks for tables and pictures; for tracks and OME-Zarr use `nusetd process`.
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
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="gets a table of nuclei and a picture with outlines for each image, and progress.jsonl, a line of JSON "
        "for each thing that happens",
    )
    parser.add_argument("--only-missing", action="store_true", help="leave out images whose labels are there already")
    options.add_processes(parser)
    options.add_reading(parser)
    options.add_engine(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Segment all images."""
    from daemon.commands.kind_of_weights import say_if_for_events
    from daemon.files.segment_files import SegmentOptions, segment_files

    config = options.configured(arguments)
    say_if_for_events(config.engine)
    return segment_files(
        SegmentOptions(
            images=options.existing(arguments.images),
            output=arguments.output,
            given=options.given_facts(arguments),
            engine=config.engine,
            processing=config.processing,
            unclear_channel=arguments.unclear_channel,
            report=arguments.report,
            only_missing=arguments.only_missing,
            workers=arguments.workers,
        )
    )
