"""Acquisitions beside each other: the right values under the right names, and counts against a reference."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import tifffile
from cases import family
from cases.stored import Clock, acquisition, pixels, work_off
from matplotlib.figure import Figure
from PIL import Image

import storage
from daemon import cli
from daemon.errors import UsageError
from daemon.plots.comparing import agreement, figures
from daemon.plots.comparing.distribution import cumulative, draw_cumulative
from daemon.plots.comparing.groups import chosen_groups, common_measure, sampled
from daemon.plots.comparing.reference import read_reference
from nuset_engine.nuclei import Nuclei
from storage import naming
from storage.database.catalog import Catalog
from storage.errors import StorageError
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate

ODD = "drug/\x1b[31m\nb, $x$ " + "a long name " * 18
AREAS = {"control/a": [10.0, 20.0, 30.0], "control/b": [40.0], "drug/a": [50.0, 70.0], ODD: [60.0, 80.0, 100.0, 1.0]}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Four planes with nuclei of `AREAS`, in that order, and a stack; no images."""
    folder = tmp_path_factory.mktemp("conditions")
    with Catalog.open(folder, clock=Clock()) as catalog:
        for number, (name, areas) in enumerate([*AREAS.items(), ("stack", [5.0])]):
            image = acquisition(pixels(1, 1, 3 if name == "stack" else 1), name=name)
            row = catalog.register(
                image, zarr_path=folder / str(number), model_name="m", model_sha256="0", params={"n": number}
            )
            catalog.add_timepoints(row.id, {0: name})
            ids = np.arange(1, len(areas) + 1)
            column = {"volume_um3" if name == "stack" else "area_um2": np.array(areas)}
            table = Nuclei.from_positions(0, np.zeros((len(areas), 3)), **column)
            tracks = tuple(Track(int(k), None, 0, 0, 1, True, None) for k in ids)
            work_off(
                catalog, lambda _, t=table, i=ids, k=tracks: (t, TrackUpdate((FrameTracks(0, i, i, True),), k, ()))
            )
    return naming.database_url(folder)


def values(url: str, names: tuple[str, ...] = (), by: str = "acquisition", **given: tuple[str, ...]) -> dict[str, list]:
    found = chosen_groups(url, names, given, by)  # type: ignore[arg-type]
    return {group.name: group.values.tolist() for group in sampled(found, common_measure(found, "area_um2"))}


def test_groups_are_named_or_made_of_folders(url: str) -> None:
    assert values(url, ("control/a", "3")) == {"control/a": AREAS["control/a"], "drug/a": AREAS["drug/a"]}
    both = AREAS["control/a"] + AREAS["drug/a"]
    assert values(url, x=("control/a", "drug/a"), y=("control/b",)) == {"x": both, "y": [40.0]}
    planes = ("1", "2", "3", "4")
    control = AREAS["control/a"] + AREAS["control/b"]
    assert values(url, planes, "folder") == {"control": control, "drug": AREAS["drug/a"] + AREAS[ODD]}


@pytest.mark.parametrize(
    ("names", "given", "complaint"),
    [
        (("1", "control/a"), {}, "control/a is named twice"),
        ((), {"x": ("1",), "y": ("1",)}, "control/a is named twice"),
        (("1",), {"x": ("2",)}, "not both"),
        ((), {}, "cannot be compared (control/a has area (µm²), stack has volume (µm³))"),
    ],
)
def test_what_cannot_be_compared_is_said(
    url: str, names: tuple[str, ...], given: dict[str, tuple[str, ...]], complaint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        common_measure(chosen_groups(url, names, given, "acquisition"), None)
    assert complaint in str(raised.value)
    with pytest.raises(UsageError, match="5 groups cannot be told apart: choose at most 4"):
        chosen_groups(url, (), {}, "acquisition", most=4)


def test_a_distribution_shows_the_numbers_of_each_group(url: str) -> None:
    figure = figures.distribution(url, (), {"control": ["1", "2"], "drug": ["3", "4"]})
    histogram, curves, boxes = figure.get_axes()
    heights = [patch.get_data().values.sum() for patch in histogram.patches]
    assert heights == pytest.approx([100.0] * 4), "two outlines and two grounds"
    assert [text.get_text() for text in boxes.texts] == ["25", "65"]
    circles = [np.asarray(points.get_offsets())[:, 1].tolist() for points in boxes.collections]
    assert circles == [[20.0, 40.0], [60.0, 70.0]], "the medians of the acquisitions"
    assert [label.get_text() for label in boxes.get_xticklabels()] == ["control", "drug"]
    assert curves.get_yticks().tolist() == [0, 25, 50, 75, 100]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "control: 4 nuclei of 2 acquisitions",
        "drug: 6 nuclei of 2 acquisitions",
    ]
    assert boxes.get_ylabel() == histogram.get_xlabel().split(";")[0] == "area (µm²)"


