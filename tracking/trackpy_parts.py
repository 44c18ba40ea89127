"""The modules of trackpy that tracking needs, its linker and its displacements, loaded without the rest of it.

Importing trackpy as a whole also loads numba, scikit-learn and scipy.stats for what is never called here: half of what
a process that tracks takes to start. So these modules are loaded out of an empty package, as a copy of our own. Whoever
imports trackpy beside us gets the whole one.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import PathFinder
from types import ModuleType

LINKING, LINKING_ERRORS, MOTION = "trackpy.linking.linking", "trackpy.linking.utils", "trackpy.motion"
_OPTIONAL = ("numba", "sklearn", "IPython")  # trackpy does without where they are not installed
_UNUSED = ("scipy.stats",)  # imported at its top, and used by nothing that these modules do


def part(name: str) -> ModuleType:
    """One of `LINKING`, `LINKING_ERRORS` and `MOTION`."""
    return _parts()[name]


@cache
def _parts() -> dict[str, ModuleType]:
    """Modules by name: those of the whole trackpy where it is loaded already, else copies."""
    names = (LINKING, LINKING_ERRORS, MOTION)
    if "trackpy" not in sys.modules:
        try:
            with _emptied():
                return {name: importlib.import_module(name) for name in names}
        except (ImportError, AttributeError):  # a version that is built otherwise: then all of it
            pass
    return {name: importlib.import_module(name) for name in names}


@contextmanager
def _emptied() -> Iterator[None]:
    """Meanwhile trackpy is a package that imports nothing by itself, and cannot have what it does without."""
    aside: dict[str, ModuleType | None] = {"trackpy": _shell("trackpy", None)}
    aside["trackpy.linking"] = _shell("trackpy.linking", aside["trackpy"])
    aside |= {name: None for name in _OPTIONAL if name not in sys.modules}
    aside |= {name: ModuleType(name) for name in _UNUSED if name not in sys.modules}
    sys.modules.update(aside)  # type: ignore[arg-type]  # None is how Python marks what cannot be imported
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name in aside or name.startswith("trackpy.")]:
            del sys.modules[name]


def _shell(name: str, parent: ModuleType | None) -> ModuleType:
    """A package of this name, of which nothing ran."""
    found = PathFinder.find_spec(name, None if parent is None else parent.__path__)
    if found is None or found.submodule_search_locations is None:
        raise ImportError(f"{name} is no package")
    shell = ModuleType(name)
    shell.__path__ = found.submodule_search_locations
    return shell
