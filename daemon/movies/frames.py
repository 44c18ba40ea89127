"""One frame: a time point from above with outlines and tails, its time, a scale bar, and below it what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from daemon.movies.gif import Colour
from daemon.movies.tails import TailPoint
from daemon.plots.picture import outlines, scale_bar_um
from daemon.plots.style import ON_DARK, plain_number, short_name
from nuset_engine.arrays import LabelsZYX, PictureYX3, PlaneYX

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

WHITE, PAPER, QUIET, UNTRACKED = (242, 242, 242), (16, 16, 20), (160, 160, 168), (190, 190, 190)
PALETTE: Sequence[Colour] = [
    (int(one[1:3], 16), int(one[3:5], 16), int(one[5:7], 16)) for one in ON_DARK
]  # those of pictures
BRIGHTEST = 200
"""Grey of what is white in the image, so that outlines stand out."""


@dataclass(frozen=True)
class Moment:
    """What one frame shows.

    Attributes
    ----------
    plane : (Y, X)
        The image from above.
    labels : (Z, Y, X)
    colours : mapping of a label to the number that chooses its colour; labels without one are grey
    tails : mapping of such a number to places in lengths, several of one number in a list
    words : (str, str)
        The time, and how many nuclei.
    """

    plane: PlaneYX
    labels: LabelsZYX
    colours: Mapping[int, int]
    tails: Sequence[tuple[int, Sequence[TailPoint]]]
    words: tuple[str, str]


@dataclass(frozen=True)
class Painter:
    """How frames of a movie are drawn, the same for all of them.

    Attributes
    ----------
    extent : (float, float)
        Height and width of the image in lengths.
    size : (int, int)
        Width and height of the image in the frame, in pixels.
    levels : (float, float)
        Grey values shown as black and white.
    unit : str
    caption : sequence of str
        Lines below the image, each shortened to fit.
    """

    extent: tuple[float, float]
    size: tuple[int, int]
    levels: tuple[float, float]
    unit: str
    caption: Sequence[str]

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of a frame in pixels, both even."""
        width, height = self.size
        return width + width % 2, (height + self._caption_px + 1) // 2 * 2

    @property
    def _letters_px(self) -> int:
        return int(np.clip(self.size[0] / 36, 12, 28))

    @property
    def _caption_px(self) -> int:
        return round(self._letters_px * 1.35 * len(self.caption)) + 6

    @cached_property
    def _font(self) -> FreeTypeFont:
        from matplotlib.font_manager import findfont
        from PIL import ImageFont

        return ImageFont.truetype(findfont("DejaVu Sans"), self._letters_px)

    def paint(self, moment: Moment) -> PictureYX3:
        """Return a frame, (Y, X, 3) uint8."""
        from PIL import Image, ImageDraw

        canvas = Image.new("RGB", self.frame_size, PAPER)
        canvas.paste(self._grey(moment.plane), (0, 0))
        draw = ImageDraw.Draw(canvas)
        scale = np.array(self.size) / np.array(moment.labels.shape[:0:-1])
        for label, outline in outlines(moment.labels, axis=0):
            number = moment.colours.get(label)
            points = ((outline[:, ::-1] + 0.5) * scale).ravel().tolist()
            draw.line(points, fill=_colour(number), width=self._line_px)
        per_length = np.array([self.size[0] / self.extent[1], self.size[1] / self.extent[0]])
        for number, places in moment.tails:
            track = (np.array([place[1:] for place in places]) * per_length).ravel().tolist()
            draw.line(track, fill=_colour(number), width=self._line_px + 1)
        self._add_words(canvas, draw, moment.words)
        return np.asarray(canvas)

    def paint_absent(self, words: str) -> PictureYX3:
        """Return the frame of a time point that is not there: black, and said to be absent."""
        from PIL import Image, ImageDraw

        canvas = Image.new("RGB", self.frame_size, PAPER)
        self._add_words(canvas, ImageDraw.Draw(canvas), (words, "absent"))
        return np.asarray(canvas)

    @property
    def _line_px(self) -> int:
        return 1 if self.size[0] < 700 else 2

    def _grey(self, plane: PlaneYX) -> Image:
        from PIL import Image

        low, high = self.levels
        share = np.clip((np.nan_to_num(plane.astype(np.float32)) - low) / max(high - low, 1e-6), 0, 1) ** 0.7
        picture = Image.fromarray((BRIGHTEST * share).astype(np.uint8))
        larger = self.size[0] > picture.width
        return picture.resize(self.size, Image.Resampling.BILINEAR if larger else Image.Resampling.BOX).convert("RGB")

    def _add_words(self, canvas: Image, draw: ImageDraw, words: tuple[str, str]) -> None:
        """The time and the count above, the scale bar below, on dark ground; and the caption under the image."""
        pad, (width, height) = self._letters_px // 2, self.size
        left, right = words
        self._on_plate(canvas, draw, (pad, pad), left)
        self._on_plate(canvas, draw, (width - pad - self._font.getlength(right), pad), right)
        length = scale_bar_um(self.extent[1])
        bar = length * width / self.extent[1]
        at, low, thick = width - 2 * pad - bar, height - 2 * pad, max(3, self._letters_px // 4)
        name = f"{plain_number(length)} {self.unit}"
        above = (at + (bar - self._font.getlength(name)) / 2, low - 1.6 * self._letters_px)
        self._on_plate(canvas, draw, above, name)
        draw.rectangle((at - 2, low - 2, at + bar + 2, low + thick + 2), fill=PAPER)  # it is seen on nuclei too
        draw.rectangle((at, low, at + bar, low + thick), fill=WHITE)
        for line, said in enumerate(self.caption):
            place = (pad, height + 3 + line * 1.35 * self._letters_px)
            draw.text(place, self._fitting(said, width - 2 * pad), fill=QUIET if line else WHITE, font=self._font)

    def _on_plate(self, canvas: Image, draw: ImageDraw, at: tuple[float, float], words: str) -> None:
        from PIL import Image

        left, top, right, bottom = (round(one) for one in draw.textbbox(at, words, font=self._font))
        box = (max(left - 3, 0), max(top - 3, 0), min(right + 3, canvas.width), min(bottom + 3, canvas.height))
        if box[0] < box[2] and box[1] < box[3]:
            under = canvas.crop(box)
            canvas.paste(Image.blend(under, Image.new("RGB", under.size, PAPER), 0.65), box)
        draw.text(at, words, fill=WHITE, font=self._font)

    def _fitting(self, said: str, width: float) -> str:
        """What fits into a line: a name whole, or without its middle."""
        for longest in range(len(short_name(said, 1000)), 3, -1):
            shorter = short_name(said, longest)
            if self._font.getlength(shorter) <= width:
                return shorter
        return ""


def _colour(number: int | None) -> Colour:
    return UNTRACKED if number is None else PALETTE[number % len(PALETTE)]
