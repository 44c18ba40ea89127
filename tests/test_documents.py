"""The documents and docstrings speak of what is there: modules, names, files and links, under their present names."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
import yaml
from cases.sources import MODULES, PACKAGES, ROOT, nodes, trees

from daemon.configuration.catalogue import every_setting
from daemon.configuration.settings_page import settings_page

PAGES = sorted(ROOT.glob("*.md"))
DOTTED = re.compile(rf"(?<![\w./@-])(?:{'|'.join(PACKAGES)})(?:[.:][A-Za-z_]\w*)+(?!\w|\()")
QUOTED = re.compile(r"`([A-Za-z_][\w.]*)`")
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NAMED: dict[type[ast.AST], str] = {
    ast.Name: "id",
    ast.Attribute: "attr",
    **dict.fromkeys((ast.arg, ast.keyword), "arg"),
    ast.ImportFrom: "module",
    **dict.fromkeys((ast.alias, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.ExceptHandler), "name"),
}
"""Where a node has a word that the code uses."""
OF_OTHERS = {"StateDirectory", "sd_notify"}
"""Names in docstrings that belong to systemd."""
MADE_OF_PARTS = {"_t001", "_T1", "name_00001", "tp_75", "GFP_1_mean"}
"""Parts of file names that microscopes write, and a column whose name is put together."""
SETTINGS = {one.full_name for one in every_setting()}
FILE_ENDINGS = (".csv", ".tif")


@cache
def texts() -> dict[Path, tuple[list[ast.Constant], list[ast.Constant]]]:
    """Of each module its docstrings, those of attributes and constants too, and all its other strings."""
    return {path: _divided(found) for path, found in nodes().items()}


def _divided(found: Iterable[ast.AST]) -> tuple[list[ast.Constant], list[ast.Constant]]:
    statements = (one for node in found if isinstance(node, DEFINITIONS) for one in node.body)
    alone = (one.value for one in statements if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    prose = [one for one in alone if isinstance(one.value, str)]
    of_prose = set(prose)
    strings = (node for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return prose, [one for one in strings if one not in of_prose]


def names_of_code() -> set[str]:
    """Every word that the code itself uses: names, arguments, attributes, modules, words in strings."""
    names: set[str] = set()
    for path, found in nodes().items():
        names |= {path.stem, path.parent.name}
        names |= {getattr(node, field) or "" for node in found if (field := NAMED.get(type(node))) is not None}
        for one in texts()[path][1]:
            names |= set(re.findall(r"\w+", str(one.value)))
    return names | {part for name in names for part in name.split(".")}


def comments(path: Path) -> list[str]:
    """The comments of a module; none where no line could be a comment that names something."""
    text = path.read_text(encoding="utf-8")
    told = (line.partition("#")[2] for line in text.splitlines())
    if not any(QUOTED.search(one) or DOTTED.search(one) for one in told):
        return []
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def exists(dotted: str) -> bool:
    """Say whether a dotted name is a package, a module, a name at the top of one, or a setting."""
    if dotted in SETTINGS:
        return True
    *parents, last = re.split("[.:]", dotted)
    at = ROOT.joinpath(*parents)
    if (at / last).is_dir() or (at / f"{last}.py").is_file():
        return True
    module = trees().get(at / "__init__.py") or trees().get(at.with_suffix(".py"))
    if module is None:  # perhaps an attribute of a class
        return len(parents) > 2 and exists(".".join(parents))
    return last in set().union(*(_bound(node) for node in module.body))


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement binds, with those of the blocks in it."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    inside = (one for field in ("body", "orelse", "handlers", "finalbody") for one in getattr(node, field, []))
    return set().union(*(_bound(one) for one in inside))


def test_docstrings_and_comments_name_what_is_there() -> None:
    """Whatever stands in backticks is a name that the code uses; of our own packages, the very place exists."""
    known = names_of_code() | OF_OTHERS | MADE_OF_PARTS
    wrong = []
    for path in MODULES:
        for text in [str(one.value) for one in texts()[path][0]] + comments(path):
            ours = [name for name in DOTTED.findall(text) if not exists(name)]
            unknown = [name for name in QUOTED.findall(text) if not set(name.split(".")) <= known]
            wrong += [f"{path.relative_to(ROOT)}: {name}" for name in ours + unknown if not name.endswith(FILE_ENDINGS)]
    assert wrong == []


def test_the_page_of_settings_is_made_from_them() -> None:
    """`nusetd settings --format markdown > SETTINGS.md` brings it up to date."""
    assert (ROOT / "SETTINGS.md").read_text(encoding="utf-8") == settings_page()


def test_texts_in_the_code_name_what_is_there() -> None:
    """Import paths as texts: what is patched, started, looked up or run in another process."""
    wrong = []
    for path, (_, strings) in texts().items():
        for text in (str(one.value) for one in strings):
            imports = (f"{module}.{name}" for module, name in re.findall(r"from ([\w.]+) import (\w+)", text))
            names = [*DOTTED.findall(text), *(name for name in imports if name.split(".")[0] in PACKAGES)]
            missing = (name for name in names if not name.endswith(FILE_ENDINGS) and not exists(name))
            wrong += [f"{path.relative_to(ROOT)}: {name}" for name in missing]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_modules_files_and_pages_that_are_there(page: Path) -> None:
    """Dotted names of our packages, paths of Python files, and links between pages."""
    text = page.read_text(encoding="utf-8")
    wrong = [name for name in DOTTED.findall(text) if not exists(name)]
    places = (ROOT, ROOT / "tests" / "benchmarks")
    files = re.findall(r"[\w/.-]+\.py\b", text)
    wrong += [file for file in files if not any((place / file).is_file() for place in places)]
    wrong += [link for link in re.findall(r"\]\(([\w./-]+)\)", text) if not (ROOT / link).exists()]
    assert wrong == []


def test_the_architecture_lists_every_room() -> None:
    """Each sub-package that is not inside another one stands on the page, by its name."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = [f"{file.parent.parent.name}.{file.parent.name}" for file in sorted(ROOT.glob("*/*/__init__.py"))]
    rooms = [room for room in rooms if room.split(".")[0] in PACKAGES]
    assert len(rooms) > 20
    assert [room for room in rooms if f"`{room}`" not in page] == []


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert citation["references"][0]["doi"] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_commits_are_checked_by_the_tools_that_the_tests_bring() -> None:
    """Hooks are local ones, and each calls a program that `.[test]` installs."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [one["repo"] for one in hooks] == ["local"]
    programs = {hook["entry"].split()[0] for hook in hooks[0]["hooks"]}
    assert programs == {"ruff", "mypy", "lint-imports"}
