"""Accuracy of the shipped network under degradation, and of dim nuclei.

    python tests/benchmarks/bench_engine.py robustness   blurred, noisy, dim, dimmed, uneven, inverted, larger, smaller
                                                         images, such with blobs and fibres that are no nuclei, and
                                                         such with lines and with dead, hot and broken ones
    python tests/benchmarks/bench_engine.py brightness   what is found by brightness relative to the image's nuclei, and
                                                         how large it is drawn: of the development images, as they are
                                                         and with half of the nuclei dimmed, and of mnfinder's
    python tests/benchmarks/bench_engine.py normalisation   what normalising by the foreground does for images with an
                                                            uneven background, hot pixels, blobs and fibres; as the
                                                            engine shows them to the network, and as they come
    python tests/benchmarks/bench_engine.py outlines     how large nuclei are drawn, by brightness and by blur, and how
                                                         well, for each value of `segmentation.outline`
    python tests/benchmarks/bench_engine.py sizes        how often the size of nuclei in clusters is found, of rendered
                                                         stacks and of their slices, from few pixels across to many

Seconds and memory are measured by `bench_engine_speed.py`.

Data: what `development_data.py` holds out from training, in the folder that `NUSETD_DATA` names (default
../shared/data).
"""

from __future__ import annotations

import argparse
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from degradations import AS_THEY_ARE, BLURRED, DEGRADATIONS, DIMMED
from development_data import Pair, development_split, mnfinder_kept_out
from given_weights import known_weights

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.acini import acini

from nuset_engine.evaluation.brightness import by_brightness, nuclei_by_brightness
from nuset_engine.evaluation.scores import evaluate
from nuset_engine.inference.survey import StackStatistics, of_whole_image
from nuset_engine.params import FOOT, HALF, LEARNED, SegmentationParams
from nuset_engine.planes.exposure import Exposure
from nuset_engine.planes.normalize import foreground_statistics
from nuset_engine.planes.resample import resample, scaled_shape
from nuset_engine.segment import Segmenter
from nuset_engine.training.targets import median_diameter

COLUMNS = ["ap_50", "ap", "touching_separated_rate", "fn_rate", "fp_rate", "mean_iou", "seg"]
AS_LARGE = 1.5
DISTURBED = (AS_THEY_ARE, "uneven background", "hot pixels", "bright blobs, out of focus", "fibres")


def robustness(segmenter: Segmenter, pairs: list[Pair]) -> pd.DataFrame:
    """One row of scores per kind of degradation, with the false nuclei in ten images."""
    rows = {}
    for name, change in DEGRADATIONS.items():
        samples = []
        for stem, image, labels in pairs:
            other, truth = change(image, labels)
            samples.append((stem, truth, segmenter.segment_plane(other).labels))
        scores = evaluate(samples)
        false = (scores.images["predicted_nuclei"] - scores.images["tp_50"]).sum()
        rows[name] = {**scores.overall.iloc[0][COLUMNS], "false in ten images": 10 * false / len(pairs)}
        print(name, {key: round(float(value), 3) for key, value in rows[name].items()}, file=sys.stderr)
    table = pd.DataFrame(rows).T.astype(float)
    for place, column in ((1, "ap_50"), (3, "ap")):
        table.insert(place, f"{column} lost", table.loc[AS_THEY_ARE, column] - table[column])
    return table


def normalisation(segmenter: Segmenter, pairs: list[Pair]) -> pd.DataFrame:
    """AP at 0.5 and mean AP of images that are normalised by all pixels and by the foreground, a row per degradation.

    Twice: as the engine shows them to the network, with a ceiling for hot pixels and an even background, and as they
    come. In the latter case the foreground is that of the former, as if the coarse pass were never misled.
    """
    rows = {}
    for name in DISTURBED:
        samples: dict[tuple[str, str], list[Pair]] = {}
        for stem, image, labels in pairs:
            plane, truth = DEGRADATIONS[name](image, labels)
            for way, known in _normalised(segmenter, plane).items():
                samples.setdefault(way, []).append((stem, truth, segmenter.segment_plane(plane, known).labels))
        for way, found in samples.items():
            rows[(name, *way)] = evaluate(found).overall.iloc[0][COLUMNS]
            print(name, *way, round(float(rows[(name, *way)]["ap_50"]), 3), file=sys.stderr)
    return pd.DataFrame(rows).T.astype(float)


def _normalised(segmenter: Segmenter, plane: np.ndarray) -> dict[tuple[str, str], StackStatistics]:
    """Statistics of a plane (Y, X) by how it is shown and what it is normalised by."""
    known = segmenter.statistics([plane])
    if known.is_blank:
        return {(shown, by): known for shown in ("evened", "as it comes") for by in ("whole image", "foreground")}
    raw = replace(known, exposure=Exposure(known.inverted))
    inside = segmenter.segment_plane(plane, known).labels > 0
    bright = -plane.astype(np.float32) if known.inverted else plane
    own = foreground_statistics(bright, inside) or known.intensity
    return {
        ("evened", "whole image"): of_whole_image([plane], known),
        ("evened", "foreground"): known,
        ("as it comes", "whole image"): of_whole_image([plane], raw),
        ("as it comes", "foreground"): replace(raw, intensity=own),
    }


