"""Trials over HTTP: they are what the pipeline would make of the time point; nothing is stored; they can be stopped."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cases.live_page import LivePage, live_page
from lab import PATIENCE_S, Lab, stack, write_stack
from PIL import Image

import storage
from daemon.configuration.catalogue import every_setting

ORDER = {"X_Nusetd_Order": "1"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An acquisition of two time points, and the service that made it, which has nothing more to do."""
    root = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIRECTORY", str(root / "state"))
        made = Lab(root, {"report_s": 0.5})
        for t in range(2):
            write_stack(made.incoming / f"img_t{t:03}.tif", stack(t))
        made.start(NUSETD_TEST_PAUSE="0.5")
        made.wait(lambda: made.states() == ["complete"] and made.settled())
        yield made
        assert made.stop() == 0


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator[LivePage]:
    """Its page, and with the first trial the process that tries."""
    with live_page(lab.database) as made:
        yield made


def asked(page: LivePage, **values: object) -> dict[str, object]:
    answer = page.ask("/api/trials", "POST", {"acquisition": 1, **values}, **ORDER)
    assert answer.code == 200, answer.body
    return dict(answer.json)


def ended(page: LivePage, number: object) -> dict[str, object]:
    """A trial when it has ended."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        [found] = [one for one in page.ask("/api/acquisitions/1/trials").json["trials"] if one["id"] == number]
        if found["state"] not in ("queued", "waiting", "running"):
            return dict(found)
        time.sleep(0.1)
    pytest.fail("the trial did not end")


def labels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)


def test_a_trial_is_what_the_pipeline_makes_and_leaves_nothing(page: LivePage, lab: Lab) -> None:
    before = lab.rows("select count(*) from acquisitions") + lab.rows("select count(*) from nuclei")
    files = sorted(path for path in lab.output.rglob("*") if path.is_file() and "sqlite" not in path.name)
    same = ended(page, asked(page, t=1, settings={"segmentation.min_score": 0.5})["id"])
    assert same["state"] == "done", same
    stored = storage.open(lab.output)["img"].labels()[1].compute()
    for view, z, flat in (("slice", 3, stored[3]), ("top", 0, stored.max(0)), ("side", 0, stored.max(1))):
        answer = page.ask(f"/api/trials/{same['id']}/labels.png?view={view}&z={z}")
        np.testing.assert_array_equal(labels(answer.body), flat)  # the threshold's score decides nothing
    assert same["changes"]["stored"] == {"kept": 5, "lost": 0, "new": 0, "cut": 0, "merged": 0}
    assert same["result"] == same["stored"]
    assert same["doubt"] == ""

    none = ended(page, asked(page, t=1, settings={"volume.max_diameter_um": 1.0})["id"])
    assert (none["result"]["nuclei"], none["changes"]["stored"]["lost"]) == (0, 5)
    assert none["changes"][str(same["id"])]["lost"] == 5  # result over result

    assert lab.rows("select count(*) from acquisitions") + lab.rows("select count(*) from nuclei") == before
    assert sorted(p for p in lab.output.rglob("*") if p.is_file() and "sqlite" not in p.name) == files


def test_its_process_lets_everybody_go_first_and_ends_with_the_page(lab: Lab) -> None:
    folders, pids = _folders(), _pids()
    with live_page(lab.database) as page:
        ended(page, asked(page, t=0, settings={"volume.max_diameter_um": 1.0})["id"])
        [folder], [pid] = _folders() - folders, _pids() - pids
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19  # as whoever waits for a gap of the service has it, too
        assert _disk_class(pid) == "idle"
    until = time.monotonic() + 20
    while (folder.exists() or Path(f"/proc/{pid}").exists()) and time.monotonic() < until:
        time.sleep(0.1)
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def _disk_class(pid: int) -> str:
    number = {"x86_64": 252, "aarch64": 31}[os.uname().machine]  # ioprio_get, for which there is no function
    return ("none", "real time", "best effort", "idle")[ctypes.CDLL(None).syscall(number, 1, pid) >> 13]


def _folders() -> set[Path]:
    """Of trials of pages in this process."""
    return set(Path(tempfile.gettempdir()).glob(f"nusetd-try-{os.getpid()}-*"))


def _pids() -> set[int]:
    """Of the processes that try for them."""
    return {
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and b"daemon.trying.trial_process" in _line(entry)
        and str(os.getpid()).encode() in _line(entry).split(b"\0")
    }  # fmt: skip


def _line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def test_what_cannot_be_tried_is_a_sentence(page: LivePage) -> None:
    for values, why in (
        ({"t": 0, "settings": {"segmentation.min_score": 7}}, "min_score = 7 is not between 0 and 1"),
        ({"t": 0, "settings": {"segmentation.min_skore": 0.5}}, "is not a setting of this version"),
        ({"t": 9, "settings": {"segmentation.min_score": 0.5}}, "Time point 9 is not there yet"),
    ):
        found = ended(page, asked(page, **values)["id"])
        assert found["state"] == "failed"
        assert why in str(found["text"])
    for wrong, why in (({"t": -1}, "no whole number"), ({"t": 0, "settings": [1]}, "Settings are names")):
        answer = page.ask("/api/trials", "POST", {"acquisition": 1, **wrong}, **ORDER)
        assert (answer.code, why in answer.json["error"]) == (400, True)
    assert "not there any more" in page.ask("/api/trials/999/labels.png").json["error"]
    assert page.ask("/api/trials/1/labels.png?view=inside").code == 400


@pytest.mark.long  # it kills a process, and another one goes on; `.ci/run` runs it once
def test_a_trial_can_be_stopped_and_the_next_one_goes_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with live_page(lab.database) as page:
        stop_one_of_two(page, monkeypatch)
        each = [{"acquisition": 1, "t": 0, "settings": {"volume.min_iou": 0.1 + n / 100}} for n in range(30)]
        many = [page.ask("/api/trials", "POST", order, **ORDER) for order in each]
    refused = [answer for answer in many if answer.code != 200]
    assert refused
    assert "are waiting already" in refused[0].json["error"]


def stop_one_of_two(page: LivePage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one takes a minute unless it is stopped; the other one is waiting."""
    monkeypatch.setenv("NUSETD_TEST_PAUSE", "60")
    slow = asked(page, t=0, settings={"segmentation.nms_iou": 0.2})
    waits = asked(page, t=0, settings={"segmentation.nms_iou": 0.25})
    monkeypatch.delenv("NUSETD_TEST_PAUSE")
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        [found] = [one for one in page.ask("/api/acquisitions/1/trials").json["trials"] if one["id"] == slow["id"]]
        if found["text"] == "the network is being loaded":
            break
        time.sleep(0.1)
    assert page.ask(f"/api/trials/{slow['id']}/stop", "POST", {"acquisition": 1}, **ORDER).code == 200
    assert ended(page, slow["id"])["state"] == "stopped"
    assert ended(page, waits["id"])["state"] == "done"


