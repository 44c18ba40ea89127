"""A daughter that is seen a frame after her sister, from files to database and painted tracks, across a power cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from lab import Lab, asked, result, write_stack

SHAPE = (6, 128, 128)
BORN, FRAMES = 6, 13
MOTHER = 4  # the ball in the middle
OUTSET, DRIFT = 8.0, 0.7


def places(t: int) -> list[tuple[float, float, float]]:
    """Balls at a time point as y, x, radius in pixels; the second daughter, last, is missed in her first frame."""
    rng = np.random.default_rng(4)
    grid = [(y, x) for y in (24.0, 64.0, 104.0) for x in (24.0, 64.0, 104.0)]
    at = np.array(grid) + np.cumsum(rng.normal(0, 0.8, (FRAMES, 9, 2)), axis=0)[t]
    balls = [(y, x, 8.0) for y, x in at.tolist()]
    if t < BORN:
        return balls
    y, x, _ = balls[MOTHER]
    apart = OUTSET + DRIFT * (t - BORN)
    balls[MOTHER] = (y - apart, x, 5.5)
    return balls if t == BORN else [*balls, (y + apart, x, 5.5)]


def image(t: int) -> np.ndarray:
    """The stack of a time point, (Z, Y, X) uint16."""
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]].astype(float)
    out = np.full(SHAPE, 100.0)
    for cy, cx, radius in places(t):
        distance = ((z - 2.5) / 2.5) ** 2 + ((y - cy) / radius) ** 2 + ((x - cx) / radius) ** 2
        out += 900.0 * np.exp(-(distance**2))
    return (out + np.random.default_rng(t).normal(0.0, 5.0, SHAPE)).clip(0).astype(np.uint16)


@pytest.mark.long  # `.ci/run` runs it
def test_she_is_found_a_frame_late_and_painted(new_lab: Callable[..., Lab]) -> None:
    lab = new_lab(acquisition_quiet_s=3.0, report_s=0.2)
    lab.start()
    for t in range(BORN + 1):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", image(t))
    lab.wait(lambda: lab.done() == BORN + 1)
    assert not lab.rows("select 1 from tracks where parent_track_id is not null")  # nothing tells of her yet
    lab.wait(lambda: lab.rows("select report from service_reports") != [])
    lab.kill()
    assert "not running: ended without a word" in asked("status", "--database", lab.database).stdout
    for t in range(BORN + 1, FRAMES):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", image(t))
    lab.start()
    lab.wait(lab.settled)
    assert lab.stop() == 0

    tracks = lab.rows("select track_id, parent_track_id, first_t, last_t from tracks where is_final order by first_t")
    daughters = [track for track in tracks if track[1] is not None]
    assert [(first, last) for _, _, first, last in daughters] == [(BORN, FRAMES - 1), (BORN + 1, FRAMES - 1)]
    (mother,) = {parent for _, parent, _, _ in daughters}
    assert [(first, last) for track, _, first, last in tracks if track == mother] == [(0, BORN - 1)]
    assert len(tracks) == 9 + 2
    painted = result(lab)["labels"]["exp.ome.zarr/labels/tracks/0"]
    painted = painted.reshape(FRAMES, -1, *painted.shape[-3:])[:, 0]
    for t in range(FRAMES):
        y, x, _ = places(t)[MOTHER]
        assert painted[t, 3, round(y), round(x)] == (mother if t < BORN else daughters[0][0])
        if t > BORN:
            y, x, _ = places(t)[-1]
            assert painted[t, 3, round(y), round(x)] == daughters[1][0]