def test_a_cumulative_curve_reaches_half_at_the_median(url: str) -> None:
    at, percent = cumulative(np.array([3.0, 1.0, 3.0, 5.0]))
    assert (at.tolist(), percent.tolist()) == ([1, 1, 3, 5], [0, 25, 75, 100])
    found = chosen_groups(url, ("1",), {}, "acquisition")
    axes = Figure().add_subplot()
    from daemon.plots.comparing.distribution import LineLook

    measure = common_measure(found, None)
    draw_cumulative(axes, sampled(found, measure), [LineLook("k", "-")], measure, (0, 40))
    x, y = (np.asarray(one) for one in axes.lines[1].get_data())
    assert x[np.searchsorted(y, 50)] == 20


def test_odd_names_are_whole_in_the_legend_and_short_beside_boxes(url: str, tmp_path: Path) -> None:
    figure = figures.distribution(url, ("4",), {})
    [told] = figure.legends[0].get_texts()
    shown = ODD.replace("\x1b", "\\x1b").replace("\n", "\\n")
    assert told.get_text().replace("\n", "") == f"{shown}: 4 nuclei"
    assert not told.get_parse_math()
    [beside] = figure.get_axes()[2].get_xticklabels()
    assert "…" in beside.get_text()
    assert max(len(line) for line in beside.get_text().splitlines()) <= 12
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in (told, beside):
        box = text.get_window_extent(renderer)
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert 0 <= box.y0 < box.y1 <= figure.bbox.height


