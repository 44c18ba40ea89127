"""Measure the segmentation of images against labels made by people, image by image and over all.

Folders of the Cell Tracking Challenge are measured as movies, with its measures: LABELS is the truth (01_GT), IMAGES
either results (01_RES) or images (01), which are segmented and tracked first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd evaluate images labels --output evaluation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", metavar="IMAGES", type=Path, help="folder of images")
    parser.add_argument("labels", metavar="LABELS", type=Path, help="folder of label images with the same names")
    parser.add_argument("--output", type=Path, metavar="DIR", help="gets the table and a sheet of the worst images")
    parser.add_argument("--voxel-size", metavar="Z,Y,X", type=options.voxel_size, help="micrometres, for stacks")
    parser.add_argument(
        "--held-out",
        type=options.positive_int,
        metavar="N",
        help="only the N images that `nusetd train --held-out N` leaves alone (smallest CRC-32 of the name)",
    )
    options.add_format(parser)
    options.add_engine(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Segment, compare, print."""
    options.existing([arguments.images, arguments.labels])
    from daemon.errors import UsageError
    from daemon.evaluate import EvaluationOrder, evaluate_folders
    from daemon.evaluate_movie import evaluate_movie
    from daemon.output import write_table
    from storage.ctc_folder import is_ctc_folder

    movie = is_ctc_folder(arguments.labels)
    if movie and arguments.held_out is not None:
        raise UsageError("--held-out chooses among separate images, and a movie is one: leave it out.")
    score = evaluate_movie if movie else evaluate_folders
    overall = score(
        EvaluationOrder(
            images=arguments.images,
            labels=arguments.labels,
            output=arguments.output,
            factory=arguments.engine,
            weights=arguments.weights,
            threads=arguments.threads,
            voxel_size_um=arguments.voxel_size,
            held_out=arguments.held_out,
        )
    )
    write_table(overall.T.reset_index(names="measure") if arguments.format == "table" else overall, arguments.format)
    return 0
