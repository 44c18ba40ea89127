"""The law of imports, rooms without circles, the limits of size, and that importing a package is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from cases.sources import MODULES, PACKAGES, ROOT, TESTS, nodes, trees

ROOMS = sorted(path for path in MODULES if path.name == "__init__.py")
LARGEST_FILE = 400
LONGEST_FUNCTION = 40
LARGEST_ROOM = 15
LARGER = ("daemon/commands", "storage/readers", "storage/schema/migrations/versions")
"""Rooms of many equal things, a file each: commands, what readers of all formats share, and migrations."""
HEAVY = ("tensorflow", "keras", "matplotlib", "trackpy", "ome_zarr", "pyarrow", "dask")
Graph = Mapping[str, set[str]]


def test_imports_keep_every_contract() -> None:
    """`daemon -> storage -> tracking -> nuset_engine`, never back, and the directions between rooms."""
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(contracts) >= 16
    assert f"{len(contracts)} kept, 0 broken" in run.stdout


def test_no_circle_between_modules() -> None:
    """Not even for type checking, or inside a function."""
    assert circle(imports()) == []


def test_no_circle_between_rooms() -> None:
    """A room may know another or be known by it, not both; `daemon.pipeline` is a page of the room that executes it."""
    assert circle(joined(imports(), room)) == []


def test_a_circle_is_seen(tmp_path: Path) -> None:
    """What the two tests above rest on: imports for type checking and within functions count."""
    (tmp_path / "one.py").write_text("if TYPE_CHECKING:\n    from two import Thing\n")
    (tmp_path / "two.py").write_text("def late():\n    import one\n")
    found = imports({name: tmp_path / f"{name}.py" for name in ("one", "two")})
    assert sorted(set(circle(found))) == ["one", "two"]


def test_files_and_functions_are_short() -> None:
    """Files of at most 400 lines, functions of at most 40 without their docstring."""
    assert list(_too_long()) == []


def test_rooms_are_small() -> None:
    """At most 15 files lie flat, but for rooms of many equal things."""
    flat = Counter(path.parent.relative_to(ROOT).as_posix() for path in MODULES if path.name != "__init__.py")
    assert {name: count for name, count in flat.items() if count > LARGEST_ROOM and name not in LARGER} == {}


def test_every_room_says_what_it_is() -> None:
    """In a paragraph: what it does, takes and gives, and must not touch."""
    said = {_name(path): ast.get_docstring(trees()[path]) or "" for path in ROOMS}
    short = [name for name, text in said.items() if len(text.split()) < 20 and ".migrations" not in name]
    assert short == []


def test_a_name_means_one_thing() -> None:
    """No two modules have a class, or another name for a type, that is called the same; type variables are local."""
    where: dict[str, list[str]] = {}
    for path in MODULES:
        for name in _types(trees()[path]):
            where.setdefault(name, []).append(_name(path))
    assert {name: modules for name, modules in where.items() if len(modules) > 1} == {}


def test_modules_of_tests_have_names_of_their_own() -> None:
    """Of two with one name pytest collects neither the second nor, without it, anything."""
    names = Counter(path.name for path in TESTS if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


def test_importing_a_room_loads_nothing_heavy() -> None:
    """TensorFlow, plotting and table formats are loaded where they are used, not where a package is imported."""
    rooms = [name for name in map(_name, ROOMS) if ".migrations" not in name]
    code = (
        "import importlib, sys\n"
        f"for name in {rooms!r}:\n"
        "    importlib.import_module(name)\n"
        f"    loaded = [heavy for heavy in {HEAVY!r} if heavy in sys.modules]\n"
        "    assert not loaded, (name, loaded)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_what_the_benchmark_of_tests_names_is_there() -> None:
    """Its table of modules and their tests follows what is moved."""
    table = ast.parse((ROOT / "tests" / "benchmarks" / "mutation" / "targets.py").read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(table) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    paths = {text for text in texts if "/" in text and text.endswith(".py")}
    assert len(paths) > 20
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_top_level_holds_what_the_layout_says() -> None:
    """No other top-level folder than the four packages, tests and systemd."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    folders = {line.split("/")[0] for line in listed.stdout.splitlines() if "/" in line}
    assert folders - {".ci"} == {*PACKAGES, "tests", "systemd"}


def imports(modules: Mapping[str, Path] | None = None) -> dict[str, set[str]]:
    """Each module with those that it imports, wherever the import stands."""
    if modules is None:
        return _imports_of_all()
    return _imports({name: list(ast.walk(ast.parse(path.read_text("utf-8")))) for name, path in modules.items()})


@cache
def _imports_of_all() -> dict[str, set[str]]:
    return _imports({_name(path): nodes()[path] for path in MODULES})


def _imports(inside: Mapping[str, Iterable[ast.AST]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, of_it in inside.items():
        named = {some for node in of_it for some in _imported(node, inside)}
        found[name] = (named & inside.keys()) - {name}
    return found


def _imported(node: ast.AST, modules: Container[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name packages in full"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in modules else str(node.module)


def room(module: str) -> str:
    """The room that a module lies in; one that lies in none is its own."""
    if module == "daemon.pipeline":
        return "daemon.processing"
    return ".".join(module.split(".")[:2])


def joined(graph: Graph, of: Callable[[str], str]) -> dict[str, set[str]]:
    """The graph of groups."""
    groups: dict[str, set[str]] = {}
    for module, others in graph.items():
        groups.setdefault(of(module), set()).update(map(of, others))
    return {name: others - {name} for name, others in groups.items()}


def _types(tree: ast.Module) -> Iterator[str]:
    """Public classes of a module, and what it assigns to a capitalised name."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, made = node.targets[0].id, getattr(getattr(node.value, "func", None), "id", "")
            if name[0].isupper() and not name.isupper() and made != "TypeVar":
                yield name


def circle(graph: Graph) -> list[str]:
    """One circle, its first member twice; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _too_long() -> Iterator[str]:
    for path in MODULES:
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
        if (lines := len(text.splitlines())) > LARGEST_FILE:
            yield f"{name}: {lines}"
        for node in nodes()[path]:
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and (length := _length(node)) > LONGEST_FUNCTION
            ):
                yield f"{name}, {node.name}: {length}"


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def _name(path: Path) -> str:
    """A module's dotted name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
