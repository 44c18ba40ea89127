"""Predict and train in a real browser: drop images and see their outlines; train, stop, go on, use the weights."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases import family
from cases.browser import Browser, browser, is_here
from cases.live_page import LivePage, live_page
from lab import ENGINE, HERE

from daemon.installation.kept_weights import kept_weights
from daemon.page.live.jobs.job_orders import JobRules
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image

pytestmark = pytest.mark.browser

PATIENCE_S = 300.0  # jobs load the network at the lowest priority
ODD = "<b onclick=x>&lt;.tif"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, and twelve images with labels below a folder that is open."""
    root = tmp_path_factory.mktemp("jobs")
    family.fill(root)
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (root / "open" / name).mkdir(parents=True)
    for number in range(12):
        image, labels = synthetic_image(rng, SyntheticParams(size_px=96))
        tifffile.imwrite(root / "open" / "images" / f"{number}.tif", (500 * np.clip(image, 0, 4)).astype(np.uint16))
        tifffile.imwrite(root / "open" / "labels" / f"{number}.tif", labels.astype(np.uint16))
    return root


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[LivePage]:
    """Its page; jobs find nuclei by a threshold, and train the network itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cases.browser.WAIT_S", PATIENCE_S)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("STATE_DIRECTORY", str(folder / "state"))
        rules = JobRules(folder / "jobs", engine=("--engine", ENGINE))
        with live_page(folder, folders=[folder / "open"], rules=rules) as made:
            yield made
            for job in made.ask("/api/jobs").json["jobs"]:
                made.order("stop-job", job=job["id"])  # they would go on without the page


@pytest.fixture(scope="module")
def window(folder: Path, page: LivePage) -> Iterator[Browser]:
    """One browser; what it asked for is looked at in the end."""
    with browser(folder) as made:
        yield made
        made.open("about:blank")  # before the page's server ends
    assert all(is_here(address) for address in made.asked()), "the page asked for something elsewhere"


def keep_picture(window: Browser, folder: Path, name: str) -> None:
    """Keep what the window shows, for people who look at it."""
    window.driver.set_window_size(1400, 1200)
    window.settled_picture()
    window.driver.save_screenshot(str(folder / f"{name}.png"))


def test_images_that_are_dropped_come_back_with_outlines(window: Browser, page: LivePage, folder: Path) -> None:
    odd = folder / ODD
    odd.write_bytes((folder / "open" / "images" / "1.tif").read_bytes())
    window.open(f"{page.address}/#/predict")
    window.wait("the form", lambda: window.run("return document.querySelector('input[type=file]')"))
    files = [str(folder / "open" / "images" / "0.tif"), str(odd)]
    window.driver.find_element("css selector", "input[type=file]").send_keys("\n".join(files))
    window.wait("both in the list", lambda: window.run("return document.querySelectorAll('.given li').length") == 2)
    box = "return document.querySelector(arguments[0]).getBoundingClientRect().width"
    assert window.run(box, ".drop") > 0.9 * window.run(box, ".jobform"), "one below the other"
    keep_picture(window, folder, "predict")
    window.click("Find nuclei")
    window.wait("the job", lambda: "#/job/" in window.driver.current_url)
    window.wait("done", lambda: window.text(".badge") == "done")
    assert "2 of 2 images" in window.text(".jobhead")
    seen = "return [...document.querySelectorAll('.card img')].filter(i => i.naturalWidth > 300).length"
    window.wait("outlines of both", lambda: window.run(seen) == 2)
    assert ODD in window.text(".cards"), "a name is shown as it is"
    assert window.run("return document.querySelectorAll('main b[onclick]').length") == 0
    keep_picture(window, folder, "predicted")
    assert window.console() == []


def test_a_training_is_seen_stopped_goes_on_and_its_weights_are_used(
    window: Browser, page: LivePage, folder: Path
) -> None:
    """Twenty steps of a very small network."""
    window.open(f"{page.address}/#/train")
    window.wait("the form", lambda: window.run("return document.querySelector('[name=steps]')"))
    window.write("folder of images", folder / "open" / "images")
    window.write("folder of labels", folder / "open" / "labels")
    window.wait(
        "an image beside its labels",
        lambda: window.run("return document.querySelector('.preview img')?.naturalWidth > 300"),
    )
    assert "12 images with labels" in window.text(".preview")
    small = {"channels of the first level": 4, "edge of a crop": 64, "crops a step": 1, "share of synthetic crops": 0}
    given = {"start from": "nothing", "steps": 20, "validate every": 4, "images held out": 2, **small}
    for label, value in {**given, "name of the new weights": "ours"}.items():
        window.write(label, value)
    keep_picture(window, folder, "train")
    window.click("Start training")
    window.wait("the first step", lambda: window.run("return document.querySelectorAll('.curves path.one').length"))
    window.click("stop")
    window.wait("stopped", lambda: window.text(".badge") == "stopped")
    reached = window.text(".jobhead")
    assert "of 20" in reached
    window.click("go on")
    window.wait("done", lambda: window.text(".badge") == "done")
    assert "step 20 of 20" in window.text(".jobhead")
    assert window.run("return document.querySelectorAll('.curves path.two').length") == 2
    assert window.run("return document.querySelectorAll('.examples img').length") > 0
    assert "average precision at IoU 0.5" in window.text(".scores")
    window.click("use these weights …")
    window.wait("the question", lambda: "The service does not run" in window.text("dialog"))
    assert "Use ours from now on?" in window.text("dialog h2")
    window.write("your name", "anna")
    keep_picture(window, folder, "use-weights")
    window.click("use them")
    window.wait("noted", lambda: "It is noted" in window.text("#notice"))
    assert kept_weights() == ["ours"]
    with closing(sqlite3.connect(folder / "nusetd.sqlite")) as connection:
        [(kind, path, given)] = connection.execute("select kind, path, given from requests").fetchall()
    assert (kind, path, json.loads(given)["values"]) == ("settings", "", {"engine.weights": "ours"})
    assert json.loads(given)["by"].startswith("anna (")
    keep_picture(window, folder, "trained")
    window.open(f"{page.address}/#/predict")
    names = "return [...document.querySelectorAll('[name=weights] option')].map(o => o.value)"
    window.wait("the weights in the list", lambda: "ours" in window.run(names))
    assert window.console() == []
