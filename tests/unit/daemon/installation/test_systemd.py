"""The unit and its example configuration: valid, hardened, and every directive explained."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.configuration import config
from daemon.configuration.alerts import AlertsConfig
from daemon.configuration.config import WatchConfig
from daemon.configuration.retention import RetentionConfig
from daemon.configuration.service_config import EngineConfig, ServiceConfig

SYSTEMD = Path(__file__).parents[4] / "systemd"
UNIT = SYSTEMD / "nusetd.service"
EXAMPLE = SYSTEMD / "nusetd.toml"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this computer")
def test_the_exposure_is_at_most_1_5() -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_every_directive_has_its_reason_above() -> None:
    explained = False
    for line in UNIT.read_text().splitlines():
        if line.startswith("#"):
            explained = True
        elif not line or line.startswith("["):
            explained = line.startswith("[Install]")
        else:
            assert explained or line.startswith(("Description=", "WantedBy=")), f"{line} has no comment above"


def test_tensorflow_is_not_forbidden_to_write_its_code() -> None:
    set_in_unit = re.findall(r"^(\w+)=", UNIT.read_text(), re.MULTILINE)
    assert "MemoryDenyWriteExecute" not in set_in_unit


def test_the_example_is_valid_as_it_stands_and_with_everything_in_it(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    as_it_stands = config.parse(text, EXAMPLE)
    everything = config.parse(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE), EXAMPLE)
    assert len(as_it_stands.watch) == len(everything.watch) == 1
    assert everything.watch[0].voxel_size_um == (2.0, 0.3, 0.3)


def test_the_example_shows_every_setting() -> None:
    shown = set(re.findall(r"^(?:# )?(\w+) = ", EXAMPLE.read_text(), re.MULTILINE))
    tables = (WatchConfig(Path(), Path()), ServiceConfig(), EngineConfig(), AlertsConfig(), RetentionConfig())
    tables_inside = {"own", "overridden"}  # the settings of one folder
    assert [name for table in tables for name in vars(table) if name not in shown | tables_inside] == []
    assert "[watch.segmentation]" in EXAMPLE.read_text()


# What has no default: shown with a value that somebody may want.
WITHOUT = {
    "step",
    "nuclear_channel",
    "voxel_size_um",
    "voxel_size_override_um",
    "axes",
    "frame_interval_s",
    "gpu_memory_gb",
    "pattern",
    "command",
    "exclude",
}


def test_the_example_shows_the_true_defaults() -> None:
    shown = dict(re.findall(r"^# (\w+) = ([^#\n]+?)\s*(?:#.*)?$", EXAMPLE.read_text(), re.MULTILINE))
    for defaults in (WatchConfig(Path(), Path()), ServiceConfig(), AlertsConfig(), RetentionConfig()):
        for name in vars(defaults).keys() & shown.keys() - WITHOUT:
            value = getattr(defaults, name)
            assert shown[name].strip('"') == (str(value).lower() if isinstance(value, bool) else str(value)), name
