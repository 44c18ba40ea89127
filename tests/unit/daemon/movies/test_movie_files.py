"""Movies: a frame for each time point, outlines where labels are, one contrast, never more than a frame at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cases import family
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

import storage
from daemon import cli
from daemon.movies import mp4
from daemon.movies.frames import PALETTE, PAPER, Moment, Painter
from daemon.movies.gif import GifWriter
from daemon.movies.movie import SAMPLES, Film
from daemon.movies.movie_order import MovieOptions
from daemon.movies.tails import Tails
from daemon.plots import subject
from nuset_engine.arrays import PictureYX3

SIZE = (24 * 22, 20 * 22)  # what 24 x 20 pixels are enlarged to


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`; read only."""
    return family.fill(tmp_path_factory.mktemp("movie"))


def frames_of(path: Path) -> list[PictureYX3]:
    with Image.open(path) as movie:
        found = []
        for number in range(getattr(movie, "n_frames", 1)):
            movie.seek(number)
            found.append(np.asarray(movie.convert("RGB")))
        return found


def test_a_gif_has_a_frame_for_each_time_point(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "a.gif"
    words = ["movie", "embryo", "--database", str(results), "--output", str(path)]
    assert cli.main(words) == 0
    assert capsys.readouterr().out == f"{path}\n"
    found = frames_of(path)
    assert len(found) == 6
    assert {frame.shape[1] for frame in found} == {SIZE[0]}
    assert found[0].shape[0] > SIZE[1], "the caption stands below the image"
    assert cli.main(words) == 1
    assert "say --overwrite" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite", "--t", "2:4", "--largest", "256"]) == 0
    assert len(frames_of(path)) == 3
    assert frames_of(path)[0].shape[1] == 256
    assert [one.name for one in path.parent.iterdir()] == ["a.gif"]


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ("embryo --output a.avi", 2, "let its name end in .gif or .mp4"),
        ("embryo --t 3", 2, "give a range, as in --t 3:12"),
        ("embryo --t 5:9", 2, "embryo has 1 time point to show, and a movie needs two"),
        ("nobody", 1, "no acquisition 'nobody'"),
        ("embryo --output a.mp4", 2, "MP4 is written by ffmpeg, which is not here"),
    ],
)
def test_what_is_no_movie_is_one_sentence(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: str, code: int, complaint: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(mp4, "packaged", lambda: None)
    assert cli.main(["movie", *words.split(), "--database", str(results)]) == code
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)
    assert list(tmp_path.iterdir()) == []


def film(results: Path, **wanted: object) -> Film:
    return Film(storage.open(results)["embryo"], MovieOptions(**wanted))  # type: ignore[arg-type]


def coloured(frame: PictureYX3) -> np.ndarray:
    """Where the image has a colour that outlines have, and which one; -1 where it is grey."""
    same = (frame[: SIZE[1], :, None, :] == np.array(PALETTE)).all(axis=3)
    return np.where(same.any(axis=2), same.argmax(axis=2), -1)


def test_outlines_lie_where_labels_are(results: Path) -> None:
    """Corners are cut by half a pixel of the labels, which is 11 in the frame."""
    made = film(results, tail=0)
    made.times = made.times[-2:]
    for t, frame in zip((4, 5), made.frames(), strict=True):
        labels = storage.open(results)["embryo"].labels()[t].compute().max(axis=0)
        large = labels.repeat(22, 0).repeat(22, 1) > 0
        edge = binary_dilation(large, iterations=2) & ~binary_erosion(large, iterations=12)
        drawn = coloured(frame) >= 0
        assert drawn.any()
        assert (drawn & ~edge).sum() == 0
        rows = [row for row in range(labels.shape[0]) if labels[row].any()]
        assert np.abs(np.flatnonzero(drawn.any(axis=1))[-1] - (rows[-1] + 1) * 22) <= 4


def test_daughters_have_the_colour_of_their_lineage_or_their_own(results: Path) -> None:
    def seen(by: str) -> list[set[int]]:
        made = film(results, tail=0, by=by)
        made.times = made.times[-1:]
        [frame] = made.frames()
        drawn = coloured(frame)  # squares of four pixels, five apart, the first at x = 1
        return [set(drawn[:100, 22 * (5 * i + 1) - 9 : 22 * (5 * i + 5) + 9].ravel().tolist()) - {-1} for i in range(4)]

    assert seen("lineage") == [{1}, {1}, {1}, {6}], "tracks 2, 4 and 5 descend from 1"
    assert seen("track") == [{2}, {4}, {5}, {6}]


