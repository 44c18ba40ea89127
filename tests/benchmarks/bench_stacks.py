"""What the engine finds in rendered stacks that were made worse, in the slices and in three dimensions.

Run it by hand:  python tests/benchmarks/bench_stacks.py

Two stacks of acini, 24 nuclei of 26 px and 40 of 13 px across, each made worse in one way: see `WORSE`. A row for each
way: of both stacks the AP at 0.5 of slices that show nuclei, the nuclei found and those matched at IoU 0.5 in three
dimensions as shares of the true ones, and the diameter that was found over that of the slices' nuclei. Then planes of
1024 px with one nucleus, 20 to 60 px across, on backgrounds that are uneven: the share of nuclei found, the false ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.acini import acini
from degradations import Change, Changed, lined

from nuset_engine.evaluation.metrics import match
from nuset_engine.evaluation.scores import evaluate
from nuset_engine.reconstruction.volume import reconstruct
from nuset_engine.segment import Segmenter
from nuset_engine.training.targets import median_diameter


def deeper(before: int, after: int) -> Change:
    """So many empty slices before and after the stack, for each of its own."""

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        rng = np.random.default_rng(0)
        counts = (before * len(image), after * len(image))
        ends = [rng.normal(np.median(image), 9, (count, *image.shape[1:])) for count in counts]
        return np.concatenate([ends[0], image, ends[1]]), np.pad(labels, (counts, (0, 0), (0, 0)))

    return change


def with_lost(value: float) -> Change:
    """The third slice and the middle one lost: all pixels have this value."""

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        image = image.astype(np.float32)
        image[[2, len(image) // 2]] = value
        return image, labels

    return change


def fading(share: float) -> Change:
    """The last slice at this share of the first one's light."""

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        floor = float(np.median(image))
        return floor + (image - floor) * share ** np.linspace(0, 1, len(image))[:, None, None], labels

    return change


def rising(times: float) -> Change:
    """The background rises from slice to slice, by so many times the contrast over the stack."""

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        top = float(np.percentile(image, 99.5) - np.median(image))
        return image + times * top * np.linspace(0, 1, len(image))[:, None, None], labels

    return change


def lit(every: int, times: float) -> Change:
    """One slice of so many is so many times as bright above the background as it was."""

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        floor = float(np.median(image))
        light = np.where(np.arange(len(image)) % every == every // 2, times, 1.0)
        return floor + (image - floor) * light[:, None, None], labels

    return change


WORSE: dict[str, Change] = {
    "as they are": lambda image, labels: (image, labels),
    "five times as many empty slices after it": deeper(0, 5),
    "five times as many empty slices before it": deeper(5, 0),
    "twice as many on both sides": deeper(2, 2),
    "three slices": lambda image, labels: (image[7:10], labels[7:10]),
    "two slices black": with_lost(0),
    "two slices white": with_lost(65535),
    "two slices without values": with_lost(np.nan),
    "light falls to 10 %": fading(0.1),
    "light falls to 3 %": fading(0.03),
    "background rises by the contrast": rising(1),
    "background rises by ten times the contrast": rising(10),
    "every other slice twice as bright": lit(2, 2),
    "every other slice four times as bright": lit(2, 4),
    "every fifth slice four times as bright": lit(5, 4),
    "rows lighter and darker, 10 %": lined(0.1),
    "rows lighter and darker, 20 %": lined(0.2),
    "stripes of 12 px, 10 %": lined(0.1, 12),
    "stripes of 40 px, 10 %": lined(0.1, 40),
}


PLANE_PX, LIGHT, PLACES = 1024, 150.0, 4
BACKGROUNDS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "even": lambda y, x: np.zeros_like(x),
    "slope as high as the nucleus": lambda y, x: LIGHT * (x + y + 2) / 4,
    "darker towards the corners": lambda y, x: LIGHT * np.exp(-0.7 * (x * x + y * y)),
    "glow half as bright as the nucleus": lambda y, x: LIGHT / 2 * np.exp(-((x - 0.4) ** 2 + (y + 0.3) ** 2) / 0.2),
    "glow twice as bright": lambda y, x: LIGHT * 2 * np.exp(-((x - 0.4) ** 2 + (y + 0.3) ** 2) / 0.2),
}


def alone(segmenter: Segmenter, background: str) -> dict[str, float]:
    """What is found in planes with one nucleus, by its diameter in pixels."""
    y, x = np.mgrid[-1 : 1 : PLANE_PX * 1j, -1 : 1 : PLANE_PX * 1j]
    out, false = {}, 0
    for px in (20, 30, 45, 60):
        hits = 0
        for place in range(PLACES):
            rng = np.random.default_rng(place)
            middle = rng.uniform(px, PLANE_PX - px, 2)
            distance = np.hypot(*((axis + 1) / 2 * PLANE_PX - at for axis, at in zip((y, x), middle, strict=True)))
            light = LIGHT * np.clip(px / 2 - distance, 0, 1) + BACKGROUNDS[background](y, x)
            found = segmenter.segment_plane(rng.normal(100 + light, 6).astype(np.float32))
            hit = found.labels[int(middle[0]), int(middle[1])] > 0
            hits, false = hits + hit, false + len(found.scores) - hit
        out[f"{px} px"] = hits / PLACES
    return {**out, "false": false}


def stacks() -> list[Changed]:
    """The rendered stacks."""
    image, labels = acini((16, 400, 400), 40, 2, 403)
    return [acini((16, 300, 300), 24, 2, 401), (image[:, ::2, ::2], labels[:, ::2, ::2])]


def scores(segmenter: Segmenter, image: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """What is found in one stack."""
    statistics = segmenter.statistics(image)
    slices = list(segmenter.segment_stack(image, statistics))
    samples = [
        (str(z), truth[z], found.labels)
        for z, found in enumerate(slices)
        if truth[z].any() and np.ptp(image[z]) > 0  # of a lost slice nothing can be known
    ]
    nuclei = reconstruct(slices, (1.0, 0.3, 0.3), planes=image).labels
    true = len(np.unique(truth)) - 1
    return {
        "AP": evaluate(samples).overall.iloc[0]["ap_50"],
        "found": nuclei.max() / true,
        "matched": match(truth, nuclei).true_positives / true,
        "diameter": statistics.diameter_px / median_diameter(*truth),
    }


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    segmenter, rendered = Segmenter("fluorescence"), stacks()
    rows = {}
    for name, change in WORSE.items():
        both = [scores(segmenter, *change(*stack)) for stack in rendered]
        rows[name] = {
            f"{key}, {px} px": found[key] for key in both[0] for px, found in zip((26, 13), both, strict=True)
        }
        print(name, file=sys.stderr)
    print(pd.DataFrame(rows).T.round(2).to_string())
    print(pd.DataFrame({name: alone(segmenter, name) for name in BACKGROUNDS}).T.to_string())


if __name__ == "__main__":
    main()