def brightness(segmenter: Segmenter) -> pd.DataFrame:
    """Nuclei, share found and ratio of areas by class of brightness, of each set and of all together."""
    development = development_split()
    sets = {"development": development, "mnfinder kept out": mnfinder_kept_out()}
    for name, change in DIMMED.items():
        sets[name] = [(stem, *change(image, labels)) for stem, image, labels in development]
    tables, rows = {}, []
    for name, pairs in sets.items():
        found = [nuclei_by_brightness(i, truth, segmenter.segment_plane(i).labels) for _, i, truth in pairs]
        tables[name] = by_brightness(found)
        rows += found
    tables["all together"] = by_brightness(rows)
    return pd.concat(tables, names=["images"])


def outlines(weights: str) -> pd.DataFrame:
    """Scores, and area over true area of found nuclei (quartiles, and medians by class of brightness), a row per set of
    images and value of the setting."""
    development = development_split()
    sets = {AS_THEY_ARE: development, "mnfinder kept out": mnfinder_kept_out()}
    sets |= {name: [(stem, *change(i, truth)) for stem, i, truth in development] for name, change in BLURRED.items()}
    by_value = {value: Segmenter(weights, SegmentationParams(outline=value)) for value in (LEARNED, HALF, FOOT)}
    rows = {}
    for name, pairs in sets.items():
        found: dict[str, list[Pair]] = {value: [] for value in by_value}
        for stem, image, truth in pairs:
            known = by_value[LEARNED].statistics([image])
            for value, segmenter in by_value.items():
                found[value].append((stem, truth, segmenter.segment_plane(image, known).labels))
        for value, samples in found.items():
            rows[(name, value)] = _outlined(pairs, samples)
            print(name, value, f"AP at 0.5 {rows[(name, value)]['ap_50']:.3f}", file=sys.stderr)
    return pd.DataFrame(rows).T


def _outlined(pairs: list[Pair], samples: list[Pair]) -> dict[str, float]:
    """Scores of labels, and how large nuclei are drawn."""
    overall = evaluate(samples).overall.iloc[0]
    nuclei = [
        nuclei_by_brightness(image, truth, labels)
        for (_, image, truth), (_, _, labels) in zip(pairs, samples, strict=True)
    ]
    ratio = pd.concat(nuclei)["area_ratio"]
    scores = {name: overall[name] for name in ("ap_50", "seg", "touching_separated_rate", "fn_rate")}
    scores["ap to 0.9"] = np.mean([overall[f"ap_{percent}"] for percent in range(50, 91, 5)])
    areas = {f"area, {share:.0%} below": ratio.quantile(share) for share in (0.25, 0.5, 0.75)}
    return {**scores, **areas, **by_brightness(nuclei)["area_ratio"].add_prefix("area, brightness ")}


def sizes(segmenter: Segmenter) -> pd.DataFrame:
    """Share of stacks and of slices whose nuclei are found as large as they are, within a factor of `AS_LARGE`.

    A row for each number of clusters, a column for each resolution.
    """
    rows: dict[str, dict[str, float]] = {}
    for clusters, nuclei, seed in itertools.product((1, 2, 4), (6, 24, 60), range(3)):
        image, labels = (volume[4:12] for volume in acini((16, 380, 380), nuclei, clusters, 100 + seed))
        for zoom in (0.3, 0.4, 0.5, 0.7, 1.0, 2.0, 3.0):
            shape = scaled_shape(image.shape[1:], zoom)
            shown = [resample(part.astype(np.float32), shape) for part in image]
            for name, planes, truth in (("stacks", shown, labels), ("slices", shown[:1], labels[:1])):
                wanted = median_diameter(*truth) * zoom
                right = 1 / AS_LARGE < segmenter.statistics(planes).diameter_px / wanted < AS_LARGE
                row = rows.setdefault(f"{clusters} clusters, {name}", {})
                row[f"x {zoom:g}"] = row.get(f"x {zoom:g}", 0) + right / 9
    return pd.DataFrame(rows).T


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["robustness", "normalisation", "brightness", "outlines", "sizes"])
    parser.add_argument("--weights", type=known_weights, default="fluorescence")
    arguments = parser.parse_args()
    tables = {
        "robustness": lambda: robustness(Segmenter(arguments.weights), development_split()),
        "normalisation": lambda: normalisation(Segmenter(arguments.weights), development_split()),
        "brightness": lambda: brightness(Segmenter(arguments.weights)),
        "outlines": lambda: outlines(arguments.weights),
        "sizes": lambda: sizes(Segmenter(arguments.weights)),
    }
    table = tables[arguments.what]()
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
