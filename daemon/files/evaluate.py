"""`nusetd evaluate`: segment images, compare with labels made by people, and show where it went wrong."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from daemon.configuration.config import Processing
from daemon.configuration.service_config import EngineConfig
from daemon.errors import DaemonError, UsageError
from daemon.files.other_systems import ENGINE, OtherSystem
from daemon.files.sharing.hearing import Hearing
from daemon.files.sharing.outcomes import outcomes
from daemon.files.sharing.shares import shares
from daemon.files.sharing.signals import ended_by_signal
from daemon.files.sharing.team import ImageProcessDiedError
from daemon.files.sharing.work import Hears, Share
from daemon.output import complain
from daemon.processing.engine_factory import StackSegmenter, segmenter_of
from nuset_engine.arrays import ImageYX, Labels, LabelsYX, Pixels
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.brightness import by_brightness, nuclei_by_brightness
from nuset_engine.evaluation.report import write_report
from nuset_engine.evaluation.scores import Evaluation, check_instances, score_image, seen_nuclei, summarised
from nuset_engine.evaluation.worst_images import WorstImages
from nuset_engine.planes.colour import grey
from nuset_engine.reconstruction.volume import reconstruct
from nuset_engine.training.dataset import by_checksum
from nuset_engine.training.pairs import check_labels, read_image, read_pairs
from storage.files.whole_file import remove_unfinished, whole

if TYPE_CHECKING:
    from nuset_engine.evaluation.ablation import Ablation

ABLATION_COLUMNS = ["ap_50", "ap", "touching_separated_rate", "split", "merge", "fn_rate", "fp_rate", "mean_iou"]
SYSTEM_COLUMNS = [*ABLATION_COLUMNS, "pq", "seg"]
REAL_ONLY = "real_only"  # key of a manifest: name of weights of the same recipe without synthetic images


_Pair = tuple[str, Path, Path]  # name, image, labels


@dataclass(frozen=True)
class EvaluationOptions:
    """What is compared: images and labels of the same names, segmented with which engine; where the details go.

    With `seen`, a folder of images with the names of the labels, only nuclei count that lie where these are not 0. The
    images are shared out among so many `workers`; None: as many as serve.
    """

    images: Path
    labels: Path
    output: Path | None
    engine: EngineConfig = field(default_factory=EngineConfig)
    processing: Processing = field(default_factory=Processing)
    voxel_size_um: tuple[float, float, float] | None = None
    held_out: int | None = None
    seen: Path | None = None
    ablation: bool = False
    real_only: str | None = None
    also: tuple[OtherSystem, ...] = ()
    workers: int | None = 1

    def pairs(self) -> list[_Pair]:
        """Name, image and labels of what is compared: all, or what `nusetd train --held-out` left alone."""
        found = read_pairs(self.images, self.labels)
        if self.held_out is None:
            return found
        if self.held_out > len(found):
            raise DaemonError(f"{self.images} has {len(found)} images and not {self.held_out} to hold out: give fewer.")
        chosen = set(by_checksum([name for name, _, _ in found])[: self.held_out])
        return [pair for pair in found if pair[0] in chosen]


@dataclass
class _PairScores:
    """What is known of one pair: scores of the engine, of methods and of systems; nuclei and planes to show, if asked.

    `shown` are image, truth and prediction, of a stack their middle slices; `model` has its name and hash.
    """

    engine: dict[str, float]
    methods: dict[str, dict[str, float]]
    systems: dict[str, dict[str, float]]
    model: tuple[str, str]
    nuclei: pd.DataFrame | None = None
    shown: tuple[ImageYX, LabelsYX, LabelsYX] | None = None


@dataclass
class _Scores:
    """Scores by image of the engine, of every method of an ablation, of other systems; the engine's nuclei."""

    model: tuple[str, str] = ("", "")
    engine: dict[str, dict[str, float]] = field(default_factory=dict)
    methods: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    systems: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    nuclei: list[pd.DataFrame] = field(default_factory=list)
    sheet: WorstImages = field(default_factory=WorstImages)

    def take(self, name: str, one: _PairScores) -> None:
        """Add a pair."""
        self.model, self.engine[name] = one.model, one.engine
        for all_of_them, of_one in ((self.methods, one.methods), (self.systems, one.systems)):
            for which, row in of_one.items():
                all_of_them.setdefault(which, {})[name] = row
        if one.nuclei is not None:
            self.nuclei.append(one.nuclei)
        if one.shown is not None:
            self.sheet.offer(name, *one.shown, one.engine["ap"])

    def ablation(self) -> pd.DataFrame | None:
        """One row of overall scores per method."""
        return _row_each(self.methods, "method") if self.methods else None

    def compared(self) -> pd.DataFrame | None:
        """One row of overall scores per system, the engine's first."""
        return _row_each({ENGINE: self.engine} | self.systems, "system") if self.systems else None


