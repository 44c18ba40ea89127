"""Parameters out of their range: told all at once, for people as a sentence and for programs by name."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from nuset_engine.errors import EngineError, ParametersError
from nuset_engine.params import SegmentationParams
from nuset_engine.reconstruction.params import VolumeParams
from tracking.errors import TrackingError
from tracking.params import TrackingParams

WRONG = (
    (
        lambda: SegmentationParams(seed_score=2.0, tile_px=100),
        EngineError,
        "Segmentation parameters are wrong: seed_score = 2.0 is not between 0 and 1; "
        "tile_px = 100 is not a multiple of 32, at least 256 px.",
    ),
    (
        lambda: VolumeParams(min_iou=0.0, surface_blur=1.0),
        EngineError,
        "Volume parameters are wrong: min_iou = 0.0 is not between above 0 and 1; "
        "surface_blur = 1.0 is not between 0 and 0.3.",
    ),
    (
        lambda: TrackingParams(memory_frames=-1, search_range=0.0),
        TrackingError,
        "Tracking parameters are wrong: memory_frames = -1 is not between 0 and 20 time points; "
        "search_range = 0.0 is not above 0 um.",
    ),
)


@pytest.mark.parametrize(("make", "kind", "sentence"), WRONG)
def test_each_fault_has_its_name_and_all_make_one_sentence(
    make: Callable[[], object], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(ParametersError) as caught:
        make()
    assert isinstance(caught.value, kind)
    assert str(caught.value) == sentence
    told = sentence.removesuffix(".").split(": ")[1].split("; ")
    assert [f"{fault.name} = {fault.value!r}" for fault in caught.value.faults] == [
        " ".join(part.split()[:3]) for part in told
    ]


def test_they_pass_between_processes() -> None:
    with pytest.raises(ParametersError) as caught:
        SegmentationParams(seed_score=2.0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.faults) == (str(caught.value), caught.value.faults)
