"""Forgetting as people and the rule of retention do it: here, by the running service, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cases.processed import process
from cases.stored import acquisition, register

import storage
from daemon.cli import main
from daemon.configuration.retention import RetentionConfig
from daemon.upkeep.forgetting import Forgetting, Order
from daemon.upkeep.gone import GoneFiles
from daemon.upkeep.retention import Retention, due
from daemon.watching.inspection import Answer, Gone, InspectionRequest, inspect
from storage.database.catalog import Catalog
from storage.errors import UnknownAcquisitionError
from storage.schema.rows import AcquisitionRow


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder with the results of one acquisition, which is complete."""
    folder, _ = process(tmp_path)
    with Catalog.open(folder) as catalog:
        catalog.complete_acquisition(1)
    return folder


def is_known(output: Path) -> bool:
    try:
        return bool(storage.open(output)["embryo"])
    except UnknownAcquisitionError:
        return False


def test_a_dry_run_tells_and_does_nothing(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "embryo", "--dry-run", "--database", str(output)]) == 0
    assert f"would forget embryo (complete): {output}/embryo.ome.zarr" in capsys.readouterr().out
    assert is_known(output)


def test_rows_and_store_go_and_the_source_stays(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "embryo", "--database", str(output)]) == 0
    assert capsys.readouterr().out == "embryo is forgotten.\n"
    assert not is_known(output)
    assert not list(output.glob("*.zarr*"))
    assert (output.parent / "embryo.tif").exists()


def test_files_may_stay(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "1", "--keep-files", "--database", str(output)]) == 0
    assert f"its OME-Zarr stays at {output}/embryo.ome.zarr" in capsys.readouterr().out
    assert not is_known(output)
    assert (output / "embryo.ome.zarr").is_dir()


def test_what_cannot_be_forgotten_is_one_sentence(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "nobody", "--database", str(output)]) == 1
    assert main(["forget", "--database", str(output)]) == 2
    assert main(["forget", "embryo", "--due", "--config", "x", "--database", str(output)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    assert is_known(output)


def test_the_running_service_does_it(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Catalog.open(output) as catalog:
        over = threading.Event()

        def serve() -> None:
            forgetting = Forgetting(catalog)
            while not over.is_set():
                for asked in catalog.requests.unanswered():
                    answer = partial(catalog.requests.answer, asked.id)
                    forgetting.order(Order(int(asked.path), asked.kind == "forget rows", answer))
                forgetting.turn()
                over.wait(0.02)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert main(["forget", "embryo", "--database", str(output), "--wait", "20"]) == 0
        finally:
            over.set()
            thread.join()
    assert capsys.readouterr().out == "embryo is forgotten.\n"
    assert not is_known(output)


def test_an_order_that_nobody_answers_is_taken_back(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Catalog.open(output) as catalog:  # as `nusetd process` does
        assert main(["forget", "embryo", "--database", str(output), "--wait", "0.1"]) == 1
        assert catalog.requests.unanswered() == []
    assert "did not answer" in capsys.readouterr().err
    assert is_known(output)


def test_dismiss_is_a_command(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Catalog.open(output) as catalog:
        catalog.set_aside_source("/in/broken.tif", "broken", "It is cut.")
        assert main(["dismiss", "broken", "--database", str(output)]) == 0  # also while the service runs
        assert catalog.queue_state().problems == ()
    assert "of 1 acquisition are" in capsys.readouterr().out


# Retention


def rows() -> list[AcquisitionRow]:
    return [_row(number, place) for number, place in ((1, "/a/1"), (2, "/b/2"), (3, "s3://bucket/3"))]


def _row(number: int, place: str) -> AcquisitionRow:
    one = acquisition()
    values = {name: getattr(one, name, None) for name in AcquisitionRow.__dataclass_fields__}
    return AcquisitionRow(**values | {"id": number, "zarr_path": place, "name": str(number)})


def test_a_rule_is_off_unless_it_says_something() -> None:
    assert due(rows(), RetentionConfig(), lambda folder: 0.0) == []


def test_scarce_room_lets_go_what_lies_there() -> None:
    free = {Path("/a"): 5.0, Path("/b"): 50.0}
    assert [row.id for row in due(rows(), RetentionConfig(free_gb=10.0), free.__getitem__)] == [1]
    assert [row.id for row in due(rows(), RetentionConfig(after_days=1.0), free.__getitem__)] == [1, 2, 3]


class Disks:
    """The clock of the wall, and a service that turns."""

    def __init__(self, catalog: Catalog) -> None:
        self.wall = datetime.now(UTC)
        self.forgetting = Forgetting(catalog)
        self.retention = Retention(catalog, self.forgetting, lambda: self.wall)

    def turn(self, rule: RetentionConfig, now: float) -> None:
        for _ in range(20):
            self.retention.turn(rule, now)
            self.retention._beside.wait()
            self.forgetting.turn()
            self.forgetting.wait()


@pytest.fixture
def disks(output: Path) -> Iterator[Disks]:
    with Catalog.open(output) as catalog:
        yield Disks(catalog)


def test_what_is_old_enough_goes_by_itself(disks: Disks, output: Path) -> None:
    rule = RetentionConfig(after_days=7.0)
    disks.turn(rule, 0.0)
    assert is_known(output)
    disks.wall += timedelta(days=6)
    disks.turn(rule, 100.0)
    assert is_known(output)
    disks.wall += timedelta(days=2)
    disks.turn(replace(rule, dry_run=True), 200.0)
    assert is_known(output), "a dry run only tells"
    disks.turn(rule, 300.0)
    assert not is_known(output)
    assert not (output / "embryo.ome.zarr").exists()


def test_the_rule_of_a_configuration_is_asked_what_is_due(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = output.parent / "nusetd.toml"
    watch = f'database = "{output}/nusetd.sqlite"\n[[watch]]\npath = "/in"\noutput = "{output}"\n[retention]\n'
    file.write_text(f"{watch}after_days = 5\n")
    assert main(["forget", "--due", "--config", str(file), "--dry-run"]) == 0
    assert "lets nothing go" in capsys.readouterr().err
    file.write_text(f"{watch}free_gb = 1e9\n")
    assert main(["forget", "--due", "--config", str(file), "--dry-run"]) == 0
    assert "would forget embryo" in capsys.readouterr().out
    assert main(["forget", "--due", "--config", str(file)]) == 0
    assert not is_known(output)


# Files that are gone


def test_problems_of_files_that_are_gone_leave_by_themselves(tmp_path: Path) -> None:
    asked: list[InspectionRequest] = []

    class Reader:
        def ask(self, request: InspectionRequest, then: object) -> None:
            asked.append(request)
            answer: Answer = inspect(request)
            then(answer)  # type: ignore[operator]

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.tif").write_text("x")
    with Catalog.open(tmp_path) as catalog:
        for name in ("broken", "lost", "away"):
            catalog.set_aside_source(tmp_path / "in" / f"{name}.tif", name, "It is cut.")
        register(catalog, acquisition(), output=tmp_path)
        gone = GoneFiles(catalog, Reader(), lambda path: path.stem != "away")
        gone.turn(0.0)
        assert isinstance(asked[0], Gone)
        gone.turn(1.0)
        assert {problem.acquisition for problem in catalog.queue_state().problems} == {"broken", "away"}
        gone.turn(30.0)
        assert len(asked) == 1, "now and then"
