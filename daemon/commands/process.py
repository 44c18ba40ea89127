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
        "--output",
        required=True,
        metavar="DIR",
        help="a folder, or a URL such as s3://bucket/x: gets one OME-Zarr per acquisition, a folder also nusetd.sqlite",
    )
    parser.add_argument("--database", metavar="URL", help="another database for the rows: a file, or a URL")
    options.add_reading(parser)
    parser.add_argument(
        "--pattern", help="name pattern of images written as one file per time point; none: every file is an image"
    )
    parser.add_argument(
        "--step",
        type=options.positive_int,
        metavar="N",
        help="from one number of such a series to the next (default: the constant step of three files or more, else 1)",
    )
    parser.add_argument("--ome-zarr-version", choices=("0.4", "0.5"), default="0.4", help="(default: 0.4)")
    parser.add_argument(
        "--image",
        choices=("copy", "reference", "none"),
        default="copy",
        help="what the results hold of the image: a copy, a link where it is an OME-Zarr already, or nothing "
        "(default: copy)",
    )
    options.add_engine(parser)
    options.add_workers(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Process everything."""
    from daemon import logs
    from nuset_engine.loading import undisturbed

    with undisturbed():
        from daemon.commands.kind_of_weights import say_if_for_events
        from daemon.process import ProcessOptions, process
    from storage import naming

    logs.set_up("error")
    config = options.configured(arguments)
    say_if_for_events(config.engine)
    return process(
        ProcessOptions(
            paths=options.existing(arguments.paths),
            output=naming.as_place(arguments.output),
            engine=config.engine,
            processing=config.processing,
            given=options.given_facts(arguments),
            ome_zarr_version=arguments.ome_zarr_version,
            pattern=arguments.pattern,
            image=arguments.image,
            database=arguments.database,
            step=arguments.step,
            unclear_channel=arguments.unclear_channel,
        )
    )