@pytest.fixture(scope="module")
def lapse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`: 2, 2, 2, 3, 4, 4 nuclei."""
    return family.fill(tmp_path_factory.mktemp("lapse"))


@pytest.mark.parametrize("what", ["counts", "nuclei", "labels", "ctc"])
def test_counts_are_taken_from_any_reference(what: str, tmp_path: Path) -> None:
    truth = {0: 2, 1: 1, 3: 3}
    path = tmp_path / "reference"
    if what == "counts":
        path.write_text("t,count\n" + "".join(f"{t},{count}\n" for t, count in truth.items()))
    elif what == "nuclei":
        path.write_text("label,t\n" + "".join(f"{n},{t}\n" for t, count in truth.items() for n in range(count)))
    else:
        path.mkdir()
        for t, count in truth.items():
            labels = np.zeros((8, 9), np.uint8)
            labels[0, :count] = np.arange(count) * 3 + 1
            if what == "labels":
                Image.fromarray(labels).save(path / f"by_hand_{t:03}.png")
            else:
                tifffile.imwrite(path / f"man_track{t:03}.tif", labels)
        if what == "ctc":
            (path / "man_track.txt").write_text("1 0 3 0\n2 0 0 0\n3 3 3 0\n4 3 3 0\n")
            tifffile.imwrite(path / "man_track002.tif", labels * 0)
    found = read_reference(path)
    assert [found.of("embryo", t, alone=True, single=False) for t in (0, 1, 3, 4)] == [2, 1, 3, None]


def test_images_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("acquisition,count\nday1/a,5\nb,6\n")
    table = read_reference(tmp_path / "a.csv")
    assert [table.of(name, 7, alone=False, single=True) for name in ("day1/a", "day2/b", "c")] == [5, 6, None]
    assert table.of("b", 7, alone=False, single=False) is None, "one count is no count of each time point"
    Image.fromarray(np.eye(5, dtype=np.uint8)).save(tmp_path / "day1-a.png")
    labels = read_reference(tmp_path)
    assert labels.of("day1/a", 0, alone=False, single=True) == 1
    assert labels.of("other", 0, alone=True, single=True) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x,y\n1,2\n", "it needs a column `count`"),
        ("t,count\n1,2\n1,3\n", "counts 1 twice"),
        ("t,count\n1,2.5\n", "Column count of .* holds 2.5"),
        ("t,count\n,2\n", "Column t of .* holds nan"),
    ],
)
def test_a_table_that_is_no_reference_is_told_why(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(StorageError, match=complaint):
        read_reference(tmp_path / "a.csv")


def test_agreement_draws_pairs_and_breaks_lines(lapse: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,count\n0,2\n1,3\n4,4\n5,5\n")
    [one] = agreement.compare([storage.open(lapse)["embryo"]], read_reference(tmp_path / "a.csv"))
    assert one.pairs["nusetd"].tolist() == [2, 2, 4, 4]
    kept = one.table[one.table["t"].isin([0, 1, 4, 5])]
    figure = agreement.draw_agreement([agreement.Compared(one.acquisition, kept)])
    course, pairs = figure.get_axes()
    assert [line.get_ydata().tolist() for line in course.lines] == [[2, 2], [4, 4], [2, 3, 4, 5]]
    assert course.lines[2].get_linestyle() == "None"
    low, high = pairs.get_xlim()
    assert pairs.lines[0].get_xydata().tolist() == [[low, low], [high, high]]
    assert pairs.lines[1].get_xydata().tolist() == [[2, 2], [3, 2], [4, 4], [5, 4]]
    words = pairs.get_xlabel().splitlines()[1]
    assert words == "r² = 0.800, mean difference −0.50 (−14.3 %), n = 4"
    assert figure.get_supxlabel() == "embryo; nuclei in channel 0 (origin unknown)"


def test_r2_is_not_made_of_nothing() -> None:
    same = np.array([3, 3, 3])
    assert agreement.agreement_in_words(same, same).startswith("r² not defined: counts do not vary")
    assert agreement.agreement_in_words(same[:2], same[:2]).startswith("r² not defined: fewer than 3 pairs")


def test_a_reference_of_something_else_is_refused(lapse: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,count\n70,2\n")
    with pytest.raises(UsageError, match="no count of what is compared"):
        figures.agreement(naming.database_url(lapse), ("embryo",), tmp_path / "a.csv")


def test_the_command_writes_both(lapse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"t": range(6), "count": [2, 2, 2, 3, 4, 4]}).to_csv(tmp_path / "a.csv", index=False)
    for words in (
        ["plot", "--picture", "distribution", "--group", "wild=embryo", "--t", "0:3", "--output", f"{tmp_path}/d.png"],
        [
            "plot",
            "embryo",
            "--picture",
            "agreement",
            "--reference",
            f"{tmp_path}/a.csv",
            "--output",
            f"{tmp_path}/e.png",
        ],
    ):
        assert cli.main([*words, "--database", str(lapse)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/d.png\n{tmp_path}/e.png\n"
    assert all(matplotlib.image.imread(tmp_path / name).shape[1] > 700 for name in ("d.png", "e.png"))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "name one, or choose --picture distribution"),
        ("a b", "name one, or choose --picture distribution"),
        ("a --t 1:3", "give --t one number"),
        ("a --column score", "belong to --picture distribution"),
        ("a --reference x", "belong together"),
        ("a --picture agreement", "belong together"),
        ("a --picture agreement --reference x --t 3", "leave out --t"),
        ("--picture distribution --group x=a --by folder", "leave out --group or --by"),
        ("--picture distribution --group x", "is not a condition"),
    ],
)
def test_options_of_another_picture_are_refused(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(["plot", *words.split()])
    except SystemExit as left:  # what argparse itself refuses
        code = int(left.code or 0)
    assert code == 2
    assert complaint in capsys.readouterr().err
