"""The unit and its example configuration: valid, hardened, and every directive explained."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from daemon.configuration import config
from daemon.configuration.alerts import AlertsConfig
from daemon.configuration.cluster.scheduler_access import SchedulerAccess
from daemon.configuration.config import WatchConfig
from daemon.configuration.retention import RetentionConfig
from daemon.configuration.rules import RuleConfig
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


def with_everything(text: str) -> str:
    """The example with all that is commented out switched on."""
    return re.sub(r"^# (\w+ = |\[+[\w.]+\]+$)", r"\1", text, flags=re.MULTILINE)


def commented() -> dict[str, set[str]]:
    """By table, the names that the example shows as comments."""
    found: dict[str, set[str]] = {}
    table = ""
    for line in EXAMPLE.read_text().splitlines():
        if header := re.match(r"(?:# )?\[+([\w.]+)\]+$", line):
            table = header[1]
        elif name := re.match(r"# (\w+) = ", line):
            found.setdefault(table, set()).add(name[1])
    return found


def test_the_example_is_valid_as_it_stands_and_with_everything_in_it() -> None:
    text = EXAMPLE.read_text()
    as_it_stands = config.parse(text, EXAMPLE)
    everything = config.parse(with_everything(text), EXAMPLE)
    assert len(as_it_stands.watch) == len(everything.watch) == len(everything.rules) == 1
    assert as_it_stands.rules == ()
    assert everything.watch[0].voxel_size_um == (2.0, 0.3, 0.3)


TABLES = {
    "watch": WatchConfig(Path(), Path()),
    "service": ServiceConfig(),
    "engine": EngineConfig(),
    "engine.dask": SchedulerAccess("tcp://127.0.0.1:8786"),
    "alerts": AlertsConfig(),
    "retention": RetentionConfig(),
    "when": RuleConfig("", "tracks", ""),
}
INSIDE = {"own", "overridden", "cluster", "address"}
"""The settings of one folder, and tables of their own."""


def test_the_example_shows_every_setting() -> None:
    written = set(re.findall(r"^(\w+) = ", EXAMPLE.read_text(), re.MULTILINE))
    shown = commented()
    lacking = {(name, key) for name, table in TABLES.items() for key in vars(table)} - {
        (name, key) for name in TABLES for key in shown[name] | written | INSIDE
    }
    assert lacking == set()
    assert "[watch.segmentation]" in EXAMPLE.read_text()


WITHOUT = {
    "watch": {
        "step", "nuclear_channel", "voxel_size_um", "voxel_size_override_um", "axes", "frame_interval_s", "pattern",
        "exclude",
    },
    "engine": {"threads", "gpu_memory_gb"},
    "engine.dask": {"ca", "certificate", "key"},
    "alerts": {"command"},
    "when": {"name", "over", "where", "say", "next", "webhook", "command"},
}  # fmt: skip
"""What has no default: shown with a value that somebody may want."""


def test_the_example_shows_the_true_defaults() -> None:
    document = tomllib.loads(with_everything(EXAMPLE.read_text()))
    for table, names in commented().items():
        if table not in TABLES:
            continue
        values = document
        for part in table.split("."):
            values = values[part]
        values = values[0] if isinstance(values, list) else values
        for name in names - WITHOUT.get(table, set()):
            assert values[name] == getattr(TABLES[table], name), (table, name)
