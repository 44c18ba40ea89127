"""Ids in pictures: the right ones, in their nuclei, none over another, and none where it would not be read."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from cases import family
from matplotlib.figure import Figure
from skimage.color import deltaE_ciede2000, rgb2lab

from daemon.plots import ids
from daemon.plots.canvas import new_figure
from daemon.plots.figure import compose
from daemon.plots.ids import IdText, fit_ids, widest_place
from daemon.plots.images import seen_from_above
from daemon.plots.picture import SCALE_BAR
from daemon.plots.style import ON_DARK, ON_WHITE
from daemon.plots.subject import Stack, Subject, load, stack
from nuset_engine.arrays import FloatsN
from storage import naming

# Machado, Oliveira, Fernandes 2009, doi:10.1109/TVCG.2009.113: linear RGB as those without one kind of cone see it.
SEEN_BY = {
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, Stack]:
    """The family of `cases.family` at its last time point."""
    subject, found = load(naming.database_url(family.fill(tmp_path_factory.mktemp("ids"))), family.NAME)
    return subject, stack(found, None)


def written(figure: Figure) -> dict[int, IdText]:
    """The ids that are left, by number."""
    found = [one for axes in figure.get_axes() for one in axes.get_children()]
    return {int(one.get_text()): one for one in found if isinstance(one, IdText)}


def test_each_nucleus_has_its_track_in_it(scene: tuple[Subject, Stack]) -> None:
    subject, moment = scene
    figure = compose("nuclei", subject, moment)
    fit_ids(figure)
    here = subject.nuclei[subject.nuclei["t"] == moment.t].set_index("track_id")["label"]
    found = written(figure)
    assert set(found) == set(family.TRACKS_AT[5])
    for track, text in found.items():
        column, row = (np.array(text.get_position()) / moment.pixel[[2, 1]]).astype(int)
        assert moment.labels.max(axis=0)[row, column] == here[track]
        assert text.get_fontsize() == ids.SIZES_PT[0]


def test_a_single_image_has_labels(scene: tuple[Subject, Stack]) -> None:
    from dataclasses import replace

    subject, moment = scene
    alone = replace(subject, nuclei=subject.nuclei[subject.nuclei["t"] == moment.t], times=np.array([moment.t]))
    figure = compose("nuclei", alone, moment)
    assert set(written(figure)) == {1, 2, 3, 4}
    assert figure.get_axes()[0].get_title(loc="left") == "4 nuclei at t = 5, numbered by label"


def test_what_has_no_room_is_smaller_and_then_left_out(scene: tuple[Subject, Stack]) -> None:
    sizes = []
    for smaller in (1, 11, 40):
        figure = compose("nuclei", *scene)
        figure.get_axes()[0].set(xlim=(0, 12 * smaller), ylim=(10 * smaller, 0))
        fit_ids(figure)
        sizes.append({text.get_fontsize() for text in written(figure).values()})
    assert sizes[0] == {8.0}
    assert sizes[1]
    assert max(sizes[1]) < 8.0
    assert sizes[2] == set()


def test_no_id_lies_over_another() -> None:
    figure = new_figure(4, 4)
    axes = figure.subplots()
    axes.set(xlim=(0, 100), ylim=(0, 100))
    rng = np.random.default_rng(4)
    for number, place in enumerate(rng.uniform(5, 95, (150, 2)).tolist()):
        IdText(axes, (place[0], place[1]), number, (20.0, 20.0), inside=True)
    fit_ids(figure)
    boxes = [text.get_window_extent() for text in written(figure).values()]
    assert 50 < len(boxes) < 150
    assert not [1 for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]


def test_no_id_lies_under_a_scale_bar(scene: tuple[Subject, Stack]) -> None:
    subject, moment = scene
    labels = moment.labels.copy()
    labels[:, 14:, 14:] = 4  # where the bar is
    figure = compose("nuclei", subject, Stack(moment.t, moment.image, labels, moment.extent))
    fit_ids(figure)
    top = figure.get_axes()[0]
    bars = [line.get_window_extent() for line in top.lines if line.get_gid() == SCALE_BAR]
    assert len(bars) == 2
    for text in written(figure).values():
        assert not any(text.get_window_extent().overlaps(bar) for bar in bars)


def test_lines_of_a_lineage_have_their_tracks(scene: tuple[Subject, Stack]) -> None:
    figure = compose("lineage", scene[0], None)
    fit_ids(figure)
    found = written(figure)
    assert set(found) == {1, 2, 3, 4, 5, 6}
    ends = {track: float(text.get_position()[0]) for track, text in found.items()}
    assert ends[2] > 4.9, "beside the end of a track without daughters"
    assert ends[1] == pytest.approx(0.5), "on the line of a mother, in its middle"
    figure.get_axes()[0].set_ylim(150, -1)
    fit_ids(figure)
    assert written(figure) == {}


def test_an_id_stands_where_its_nucleus_is_widest_and_alone() -> None:
    assert widest_place(np.zeros((3, 3), bool))[1] == 0
    place, radius = widest_place(np.ones((5, 21), bool))
    assert (place.tolist(), radius) == ([10.5, 2.5], 3.0)
    labels = np.zeros((2, 20, 30), np.uint32)
    labels[0, 4:16, 2:20], labels[1, 4:16, 10:28] = 1, 2
    found = seen_from_above(labels)
    assert [found[label][0][0] for label in (1, 2)] == pytest.approx([6, 24], abs=1.0), "beside where they overlap"


def seen(colours: tuple[str, ...], matrix: list[list[float]]) -> FloatsN:
    rgb = np.array([[int(one[i : i + 2], 16) for i in (1, 3, 5)] for one in colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    there = np.clip(linear @ np.array(matrix).T, 0, 1)
    return rgb2lab(np.where(there <= 0.0031308, 12.92 * there, 1.055 * there ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("who", SEEN_BY)
@pytest.mark.parametrize("colours", [ON_DARK, ON_WHITE], ids=["on dark", "on white"])
def test_the_colour_blind_tell_colours_apart(colours: tuple[str, ...], who: str) -> None:
    pairs = itertools.combinations(seen(colours, SEEN_BY[who]), 2)
    assert min(float(deltaE_ciede2000(a, b)) for a, b in pairs) > 9
