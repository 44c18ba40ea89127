"""Settings over the configuration file: how they are read, what they count against, and how faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.configuration import config, reload
from daemon.configuration.assignments import assignment
from daemon.configuration.catalogue import every_setting, found_settings
from daemon.errors import ConfigError, UsageError
from nuset_engine.errors import ParametersError

ORIGIN = Path("/etc/nusetd/nusetd.toml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("segmentation.min_score=0.8", 0.8),
        ("segmentation.watershed = false", False),
        ("tracking.memory_frames=3", 3),
        ("engine.weights=histology", "histology"),
        ('engine.weights="a=b.npz"', "a=b.npz"),
        ("engine.weights=a=b.npz", "a=b.npz"),
        ("segmentation.nucleus_diameter_px=default", None),
    ],
)
def test_a_setting_is_read_as_toml_would(text: str, value: object) -> None:
    assert assignment(text).value == value
    assert assignment(str(assignment(text))) == assignment(text)


@pytest.mark.parametrize("text", ["min_score=0.8", "segmentation.min_score", "=", "segmentation.=1", "watch.path=/a"])
def test_what_sets_nothing_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"SECTION\.NAME=VALUE|there are segmentation"):
        assignment(text)


def test_they_count_more_than_the_file_and_the_last_one_most() -> None:
    text = "[segmentation]\nmin_score = 0.7\nnms_iou = 0.2\n[tracking]\nmemory_frames = 4\n"
    given = [assignment(f"segmentation.{one}") for one in ("min_score=0.8", "min_score=0.9", "nms_iou=default")]
    found = config.parse(text, ORIGIN, given, serves=False).processing
    assert (found.segmentation.min_score, found.segmentation.nms_iou) == (0.9, 0.35)
    assert found.tracking.memory_frames == 4


def test_a_file_of_settings_needs_no_folder_and_the_service_does() -> None:
    assert config.parse("[volume]\nmin_iou = 0.3\n", ORIGIN, serves=False).processing.volume.min_iou == 0.3
    with pytest.raises(ConfigError, match="no folder is watched"):
        config.parse("[volume]\nmin_iou = 0.3\n", ORIGIN)


def test_faults_of_the_command_line_and_of_the_file_are_told_together() -> None:
    given = [assignment("segmentation.min_score=8"), assignment("volume.min_iuo=0.5")]
    with pytest.raises(ConfigError) as raised:
        config.parse("[segmentation]\nnms_iou = 3\n", ORIGIN, given, serves=False)
    assert str(raised.value).splitlines() == [
        f"{ORIGIN}, line 2: nms_iou = 3 is not between 0 and 1.",
        "--set segmentation.min_score=8: min_score = 8 is not between 0 and 1.",
        "--set volume.min_iuo=0.5: min_iuo is not a known key here; did you mean min_iou?",
    ]


def test_a_reload_keeps_what_was_given(tmp_path: Path) -> None:
    file = tmp_path / "nusetd.toml"
    file.write_text(f'[[watch]]\npath = "{tmp_path}"\noutput = "{tmp_path / "out"}"\n')
    old = config.load(file, [assignment("segmentation.min_score=0.8")])
    file.write_text(file.read_text() + "[segmentation]\nmin_score = 0.1\n[tracking]\nmemory_frames = 1\n")
    taken = reload.read(file, old).config.processing
    assert (taken.segmentation.min_score, taken.tracking.memory_frames) == (0.8, 1)


def test_settings_are_found_by_name_place_and_section() -> None:
    assert [one.full_name for one in found_settings("min_score")] == ["segmentation.min_score"]
    assert len(found_settings("tracking")) == 6
    with pytest.raises(UsageError, match=r"did you mean segmentation\.min_score"):
        found_settings("min_scroe")


def test_every_default_is_in_its_range_and_the_limits_are_where_it_says() -> None:
    """Just inside both ends is taken, just outside is refused, by the very objects that are used."""
    usual = config.Processing()
    for one in every_setting():
        kind, limit = type(getattr(usual, one.section)), one.setting
        assert limit.allows(one.default), one.full_name
        step = limit.multiple or (1 if isinstance(one.default, int) else 1e-6)
        for end, sign, excluded in ((limit.low, -1, limit.low_excluded), (limit.high, 1, limit.high_excluded)):
            if end is not None and not isinstance(one.default, bool):
                outside = end if excluded else end + sign * step
                with pytest.raises(ParametersError, match=one.name):
                    kind(**{one.name: outside})
                assert limit.allows(end - sign * step if excluded else end), one.full_name


def test_settings_that_came_later_do_not_change_what_is_stored_at_their_default() -> None:
    usual = config.Processing()
    assert "watershed" not in usual.segmentation.as_dict()
    assert set(usual.volume.as_dict()).isdisjoint({"min_diameter_um", "max_diameter_um"})
    changed = config.parse("[segmentation]\nwatershed = false\n[volume]\nmin_diameter_um = 3\n", ORIGIN, serves=False)
    assert changed.processing.segmentation.as_dict()["watershed"] is False
    assert changed.processing.volume.as_dict()["min_diameter_um"] == 3
