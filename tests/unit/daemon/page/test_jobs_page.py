"""Predict and train over HTTP: what is uploaded, ordered, told and given back, and what is refused."""

from __future__ import annotations

import http.client
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
import tifffile
from cases import family
from cases.corrected import CorrectedMovie, image_at, labels_at
from cases.live_page import Answer, LivePage, live_page
from PIL import Image

import storage
from daemon.files.learning import take_corrected
from daemon.jobs.job import JobState
from daemon.jobs.job_folders import IMAGES, RESULTS, JobFolders
from daemon.jobs.training_order import TrainOrder
from daemon.overrides.book import SERVICE, WEIGHTS
from daemon.page.live.guard import Visitors
from daemon.page.live.jobs.job_orders import JobRules
from daemon.page.live.jobs.progress import MOST_POINTS, JobProgress
from daemon.page.live.jobs.uploads import UploadLimits
from nuset_engine.training.pairs import read_pairs
from storage import naming
from storage.database.catalog import Catalog

HOSTILE = '<img src=x onerror=alert(1)>/../../..\\evil";.tif'
ENGINE = ("--engine", "classical_engine:ClassicalEngine")
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, folders beside it, and one image with labels."""
    root = tmp_path_factory.mktemp("jobs")
    family.fill(root)
    for name in ("images", "labels"):
        (root / "open" / name).mkdir(parents=True)
    image = np.zeros((64, 64), np.uint16)
    image[10:20, 10:20], image[30:44, 30:44] = 900, 700
    tifffile.imwrite(root / "open" / "images" / "a.tif", image)
    tifffile.imwrite(root / "open" / "labels" / "a.tif", (image > 800) + 2 * ((image > 0) & (image < 800)).astype("u1"))
    (root / "closed").mkdir()
    tifffile.imwrite(root / "closed" / "secret.tif", image)
    (root / "open" / "linked").mkdir()
    (root / "open" / "linked" / "secret.tif").symlink_to(root / "closed" / "secret.tif")
    (root / "open" / "way-out").symlink_to(root / "closed")
    return root


@pytest.fixture(scope="module")
def page(results: Path) -> Iterator[LivePage]:
    """Its page, with small limits."""
    path = os.pathsep.join([str(Path(__file__).parents[3] / "acceptance"), os.environ.get("PYTHONPATH", "")])
    rules = JobRules(results / "jobs", UploadLimits(megabytes=1, files=2), engine=ENGINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        patch.setenv("STATE_DIRECTORY", str(results / "state"))
        with live_page(results, folders=[results / "open"], rules=rules) as made:
            yield made


def send(page: LivePage, job: str, name: str, content: bytes, **headers: str) -> Answer:
    """Upload a file as the page does."""
    connection = http.client.HTTPConnection(urlsplit(page.address).netloc, timeout=60)
    try:
        given = {"X-Nusetd-Order": "1", "Origin": page.address, **headers}
        connection.request(
            "POST",
            f"/api/uploads/{job}?name={quote(name)}",
            content,
            given,
            encode_chunked="Transfer-Encoding" in headers,
        )
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def tiff(results: Path) -> bytes:
    return (results / "open" / "images" / "a.tif").read_bytes()


def draft(page: LivePage) -> str:
    answer = page.order("draft")
    assert answer.code == 200, answer.body
    return str(answer.json["job"])


def ended(page: LivePage, job: str) -> dict:
    """The job, once it has ended."""
    end = time.monotonic() + PATIENCE_S
    while (found := page.ask(f"/api/jobs/{job}").json)["alive"]:
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def test_an_uploaded_image_comes_back_with_outlines_labels_and_a_table(page: LivePage, results: Path) -> None:
    """Whatever it is called: a name is shown as it is, and leads nowhere."""
    job = draft(page)
    assert send(page, job, HOSTILE, tiff(results)).code == 200
    folder = results / "jobs" / job
    assert [path.name for path in (folder / IMAGES).iterdir()] == ["0001.tif"]
    answer = page.order("predict", job=job, weights="fluorescence", settings={"segmentation.min_score": 0.5})
    assert answer.code == 200, answer.body
    found = ended(page, job)
    assert (found["state"], found["summary"]) == ("done", "1 of 1 image, 2 nuclei"), found["why"]
    assert "--set=segmentation.min_score=0.5" in JobFolders(results / "jobs").job(job).steps[0].arguments
    [image] = found["progress"]["images"]
    assert image["name"] == 'evil";.tif', "its last part, whatever separates parts where it comes from"
    picture = page.ask(f"/api/jobs/{job}/file/report/{image['picture']}")
    with Image.open(io.BytesIO(picture.body)) as shown:
        assert shown.size == (448, 448)
    labels = page.ask(f"/api/jobs/{job}/file/labels/{image['labels']}")
    assert tifffile.imread(io.BytesIO(labels.body)).max() == 2
    assert "attachment" in labels.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(page.ask(f"/api/jobs/{job}/results.zip").body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert "labels/0001_evil_.labels.tif" in names
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") for name in names)
    for wrong in ("report/..%2f..%2fjob.json", "..%2f/job.json", "images/0001.tif", "report/progress.jsonl"):
        assert page.ask(f"/api/jobs/{job}/file/{wrong}").code == 404
    assert "0001.labels.tif" in page.ask(f"/api/jobs/{job}/log").json["text"]
    assert page.order("predict", job=job).code == 409, "it was started already"
    assert page.order("remove-job", job=job).code == 200
    assert not folder.exists()
    assert page.ask(f"/api/jobs/{job}").code == 409


def test_what_is_too_much_or_no_image_is_not_taken(page: LivePage, results: Path) -> None:
    job = draft(page)
    for name, sentence in (("a.exe", "no image that one file holds"), ("a.zarr", "no image"), ("", "no image")):
        answer = send(page, job, name, b"x")
        assert (answer.code, sentence in answer.json["error"]) == (413, True), answer.json
    answer = send(page, job, "large.tif", b"\0" * 1_500_000)
    assert answer.code == 413
    assert "1 MB that are kept of uploads" in answer.json["error"]
    many = (b"\0" * 100_000 for _ in range(15))
    answer = send(page, job, "untold.tif", many, **{"Transfer-Encoding": "chunked"})  # type: ignore[arg-type]
    assert answer.code == 413
    assert os.listdir(results / "jobs" / job / IMAGES) == [], "nothing is left of what was refused"
    for number in range(2):
        assert send(page, job, f"{number}.tif", tiff(results)).code == 200
    answer = send(page, job, "third.tif", tiff(results))
    assert (answer.code, "At most 2 images" in answer.json["error"]) == (413, True)
    assert send(page, "20260101-000000-0000", "a.tif", b"x").code == 409
    assert send(page, "..%2f..", "a.tif", b"x").code in (404, 409)


@pytest.mark.parametrize("place", ["closed", "open/way-out", "open/linked", "open/../closed", "", "open/none", "\0"])
def test_only_what_is_open_is_predicted(page: LivePage, results: Path, place: str) -> None:
    answer = page.order("predict", folder=str(results / place) if place else "")
    assert answer.code == 409, answer.body
    assert [path for path in (results / "jobs").glob("*/state.json") if json.loads(path.read_text())["pid"]] == []


def test_wrong_orders_name_every_fault(page: LivePage, results: Path) -> None:
    good = {"images": str(results / "open" / "images"), "labels": str(results / "open" / "labels"), "name": "ours"}
    wrong = {"steps": "many", "learning_rate": 7, "crop_px": 100, "start_from": "elsewhere", "name": "../x"}
    sentence = page.order("train", **{**good, **wrong}).json["error"]
    for part in ("steps = 'many'", "learning_rate = 7", "crop_px = 100", "start_from = 'elsewhere'", "name = '../x'"):
        assert part in sentence
    for marked in ("ours.int8", "ours.bfloat16"):
        assert f"name = '{marked}' ends in" in page.order("train", **{**good, "name": marked}).json["error"]
    sentence = page.order(
        "predict",
        folder=good["images"],
        weights="--help",
        voxel_size_um="1,-2,3",
        settings={"segmentation.min_score": 9},
    ).json["error"]
    for part in ("weights = '--help'", "voxel_size_um", "min_score = 9"):
        assert part in sentence
    assert page.order("predict", folder=good["images"], settings={"tracking.memory_frames": 1}).code == 409
    assert page.order("train", **{**good, "labels": str(results / "closed")}).code == 409
    for what in ("stop-job", "resume-job", "remove-job", "keep-weights"):
        assert page.order(what, job="20260101-000000-0000").code == 409


def test_images_are_seen_beside_their_labels_before_they_are_trained_on(page: LivePage, results: Path) -> None:
    both = f"images={quote(str(results / 'open' / 'images'))}&labels={quote(str(results / 'open' / 'labels'))}"
    assert page.ask(f"/api/jobs/pairs?{both}").json == {"names": ["a"]}
    with Image.open(io.BytesIO(page.ask(f"/api/jobs/pair.png?{both}&name=a").body)) as shown:
        seen = np.asarray(shown)
    assert seen.shape == (448, 2 * 448 + 8, 3)
    assert not np.array_equal(seen[:, :448], seen[:, -448:])
    assert page.ask(f"/api/jobs/pair.png?{both}&name=b").code == 409
    closed = both.replace("labels", "images", 1).replace(quote("/open/labels"), quote("/closed"))
    assert page.ask(f"/api/jobs/pairs?{closed}").code == 409


def test_choices_hold_weights_settings_and_limits(page: LivePage) -> None:
    found = page.ask("/api/jobs/choices").json
    assert [one["name"] for one in found["models"]] == ["fluorescence", "histology"]
    names = {one["name"] for one in found["settings"]}
    assert {
        "segmentation.min_score",
        "segmentation.nms_iou",
        "segmentation.watershed",
        "volume.min_diameter_um",
    } < names
    assert (found["upload_mb"], found["upload_files"]) == (1, 2)


def test_who_only_looks_orders_nothing(results: Path) -> None:
    with live_page(results, Visitors(read_only=True), rules=JobRules(results / "jobs")) as page:
        assert page.order("draft").code == 403
        assert send(page, "x", "a.tif", b"x").code == 403
        assert page.ask("/api/jobs").code == 200


def test_a_training_is_a_training_and_two_scores(tmp_path: Path) -> None:
    order = TrainOrder.read(
        {"name": "ours", "steps": 20, "held_out": 3, "compared_with": "histology"}, ["histology", "fluorescence"]
    )
    train, new, present = order.steps_for(tmp_path / "i", tmp_path / "l", tmp_path, 1)
    assert {"--start-from=fluorescence", "--held-out=3", "--steps=20"} <= set(train.arguments)
    assert f"--weights={tmp_path / 'ours.npz'}" in new.arguments
    assert "--weights=histology" in present.arguments
    [only] = TrainOrder.read({"name": "ours", "start_from": "nothing"}, ["histology"]).steps_for(
        tmp_path, tmp_path, tmp_path, 1
    )
    assert "--width=24" in only.arguments
    assert not any("start-from" in one for one in only.arguments)


def test_corrected_time_points_are_trained_on(tmp_path: Path) -> None:
    """Those of an acquisition that has some, and no others: with the labels as they are since."""
    movie = CorrectedMovie(tmp_path / "out")
    row = movie.process()
    rules = JobRules(tmp_path / "jobs")
    with live_page(tmp_path / "out", rules=rules) as page:
        assert page.ask("/api/jobs/choices").json["corrected"] == []
        answer = page.order("train", name="ours", acquisition=row.id)
        assert (answer.code, "no corrected time point" in answer.json["error"]) == (409, True)
        storage.open(tmp_path / "out")[row.id].correct.delete(2, 3)
        assert page.ask("/api/jobs/choices").json["corrected"] == [{"id": row.id, "name": row.name, "time_points": 1}]
    order = TrainOrder.read({"name": "ours"}, ["fluorescence"])
    [train] = order.steps_from(row.id, tmp_path / "job")
    assert {f"--from-corrections={row.id}", "--start-from=fluorescence"} <= set(train.arguments)
    taken = take_corrected(naming.database_url(tmp_path / "out"), [str(row.id)], order.weights(tmp_path), None)
    images, labels, where = taken.to_learn
    pairs = read_pairs(images, labels)
    assert [name for name, _, _ in pairs] == [f"t0002_z{z:03}" for z in range(3)]
    seen = tifffile.imread(pairs[1][2])
    assert 3 not in seen
    np.testing.assert_array_equal(seen, np.where(labels_at(2)[1] == 3, 0, labels_at(2)[1]))
    np.testing.assert_array_equal(tifffile.imread(pairs[1][1]), image_at(2)[1])
    looked = tifffile.imread(where / pairs[1][2].name) > 0
    assert looked[9, 34], "where one was deleted"
    assert not looked[seen > 0].any(), "of the others nobody spoke"


def test_progress_is_read_as_it_is_written(tmp_path: Path) -> None:
    """A line without an end is not one yet; a training that goes on forgets what it does again."""
    file = tmp_path / "progress.jsonl"
    progress = JobProgress(file)
    progress.read()
    lines = [{"what": "begins", "step": 0, "steps": 4000, "validated_on": []}]
    lines += [{"what": "step", "step": i, "loss": 2.0 / i, "seconds": i} for i in range(1, 2001)]
    lines += [{"what": "validated", "step": 2000, "loss": 0.1, "validation_loss": 0.2, "seconds": 2000}]
    lines += [{"what": "scored", "step": 2000, "score": 0.7, "runtime": "openvino", "examples": []}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    file.write_text(text + '{"what": "step", "st')
    progress.read()
    shown = progress.as_dict("train", {})
    assert len(shown["losses"]) <= MOST_POINTS + 1
    assert shown["losses"][-1][0] == 2000
    assert (shown["validations"], shown["scores"], shown["best"]) == ([[2000, 0.2]], [[2000, 0.7]], 0.2)
    assert shown["runtime"] == "openvino"
    file.write_text(text + json.dumps({"what": "begins", "step": 1500, "steps": 4000, "validated_on": []}) + "\n")
    progress.read()
    shown = progress.as_dict("train", {})
    assert shown["losses"][-1][0] == 1500
    assert shown["validations"] == []


def test_jobs_of_before_are_found_and_their_death_is_said(results: Path) -> None:
    """A page that is started again reads the jobs of the one before."""
    folders = JobFolders(results / "elsewhere")
    job = folders.new("train", "ours, from histology", {"name": "ours", "steps": 20})
    state = folders.root / job.id / "state.json"
    state.write_text(json.dumps({"state": "running", "at": 1.0, "step": 0, "pid": 4194000, "why": ""}))
    (folders.root / job.id / RESULTS / "mine.npz").write_bytes(b"")
    with live_page(results, rules=JobRules(folders.root)) as page:
        [found] = page.ask("/api/jobs").json["jobs"]
        assert (found["id"], found["state"], found["alive"]) == (job.id, "died", False)
        assert found["why"] == JobState.DIED.meaning
        assert page.order("stop-job", job=job.id).code == 409
        assert page.order("keep-weights", job=job.id, name="ours").code == 409


def test_the_weights_of_the_service_are_told_and_changed_by_an_order(page: LivePage, results: Path) -> None:
    known = page.ask("/api/weights").json
    assert (known["runs"], known["weights"], known["in_use"], known["changes"]) == (False, None, None, [])
    assert [one["name"] for one in known["models"]][:2] == ["fluorescence", "histology"]
    answer = page.order("use-weights", name="histology", by="anna")
    assert answer.code == 200, answer.body
    assert answer.json["said"] == "It is noted: the service does it when it runs."
    assert page.order("use-weights", back=True).code == 200
    with Catalog.open(results) as catalog:
        orders = [one for one in catalog.requests.unanswered() if one.path == SERVICE]
        assert [one.details["values"] for one in orders] == [{WEIGHTS: "histology"}, {}]
        assert [one.details["removed"] for one in orders] == [[], [WEIGHTS]]
        assert str(orders[0].details["by"]).startswith("anna (")
        for one in orders:
            catalog.requests.withdraw(one.id)
    refused = page.order("use-weights", name="../../elsewhere")
    assert (refused.code, refused.json["error"][:34]) == (409, "There are no weights '../../elsewh")
    assert page.order("use-weights", job="20260101-000000-0000", name="x").code == 409


def test_the_page_loads_no_network() -> None:
    """Whatever of it is asked for: it stays small beside an experiment."""
    code = (
        "import sys\n"
        "import daemon.commands.page, daemon.page.live.app, daemon.page.live.jobs.pairs\n"
        "from daemon.jobs.training_order import TrainOrder\n"
        "TrainOrder.read({'name': 'ours'}, ['fluorescence'])\n"
        "assert not {'tensorflow', 'keras', 'openvino', 'jax', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
