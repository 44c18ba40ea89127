"""The commands of README, RECIPES and BENCHMARKS, run as a user would run them where a small stack is enough."""

from __future__ import annotations

import ast
import re
import shlex
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.sources import MODULES, nodes

from daemon.cli import COMMANDS, build_parser, main
from daemon.configuration.config import load
from nuset_engine.synthetic.confocal import confocal_slices

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "OPERATIONS.md").read_text(encoding="utf-8")
SCRIPTS = ROOT / "tests" / "benchmarks"
LONGEST_README = 160
# other input; tested in other files
NEED_MORE = {"run", "train", "detect", "evaluate", "segment", "demo", "check-config", "selfcheck", "view", "serve"}
NEED_MORE |= {"correct"}  # nuclei with just these labels


def commands_of(page: str) -> list[str]:
    """The lines of a page's shell examples that call nusetd, without their comments."""
    code = "\n".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL))
    return [line.split("  #")[0].strip() for line in code.splitlines() if line.startswith("nusetd ")]


RECIPES = commands_of((ROOT / "RECIPES.md").read_text(encoding="utf-8"))
COMMAND_LINES = list(dict.fromkeys([*commands_of(README), *RECIPES, *commands_of(BENCHMARKS)]))
BENCHMARK_LINES = sorted(
    {" ".join(line.split()) for line in re.findall(r"tests/benchmarks/(\w+\.py[^`]*)`", BENCHMARKS)}
)


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
def test_every_command_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    assert build_parser(words).parse_args(words).command == words[0]


@pytest.mark.parametrize("page", [README, OPERATIONS], ids=["README", "OPERATIONS"])
def test_a_table_lists_every_command(page: str) -> None:
    table = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    assert not [name for name in COMMANDS if f"`{name}`" not in table]


def test_the_readme_is_a_page_that_one_reads() -> None:
    assert len(README.splitlines()) < LONGEST_README


def test_numbers_of_the_readme_are_those_of_the_benchmarks() -> None:
    text = README.split("## How good it is\n")[1].split("\n## ")[0]
    numbers = re.findall(r"\d+\.\d+(?: %)?", text)
    assert len(numbers) > 3
    assert [number for number in numbers if number not in BENCHMARKS] == []


@pytest.mark.parametrize("line", BENCHMARK_LINES)
def test_every_benchmark_is_there_and_knows_its_arguments(line: str) -> None:
    name, *arguments = line.split()
    source = (SCRIPTS / name).read_text(encoding="utf-8")
    usage = {word for shown in re.findall(rf"{name} (.*)", source) for word in re.findall(r"[\w-]+", shown)}
    assert [word for word in arguments if not (word.isdigit() or word in usage or f'"{word}"' in source)] == []


def test_the_benchmarks_are_all_on_their_page() -> None:
    run = [path.name for path in SCRIPTS.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")]
    assert len(run) > 15
    assert [name for name in run if name not in BENCHMARKS] == []


def test_every_benchmark_says_what_it_measures() -> None:
    run = [path for path in SCRIPTS.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")]
    assert [path.name for path in run if "ArgumentParser(" not in path.read_text(encoding="utf-8")] == []


def test_benchmarks_tell_of_weights_that_are_none_in_a_sentence() -> None:
    said = [line for path in SCRIPTS.glob("bench_*.py") for line in path.read_text(encoding="utf-8").splitlines()]
    taking = [line.strip() for line in said if 'add_argument("--weights"' in line]
    assert len(taking) > 3
    assert [line for line in taking if "type=known_weights" not in line] == []


def test_what_benchmarks_take_from_the_packages_is_there() -> None:
    """They are run by hand: without this, who moves something learns late that one of them had it."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in MODULES}
    gone = [
        f"{path.name}: {found.module}.{one.name}"
        for path in sorted(SCRIPTS.rglob("*.py"))
        for found in nodes()[path]
        if isinstance(found, ast.ImportFrom) and found.module in modules
        for one in found.names
        if one.name not in defined(modules[found.module])
    ]
    assert gone == []


def defined(module: Path) -> set[str]:
    """All names that a module binds anywhere."""
    names = set[str]()
    for node in nodes()[module]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names.update((one.asname or one.name).split(".")[0] for one in node.names)
    return names


def test_the_readme_configuration_is_valid(tmp_path: Path) -> None:
    text = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0]
    (tmp_path / "nusetd.toml").write_text(text)
    config = load(tmp_path / "nusetd.toml")
    assert [str(watch.path) for watch in config.watch] == ["/data/microscope"]


def test_process_and_queries_of_the_pages_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command line must succeed and say something."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stacks").mkdir()
    stack = np.stack([image[:192, :192] for image, _ in confocal_slices(np.random.default_rng(3))[1:5]])
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.35, "PhysicalSizeY": 0.35, "PhysicalSizeZ": 1.5}
    for name in ("embryo.ome.tif", "old.tif"):
        extra = {"metadata": metadata, "ome": True} if name == "embryo.ome.tif" else {"metadata": None}
        target = tmp_path / ("stacks" if "ome" in name else ".") / name
        tifffile.imwrite(target, np.clip(stack, 0, 65535).astype(np.uint16), photometric="minisblack", **extra)
    asked = dict.fromkeys([*commands_of(README), *RECIPES])
    lines = [line for line in asked if "results" in line and line.split()[1] not in NEED_MORE]
    for line in lines:
        words = shlex.split(line)[1:]
        assert main(words) == 0, f"{line}\n{capsys.readouterr()}"
        assert capsys.readouterr().out.strip() or words[0] == "retry"
    assert {"process", "status", "acquisitions", "nuclei", "tracks", "export"} <= {line.split()[1] for line in lines}
    query = re.search(r'sqlite3 results/nusetd.sqlite "(.*?)"', README)
    assert query is not None
    with sqlite3.connect(tmp_path / "results" / "nusetd.sqlite") as database:
        ((t, count, volume),) = database.execute(query.group(1)).fetchall()
    database.close()
    assert t == 0
    assert count > 3
    assert volume > 10