def test_one_time_point_is_read_for_one_frame_and_the_contrast_is_fixed(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = subject.stack_at

    def counting(found: storage.results.AcquisitionResults, t: int, level: int) -> subject.Stack:
        read.append(t)
        return real(found, t, level)

    monkeypatch.setattr("daemon.movies.movie.stack_at", counting)
    made = film(results)
    assert len(read) <= SAMPLES
    read.clear()
    frames: Iterator[PictureYX3] = made.frames()
    for t in range(3):
        next(frames)
        assert read == list(range(t + 1))
    whole = storage.open(results)["embryo"].image()[:, 0].max(axis=1).compute()
    low, high = made.painter.levels
    assert low < np.percentile(whole, 25)
    assert high >= np.percentile(whole, 99.9)


def test_an_absent_time_point_is_a_black_frame_that_says_so(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.movies.movie.shown_times", lambda found: [0, 1, 4, 5])
    made = film(results)
    frames = list(made.frames())
    assert len(frames) == 6
    middle = [frame[SIZE[1] // 2, SIZE[0] // 3].tolist() for frame in frames]
    assert [tuple(one) == PAPER for one in middle] == [False, False, True, True, False, False]
    assert (made.painter.paint_absent("t = 2")[:60] > 200).any()
    assert made._clock(2) == "t = 2   2 min"


def test_a_tail_begins_with_the_mothers_and_is_forgotten() -> None:
    tails = Tails(3, {2: 1})
    assert tails.advance(0, [(1, 0.0, 0.0)]) == {}
    assert tails.advance(1, [(1, 1.0, 0.0)]) == {1: [(0, 0.0, 0.0), (1, 1.0, 0.0)]}
    born = tails.advance(2, [(2, 2.0, 5.0)])
    assert born[2] == [(0, 0.0, 0.0), (1, 1.0, 0.0), (2, 2.0, 5.0)]
    later = tails.advance(4, [(2, 4.0, 5.0)])
    assert later == {2: [(1, 1.0, 0.0), (2, 2.0, 5.0), (4, 4.0, 5.0)]}
    assert tails.advance(9, []) == {}


def test_tails_are_drawn_from_place_to_place() -> None:
    painter = Painter((10.0, 10.0), (400, 400), (0, 1), "µm", ["", ""])
    nothing = np.zeros((1, 40, 40), np.uint32)
    shown = Moment(nothing[0], nothing, {}, [(3, [(0, 2.0, 5.0), (1, 8.0, 5.0)])], ("", ""))
    rows, columns = np.nonzero((painter.paint(shown) == np.array(PALETTE[3])).all(axis=2))
    assert (columns.min(), columns.max()) == (pytest.approx(80, abs=2), pytest.approx(320, abs=2))
    assert np.abs(rows - 200).max() <= 2


def test_captions_fit_whatever_an_acquisition_is_called() -> None:
    name = "\x1b[31m\n" + "a very long name " * 14
    painter = Painter((10.0, 10.0), (301, 200), (0, 1), "µm", [name, "nuclei in DAPI"])
    said = painter._fitting(name, 280)
    assert said.startswith("\\x1b[31m\\n")
    assert "…" in said
    assert painter._font.getlength(said) <= 280
    frame = painter.paint_absent("t = 1")
    assert frame.shape == (*painter.frame_size[::-1], 3)
    assert [side % 2 for side in painter.frame_size] == [0, 0]


def test_frames_of_a_gif_come_back(tmp_path: Path) -> None:
    frames = np.zeros((3, 30, 50, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:, : 10 * number] = PALETTE[number]
        frame[:10] = 40 * number
    with GifWriter(tmp_path / "a.gif", 4.0, PALETTE) as writer:
        for frame in frames:
            writer.add(frame)
    for back, frame in zip(frames_of(tmp_path / "a.gif"), frames, strict=True):
        assert np.abs(back.astype(int) - frame).max() <= 1
    with Image.open(tmp_path / "a.gif") as movie:
        assert (movie.info["duration"], movie.info["loop"]) == (250, 0)


def test_ffmpeg_is_given_every_frame(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program in place of ffmpeg writes down how much it was given, and how it was called."""
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\ncount = len(sys.stdin.buffer.read())\n"
        "open(sys.argv[-1], 'w').write(' '.join([str(count), *sys.argv[1:-1]]))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    words = ["movie", "embryo", "--database", str(results), "--fps", "12", "--output", str(tmp_path / "a.mp4")]
    synced: list[tuple[int, bool]] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda number: synced.append((os.fstat(number).st_ino, output.exists())))
        output = tmp_path / "a.mp4"
        assert cli.main(words) == 0
    assert synced == [(output.stat().st_ino, False), (tmp_path.stat().st_ino, True)], "the movie, then its name"
    count, *asked = (tmp_path / "a.mp4").read_text().split()
    width, height = (int(side) for side in asked[asked.index("-s") + 1].split("x"))
    assert (width % 2, height % 2, int(count)) == (0, 0, 6 * width * height * 3)
    assert asked[asked.index("-r") + 1] == "12"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('Unknown encoder')\n")
    assert cli.main([*words, "--overwrite"]) == 1
    assert "ffmpeg could not write the movie (Unknown encoder): check disk and ffmpeg" in capsys.readouterr().err
    assert (tmp_path / "a.mp4").read_text().split()[0] == count, "what was there is as it was"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.mp4", "bin"]
