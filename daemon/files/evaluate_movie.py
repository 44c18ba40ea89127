"""`nusetd evaluate` on folders of the Cell Tracking Challenge: results, or images processed first, against truth."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Hashable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from daemon.errors import DaemonError
from daemon.files.evaluate import EvaluationOptions
from daemon.output import complain
from daemon.processing.engine_factory import segmenter_of
from nuset_engine.arrays import FloatsN, Labels, PlaneYX
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.metrics import seg_ious
from nuset_engine.measure import measure
from nuset_engine.overlap import overlap
from nuset_engine.planes.colour import grey
from nuset_engine.reconstruction.volume import reconstruct
from nuset_engine.training.pairs import read_image
from storage.files.ctc_folder import CtcFolder, image_frames, is_ctc_folder, open_ctc_folder, read_labels, write_result
from tracking.evaluation.challenge import MatchedFrame, challenge_measures, match_frame
from tracking.segments import gapless
from tracking.tracker import Tracker, TrackUpdate


def evaluate_movie(options: EvaluationOptions) -> pd.DataFrame:
    """Score a movie; one row with the challenge's measures.

    `options.images` is a folder of results (``res_track.txt`` and masks) or of images (``t000.tif`` and so on), which
    are segmented and tracked first; `options.labels` is the truth. With an output folder, `tracking.csv` and, of
    images, the results (``RES``) are written there.

    Raises
    ------
    DaemonError
        If the two do not fit together.
    """
    truth = open_ctc_folder(options.labels)
    if is_ctc_folder(options.images):
        table = _scores(truth, open_ctc_folder(options.images))
    else:
        with tempfile.TemporaryDirectory(prefix="nusetd-evaluate-") as scratch:
            folder = Path(scratch) / "RES" if options.output is None else options.output / "RES"
            _process(options, folder, Path(scratch))
            table = _scores(truth, open_ctc_folder(folder))
    if options.output is not None:
        try:
            options.output.mkdir(parents=True, exist_ok=True)
            table.to_csv(options.output / "tracking.csv", lineterminator="\n")
        except OSError as error:
            raise DaemonError(
                f"{options.output} cannot be written ({error.strerror}): choose another --output."
            ) from error
    return table


def _scores(truth: CtcFolder, found: CtcFolder) -> pd.DataFrame:
    """All measures, and the counts that they rest on."""
    from tqdm import tqdm

    if not truth.segmentation:
        complain(
            f"{truth.folder.parent} has no outlines (SEG/man_seg000.tif): SEG is measured on the masks of the tracks, "
            "which is right only if they are whole nuclei."
        )
    frames: list[MatchedFrame] = []
    ious: list[FloatsN] = []
    last = max(truth.masks)
    for t in tqdm(range(last + 1), unit="frame", file=sys.stderr, disable=not sys.stderr.isatty()):
        if t not in truth.masks or t not in found.masks:
            lacking = truth if t not in truth.masks else found
            raise DaemonError(f"{lacking.folder} has no mask of frame {t}: truth and results need the same frames.")
        true, mask = truth.mask(t), found.mask(t)
        try:
            frames.append(match_frame(true, mask))
            ious += _outlines(truth, t, true, mask)
        except (EngineError, IndexError) as error:
            raise DaemonError(f"Frame {t} of {found.folder} does not fit its truth: {error}") from error
    pooled = np.concatenate(ious) if ious else np.zeros(0)
    seg = float(pooled.mean()) if len(pooled) else float("nan")
    measures: dict[str, float] = dict(challenge_measures(truth.tracks, found.tracks, frames, seg))
    counts = {
        "frames": len(frames),
        "true_nuclei": sum(len(frame.true) for frame in frames),
        "found_nuclei": sum(len(frame.found) for frame in frames),
        "true_tracks": len(truth.tracks),
        "found_tracks": len(found.tracks),
    }
    return pd.DataFrame([{**counts, **measures}], index=pd.Index([found.folder.name], name="movie"))


def _outlines(truth: CtcFolder, t: int, true: Labels, mask: Labels) -> list[FloatsN]:
    """IoU of every outlined nucleus of a frame with what covers it."""
    if not truth.segmentation:
        return [seg_ious(overlap(true, mask))]
    of_frame = {z: path for (frame, z), path in truth.segmentation.items() if frame == t}
    return [seg_ious(overlap(read_labels(path), mask if z is None else mask[z])) for z, path in of_frame.items()]


def _process(options: EvaluationOptions, folder: Path, scratch: Path) -> None:
    """Segment and track the images of a movie, and write the results in the challenge's layout.

    Raises
    ------
    DaemonError
        If the folder holds no movie, or stacks come without the size of their voxels.
    """
    images = image_frames(options.images)
    if not images:
        raise DaemonError(
            f"{options.images} is neither results (res_track.txt, mask000.tif, ...) nor images (t000.tif, ...) of the "
            "Cell Tracking Challenge: give one of the two."
        )
    if folder.exists():
        raise DaemonError(f"{folder} is there already: choose another --output.")
    tracked = _tracked(options, images, scratch)
    tracks, numbers = gapless(tracked)
    tracked = tracked.assign(number=numbers)
    write_result(folder, tracks, _painted(tracked, images, scratch))


def _tracked(options: EvaluationOptions, images: dict[int, Path], scratch: Path) -> pd.DataFrame:
    """One row per nucleus: t, label, track_id, parent_track_id; the labels go to `scratch`."""
    from tqdm import tqdm

    segmenter = segmenter_of(options.engine, options.processing.segmentation)
    tracker = Tracker(options.processing.tracking)
    ids: dict[tuple[int, int], int] = {}
    parents: dict[int, int | None] = {}

    def take(update: TrackUpdate) -> None:
        for frame in update.frames:
            labels, tracks = frame.labels.tolist(), frame.track_ids.tolist()
            ids.update({(frame.t, label): track for label, track in zip(labels, tracks, strict=True)})
        parents.update({track.track_id: track.parent_track_id for track in update.tracks})

    bar = tqdm(sorted(images.items()), unit="image", file=sys.stderr, disable=not sys.stderr.isatty())
    for t, path in bar:
        planes = _planes(path, options.voxel_size_um)
        volume = reconstruct(segmenter.segment_stack(planes), options.voxel_size_um, options.processing.volume, planes)
        np.save(_scratch_file(scratch, t), volume.labels)
        take(tracker.advance(measure(volume, {0: planes}, 0, options.voxel_size_um, t)))
    take(tracker.finish())
    rows = [(t, label, track, parents[track]) for (t, label), track in sorted(ids.items())]
    return pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"]).astype(
        {"t": "int64", "label": "int64", "track_id": "int64", "parent_track_id": "float64"}
    )


def _planes(path: Path, voxel_size_um: tuple[float, float, float] | None) -> list[PlaneYX]:
    """The planes of an image."""
    image = grey(read_image(path))
    if image.ndim == 3 and voxel_size_um is None:
        raise DaemonError(f"{path} is a stack: give the size of its voxels with --voxel-size Z,Y,X (micrometres).")
    return list(image) if image.ndim == 3 else [image]


def _painted(tracked: pd.DataFrame, images: dict[int, Path], scratch: Path) -> Iterator[tuple[int, Labels]]:
    """Each frame with the number of its track in every nucleus."""
    of_frame: dict[Hashable, pd.DataFrame] = dict(iter(tracked.groupby("t")))
    for t in sorted(images):
        labels = np.load(_scratch_file(scratch, t))
        colours = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
        if t in of_frame:
            colours[of_frame[t]["label"]] = of_frame[t]["number"]
        painted = colours[labels]
        yield t, painted[0] if len(painted) == 1 else painted


def _scratch_file(scratch: Path, t: int) -> Path:
    return scratch / f"labels-{t}.npy"
