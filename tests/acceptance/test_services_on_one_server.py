"""A service for each group of microscopes, all on one PostgreSQL server: a database each, whole processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cases import postgres
from lab import Lab, asked, nusetd, stack, write_stack
from sqlalchemy import create_engine, text

import storage
from storage.errors import OtherSchemaError

pytestmark = pytest.mark.long  # `.ci/run` runs them once
FRAMES = 3


def databases(server: str, *names: str) -> list[str]:
    """Make them; their URLs."""
    engine = create_engine(server.replace("postgresql://", "postgresql+pg8000://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return [server.replace("/postgres", f"/{name}") for name in names]


def on(lab: Lab, url: str) -> Lab:
    """Have a lab's service keep its rows there."""
    lab.config.write_text(f'database = "{url}"\n' + lab.config.read_text())
    return lab


def nuclei(url: str) -> dict[str, int]:
    """How many each acquisition that is complete has."""
    try:
        found = storage.open(url)
    except OtherSchemaError:  # the service has not made its tables yet
        return {}
    names = found.acquisitions("state = 'complete'", ["name"])["name"]
    return {name: len(found[name].nuclei()) for name in names}


def test_two_services_with_two_databases_and_one_of_them_is_merged_into_a_file(
    tmp_path: Path, new_lab: Callable[..., Lab]
) -> None:
    if postgres.binaries() is None:
        pytest.skip("needs PostgreSQL: apt install postgresql")
    with postgres.server() as server:
        urls = databases(server, "scope1", "scope2")
        labs = [on(new_lab(name), url) for name, url in zip(("one", "two"), urls, strict=True)]
        for number, lab in enumerate(labs):
            lab.start()
            for t in range(FRAMES):
                write_stack(lab.incoming / f"cell{number}_t{t:03}.tif", stack(t, seed=number + 1))
        for number, (lab, url) in enumerate(zip(labs, urls, strict=True)):
            lab.wait(lambda number=number, url=url: nuclei(url) == {f"cell{number}": 5 * FRAMES})  # type: ignore[misc]
        third = on(new_lab("three"), urls[0])
        third.start()
        assert third.process is not None
        assert third.process.wait(60) == 1
        assert "Another nusetd is writing to the database" in third.said()
        assert "give this one a database of its own" in third.said()
        assert "Traceback" not in third.said()
        for lab in labs:
            assert lab.stop() == 0, lab.said()
        into = tmp_path / "all.sqlite"
        for _ in range(2):
            merged = nusetd("merge", *urls, "--into", into)
            assert merged.returncode == 0, merged.stderr
        assert nuclei(str(into)) == {"cell0": 5 * FRAMES, "cell1": 5 * FRAMES}
        assert asked("verify", "cell1", "--database", into).returncode == 0
