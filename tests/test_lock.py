"""requirements.lock: every dependency of pyproject.toml with a version that it allows, and hashes for all."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DECLARED = [Requirement(one) for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]]
ENTRIES = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
LINUX = {"sys_platform": "linux", "platform_machine": "x86_64", "extra": ""}


def pinned(python: str) -> dict[str, str]:
    """The versions for a Python on Linux, by name."""
    environment = {**LINUX, "python_version": python, "python_full_version": f"{python}.7"}
    found: dict[str, str] = {}
    for entry in ENTRIES:
        requirement = Requirement(entry.partition(" --hash=")[0].strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} twice for Python {python}"
            [specifier] = requirement.specifier
            assert specifier.operator == "=="
            found[name] = specifier.version
    return found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_dependency_has_a_version_that_is_allowed(python: str) -> None:
    versions = pinned(python)
    assert len(versions) > 80
    for requirement in DECLARED:
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_every_version_has_hashes_and_comes_from_nowhere_else() -> None:
    for entry in ENTRIES:
        assert re.fullmatch(r"[\w.-]+==\S+ *(;[^\\]+?)?( +--hash=sha256:[0-9a-f]{64})+ *", entry), entry[:120]


def test_the_command_that_makes_it_stands_in_contributing() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    command = page.split("<!-- lock-command -->", 1)[1].split("```bash\n", 1)[1].split("\n", 1)[0]
    assert command.startswith("uv pip compile pyproject.toml --universal --python-version 3.11")
    assert "--generate-hashes" in command
    assert command.endswith("-o requirements.lock")


def test_no_other_major_version_is_taken_untested() -> None:
    dated = {"dask", "imagecodecs", "liffile", "oiffile", "pyarrow", "tifffile"}  # numbered by date, or several a year
    for requirement in DECLARED:
        bounded = any(one.operator in ("<", "<=", "~=") for one in requirement.specifier)
        assert bounded or requirement.name in dated, requirement
