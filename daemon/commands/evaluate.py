"""Measure the segmentation of images against labels made by people, image by image and over all.

Folders of the Cell Tracking Challenge are measured as movies, with its measures: LABELS is the truth (01_GT), IMAGES
either results (01_RES) or images (01), which are segmented and tracked first.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
    from daemon.files.other_systems import OtherSystem

EXAMPLE = "nusetd evaluate images labels --output evaluation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", metavar="IMAGES", type=Path, help="folder of images")
    parser.add_argument("labels", metavar="LABELS", type=Path, help="folder of label images with the same names")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="gets the tables, a report and a sheet of the worst images"
    )
    parser.add_argument("--voxel-size", metavar="Z,Y,X", type=options.voxel_size, help="micrometres, for stacks")
    parser.add_argument(
        "--held-out",
        type=options.positive_int,
        metavar="N",
        help="only the N images that `nusetd train --held-out N` leaves alone (smallest CRC-32 of the name)",
    )
    parser.add_argument(
        "--seen",
        type=Path,
        metavar="DIR",
        help="images with the names of the labels: only nuclei count that lie where these are not 0",
    )
    parser.add_argument(
        "--ablation", action="store_true", help="compare with simpler methods, from Otsu's threshold to the full engine"
    )
    parser.add_argument(
        "--ablation-real-only",
        metavar="WEIGHTS",
        help="weights trained without synthetic images, for the row of --ablation that shows what those add",
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        type=_other_system,
        help="label images that another system made of the same images, for a row of their own; repeatable",
    )
    options.add_processes(parser, ", --ablation, movies")
    options.add_format(parser)
    options.add_engine(parser)


def _other_system(words: str) -> OtherSystem:
    """A name and a folder."""
    from daemon.files.other_systems import OtherSystem

    try:
        return OtherSystem.of(words)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def execute(arguments: argparse.Namespace) -> int:
    """Segment, compare, print."""
    options.existing([one for one in (arguments.images, arguments.labels, arguments.seen) if one is not None])
    from daemon.files.evaluate import EvaluationOptions, evaluate_folders
    from daemon.files.evaluate_movie import evaluate_movie
    from daemon.files.other_systems import distinct
    from daemon.output import write_table
    from storage.files.ctc_folder import is_ctc_folder

    movie = is_ctc_folder(arguments.labels)
    _refuse_contradictions(arguments, movie)
    config = options.configured(arguments)
    score = evaluate_movie if movie else evaluate_folders
    overall = score(
        EvaluationOptions(
            images=arguments.images,
            labels=arguments.labels,
            output=arguments.output,
            engine=config.engine,
            processing=config.processing,
            voxel_size_um=arguments.voxel_size,
            held_out=arguments.held_out,
            seen=arguments.seen,
            ablation=arguments.ablation,
            real_only=arguments.ablation_real_only,
            also=distinct(arguments.also),
            workers=arguments.workers,
        )
    )
    if arguments.ablation or arguments.also:
        write_table(overall.reset_index(), arguments.format)
        return 0
    write_table(overall.T.reset_index(names="measure") if arguments.format == "table" else overall, arguments.format)
    return 0


def _refuse_contradictions(arguments: argparse.Namespace, movie: bool) -> None:
    """Refuse what does not go together."""
    from daemon.errors import UsageError

    if movie and arguments.held_out is not None:
        raise UsageError("--held-out chooses among separate images, and a movie is one: leave it out.")
    if arguments.ablation_real_only is not None and not arguments.ablation:
        raise UsageError("--ablation-real-only belongs to --ablation: give both or none.")
    if arguments.also and (movie or arguments.ablation):
        other = "LABELS is a movie" if movie else "--ablation takes this one apart"
        raise UsageError(f"--also compares systems on separate images, and {other}: leave one of them out.")
    if arguments.seen is not None and (movie or arguments.ablation or arguments.also):
        raise UsageError("--seen belongs to separate images and one system: leave out --ablation and --also.")
    if (arguments.workers or 1) > 1 and (movie or arguments.ablation):
        one = "a movie is one" if movie else "--ablation does them one after another"
        raise UsageError(f"--workers shares separate images, and {one}: leave --workers out.")
    if movie and arguments.ablation:
        raise UsageError("--ablation compares planes, and LABELS is a movie: give folders of images and labels.")
