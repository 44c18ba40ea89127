"""Types that say something: arrays by name, names that are used, and a checker that skips nothing."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest
from cases.sources import MODULES, PACKAGES, ROOT

NAMES_OF_ARRAYS = [path for path in MODULES if path.name == "arrays.py"]
ALIAS = re.compile(r"^(\w+) = .*?(?:#\s*(.*))?$", re.MULTILINE)
STRICT = ("disallow_untyped_defs", "disallow_any_generics", "warn_return_any", "warn_unreachable")


def test_no_array_is_bare() -> None:
    """`np.ndarray` says neither axes nor what lies along them; the names in `arrays.py` do."""
    found = {path.relative_to(ROOT).as_posix(): list(bare_arrays(path.read_text("utf-8"))) for path in MODULES}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f(x: np.ndarray) -> None: ...", [1]),
        ("import numpy\nx: list[numpy.ndarray] = []", [2]),
        ("from numpy import ndarray\nclass A(Sequence[ndarray]): ...", [2]),
        ("def f(x: 'np.ndarray | None') -> None: ...", [1]),
        ("def f(x: object) -> bool:\n    return isinstance(x, np.ndarray)", []),
        ("def f(x: NDArray[np.float32]) -> None: ...", []),
    ],
)
def test_a_bare_array_is_seen(source: str, lines: list[int]) -> None:
    assert list(bare_arrays(source)) == lines


def test_every_name_of_an_array_says_its_axes_and_is_used() -> None:
    words = {path: set(re.findall(r"\w+", path.read_text("utf-8"))) for path in MODULES}
    for module in NAMES_OF_ARRAYS:
        for name, comment in ALIAS.findall(module.read_text("utf-8")):
            users = [path for path in MODULES if path != module and name in words[path]]
            assert comment, f"{name} says nothing about its axes"
            assert users, f"{name} is used nowhere"


def test_the_checker_is_strict_and_skips_nothing() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    overrides = settings.pop("overrides")
    assert [name for name in STRICT if not settings.get(name)] == []
    assert sorted(settings["packages"]) == sorted(PACKAGES)
    for override in overrides:
        assert set(override) == {"module", "ignore_missing_imports"}
        assert not any(name.split(".")[0] in PACKAGES for name in override["module"])


def bare_arrays(source: str) -> Iterator[int]:
    """Lines that name the class of all arrays, but for questions whether something is one."""
    if "ndarray" not in source:
        return
    tree = ast.parse(source)
    asked = {
        part
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "isinstance"
        for part in ast.walk(call)
    }
    for node in ast.walk(tree):
        named = (
            (isinstance(node, ast.Attribute) and node.attr == "ndarray")
            or (isinstance(node, ast.Name) and node.id == "ndarray")
            or (isinstance(node, ast.Constant) and isinstance(node.value, str) and "np.ndarray" in node.value)
        )
        if named and node not in asked:
            yield node.lineno
