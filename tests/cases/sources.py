"""The project's own code, parsed and walked once for all tests about it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from nuset_engine.loading import undisturbed

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("daemon", "storage", "tracking", "nuset_engine")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


@cache
def trees() -> dict[Path, ast.Module]:
    """All modules, those of the tests too."""
    with undisturbed():  # millions of nodes, none of which is garbage
        return {path: ast.parse(path.read_text(encoding="utf-8")) for path in (*MODULES, *TESTS)}


@cache
def nodes() -> dict[Path, list[ast.AST]]:
    """All that is in each of them, as `ast.walk` gives it."""
    with undisturbed():
        return {path: list(ast.walk(tree)) for path, tree in trees().items()}
