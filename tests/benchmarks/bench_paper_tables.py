"""The paper's supplementary tables S1 to S4, on images with labels, from weights that are given.

    python tests/benchmarks/bench_paper_tables.py IMAGES LABELS --held-out 54 --nuset A --unet B --paper C --mask-rcnn D

Each file of weights is trained by `nusetd train --model unet` and so on, all with equal settings. For more rows:
`--paper-real-only E`, trained with `--synthetic-share 0`; `--coarse F`, repeatedly, of the model of `--fine G` (of
`--nuset` where not given), trained for ever longer. A row whose weights are not given is printed with what it lacks.
`--tables s1 s4` makes some of the tables.

S1: what synthetic images, foreground normalisation and the proposals' watershed add to the paper's own design.
S2: systems beside each other; `--also NAME=FOLDER` adds label images of any other.
S3: how good the coarse pass is, whose foreground normalises, against the final score.
S4: each model as it reads images that are normalised by all pixels, and by the foreground. One set of weights reads
    both, since crops of both kinds are learned; in the paper each has weights of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pandas as pd

from daemon.files.evaluate import EvaluationOptions
from daemon.files.other_systems import OtherSystem
from nuset_engine.arrays import LabelsYX, PlaneYX
from nuset_engine.evaluation.ablation import otsu_watershed
from nuset_engine.evaluation.scores import score_image, summarised
from nuset_engine.inference.survey import StackStatistics, of_whole_image
from nuset_engine.planes.colour import grey
from nuset_engine.segment import Segmenter
from nuset_engine.training.pairs import read_image

COLUMNS = ["ap_50", "ap", "touching_separated_rate", "correct", "incorrect", "split", "merge", "catastrophe"]
COLUMNS += ["fn_rate", "fp_rate", "mean_iou", "rmse", "f1", "pixel_accuracy"]
SHIPPED = "fluorescence"
NO_DEEPCELL = "no weights of it are to be had; label images of it: --also deepcell=FOLDER"


@dataclass(frozen=True)
class Way:
    """How weights are used: normalised by the whole image or by the foreground, which `coarse` weights may have seen;
    and whether what touches is divided."""

    weights: str
    whole: bool = False
    divided: bool = True
    coarse: str | None = None


@dataclass
class Systems:
    """Segmenters, loaded once, and what they measured of the image at hand."""

    segmenters: dict[tuple[str, bool], Segmenter] = field(default_factory=dict)
    measured: dict[str, StackStatistics] = field(default_factory=dict)

    def segmenter(self, weights: str, divided: bool = True) -> Segmenter:
        """Weights, ready."""
        if (weights, divided) not in self.segmenters:
            made = Segmenter(weights)
            made.params = replace(made.params, watershed=divided)
            self.segmenters[weights, divided] = made
        return self.segmenters[weights, divided]

    def labels(self, way: Way, plane: PlaneYX) -> LabelsYX:
        """Labels (Y, X) of the image at hand."""
        eyes = way.coarse or way.weights
        if eyes not in self.measured:
            self.measured[eyes] = self.segmenter(eyes).statistics([plane])
        known = self.measured[eyes]
        if way.whole and not known.is_blank:
            known = of_whole_image([plane], known)
        return self.segmenter(way.weights, way.divided).segment_plane(plane, known).labels


@dataclass(frozen=True)
class Row:
    """A row of a table: how its labels are made, or what it lacks."""

    name: str
    way: Way | None = None
    make: Callable[[PlaneYX, str], LabelsYX] | None = None
    lacks: str = ""


def with_weights(name: str, weights: str | None, option: str, **how: object) -> Row:
    """A row that needs weights."""
    if weights is None:
        return Row(name, lacks=f"give {option} WEIGHTS")
    return Row(name, Way(weights, **how))  # type: ignore[arg-type]


def s1(given: argparse.Namespace) -> list[Row]:
    """What each part adds to the paper's design."""
    row = partial(with_weights, weights=given.paper, option="--paper")
    real = partial(with_weights, weights=given.paper_real_only, option="--paper-real-only")
    return [
        real("whole image, no synthetic images", whole=True, divided=False),
        row("whole image, synthetic images", whole=True, divided=False),
        row("foreground normalisation", divided=False),
        row("foreground normalisation, watershed from proposals"),
    ]


