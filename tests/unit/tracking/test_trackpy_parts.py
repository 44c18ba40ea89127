"""Two modules of trackpy without the rest of it: they do what the whole one does, and leave no trace of how."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from tracking import trackpy_parts
from tracking.linking import link as linking
from tracking.measures import msd_curve
from tracking.trackpy_parts import LINKING, MOTION, part

ALONE = """
import sys
import numpy as np
from tracking.linking.link import link
from tracking.measures import msd_curve
points = np.arange(30.0).reshape(10, 3)
assert (link(points, points + 0.1, 1.0) == np.arange(10)).all()
assert np.allclose(msd_curve(np.arange(10), points)[1], 27.0 * np.arange(1, 5) ** 2)
left = [name for name in sys.modules if name.partition(".")[0] in {"trackpy", "numba", "sklearn", "matplotlib"}]
assert not left + [name for name in sys.modules if name.startswith("scipy.stats")], left
"""


def test_a_process_that_tracks_loads_no_more() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def forgetful() -> Iterator[None]:
    """What was loaded is chosen anew, before and after."""
    forget()
    yield
    forget()


def forget() -> None:
    """The next use loads anew."""
    trackpy_parts._parts.cache_clear()
    linking._bounded_linker.cache_clear()


@pytest.mark.usefixtures("forgetful")
def test_links_and_displacements_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    before = rng.uniform(0.0, 60.0, (150, 3))
    after = before[rng.permutation(150)] + rng.normal(0.0, 2.0, (150, 3))
    t, path = np.array([0, 1, 2, 4, 5, 6, 8, 9]), rng.normal(size=(8, 3)).cumsum(0)
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackpy"]:
        monkeypatch.delitem(sys.modules, name)
    ours, curve = linking.link(before, after, 12.0), msd_curve(t, path)
    assert (ours >= 0).sum() > 100
    copies = part(LINKING), part(MOTION)
    import trackpy.linking.linking
    import trackpy.motion

    assert trackpy.linking.linking is not copies[0]
    assert trackpy.motion is not copies[1]
    assert callable(trackpy.locate)
    forget()
    assert (linking.link(before, after, 12.0) == ours).all()
    assert part(LINKING) is trackpy.linking.linking, "the whole one is there, so it is taken"
    for one, other in zip(curve, msd_curve(t, path), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("forgetful")
def test_a_trackpy_that_is_built_otherwise_is_loaded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackpy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(trackpy_parts, "_OPTIONAL", ("trackpy.try_numba",))
    found = part(LINKING)
    assert sys.modules["trackpy.linking.linking"] is found
    assert linking.link(np.eye(3), np.eye(3), 0.5).tolist() == [0, 1, 2]
