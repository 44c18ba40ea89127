"""The configuration: defaults, and every fault named with its line, its value and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.configuration import config
from daemon.errors import ConfigError

ORIGIN = Path("/etc/nusetd/nusetd.toml")
SMALL = """
[[watch]]
path = "/data/in"
output = "/data/out"
"""


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, ORIGIN)
    return str(caught.value).splitlines()


def test_two_lines_are_enough() -> None:
    parsed = config.parse(SMALL, ORIGIN)
    assert parsed.watch[0].path == Path("/data/in")
    assert parsed.watch[0].voxel_size_um is None
    assert parsed.database == "sqlite:////data/out/nusetd.sqlite"
    assert parsed.engine.factory == "nuset_engine.segment:Segmenter"


def test_everything_can_be_said() -> None:
    text = """
database = "records.sqlite"
[[watch]]
path = "in"
output = "out"
recursive = false
pattern = '(?P<name>.+)-(?P<t>[0-9]+)'
nuclear_channel = "DAPI"
voxel_size_um = [2, 0.5, 0.5]
quiet_s = 1
give_up_s = 30.5
acquisition_quiet_s = 60
ome_zarr_version = "0.5"
[service]
events = false
rescan_s = 5
worker_silence_s = 60
log_level = "debug"
[engine]
factory = "mine:Segmenter"
weights = "mine.npz"
threads = 2
[segmentation]
min_score = 0.7
"""
    parsed = config.parse(text, ORIGIN)
    watch = parsed.watch[0]
    assert watch.path == Path("/etc/nusetd/in"), "relative paths count from the file"
    assert watch.voxel_size_um == (2.0, 0.5, 0.5)
    assert watch.nuclear_channel == "DAPI"
    assert watch.settle.give_up_s == 30.5
    assert parsed.database == "sqlite:////etc/nusetd/records.sqlite"
    assert parsed.engine.threads == 2
    assert parsed.processing.segmentation.min_score == 0.7
    assert not parsed.service.events


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("voxel_size_um = 0.3", "voxel_size_um", (0.3,)),
        ("voxel_size_override_um = [0.3, 0.2]", "voxel_size_override_um", (0.3, 0.2)),
        ('axes = "tyx"', "axes", "TYX"),
        ("frame_interval_s = 30", "frame_interval_s", 30.0),
    ],
)
def test_a_watch_says_what_its_files_do_not(line: str, name: str, value: object) -> None:
    (watch,) = config.parse(f'[[watch]]\npath = "/in"\noutput = "/out"\n{line}\n', Path("/etc/nusetd.toml")).watch
    assert getattr(watch, name) == getattr(watch.given, name) == value


@pytest.mark.parametrize(
    "line",
    ["voxel_size_um = [1, 2, 3, 4]", "voxel_size_override_um = -1", 'axes = "TYQ"', "axes = 3", "frame_interval_s = 0"],
)
def test_what_a_watch_says_wrongly_is_named_with_its_line(line: str) -> None:
    with pytest.raises(ConfigError, match=f"line 4: {line.split()[0]} = "):
        config.parse(f'[[watch]]\npath = "/in"\noutput = "/out"\n{line}\n', Path("/etc/nusetd.toml"))


def test_all_faults_are_told_at_once_with_their_lines() -> None:
    text = """
[[watch]]
path = "/data/in"
voxel_size_um = [1, 0, 1]
quite_s = 2
[service]
rescan_s = "often"
[segmentation]
min_score = 7
[tracing]
"""
    found = faults(text)
    assert [line.split(":")[0] for line in found] == [f"{ORIGIN}, line {number}" for number in (2, 4, 5, 7, 9, 10)]
    assert "output is missing" in found[0]
    assert "[1, 0, 1]" in found[1]
    assert "did you mean quiet_s?" in found[2]
    assert "'often'" in found[3]
    assert "min_score = 7" in found[4]
    assert "tracing is not a known key" in found[5]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no folder is watched"),
        ("watch = 3", "[[watch]]"),
        ("[watch]\npath = '/a'\noutput = '/b'", "[[watch]]"),
        (SMALL + "nuclear_channel = true", "channel's number"),
        (SMALL + "pattern = 'x_[0-9]+'", "(?P<t>"),
        (SMALL + "recursive = 1", "true or false"),
        (SMALL + "quiet_s = nan", "at least 0"),
        (SMALL + "ome_zarr_version = 0.5", "'0.4', '0.5'"),
        (SMALL + "[engine]\nfactory = 'segmenter'", "module:callable"),
        ('[[watch]]\npath = "/a"\noutput = "/a"', "never go into the watched folder"),
        (SMALL + SMALL, "watched twice"),
        (SMALL + '[[watch]]\npath = "/b"\noutput = "/c"', "several outputs"),
        (SMALL + '[[watch]]\npath = "/data/in/deep"\noutput = "/data/out"', "lies inside '/data/in'"),
        (SMALL + "[service]\nlisten = '0.0.0.0:9464'", "127.0.0.1:9464"),
        (SMALL + "[service]\nlisten = 9464", "127.0.0.1:9464"),
        (SMALL + "[engine]\nthreads = 2.5", "whole number"),
        (SMALL + "[tracking]\nlag_frames = 'many'", "lag_frames = 'many' must be a whole number"),
        (SMALL + "[tracking]\nfind_divisions = 1", "must be true or false"),
        (SMALL + "[segmentation]\noutline = 3", "outline = 3 is not learned, half or foot."),
        (SMALL + "[segmentation]\noutline = ['half']", "outline = ['half'] is not learned, half or foot."),
        (SMALL + "[tracking]\nmemory_frames = 8\nlag_frames = 6", "lag_frames = 6 is not above memory_frames"),
        (SMALL + "[alerts]\ncommand = 'mail me'", "not run by a shell"),
        (SMALL + "[alerts]\ncount_drop = 50", "from 0 to 1"),
        ("a = ", "not valid TOML"),
    ],
)
def test_faults_say_what_to_do(text: str, part: str) -> None:
    assert part in "\n".join(faults(text))


def test_the_second_watch_has_its_own_lines() -> None:
    text = SMALL + SMALL.replace("in", "in2") + "quiet_s = -1\n"
    assert faults(text) == [f"{ORIGIN}, line 9: quiet_s = -1 must be a number of at least 0."]


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "none.toml")


def test_wrong_parameters_of_one_table_are_all_told_each_with_its_line() -> None:
    text = SMALL + "[segmentation]\nmin_score = 7\ntile_px = 100\nseed_score = []\n"
    found = faults(text)
    assert [line.split(":")[0] for line in found] == [f"{ORIGIN}, line {number}" for number in (6, 7, 8)]
    assert "min_score = 7" in found[0]
    assert "tile_px" not in found[0]
    assert "tile_px = 100" in found[1]


def test_faults_between_watches_are_told_beside_others() -> None:
    text = SMALL + SMALL + "quiet_s = -1\n"
    found = faults(text)
    assert ["watched twice" in line for line in found] == [True, False]
    assert "quiet_s" in found[1]


def test_alerts_are_read() -> None:
    alerts = config.parse(SMALL + '[alerts]\ncommand = ["/bin/tell", "a b"]\nlag_s = 60\n', ORIGIN).alerts
    assert alerts.command == ("/bin/tell", "a b")
    assert (alerts.lag_s, alerts.count_drop) == (60.0, 0.5)
