"""The configuration: defaults, and every fault named with its line, its value and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon import config
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
    assert [line.split(":")[0] for line in found] == [f"{ORIGIN}, line {number}" for number in (2, 4, 5, 7, 8, 10)]
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


def test_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = tmp_path / "nusetd.toml"
    path.write_text(SMALL.replace("/data/in", str(tmp_path / "absent")))
    assert "absent" in config.missing_folders(config.load(path))[0].sentence
