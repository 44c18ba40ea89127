"""Train weights on a folder of images and a folder of instance labels, or fine-tune existing ones.

A run that was interrupted continues when the same command is given again; SIGTERM has it keep a checkpoint and end
with exit code 1. The weights come with a manifest of how
they were made; give their path to `--weights` of the other commands. `--quantise WEIGHTS` trains nothing: it gives
weights an int8 twin, which processors with VNNI or AMX compute several times as fast (needs the package nncf).
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from daemon.commands import options
from nuset_engine.training.words import AUGMENTATION, MODELS, MODES, NORMS, OPTIMIZERS, PRECISIONS, SCORES, SIZES

if TYPE_CHECKING:
    from daemon.files.learning import Comparison
    from daemon.files.learning_mitoses import EventComparison
    from nuset_engine.training.config import TrainingConfig
    from nuset_engine.training.telling import Tell
    from storage.export.corrected_examples import CorrectedExamples

SETTINGS = (
    "mode",
    "model",
    "start_from",
    "blend",
    "steps",
    "batch_size",
    "crop_px",
    "width",
    "learning_rate",
    "optimizer",
    "validation",
    "synthetic_share",
    "augmentation",
    "dimmed",
    "sizes",
    "scores",
    "norms",
    "held_out",
    "seed",
    "precision",
)
MEASURED_BY = ("mode", "held_out", "seed")
"""Settings that say which crops an int8 twin is measured on."""
MITOSIS = "mitosis"
EXAMPLE = "nusetd train --images images --labels labels --output mine.npz --start-from fluorescence"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--images", type=Path, metavar="DIR", help="images; without, synthetic ones alone")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="label images with the same names")
    _add_corrections(parser)
    result = parser.add_mutually_exclusive_group(required=True)
    result.add_argument("--output", type=Path, metavar="FILE.npz", help="the weights to write")
    result.add_argument(
        "--quantise", metavar="WEIGHTS", help="only make the int8 twin of these weights, by name or path, beside them"
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="events: only rare events such as mitoses are labelled, for `nusetd detect` (nuclei)",
    )
    parser.add_argument(
        "--model",
        choices=MODELS,
        help="kind of network, for comparisons: unet has a mask and no proposals, paper is the paper's own design, "
        "mask-rcnn draws a mask in each proposal (nuset, or that of --from)",
    )
    parser.add_argument("--seed", type=int, help="seed of everything random")
    parser.add_argument("--held-out", type=int, help="leave out this many images, or time points, for an evaluation")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="gets progress.jsonl, a line of JSON for each thing that happens, and outlines of images validated on",
    )
    parser.add_argument(
        "--every",
        type=options.positive_int,
        default=250,
        help="updates between two validations, with a checkpoint (250)",
    )
    _add_course(parser)


def _add_corrections(parser: argparse.ArgumentParser) -> None:
    """What people corrected, and where they looked."""
    parser.add_argument(
        "--seen",
        type=Path,
        metavar="DIR",
        help="images with the names of the labels: where these are 0 nobody looked, and nothing is learned",
    )
    parser.add_argument(
        "--from-corrections",
        nargs="+",
        metavar="ACQ",
        help="learn from what people corrected and confirmed of acquisitions, and say on time points that are held out "
        "(--held-out, else a fifth) whether the new weights are better; with --mode events from divisions: a nucleus "
        "that divides next is in mitosis",
    )
    parser.add_argument(
        "--divisions",
        choices=("confirmed", "undoubted"),
        help="with --mode events, from which divisions to learn: those that a person confirmed or drew, or also those "
        "that are hardly ever wrong (confirmed)",
    )
    frames = "with --mode events, in how many of its last frames a nucleus that divides is in mitosis (1)"
    parser.add_argument("--mitosis-frames", type=options.positive_int, metavar="N", help=frames)
    options.add_database(parser)


def _add_course(parser: argparse.ArgumentParser) -> None:
    """How the training runs."""
    text = "fine-tune these weights, by name or path (from corrections fluorescence, else none: all is learned anew)"
    parser.add_argument("--start-from", "--from", metavar="WEIGHTS", help=text)
    parser.add_argument(
        "--blend", type=float, help="share of what is learned in the weights that are kept, with --from (1)"
    )
    updates = "number of updates (8000, fine-tuning 600, from corrections 1500, from divisions 30 for each up to 600)"
    parser.add_argument("--steps", type=options.positive_int, help=updates)
    parser.add_argument("--batch-size", type=options.positive_int, help="crops per update (4)")
    edge = "edge of a crop in network pixels (256, from corrections 128)"
    parser.add_argument("--crop-px", type=options.positive_int, help=edge)
    parser.add_argument("--width", type=options.positive_int, help="channels of the first level, without --from (24)")
    rate = "highest learning rate (1e-3, fine-tuning 2e-4, from corrections 1e-3)"
    parser.add_argument("--learning-rate", type=float, help=rate)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help="rmsprop is that of the original NuSeT (adam)")
    parser.add_argument(
        "--validation",
        type=int,
        help="choose the best weights by this many images (24; of few images at most a fifth)",
    )
    share = "share of synthetic crops, 0 to 1 (0.4, from corrections 0)"
    parser.add_argument("--synthetic-share", type=float, help=share)
    parser.add_argument(
        "--augmentation",
        choices=AUGMENTATION,
        help="how much crops are changed; mild suits the last part of a training (strong)",
    )
    parser.add_argument("--dimmed", type=float, metavar="SHARE", help="crops with some dimmed nuclei, 0 to 1 (0)")
    parser.add_argument(
        "--sizes",
        choices=SIZES,
        help="show nuclei as large as their labels are, or as the weights of --from measure them (labelled)",
    )
    _add_extent(parser)


def _add_extent(parser: argparse.ArgumentParser) -> None:
    """What of the weights is learned, and how exactly."""
    parser.add_argument(
        "--scores",
        choices=SCORES,
        help="leave scores of nuclei as they were learned, or move them so that the usual least scores suit these "
        "images (learned, from corrections fitted)",
    )
    parser.add_argument(
        "--norms",
        choices=NORMS,
        help="learn batch normalisation too, or keep that of --from, which few crops do not tell (learned, from "
        "divisions fixed)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="bfloat16 is faster on processors with AMX and on GPUs, slower on others (float32)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Train and say where the weights are, or quantise what is there."""
    given = (arguments.images, arguments.labels, arguments.seen)
    options.existing([folder for folder in given if folder is not None])
    from daemon.errors import UsageError
    from daemon.installation.kept_weights import located
    from nuset_engine.training.config import TUNING, TrainingConfig

    if arguments.quantise:
        return _quantise(arguments)
    if arguments.from_corrections and arguments.mode == "events":
        _learn(arguments, _of_divisions(arguments.mitosis_frames or 1, arguments.divisions))
        return 0
    if arguments.divisions or arguments.mitosis_frames:
        raise UsageError("--divisions and --mitosis-frames belong to --mode events --from-corrections: give these too.")
    if arguments.from_corrections:
        _learn(arguments, _of_corrections())
        return 0
    chosen = _chosen(arguments)
    if arguments.start_from and arguments.width:
        raise UsageError("--width is that of the weights to start from: leave out one of them.")
    if arguments.start_from:
        chosen = {**TUNING, **chosen, "start_from": located(arguments.start_from)}
    config = TrainingConfig(arguments.images, arguments.labels, arguments.output, arguments.seen, **chosen)
    _train(arguments, config)
    return 0


