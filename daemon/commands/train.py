"""Train weights on a folder of images and a folder of instance labels, or fine-tune existing ones.

A run that was interrupted continues when the same command is given again. The weights come with a manifest of how
they were made; give their path to `--weights` of the other commands.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.commands import options

EXAMPLE = "nusetd train --images images --labels labels --output mine.npz --start-from fluorescence"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--images", required=True, type=Path, metavar="DIR", help="images")
    parser.add_argument("--labels", required=True, type=Path, metavar="DIR", help="label images with the same names")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.npz", help="the weights to write")
    parser.add_argument("--start-from", metavar="WEIGHTS", help="fine-tune these weights, by name or path")
    parser.add_argument("--steps", type=options.positive_int, help="number of updates")
    parser.add_argument("--batch-size", type=options.positive_int, help="crops per update")
    parser.add_argument("--synthetic-share", type=float, help="share of synthetic crops, 0 to 1")
    parser.add_argument("--held-out", type=int, help="leave out this many images for an evaluation afterwards")
    parser.add_argument("--seed", type=int, help="seed of everything random")


def execute(arguments: argparse.Namespace) -> int:
    """Train and say where the weights are."""
    import os
    import sys

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options.existing([arguments.images, arguments.labels])
    from daemon.output import complain, say
    from nuset_engine.training import TrainingConfig, train

    names = ("start_from", "steps", "batch_size", "synthetic_share", "held_out", "seed")
    chosen = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    config = TrainingConfig(arguments.images, arguments.labels, arguments.output, **chosen)
    weights = train(config, note=complain, progress=sys.stderr.isatty())
    say(f"{weights.name} ({weights.sha256[:12]}): {arguments.output}")
    return 0
