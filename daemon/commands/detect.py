"""Find rare events such as mitoses among nuclei: DIR/<stem>.events.csv, a box with its confidence per event and slice.

Columns: t, z, y0, x0, y1, x1 (pixels, half open), score, source_t, event (one number for the boxes of neighbouring
slices that show one event). The weights `mitosis` come with the package and know synthetic mitoses alone; for your
cells, train on images in which only the events are labelled, `nusetd train --mode events --from mitosis`, or on
divisions that you confirmed, `nusetd train --mode events --from-corrections`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd detect movie.tif --output events"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="images or OME-Zarr stores")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder for the tables")
    parser.add_argument(
        "--weights", default="mitosis", metavar="WEIGHTS", help="weights of the events, by name or path (mitosis)"
    )
    parser.add_argument(
        "--nuclei-weights", default="fluorescence", metavar="WEIGHTS", help="weights of all nuclei, for scale"
    )
    parser.add_argument("--min-score", type=float, default=0.4, help="least confidence of an event, 0 to 1 (0.4)")
    options.add_processes(parser)
    options.add_runtime(parser)
    options.add_settings(parser)
    options.add_as_image(parser)
    options.add_channel(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Detect in all images."""
    from daemon.commands.kind_of_weights import say_if_for_nuclei
    from daemon.files.detect_files import DetectOptions, detect_files
    from daemon.installation.kept_weights import located

    config = options.configured(arguments)
    say_if_for_nuclei(arguments.weights)
    return detect_files(
        DetectOptions(
            images=options.existing(arguments.images),
            output=arguments.output,
            nuclear_channel=options.channel(arguments.channel),
            weights=located(arguments.weights),
            nuclei_weights=located(arguments.nuclei_weights),
            min_score=arguments.min_score,
            engine=config.engine,
            segmentation=config.processing.segmentation,
            unclear_channel=arguments.unclear_channel,
            as_image=arguments.as_image,
            workers=arguments.workers,
        )
    )
