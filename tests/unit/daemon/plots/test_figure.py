"""Pictures of results: every kind is drawn for any result, and what they show is right."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import family
from cases.stored import acquisition, pixels, work_off
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from daemon import cli, page
from daemon.plots import charts, images, lineage
from daemon.plots.figure import PICTURES, compose
from daemon.plots.slices import shown_slices
from daemon.plots.style import TimeScale, plain_number, runs
from daemon.plots.subject import Stack, Subject, load, stack
from nuset_engine.nuclei import Nuclei
from storage import naming
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from tracking.tracker import TrackUpdate


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`; read only."""
    return family.fill(tmp_path_factory.mktemp("family"))


def test_the_command_offers_what_can_be_drawn() -> None:
    from daemon.commands.plot import PICTURES as OFFERED

    assert OFFERED == PICTURES
    script = (Path(page.__file__).parent / "live" / "static" / "plots.js").read_text()
    listed = script.split("PICTURES = {")[1].split("}")[0]
    assert tuple(re.findall(r"^ +(\w+): ", listed, re.MULTILINE)) == PICTURES


def test_a_png_is_written_and_named(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import matplotlib.image

    path = tmp_path / "new" / "a.png"
    assert cli.main(["plot", "embryo", "--database", str(results), "--output", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    drawn = matplotlib.image.imread(path)
    assert drawn.shape[1] > 1500
    assert len(np.unique((drawn * 255).round() @ 256 ** np.arange(drawn.shape[2]))) > 50


def test_a_missing_ending_is_png_and_a_picture_is_replaced_where_that_is_said(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import matplotlib.image

    words = ["plot", "embryo", "--picture", "counts", "--database", str(results), "--output", str(tmp_path / "a")]
    assert cli.main(words) == 0
    assert capsys.readouterr().out == f"{tmp_path}/a.png\n"
    (tmp_path / "a.png").write_text("old")
    assert cli.main(words) == 1
    assert "say --overwrite" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite"]) == 0
    assert matplotlib.image.imread(tmp_path / "a.png").shape[1] > 500


def test_an_svg_has_its_words_as_text_and_is_the_same_every_time(results: Path, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        words = ["plot", "embryo", "--picture", "tracks", "--database", str(results), "--output", str(tmp_path / name)]
        assert cli.main(words) == 0
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "6 tracks, 2 divisions (circles)" in "".join(ElementTree.fromstring(text).itertext())


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("embryo", "--output", "a.jpg"), 2, "let its name end in .png, .svg, .pdf"),
        (("embryo", "--output", "taken.png"), 1, "already there"),
        (("nobody", "--output", "a.png"), 1, "no acquisition 'nobody'"),
        (("embryo", "--t", "6", "--output", "a.png"), 2, "no time point 6 to draw: 0-5 are there"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], code: int, complaint: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("taken.png").write_text("precious")
    assert cli.main(["plot", *words, "--database", str(results)]) == code
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]
    assert Path("taken.png").read_text() == "precious"


def test_results_without_nuclei_can_be_drawn(tmp_path: Path) -> None:
    image, path = acquisition(pixels(1, 1, 1), voxel=False), tmp_path / "embryo.ome.zarr"
    with Catalog.open(tmp_path) as catalog:
        row = catalog.register(image, zarr_path=path, model_name="m", model_sha256="0", params={})
        store = ImageStore.create(path, image)
        store.write_timepoint(0, [image.planes(0, 0)], np.zeros((1, 20, 24), dtype=np.uint32))
        store.publish(0)
        catalog.add_timepoints(row.id, {0: "x"})
        work_off(catalog, lambda job: (Nuclei.empty(job.t, "px"), TrackUpdate((), (), ())))
    subject, found = load(naming.database_url(tmp_path), "embryo")
    assert (subject.unit, subject.size_name, subject.size_unit) == ("px", "area", "px²")
    for picture in PICTURES:
        compose(picture, subject, stack(found, 0)).canvas.draw()


def flat_and_alone(subject: Subject, moment: Stack) -> tuple[Subject, Stack]:
    """One plane of one time point."""
    here = subject.nuclei[subject.nuclei["t"] == moment.t]
    plane = Stack(moment.t, moment.image[1:2], moment.labels[1:2], (1.0, *moment.extent[1:]))
    return replace(subject, nuclei=here, times=np.array([moment.t]), size_name="area", size_unit="µm²"), plane


def test_single_images_have_no_empty_panels(results: Path) -> None:
    subject, found = load(naming.database_url(results), "embryo")
    moment = stack(found, None)
    alone, plane = flat_and_alone(subject, moment)
    for one, view, panels in ((alone, plane, 2), (alone, moment, 4), (subject, moment, 10)):
        figure = compose("summary", one, view)
        assert len(figure.get_axes()) == panels
        filled = [bool(a.images or a.lines or a.patches or a.collections) for a in figure.get_axes()]
        assert filled.count(False) == (one is subject), "of too few tracks there is no mean displacement"
        said = [text.get_text() for a in figure.get_axes() for text in a.texts]
        assert not [words for words in said if "only time point" in words]
    assert len(compose("sizes", alone, plane).get_axes()) == 1
    assert len(compose("sizes", subject, plane).get_axes()) == 2
    assert [len(compose("nuclei", subject, view).get_axes()) for view in (plane, moment)] == [1, 2]


def test_legends_hide_neither_titles_nor_data(results: Path) -> None:
    subject, found = load(naming.database_url(results), "embryo")
    figure = compose("sizes", subject, stack(found, None))
    figure.draw_without_rendering()
    axes = figure.get_axes()[2]
    legend, title = axes.get_legend(), axes._left_title  # type: ignore[attr-defined]
    assert legend is not None
    box = legend.get_window_extent()
    assert not box.overlaps(title.get_window_extent())
    assert box.y0 >= axes.bbox.y1 - 1


def test_a_thin_stack_is_stretched_and_says_so(results: Path) -> None:
    subject, found = load(naming.database_url(results), "embryo")
    moment = stack(found, None)
    thin = replace(moment, extent=(0.36, 10.0, 12.0))
    assert [images.side_stretch(one) for one in (moment, thin)] == [1.0, 4.0]
    side = compose("nuclei", subject, thin).get_axes()[1]
    assert side.get_title(loc="left") == "From the side: 3 slices, 0.36 µm deep, z stretched 4 times"


def test_a_montage_shows_slices_with_their_own_outlines(results: Path) -> None:
    subject, found = load(naming.database_url(results), "embryo")
    moment = stack(found, None)
    figure = compose("slices", subject, replace(moment, labels=moment.labels * np.array([0, 1, 1])[:, None, None]))
    titles = [axes.get_title(loc="left") for axes in figure.get_axes()]
    assert titles == ["slice 0, 0 µm: 0 nuclei", "slice 1, 2 µm: 4 nuclei", "slice 2, 4 µm: 4 nuclei"]
    assert [len(axes.patches) for axes in figure.get_axes()] == [0, 4, 4]
    assert shown_slices(np.zeros(16, np.int64)).tolist() == list(range(16))
    deep = np.zeros(200, np.int64)
    deep[50:111] = 3
    assert shown_slices(deep, 16).tolist() == list(range(50, 111, 4))


def ticks(axis: Axis) -> list[str]:
    """The numbers beside an axis, as they are drawn."""
    low, high = sorted(axis.get_view_interval())
    assert axis.get_offset_text().get_text() == ""
    return [one.label1.get_text() for one in axis.get_major_ticks() if low <= one.get_loc() <= high]


def test_ticks_are_plain_numbers_and_time_points_whole(results: Path) -> None:
    subject, _ = load(naming.database_url(results), "embryo")
    late = replace(subject, first_number=123450, scale=TimeScale(None, 5, 123450))
    nuclei, tracks = late.nuclei[late.nuclei["t"] < 3], late.tracks[late.tracks["first_t"] < 3]
    early = replace(late, nuclei=nuclei, tracks=tracks, times=late.times[:3])
    figure = compose("counts", early, None)
    figure.canvas.draw()
    assert ticks(figure.get_axes()[0].xaxis) == ["123450", "123451", "123452"]
    assert ticks(figure.get_axes()[0].yaxis) == ["0", "1", "2", "3"], "cells are counted whole"
    bar = compose("tracks", late, stack(load(naming.database_url(results), "embryo")[1], 0))
    bar.canvas.draw()
    assert ticks(bar.get_axes()[1].yaxis) == [str(number) for number in range(123450, 123456)]
    moving = subject.nuclei.assign(x=subject.nuclei["t"] * 3.0 + subject.nuclei["track_id"])
    steady = pd.concat([moving.assign(track_id=moving["track_id"] + 10 * k) for k in range(4)])
    spread = compose("msd", replace(subject, nuclei=steady), None)
    spread.canvas.draw()
    for axis in (spread.get_axes()[0].xaxis, spread.get_axes()[0].yaxis):
        assert len(ticks(axis)) >= 2
        assert [words for words in ticks(axis) if not re.fullmatch(r"[\d.]+", words)] == []


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (0.1 + 0.2, "0.3"), (123456.5, "123456.5"), (2.5e6, "2,500,000"), (-3.0, "-3"), (2e-5, "2e-05")],
)
def test_numbers_are_said_as_people_write_them(value: float, said: str) -> None:
    assert plain_number(value) == said


def test_tracks_are_dotted_where_time_points_are_absent(results: Path) -> None:
    subject, _ = load(naming.database_url(results), "embryo")
    axes = Figure().add_subplot()
    lineage.draw_lineage(axes, replace(subject, times=np.array([0, 1, 4, 5]), scale=TimeScale(None, 5)))
    row = lineage.rows_of(subject.tracks)[6]
    mine = [line for line in axes.lines if np.ptp(line.get_ydata()) == 0 and line.get_ydata()[0] == row]
    drawn = [(line.get_linestyle(), np.round(line.get_xdata(), 2).tolist()) for line in mine]
    assert drawn == [(":", [-0.35, 5.35]), ("-", [-0.35, 1.35]), ("-", [3.65, 5.35])]


def test_a_single_time_point_has_no_course_of_time(results: Path) -> None:
    subject, _ = load(naming.database_url(results), "embryo")
    nuclei = subject.nuclei[subject.nuclei["t"] == 0]
    alone = replace(subject, nuclei=nuclei, times=subject.times[:1])
    for draw, words in ((charts.draw_counts, "2 nuclei at"), (charts.draw_sizes_over_time, "median 350 µm³ at")):
        axes = Figure().add_subplot()
        draw(axes, alone)
        assert [text.get_text().startswith(words) for text in axes.texts] == [True]
        assert not axes.lines
        assert not axes.collections


def test_steps_join_daughters_to_their_mother(results: Path) -> None:
    subject, _ = load(naming.database_url(results), "embryo")
    segments, times, births = images.steps(subject.nuclei, subject.tracks)
    assert len(segments) == family.NUCLEI - 6 + 4  # one step less than nuclei in each track, and one for each daughter
    assert births.tolist() == [[5.0, 10.0], [15.0, 30.0]]
    born = {tuple(map(tuple, segment)): time for segment, time in zip(segments.tolist(), times, strict=True)}
    assert born[((5.0, 10.0), (10.0, 20.0))] == born[((5.0, 10.0), (10.0, 30.0))] == 1.5


def test_a_stack_has_its_extent_whatever_its_level(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = load(naming.database_url(results), "embryo")
    moment = stack(found, None)
    assert (moment.t, moment.extent, moment.image.shape) == (5, (6.0, 10.0, 12.0), (3, 20, 24))
    assert moment.pixel.tolist() == [2.0, 0.5, 0.5]
    monkeypatch.setattr("daemon.plots.subject.LARGEST_VOXELS", 1)
    assert stack(found, None).image.shape == (3, 20, 24)  # there is no smaller level


def test_areas_from_above_count_covered_pixels_too() -> None:
    labels = np.zeros((3, 6, 6), dtype=np.uint32)
    labels[0, 1:5, 1:5] = 1
    labels[1, 2:4, 2:6] = 7
    assert charts.shadow_areas(labels).tolist() == [16, 8]


def test_displacement_of_straight_motion_is_a_square() -> None:
    t = np.arange(12)
    tracks = [pd.DataFrame({"t": t, "track_id": k, "z": 0.0, "y": 3.0 * t, "x": 4.0 * t}) for k in range(4)]
    curves = charts.displacements(pd.concat(tracks).astype({"track_id": "Int64"}))
    lags, mean = charts.ensemble(curves)
    np.testing.assert_allclose(mean, 25.0 * lags**2)
    assert charts.ensemble(curves[:2])[0].size == 0


def test_families_stand_together_largest_first(results: Path) -> None:
    subject, _ = load(naming.database_url(results), "embryo")
    height = lineage.rows_of(subject.tracks)
    assert sorted(height, key=height.__getitem__) == [2, 1, 4, 3, 5, 6]


def test_a_tree_that_is_too_large_says_what_it_leaves_out() -> None:
    tracks = pd.DataFrame({"track_id": range(500), "root_track_id": [0] * 20 + list(range(20, 500)), "first_t": 0})
    shown, left_out = lineage.chosen(tracks)
    assert len(shown) == lineage.MOST_LINES
    assert (shown["root_track_id"] == 0).sum() == 20
    assert left_out == 480 - (lineage.MOST_LINES - 20)


@pytest.mark.parametrize(
    ("interval", "last", "label", "at_last"),
    [(None, 9, "time point", 9), (2.0, 30, "time (s)", 60), (60.0, 10, "time (min)", 10), (600.0, 24, "time (h)", 4)],
)
def test_times_are_told_in_the_unit_that_fits(interval: float | None, last: int, label: str, at_last: float) -> None:
    scale = TimeScale(interval, last)
    assert (scale.label, scale(last)) == (label, at_last)


def test_lines_break_where_time_points_are_absent_and_zero_is_only_what_was_counted(results: Path) -> None:
    subject, _ = load(naming.database_url(results), "embryo")
    kept = subject.nuclei[subject.nuclei["t"].isin([0, 1, 4])]
    gap = replace(subject, nuclei=kept, times=np.array([0, 1, 4, 5]), first_number=70, scale=TimeScale(None, 5, 70))
    axes = Figure().add_subplot()
    charts.draw_counts(axes, gap)
    drawn = [(np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) for line in axes.lines]
    early, late = [69.5, 70.5, 70.5, 71.5], [73.5, 74.5, 74.5, 75.5]
    assert drawn[::2] == [(early, [2, 2, 2, 2]), (late, [4, 4, 0, 0])]
    assert drawn[1::2] == [(early, [2, 2, 2, 2]), (late, [4, 4, 4, 4])], "cells live on where no nucleus was detected"
    axes = Figure().add_subplot()
    charts.draw_sizes_over_time(axes, gap)
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.lines] == [[70.0, 71.0], [74.0]]
    assert [slice(0, 3), slice(3, 4)] == runs(np.array([1, 4, 7, 13]), 3)


def test_pictures_say_cells_and_divisions_beside_detections(results: Path, tmp_path: Path) -> None:
    subject, _ = load(naming.database_url(results), "embryo")
    assert subject.cells.tolist() == [2, 2, 3, 3, 4, 4], "track 6 is alive where it was missed"
    assert subject.in_words == "4 cells at the end, 2 divisions, 17 detections"
    axes = Figure().add_subplot()
    charts.draw_counts(axes, subject)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["detections", "cells (tracks alive)"]
    assert [text.get_text() for text in axes.texts] == ["2 divisions"]
    for picture in ("summary", "counts", "lineage"):
        output = tmp_path / f"{picture}.svg"
        words = ["plot", "embryo", "--picture", picture, "--database", str(results), "--output", str(output)]
        assert cli.main(words) == 0
        assert "".join(ElementTree.parse(output).getroot().itertext()).count(subject.in_words) == 1
