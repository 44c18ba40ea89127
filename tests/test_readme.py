"""The README's commands, run as a user would run them, on a small stack."""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.cli import COMMANDS, build_parser
from daemon.configuration.config import load
from nuset_engine.synthetic.confocal import confocal_slices

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL))
COMMAND_LINES = [line.split("  #")[0].strip() for line in CODE.splitlines() if line.startswith("nusetd ")]
# other input; tested in other files
NEED_MORE = {"run", "train", "detect", "evaluate", "segment", "demo", "check-config", "selfcheck", "view", "serve"}


def in_first_screen(marker: str) -> str:
    """The command under a marker, which must come early."""
    at = README.index(f"<!-- {marker} -->")
    assert README[:at].count("\n") < 25
    return README[at:].split("```bash\n")[1].split("\n")[0]


def test_first_screen_has_the_two_commands() -> None:
    demo, tests = in_first_screen("demo-command"), in_first_screen("test-command")
    for command in (demo, tests):
        assert command.startswith("python3 -m venv ~/nusetd")
    assert demo.endswith("/bin/nusetd demo")
    assert tests.endswith("/bin/python -m pytest")


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_of_the_readme_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    assert build_parser(words).parse_args(words).command == words[0]


def test_the_readme_lists_every_command() -> None:
    table = "\n".join(line for line in README.splitlines() if line.startswith("| `"))
    assert not [name for name in COMMANDS if f"`{name}`" not in table]


def test_the_readme_configuration_is_valid(tmp_path: Path) -> None:
    text = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0]
    (tmp_path / "nusetd.toml").write_text(text)
    config = load(tmp_path / "nusetd.toml")
    assert [str(watch.path) for watch in config.watch] == ["/data/microscope"]


def test_process_and_queries_of_the_readme_work(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    stack = np.stack([image for image, _ in confocal_slices(np.random.default_rng(3))])
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.35, "PhysicalSizeY": 0.35, "PhysicalSizeZ": 1.5}
    for name in ("embryo.ome.tif", "old.tif"):
        extra = {"metadata": metadata, "ome": True} if name == "embryo.ome.tif" else {"metadata": None}
        target = tmp_path / ("stacks" if "ome" in name else ".") / name
        tifffile.imwrite(target, np.clip(stack, 0, 65535).astype(np.uint16), photometric="minisblack", **extra)
    ran = []
    for line in COMMAND_LINES:
        words = shlex.split(line)
        if words[1] in NEED_MORE:
            continue
        result = subprocess.run(
            [sys.executable, "-m", "daemon.cli", *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"
        assert result.stdout.strip() or words[1] in ("retry",)
        ran.append(words[1])
    assert {"process", "status", "acquisitions", "nuclei", "tracks", "export"} <= set(ran)
    query = re.search(r'sqlite3 results/nusetd.sqlite "(.*?)"', CODE)
    assert query is not None
    with sqlite3.connect(tmp_path / "results" / "nusetd.sqlite") as database:
        ((t, count, volume),) = database.execute(query.group(1)).fetchall()
    database.close()
    assert t == 0
    assert count > 3
    assert volume > 10