def s2(given: argparse.Namespace) -> list[Row]:
    """Systems beside each other."""
    others = [Row(one.name, make=partial(_of_other, one)) for one in given.also]
    deepcell = [] if any(one.name == "deepcell" for one in given.also) else [Row("DeepCell 1.0", lacks=NO_DEEPCELL)]
    return [
        Row("Otsu with watershed", make=lambda plane, _: otsu_watershed(plane)),
        *deepcell,
        with_weights("U-Net, connected regions", given.unet, "--unet", divided=False),
        with_weights("U-Net, divided by shape", given.unet, "--unet"),
        with_weights("Mask R-CNN-like", given.mask_rcnn, "--mask-rcnn"),
        with_weights("the paper's design", given.paper, "--paper"),
        with_weights("NuSeT of this package, trained alike", given.nuset, "--nuset"),
        with_weights("NuSeT of this package, as it ships", SHIPPED, ""),
        *others,
    ]


def s3(given: argparse.Namespace) -> list[Row]:
    """The coarse pass, and what comes of it; two rows for each of its weights."""
    fine = given.fine or given.nuset
    if fine is None or not given.coarse:
        return [
            Row("coarse pass", lacks="give --coarse WEIGHTS, repeatedly, and --fine WEIGHTS (--nuset where not given)")
        ]
    return [
        row
        for coarse in (*given.coarse, fine)
        for row in (
            Row(f"{Path(coarse).stem}, coarse", Way(coarse, whole=True, divided=False)),
            Row(f"{Path(coarse).stem}, final", Way(fine, coarse=coarse)),
        )
    ]


def s4(given: argparse.Namespace) -> list[Row]:
    """Every model with either normalisation."""
    return [
        with_weights(f"{name}, {how}", weights, option, whole=whole, divided=divided)
        for name, weights, option, divided in (
            ("NuSeT of this package", given.nuset, "--nuset", True),
            ("the paper's design", given.paper, "--paper", True),
            ("U-Net", given.unet, "--unet", False),
            ("Mask R-CNN-like", given.mask_rcnn, "--mask-rcnn", True),
        )
        for how, whole in (("whole image", True), ("foreground", False))
    ]


TABLES: dict[str, Callable[[argparse.Namespace], list[Row]]] = {"s1": s1, "s2": s2, "s3": s3, "s4": s4}


def _of_other(system: OtherSystem, plane: PlaneYX, name: str) -> LabelsYX:
    return system.labels(name, plane.shape)


def scored(rows: Iterable[Row], options: EvaluationOptions) -> dict[Row, dict[str, float]]:
    """Overall scores of all rows that lack nothing; what several tables share is made once an image."""
    systems, by_row = Systems(), dict[Row, dict[str, dict[str, float]]]()
    for name, image, labels in options.pairs():
        plane, truth = grey(read_image(image)), read_image(labels)
        systems.measured.clear()
        done = dict[Way, dict[str, float]]()
        for row in rows:
            if row.way is not None and row.way not in done:
                done[row.way] = score_image(truth, systems.labels(row.way, plane))
            if row.way is not None:
                by_row.setdefault(row, {})[name] = done[row.way]
            elif row.make is not None:
                by_row.setdefault(row, {})[name] = score_image(truth, row.make(plane, name))
    return {row: dict(summarised(each).overall.iloc[0][COLUMNS]) for row, each in by_row.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--held-out", type=int)
    for name in ("nuset", "paper", "paper-real-only", "unet", "mask-rcnn", "fine"):
        parser.add_argument(f"--{name}", metavar="WEIGHTS")
    parser.add_argument("--coarse", action="append", default=[], metavar="WEIGHTS")
    parser.add_argument("--also", action="append", default=[], type=OtherSystem.of, metavar="NAME=FOLDER")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    given = _arguments()
    tables = {name: TABLES[name](given) for name in given.tables}
    options = EvaluationOptions(given.images, given.labels, None, held_out=given.held_out)
    scores = scored([row for rows in tables.values() for row in rows], options)
    for name, rows in tables.items():
        found = pd.DataFrame({row.name: scores[row] for row in rows if row in scores}).T
        print(f"\n{name.upper()}\n{found.round(3).to_string() if len(found) else ''}")
        for row in rows:
            if row.lacks:
                print(f"{row.name}: not run: {row.lacks}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
