"""Ids of nuclei and tracks in pictures: as large as their room allows, and left out where they would not be read.

How large a letter is beside a nucleus is known when everything has its place. So ids are written first, and `fit_ids`
looks at the finished figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.text import Text

from daemon.plots.arrays import PointsXY
from daemon.plots.canvas import quiet_glyphs
from daemon.plots.picture import SCALE_BAR
from nuset_engine.arrays import FloatsN, MaskYX

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

SIZES_PT = (8.0, 7.0, 6.0, 5.0)
"""From what is read easily to what can just be read."""
MOST_IDS = 2000
"""Of one panel; the room for more is not looked for."""
PLATE = {"facecolor": "#101014", "edgecolor": "none", "alpha": 0.55, "pad": 0.6}
PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 0.4}


class IdText(Text):
    """An id, with the room that it has.

    Parameters
    ----------
    axes : Axes
    place : (float, float)
        x, y in the panel's units.
    number : int
    room : (float, float)
        Width and height in the panel's units: of a rectangle, or with `inside` the axes of an ellipse.
    inside : bool
        White on dark, within a nucleus; else dark on white, beside or on a line.
    """

    def __init__(
        self, axes: Axes, place: tuple[float, float], number: int, room: tuple[float, float], inside: bool
    ) -> None:
        colour, plate = ("white", PLATE) if inside else ("#1b1b1f", PAPER)
        super().__init__(*place, str(number), color=colour, ha="center", va="center", bbox=plate, zorder=6)
        self.set_fontsize(SIZES_PT[0])
        self.room = room
        self.inside = inside
        axes.add_artist(self)

    def fits(self, width: float, height: float, room: tuple[float, float]) -> bool:
        """Whether a text of so many pixels has room in so many."""
        if min(room) <= 0:
            return False
        across, down = width / room[0], height / room[1]
        return across**2 + down**2 <= 1 if self.inside else max(across, down) <= 1


def beside(axes: Axes, place: tuple[float, float], number: int, room: tuple[float, float]) -> IdText:
    """Write an id to the right of a point, clear of it."""
    from matplotlib.transforms import ScaledTranslation

    text = IdText(axes, place, number, room, inside=False)
    text.set_horizontalalignment("left")
    apart: Transform = ScaledTranslation(3 / 72, 0, axes.get_figure(root=True).dpi_scale_trans)  # type: ignore[union-attr]
    text.set_transform(axes.transData + apart)
    return text


def fit_ids(figure: Figure) -> None:
    """Give the ids of a figure the size that their room allows, those first that were written first; remove others."""
    with quiet_glyphs():
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # everything stays where it was measured
    canvas: FigureCanvasAgg = figure.canvas  # type: ignore[assignment]
    renderer = canvas.get_renderer()
    for axes in figure.get_axes():
        taken = _occupied(axes, renderer)
        found = [one for one in axes.get_children() if isinstance(one, IdText)]
        for number, text in enumerate(found):
            origin, corner = axes.transData.transform(np.array([(0.0, 0.0), text.room]))
            room = tuple(np.abs(corner - origin).tolist())
            box = None if number >= MOST_IDS or max(room) < 4 else _fitted(text, room, taken, renderer)
            if box is None:
                text.remove()
            else:
                taken.append(box)


def _occupied(axes: Axes, renderer: RendererBase) -> list[FloatsN]:
    """Where other words, or a scale bar, are written: left, bottom, right and top in pixels of each."""
    words = [one for one in axes.texts if not isinstance(one, IdText) and one.get_text()]
    bars = [one for one in axes.lines if one.get_gid() == SCALE_BAR]
    return [one.get_window_extent(renderer).get_points().ravel() for one in (*words, *bars)]


def _fitted(text: IdText, room: tuple[float, float], taken: list[FloatsN], renderer: RendererBase) -> FloatsN | None:
    """Choose the largest size that fits and meets nothing; return left, bottom, right and top in pixels."""
    for size in SIZES_PT:
        text.set_fontsize(size)
        box = text.get_window_extent(renderer)
        if not text.fits(box.width, box.height, room):
            continue
        mine = np.array([box.x0, box.y0, box.x1, box.y1])
        others = np.array(taken).reshape(-1, 4)
        if ((others[:, :2] < mine[2:]) & (others[:, 2:] > mine[:2])).all(axis=1).any():
            continue
        return mine
    return None


def widest_place(mask: MaskYX) -> tuple[PointsXY, float]:
    """The middle of the largest circle in a mask.

    Returns
    -------
    place : (2,) float64
        x, y in pixels.
    radius : float
        0 where the mask is empty.
    """
    from scipy.ndimage import distance_transform_edt

    far = np.asarray(distance_transform_edt(np.pad(mask, 1)))[1:-1, 1:-1]
    if not far.size or not far.any():
        return np.zeros(2), 0.0
    best = float(far.max())
    rows, columns = np.nonzero(far >= best - 0.5)  # long nuclei have a ridge, of which the middle is taken
    nearest = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
    return np.array([columns[nearest] + 0.5, rows[nearest] + 0.5]), best