def _train(arguments: argparse.Namespace, config: TrainingConfig) -> None:
    """Train and say where the weights are."""
    import sys

    from daemon.output import complain, say
    from nuset_engine.training.trainer import train

    told = _report(arguments.report, config)
    with _until_told() as stop:
        weights = train(config, complain, arguments.every, sys.stderr.isatty(), told, stop)
    say(f"{weights.name} ({weights.sha256[:12]}): {arguments.output}")


@dataclass(frozen=True)
class _Lessons:
    """What can be learned from people's work on acquisitions, and how that is judged.

    Attributes
    ----------
    usual : callable
        Settings of the training, by how many there are to learn from.
    weights : str
        Those to start from.
    take : callable
        Writes examples, from a database, its acquisitions, the output and how many are to be held out.
    compare : callable
        Measures new weights and those before on what was held out.
    kind : (str, str)
        What there is to learn from, one of them and several.
    more : str
        How there comes to be more of it.
    """

    usual: Callable[[int], Mapping[str, Any]]
    weights: str
    take: Callable[[str, list[str], Path, int | None], CorrectedExamples]
    compare: Callable[[CorrectedExamples, str, str], Comparison | EventComparison]
    kind: tuple[str, str]
    more: str


def _of_corrections() -> _Lessons:
    """Nuclei as people corrected and confirmed them."""
    from daemon.configuration.service_config import DEFAULT_WEIGHTS
    from daemon.files.learning import compare, take_corrected
    from nuset_engine.training.config import FROM_CORRECTIONS

    more = "correct or confirm another time point"
    kind = ("corrected time point", "corrected time points")
    return _Lessons(lambda _: FROM_CORRECTIONS, DEFAULT_WEIGHTS, take_corrected, compare, kind, more)


