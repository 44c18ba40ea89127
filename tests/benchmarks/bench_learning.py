"""What learning from corrections brings on images of another kind: average precision on unseen ones, before and after.

    NUSETD_DATA=... python tests/benchmarks/bench_learning.py [--kind lamin|speckled|tissue|all]

Twelve images of a kind become the time points of an acquisition, of which a person corrected and confirmed every
nucleus; `nusetd train --from-corrections` learns from ten of them, with its usual settings, and compares on the two
others. Then both weights are measured on images of that kind that nobody corrected (32, of tissue 35), and whether the
difference is more than chance is told by drawing from these. Settings were chosen on other images of these kinds (those
of the seeds 11 and 21; of tissue, by checksum, the first 28 and the 41st to the 72nd), of which nothing is used here.

`lamin` and `speckled` are rendered, and learned from the shipped weights: dark nuclei with a bright rim on an uneven
background; nuclei hardly darker than the background that are told by bright spots alone. `tissue` is stained tissue
(`dsb2018_histology`), from narrow weights that saw nothing but `dsb2018_fluorescence` and synthetic images; these are
trained first.
Exit code 1 where AP at 0.5 was below 0.85 and rises by less than 0.05. About 35 minutes of processor time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "nuset_engine" / "training"))

from cases.stored_movie import stored_movie
from development_data import FLUORESCENCE, TISSUE, folder_of, pairs_of
from scipy import ndimage as ndi
from skimage.io import imsave
from test_fine_tuning import Pair, lamin_stained

from daemon.cli import main as nusetd
from daemon.configuration.service_config import EngineConfig
from daemon.files.evaluate import EvaluationOptions, score_folders
from daemon.files.learning import Comparison
from nuset_engine.evaluation.scores import Evaluation
from nuset_engine.planes.colour import grey
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.training.dataset import by_checksum
from nuset_engine.training.pairs import read_image
from nuset_engine.training.trainer import TrainingConfig, train
from storage.corrections.here import carry_out
from storage.corrections.ordering import PersonsWord, ordered
from storage.database.catalog import Catalog
from storage.query.snapshots import snapshot

CORRECTED, UNSEEN, GAIN, GOOD = 12, 32, 0.05, 0.85
TISSUE_SHAPE = (256, 320)
SEED = 20261128
LOOKED_AT, ALSO_LOOKED_AT = slice(0, 28), slice(40, 72)
"""Images of tissue that settings were chosen on: those that were learned from, and those measured on."""


def speckled(rng: np.random.Generator) -> Pair:
    """An image (192, 192) of nuclei that bright spots alone tell from the uneven background, and its labels."""
    _, labels = synthetic_image(rng, SyntheticParams(size_px=192))
    inside = labels > 0
    spots = ndi.gaussian_filter(((rng.random(labels.shape) < 0.03) & inside).astype(float), 1.3)
    uneven = ndi.gaussian_filter(rng.standard_normal(labels.shape), 10)
    image = 0.4 + 0.08 * uneven / uneven.std() - 0.06 * inside + 1.2 * spots / spots.max()
    return (1000 * np.clip(image + 0.04 * rng.standard_normal(labels.shape), 0, 4)).astype(np.uint16), labels


KINDS = ("lamin", "speckled", "tissue")
RENDERED = {"lamin": lamin_stained, "speckled": speckled}


def rendered(kind: str) -> tuple[str, list[Pair]]:
    """Weights that never saw them, and rendered images."""
    rng = np.random.default_rng(SEED)
    return "fluorescence", [RENDERED[kind](rng) for _ in range(CORRECTED + UNSEEN)]


def tissue(root: Path) -> tuple[str, list[Pair]]:
    """Weights that never saw them, and images of stained tissue of one size."""
    fluorescence = folder_of(FLUORESCENCE)
    base = root / "narrow.npz"
    train(
        TrainingConfig(
            fluorescence / "images",
            fluorescence / "labels",
            base,
            width=8,
            steps=500,
            crop_px=128,
            held_out=54,
            validation=16,
        ),
        print,
    )
    pairs = {name: (grey(read_image(image)), read_image(labels)) for name, image, labels in pairs_of(TISSUE)}
    names = [name for name in by_checksum(list(pairs)) if pairs[name][0].shape == TISSUE_SHAPE]
    rest = [*names[LOOKED_AT.stop : ALSO_LOOKED_AT.start], *names[ALSO_LOOKED_AT.stop :]]
    return str(base), [pairs[name] for name in rest]


def confirmed(root: Path, pairs: Sequence[Pair]) -> None:
    """An acquisition whose nuclei are all confirmed."""
    row = stored_movie(root, [image[None] for image, _ in pairs], [labels[None] for _, labels in pairs])
    with Catalog.open(root) as catalog:
        with snapshot(root) as connection:
            words = [
                PersonsWord("confirm", t, (label,))
                for t, (_, labels) in enumerate(pairs)
                for label in range(1, len(np.unique(labels[labels > 0])) + 1)
            ]
            orders = [ordered(connection, row, word, "bench") for word in words]
        catalog.corrections.order_together(row.id, orders)
        carry_out(catalog, row.id)


def scored(weights: str, folder: Path) -> Evaluation:
    """Over images that nobody corrected."""
    return score_folders(EvaluationOptions(folder / "images", folder / "labels", None, EngineConfig(weights=weights)))


def measure(kind: str, root: Path) -> Comparison:
    """New and present weights on unseen images."""
    start, pairs = rendered(kind) if kind in RENDERED else tissue(root)
    confirmed(root / "out", pairs[:CORRECTED])
    for name in ("images", "labels"):
        (root / "unseen" / name).mkdir(parents=True)
    for index, pair in enumerate(pairs[CORRECTED:]):
        for name, plane in zip(("images", "labels"), pair, strict=True):
            imsave(root / "unseen" / name / f"{index}.tif", plane, check_contrast=False)
    new = root / f"{kind}.npz"
    places = ["--output", str(new), "--database", str(root / "out"), "--start-from", start]
    code = nusetd(["train", "--from-corrections", "1", *places])
    if code:
        raise SystemExit(code)
    return Comparison.of(scored(str(new), root / "unseen"), scored(start, root / "unseen"), UNSEEN)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=(*KINDS, "all"), default="all")
    options = parser.parse_args()
    good = True
    for kind in KINDS if options.kind == "all" else (options.kind,):
        with tempfile.TemporaryDirectory() as folder:
            found = measure(kind, Path(folder))
        before, after = (float(one["ap_50"].iloc[0]) for one in (found.present, found.new))
        good &= before >= GOOD or after - before >= GAIN
        print(f"{kind}: AP at 0.5 on unseen images {before:.3f} before, {after:.3f} after; {found.difference.words}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