@dataclass(frozen=True)
class _Tables:
    """What is written beside the scores: what is not asked for is None."""

    brightness: pd.DataFrame
    ablation: pd.DataFrame | None
    systems: pd.DataFrame | None


def _row_each(scores: dict[str, dict[str, dict[str, float]]], what: str) -> pd.DataFrame:
    rows = {name: summarised(each).overall.iloc[0] for name, each in scores.items()}
    return pd.DataFrame(rows).T.rename_axis(what)


def evaluate_folders(options: EvaluationOptions) -> pd.DataFrame:
    """Score every image; the overall row, or with `ablation` a row per method, or with `also` a row per system.

    With an output folder, `images.csv`, `overall.csv`, `brightness.csv` (what is found of dim and of bright nuclei),
    `report.html`, `worst.png` (the worst images with outlines), for an ablation `ablation.csv` and for other systems
    `systems.csv` are written.

    Raises
    ------
    DaemonError, EngineError
        If images and labels cannot be compared; all pairs are looked at before the first is segmented.
    """
    with ended_by_signal():
        return _evaluated(options)


def _evaluated(options: EvaluationOptions) -> pd.DataFrame:
    pairs = options.pairs()
    _check(pairs, options)
    scores = _score(pairs, options)
    result = summarised(scores.engine)
    tables = _Tables(by_brightness(scores.nuclei), scores.ablation(), scores.compared())
    if options.output is not None:
        name, sha256 = scores.model
        subject = f"{options.images} with the weights {name} ({sha256[:12]})"
        _write(options.output, result, scores.sheet, subject, tables)
    if tables.systems is not None:
        return tables.systems[SYSTEM_COLUMNS].astype(float)
    return result.overall if tables.ablation is None else tables.ablation[ABLATION_COLUMNS].astype(float)


def score_folders(options: EvaluationOptions) -> Evaluation:
    """Score every image, and write nothing.

    Raises
    ------
    DaemonError, EngineError
        As `evaluate_folders` does.
    """
    pairs = options.pairs()
    _check(pairs, options)
    return summarised(_score(pairs, options).engine)


def _check(pairs: list[_Pair], options: EvaluationOptions) -> None:
    """Refuse pairs that cannot be compared, before hours are spent on those before them."""
    for name, image_path, labels_path in pairs:
        image, labels = grey(read_image(image_path)), read_image(labels_path)
        if image.shape != labels.shape:
            raise DaemonError(
                f"The labels {labels_path} are {labels.shape}, their image {image.shape}: they must agree; "
                "export both from one source."
            )
        try:
            check_instances(labels)
        except EngineError as error:
            raise DaemonError(f"{labels_path} holds no instance labels: {error}") from error
        if image.ndim == 3 and options.voxel_size_um is None:
            raise DaemonError(f"{name} is a stack: give the size of its voxels with --voxel-size Z,Y,X (micrometres).")
        for system in options.also:
            system.labels(name, image.shape)
        if image.ndim == 3 and options.ablation:
            raise DaemonError(f"{name} is a stack, and --ablation compares planes: give planes, or leave it out.")
    folders = {options.labels: [labels for _, _, labels in pairs]}
    folders |= {system.folder: [system.path(name) for name, _, _ in pairs] for system in options.also}
    for folder, paths in folders.items():
        check_labels(folder, (labels for labels in map(read_image, paths) if labels.ndim == 2))


def _score(pairs: list[_Pair], options: EvaluationOptions) -> _Scores:
    """Score all pairs, in the order of their names, however many processes do it."""
    from tqdm import tqdm

    scores, hearing = _Scores(), Hearing()
    among = shares(1 if options.ablation else options.workers, len(pairs), options.engine)
    with closing(outcomes(EvaluationWork(options), pairs, among, hearing.hear)) as found:
        bar = tqdm(pairs, unit="image", file=sys.stderr, disable=not sys.stderr.isatty())
        for (name, _, _), one in zip(bar, found, strict=True):
            if isinstance(one, ImageProcessDiedError):
                raise DaemonError(f"{name}: {one}") from one
            if isinstance(one, Exception):
                raise one
            scores.take(name, one)
    return scores


@dataclass(frozen=True)
class EvaluationWork:
    """What is done with each pair, in whichever process."""

    options: EvaluationOptions

    def begin(self, share: Share) -> Evaluating:
        """Load the network."""
        options = self.options
        engine = replace(options.engine, threads=share.threads)
        segmenter = segmenter_of(engine, options.processing.segmentation, share.graphics)
        return Evaluating(options, segmenter, _ladder(options, segmenter) if options.ablation else None)


