"""`nusetd evaluate`: segment images, compare with labels made by people, and show where it went wrong."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from daemon.configuration.config import Processing
from daemon.configuration.service_config import EngineConfig
from daemon.errors import DaemonError, UsageError
from daemon.files.other_systems import ENGINE, OtherSystem
from daemon.output import complain
from daemon.processing.engine_factory import StackSegmenter, segmenter_of
from nuset_engine.arrays import Labels, Pixels
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.brightness import by_brightness, nuclei_by_brightness
from nuset_engine.evaluation.report import write_report
from nuset_engine.evaluation.scores import Evaluation, check_instances, score_image, seen_nuclei, summarised
from nuset_engine.evaluation.worst_images import WorstImages
from nuset_engine.planes.colour import grey
from nuset_engine.reconstruction.volume import reconstruct
from nuset_engine.training.dataset import by_checksum, read_image, read_pairs

if TYPE_CHECKING:
    from nuset_engine.evaluation.ablation import Ablation

ABLATION_COLUMNS = ["ap_50", "ap", "touching_separated_rate", "split", "merge", "fn_rate", "fp_rate", "mean_iou"]
SYSTEM_COLUMNS = [*ABLATION_COLUMNS, "pq", "seg"]
REAL_ONLY = "real_only"  # key of a manifest: name of weights of the same recipe without synthetic images


@dataclass(frozen=True)
class EvaluationOptions:
    """What is compared: images and labels of the same names, segmented with which engine; where the details go.

    With `seen`, a folder of images with the names of the labels, only nuclei count that lie where these are not 0.
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

    def pairs(self) -> list[tuple[str, Path, Path]]:
        """Name, image and labels of what is compared: all, or what `nusetd train --held-out` left alone."""
        found = read_pairs(self.images, self.labels)
        if self.held_out is None:
            return found
        chosen = set(by_checksum([name for name, _, _ in found])[: self.held_out])
        return [pair for pair in found if pair[0] in chosen]


@dataclass
class _Scores:
    """Scores by image of the engine, of every method of an ablation, of other systems; the engine's nuclei."""

    engine: dict[str, dict[str, float]] = field(default_factory=dict)
    methods: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    systems: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    nuclei: list[pd.DataFrame] = field(default_factory=list)
    sheet: WorstImages = field(default_factory=WorstImages)

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
    pairs = options.pairs()
    _check(pairs, options)
    segmenter = segmenter_of(options.engine, options.processing.segmentation)
    scores = _score(pairs, options, segmenter)
    result = summarised(scores.engine)
    tables = _Tables(by_brightness(scores.nuclei), scores.ablation(), scores.compared())
    if options.output is not None:
        subject = (
            f"{options.images} with the weights {segmenter.weights_info.name} ({segmenter.weights_info.sha256[:12]})"
        )
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
    return summarised(_score(pairs, options, segmenter_of(options.engine, options.processing.segmentation)).engine)


def _check(pairs: list[tuple[str, Path, Path]], options: EvaluationOptions) -> None:
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


def _score(pairs: list[tuple[str, Path, Path]], options: EvaluationOptions, segmenter: StackSegmenter) -> _Scores:
    from tqdm import tqdm

    scores, ladder = _Scores(), _ladder(options, segmenter) if options.ablation else None
    for name, image_path, labels_path in tqdm(pairs, unit="image", file=sys.stderr, disable=not sys.stderr.isatty()):
        image, truth = read_image(image_path), read_image(labels_path)
        if ladder is None:
            predicted = _segmented(grey(image), segmenter, options)
            if options.seen is not None:
                seen = read_image(options.seen / labels_path.name) > 0
                truth, predicted = (seen_nuclei(one, seen) for one in (truth, predicted))
            scores.engine[name] = score_image(truth, predicted)
        else:
            found = ladder.labels(grey(image))
            for method in ladder.rows:
                scores.methods.setdefault(method, {})[name] = score_image(truth, found[method])
            predicted, scores.engine = found[ladder.rows[-1]], scores.methods[ladder.rows[-1]]
        for system in options.also:
            scores.systems.setdefault(system.name, {})[name] = score_image(truth, system.labels(name, truth.shape))
        if options.output is not None:
            scores.nuclei.append(nuclei_by_brightness(grey(image), truth, predicted))
        middle = truth.shape[0] // 2 if truth.ndim == 3 else slice(None)  # a plane is shown whole
        flat = image if truth.ndim == 2 else image[middle]
        scores.sheet.offer(name, flat, truth[middle], predicted[middle], scores.engine[name]["ap"])
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
        for name, table in files.items():
            table.to_csv(output / f"{name}.csv", lineterminator="\n")
        sheet.save(output / "worst.png")
        write_report(output / "report.html", result, sheet, subject, shown)
    except OSError as error:
        raise DaemonError(f"{output} cannot be written ({error.strerror}): choose another --output.") from error