def test_a_trial_waits_until_the_service_has_nothing_to_do(page: LivePage, lab: Lab) -> None:
    def trial() -> dict[str, object]:
        [found] = [one for one in page.ask("/api/acquisitions/1/trials").json["trials"] if one["id"] == number]
        return dict(found)

    worker = lab.worker_pid()
    os.kill(worker, signal.SIGSTOP)  # what comes is at work until it goes on
    try:
        for t in range(3):
            write_stack(lab.incoming / f"more_t{t:03}.tif", stack(t))
        lab.wait(lambda: lab.rows("select count(*) from timepoints")[0][0] > 2)
        number = asked(page, t=0, settings={"segmentation.nms_iou": 0.3})["id"]
        lab.wait(lambda: trial()["state"] == "waiting")
    finally:
        os.kill(worker, signal.SIGCONT)
    lab.wait(lambda: (found := trial())["state"] == "done" or bool(found["of"]))  # it computes
    assert lab.rows("select count(*) from timepoints where state in ('queued', 'running')") == [(0,)]
    assert ended(page, number)["state"] == "done"


def test_what_can_be_set_is_shown_with_values_and_origins(page: LivePage, lab: Lab) -> None:
    found = page.ask("/api/acquisitions/1/settings").json
    assert [one["name"] for one in found["settings"]] == [one.full_name for one in every_setting()]
    by_name = {one["name"]: one for one in found["settings"]}
    assert by_name["segmentation.min_score"]["stored"] == by_name["segmentation.min_score"]["default"]
    assert by_name["segmentation.min_score"]["in_use"]["origin"] == "default"
    assert by_name["tracking.memory_frames"]["tried"] is False
    for one in found["settings"]:
        slider, value = one["slider"], one["default"]
        if slider is not None and value is not None:
            assert slider["low"] <= value <= slider["high"], one["name"]
            assert 2 <= (slider["high"] - slider["low"]) / slider["step"] <= 1000, one["name"]
    assert found["watch"] == str(lab.incoming)
    assert found["runs"] is True


def test_orders_are_recorded_with_their_settings_and_answered_by_the_service(page: LivePage, lab: Lab) -> None:
    told = page.order("settings", acquisition=1, values={"segmentation.min_score": 0.3}, by="Anna")
    assert told.code == 200
    number = told.json["request"]
    lab.wait(lambda: page.ask(f"/api/requests/{number}").json["accepted"] is not None)
    answer = page.ask(f"/api/requests/{number}").json
    assert answer["accepted"], answer
    shown = {one["name"]: one for one in page.ask("/api/acquisitions/1/settings").json["settings"]}
    setting = shown["segmentation.min_score"]
    assert setting["in_use"]["value"] == 0.3
    assert setting["in_use"]["by"].startswith("Anna (")
    [(what, subject, facts)] = lab.rows("select what, subject, facts from changes")
    assert (what, subject) == ("override", str(lab.incoming))
    assert "0.3" in facts
    wrong = page.order("settings", acquisition=1, values={"segmentation.min_score": 3})
    assert (wrong.code, "is not between" in wrong.json["error"]) == (409, True)
    assert page.order("settings", acquisition=1).code == 400
    assert page.ask("/api/requests/99").code == 404