@dataclass(frozen=True)
class Evaluating:
    """Segments and scores one pair after another."""

    options: EvaluationOptions
    segmenter: StackSegmenter
    ladder: Ablation | None

    def __call__(self, pair: _Pair, tell: Hears) -> _PairScores:
        """Score a pair."""
        name, image_path, labels_path = pair
        image, truth = read_image(image_path), read_image(labels_path)
        if self.ladder is None:
            predicted, methods = _segmented(grey(image), self.segmenter, self.options), {}
            if self.options.seen is not None:
                seen = read_image(self.options.seen / labels_path.name) > 0
                truth, predicted = (seen_nuclei(one, seen) for one in (truth, predicted))
            engine = score_image(truth, predicted)
        else:
            found = self.ladder.labels(grey(image))
            methods = {method: score_image(truth, found[method]) for method in self.ladder.rows}
            predicted, engine = found[self.ladder.rows[-1]], methods[self.ladder.rows[-1]]
        also = self.options.also
        systems = {system.name: score_image(truth, system.labels(name, truth.shape)) for system in also}
        info = self.segmenter.weights_info
        scores = _PairScores(engine, methods, systems, (info.name, info.sha256))
        if self.options.output is not None:
            scores.nuclei = nuclei_by_brightness(grey(image), truth, predicted)
            middle = truth.shape[0] // 2 if truth.ndim == 3 else slice(None)  # a plane is shown whole
            scores.shown = (image if truth.ndim == 2 else image[middle], truth[middle], predicted[middle])
        return scores


def _ladder(options: EvaluationOptions, segmenter: StackSegmenter) -> Ablation:
    """The methods to compare; those with weights that saw no synthetic images only where there are such weights."""
    from nuset_engine.evaluation.ablation import SYNTHETIC, Ablation
    from nuset_engine.models.registry import model_of
    from nuset_engine.segment import Segmenter

    if not isinstance(segmenter, Segmenter):
        raise UsageError("--ablation takes NuSeT apart, and --engine names another segmenter: leave one of them out.")
    if not model_of(segmenter.weights_info).seeded:
        raise UsageError(
            f"--ablation takes apart what seeds of proposals divide, and the weights {segmenter.weights_info.name} are "
            f"of the model {segmenter.weights_info.model}: leave it out, or give weights of another model."
        )
    other = options.real_only or segmenter.weights_info.manifest.get(REAL_ONLY)
    if other is None:
        complain(
            f"The row '{SYNTHETIC}' is left out, and the rows before it have weights that saw synthetic images: "
            "give weights trained with --synthetic-share 0 as --ablation-real-only."
        )
        return Ablation(segmenter)
    return Ablation(segmenter, Segmenter(other, segmenter.params, options.engine.threads, options.engine.runtime))


def _segmented(image: Pixels, segmenter: StackSegmenter, options: EvaluationOptions) -> Labels:
    """Labels of a plane (Y, X) or a stack (Z, Y, X)."""
    planes = list(image) if image.ndim == 3 else [image]
    volume = reconstruct(segmenter.segment_stack(planes), options.voxel_size_um, options.processing.volume, planes)
    return volume.labels if image.ndim == 3 else volume.labels[0]


def _write(output: Path, result: Evaluation, sheet: WorstImages, subject: str, tables: _Tables) -> None:
    shown = {"Found by brightness, relative to the image's nuclei": tables.brightness}
    files = {"images": result.images, "overall": result.overall, "brightness": tables.brightness}
    if tables.ablation is not None:
        shown["What each part of the method adds"] = tables.ablation[ABLATION_COLUMNS].astype(float)
        files["ablation"] = tables.ablation
    if tables.systems is not None:
        shown["Beside other systems"] = tables.systems[SYSTEM_COLUMNS].astype(float)
        files["systems"] = tables.systems
    try:
        output.mkdir(parents=True, exist_ok=True)
        remove_unfinished(output / name for name in (*(f"{table}.csv" for table in files), "worst.png", "report.html"))
        for name, table in files.items():
            with whole(output / f"{name}.csv") as unfinished:
                table.to_csv(unfinished, lineterminator="\n")
        with whole(output / "worst.png") as unfinished:
            sheet.save(unfinished)
        with whole(output / "report.html") as unfinished:
            write_report(unfinished, result, sheet, subject, shown)
    except OSError as error:
        raise DaemonError(f"{output} cannot be written ({error.strerror}): choose another --output.") from error