def _of_divisions(frames: int, divisions: str | None) -> _Lessons:
    """Mitoses, which are nuclei that divide next."""
    from daemon.files.learning_mitoses import CONFIRMED, compare_events, take_divisions
    from nuset_engine.training.config import from_divisions

    def take(database: str, acquisitions: list[str], output: Path, held_out: int | None) -> CorrectedExamples:
        return take_divisions(database, acquisitions, output, held_out, frames, divisions or CONFIRMED)

    more = "confirm a later division too"
    kind = ("nucleus that divides", "nuclei that divide")
    return _Lessons(from_divisions, MITOSIS, take, compare_events, kind, more)


def _learn(arguments: argparse.Namespace, lessons: _Lessons) -> None:
    """Train on what people did, and say whether that made the weights better where nothing was learned."""
    from daemon.errors import UsageError
    from daemon.installation.kept_weights import located
    from daemon.output import complain, say
    from nuset_engine.training.config import TrainingConfig
    from storage import naming

    if arguments.images or arguments.labels or arguments.seen:
        raise UsageError("--from-corrections brings images and labels: leave out --images, --labels and --seen.")
    if arguments.width:
        raise UsageError("--width is that of the weights to start from: leave it out.")
    present = arguments.start_from or lessons.weights
    chosen = {**_chosen(arguments), "start_from": located(present)}
    url, held_out = naming.database_url(arguments.database), chosen.pop("held_out", None)
    examples = lessons.take(url, arguments.from_corrections, arguments.output, held_out)
    chosen = {**lessons.usual(examples.learned), **chosen}
    kind = lessons.kind[examples.learned != 1]
    complain(f"{examples.learned} {kind} to learn from, {examples.held_out} held out: {examples.folder}")
    images, labels, seen = examples.to_learn
    left_out = examples.left_out
    _train(arguments, TrainingConfig(images, labels, arguments.output, seen, **chosen, held_out_images=left_out))
    if not examples.held_out:
        say(f"Nothing was held out, so nobody knows whether they are better: {lessons.more}.")
        return
    _tell(lessons.compare(examples, str(arguments.output), located(present)), present, arguments)


def _chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given."""
    return {name: getattr(arguments, name) for name in SETTINGS if getattr(arguments, name) is not None}


def _tell(found: Comparison | EventComparison, present: str, arguments: argparse.Namespace) -> None:
    """Keep what was measured of both weights where a report is wanted, and say which are better."""
    from daemon.jobs.training_order import NEW, PRESENT
    from daemon.output import say, write_table

    new = arguments.output.stem
    if arguments.report is not None:
        found.keep(*(arguments.report / f"{name}.json" for name in (NEW, PRESENT)))
    write_table(found.table(new, present), "table")
    say(found.verdict(new, present))


def _report(folder: Path | None, config: TrainingConfig) -> Tell:
    """Who hears what happens."""
    from nuset_engine.training.telling import silent

    if folder is None:
        return silent
    from daemon.files.training_report import TrainingReport

    return TrainingReport(folder, config).tell


@contextmanager
def _until_told() -> Iterator[Callable[[], bool]]:
    """Give what says whether SIGTERM came, which ends nothing by itself meanwhile."""
    told = Event()
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        yield told.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


def _quantise(arguments: argparse.Namespace) -> int:
    """Make the int8 twin of weights and say where it is.

    Raises
    ------
    UsageError
        For the weights that the package brings, and settings that a training alone has.
    """
    from daemon.errors import UsageError
    from daemon.installation.kept_weights import located
    from daemon.output import complain, say
    from nuset_engine.runtime.choice import weights_named
    from nuset_engine.training.config import TrainingConfig
    from nuset_engine.training.quantise import quantise
    from nuset_engine.weights import is_shipped

    _refuse_what_trains(arguments)
    weights = weights_named(located(arguments.quantise))
    if is_shipped(weights):
        raise UsageError(
            f"{weights.name} has its int8 twin, and stays as it ships: copy {weights.path} and the .json beside it, "
            "and give the copy."
        )
    chosen = {name: getattr(arguments, name) for name in MEASURED_BY if getattr(arguments, name) is not None}
    chosen = {"mode": weights.learned or MODES[0], **chosen}
    twin = quantise(weights, TrainingConfig(arguments.images, arguments.labels, weights.path, **chosen), complain)
    assert twin.int8 is not None
    say(f"{twin.name} in int8 ({twin.int8.sha256[:12]}): {twin.int8.path}")
    return 0


def _refuse_what_trains(arguments: argparse.Namespace) -> None:
    """Refuse settings that say nothing where nothing is trained."""
    from daemon.errors import UsageError

    others = [name for name in SETTINGS if name not in MEASURED_BY]
    others += ["seen", "from_corrections", "divisions", "mitosis_frames", "report"]
    given = [f"--{name.replace('_', '-')}" for name in others if getattr(arguments, name) is not None]
    if given:
        raise UsageError(f"--quantise trains nothing, so {' and '.join(given)} would say nothing: leave it out.")
