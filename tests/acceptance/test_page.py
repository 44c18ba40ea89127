"""The live page in a real browser, beside a service at work: what a person sees, and that all of it is from here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cases import family
from cases.browser import Browser, browser, is_here
from cases.live_page import live_page
from lab import ENGINE, Lab, nusetd, stack, write_stack

from daemon.page import neuroglancer

pytestmark = pytest.mark.browser

THUMBNAIL = "const i = document.querySelector('.thumb img'); return i && i.naturalWidth > 50"
RINGS = "return document.querySelector('canvas').dataset.rings"
COLOURS = """
const c = document.querySelector('canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
const pixels = Array.from({length: d.length / 4}, (_, i) => d.slice(4 * i, 4 * i + 3));
return new Set(pixels.filter(([r, g, b]) => r !== g || g !== b).map(String)).size"""  # of outlines
TIP = "const tip = document.querySelector('.tip'); return tip.style.display === 'block' ? tip.textContent : ''"
POINT = """
const c = document.querySelector('canvas'), b = c.getBoundingClientRect(), tip = document.querySelector('.tip');
for (let y = 1; y < b.height; y += 4) for (let x = 1; x < b.width; x += 4) {
  c.dispatchEvent(new PointerEvent('pointermove', {clientX: b.left + x, clientY: b.top + y}));
  if (tip.style.display === 'block') return tip.textContent;
}"""  # at the first nucleus
ODD = "<b onclick=x>&lt;'\"_t{:03}.tif"  # a name that would be a tag, were it not escaped


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests here; what it asked for is looked at in the end."""
    folder = tmp_path_factory.mktemp("browser")
    with browser(folder) as made:
        yield made
    assert all(is_here(address) for address in made.asked()), "the page asked for something elsewhere"


def shown(window: Browser) -> str:
    """Which plane is shown: t/z/view."""
    return str(window.run("const c = document.querySelector('canvas'); return c ? c.dataset.shown || '' : ''"))


def press(window: Browser, key: str) -> None:
    """A key anywhere on the page."""
    window.run("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))", key)


def click_at(window: Browser, share_x: float, share_y: float) -> None:
    """A click on the picture, at a place given in shares of its width and height."""
    window.run(
        "const c = document.querySelector('canvas'), b = c.getBoundingClientRect();"
        "c.dispatchEvent(new MouseEvent('click', {clientX: b.left + b.width * arguments[0],"
        " clientY: b.top + b.height * arguments[1], bubbles: true}))",
        share_x,
        share_y,
    )


def test_the_overview_follows_a_live_run_and_shows_names_as_they_are(window: Browser, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    rule = '[[when]]\nname = "follow"\nover = "tracks"\nwhere = "track_id = 1"\ncommand = ["true"]\n'
    lab.config.write_text(lab.config.read_text() + rule)
    lab.start()
    try:
        lab.wait(lambda: bool(lab.rows("select 1 from rule_states")))
        write_stack(lab.incoming / ODD.format(0), stack(0))
        lab.wait(lambda: lab.done() >= 1)
        with live_page(lab.database) as page:
            window.open(page.address)
            window.wait("one time point", lambda: "1 of" in window.text(".card .numbers"))
            write_stack(lab.incoming / ODD.format(1), stack(1))
            window.wait("the second one, without a reload", lambda: "2 of 2" in window.text(".card .numbers"))
            name = window.text(".card .name")
            assert "<b onclick=x>" in name
            assert window.run("return document.querySelectorAll('main b[onclick]').length") == 0
            assert window.text("#live") == "live"
            window.wait("a thumbnail", lambda: window.run(THUMBNAIL))
            window.wait("what a rule sent", lambda: "command arrived" in window.text("[data-rules]"))
            assert "tracks where track_id = 1" in window.text("[data-rules]")
            assert "of track 1" in window.text("[data-rules]")
            window.open("about:blank")  # before the page's server ends
    finally:
        lab.stop()
    assert window.console() == []


def test_an_acquisition_is_walked_through(window: Browser, tmp_path: Path) -> None:
    """Slices, time, views, a nucleus, its family and the jump to its division, a filter, and a link to it all."""
    with live_page(family.fill(tmp_path)) as page:
        window.open(f"{page.address}/#/a/1")
        window.wait("the last time point, the middle slice", lambda: shown(window) == "5/1/slice")
        under = window.run(POINT)
        assert "nucleus 1" in under, "its measures are told under the pointer"
        press(window, "ArrowLeft")
        window.wait("one time point back", lambda: shown(window) == "4/1/slice")
        assert window.run(TIP) != under, "the pointer rests, and what is under it is another"
        window.run("document.querySelector('canvas').dispatchEvent(new PointerEvent('pointerleave'))")
        assert window.run(TIP) == ""
        press(window, "ArrowUp")
        window.wait("the slice above", lambda: shown(window) == "4/2/slice")
        window.click("[data-view=top]")
        window.wait("from above", lambda: shown(window) == "4/2/top")

        window.click("[data-tab=table]")
        window.wait("the table", lambda: window.run("return document.querySelectorAll('tr[data-label]').length") == 4)
        window.write("filter", "track_id > 4")
        window.keep("acquisition, table")
        window.wait(
            "what is left out is said on every tab", lambda: window.text("[data-only]") == "only track_id > 4 ✕"
        )
        window.wait("two of four", lambda: window.run("return document.querySelectorAll('tr[data-label]').length") == 2)
        window.click("tr[data-label]")
        window.wait("track 5 is chosen", lambda: "track=5" in window.driver.current_url)

        window.click("[data-tab=chosen]")
        window.wait("its family", lambda: window.run("return document.querySelectorAll('.branch').length") == 5)
        window.keep("acquisition, nucleus")
        window.click("[data-only]")
        window.wait("all nuclei again", lambda: "where=" not in window.driver.current_url)
        window.write("mark divisions", "")  # rings have colours of their own
        window.write("colour by", "generation")
        window.wait("three generations beside what is chosen", lambda: window.run(COLOURS) == 3)
        window.click("mother 3")
        window.wait("its mother, at her last time point", lambda: shown(window) == "3/2/top")
        window.wait("her track in the address", lambda: "track=3" in window.driver.current_url)
        link = window.driver.current_url
        window.open("about:blank")
        window.open(link)
        window.wait("the very view", lambda: shown(window) == "3/2/top" and "track 3" in window.text(".pane"))
        window.open("about:blank")
        window.open(f"{page.address}/#/a/1?t=3&tab=family&view=round&by=size")
        window.wait("what there is", lambda: shown(window) == "3/1/slice" and "Click on" in window.text(".pane"))
        assert window.text("#notice") == ""
        window.open("about:blank")
        window.open(link)
        window.wait("the view again", lambda: shown(window) == "3/2/top")
        assert window.text("[aria-label='colour by'] option[value=volume_um3]") == "volume (µm³)"
        window.click("[data-tab=divisions]")
        window.wait("both divisions", lambda: window.texts("[data-division]").count("\0") == 1)
        window.keep("acquisition, divisions")
        window.click("[data-division='1'] [data-jump='1']")
        window.wait("its mother when she divides", lambda: shown(window) == "1/2/top")
        window.wait("a ring around her", lambda: window.run(RINGS) == "1")
        window.click("[data-division='1'] [data-jump='2']")
        window.wait("rings around both daughters", lambda: shown(window) == "2/2/top" and window.run(RINGS) == "2")
        window.keep("acquisition, rings")
        window.write("mark divisions", "")
        window.wait("no ring", lambda: window.run(RINGS) == "0")
        window.open("about:blank")
        window.open(link)
        window.wait("the view again", lambda: shown(window) == "3/2/top")
        window.open(f"{page.address}/#/")
        window.click("[data-distribution]")
        compared = "const i = document.querySelector('dialog img'); return i ? i.naturalWidth : 0"
        window.wait("distributions", lambda: window.run(compared) > 500)
        window.keep("distributions")
        window.click("close")
        window.open(link)
        window.wait("the view again", lambda: shown(window) == "3/2/top")
        window.click("[data-tab=plots]")
        window.wait("what can be drawn", lambda: "Choose one" in window.text(".pane"))
        window.click("[data-picture=nuclei]")
        drawn = "const i = document.querySelector('.pane img'); return i ? i.naturalWidth : 0"
        window.wait("the picture", lambda: window.run(drawn) > 1000)
        assert "t = 3, as PNG SVG" in window.text(".pane")
        window.keep("acquisition, plots")
        for tab in ("course", "about"):
            window.click(f"[data-tab={tab}]")
            window.wait("the pane", lambda: window.text(".pane") != "")
            window.keep(f"acquisition, {tab}")
            if tab == "course":  # whole divisions
                window.wait("divisions", lambda: window.text("[aria-label=divisions]").startswith("divisions01"))
        window.open("about:blank")
    assert window.console() == []


def test_a_click_chooses_what_is_under_it(window: Browser, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    write_stack(lab.incoming / "img_t000.tif", stack(0))
    done = nusetd("process", lab.incoming, "--output", lab.output, "--engine", ENGINE, "--voxel-size", "1,0.5,0.5")
    assert done.returncode == 0, done.stderr
    with live_page(lab.database) as page:
        window.open(f"{page.address}/#/a/1?t=0&z=3&tab=chosen")
        window.wait("a picture", lambda: shown(window) == "0/3/slice")
        click_at(window, 20.5 / 96, 20.5 / 96)  # the first ball lies there
        window.wait("its measures", lambda: "volume (µm³)" in window.text(".pane"))
        assert "volume (µm³)" in window.text(".pane dl.facts"), "what people want first is not folded"
        assert "centre z (µm)" in window.text(".all-measures")
        click_at(window, 1 / 96, 1 / 96)
        window.wait("nothing", lambda: "Click on a nucleus" in window.text(".pane"))
        window.open(f"{page.address}/#/a/99")
        window.wait("a sentence", lambda: "99" in window.text("#notice"))
        window.wait("and a way back", lambda: "See all acquisitions" in window.text("main .empty"))
        window.open("about:blank")
    window.console()  # the browser writes down that 99 was not there


@pytest.mark.skipif(neuroglancer.client_folder() is None, reason=neuroglancer.MISSING)
def test_an_acquisition_opens_in_3d_from_the_page(window: Browser, tmp_path: Path) -> None:
    with live_page(family.fill(tmp_path)) as page:
        window.open(f"{page.address}/#/a/1?t=3")
        find = "return [...document.querySelectorAll('a')].find(a => a.textContent === 'open in 3D')"
        link = window.wait("the link", lambda: window.run(f"{find}?.href"))
        window.open(link)
        window.wait("the viewer has loaded everything", lambda: window.run("return window.viewer && viewer.isReady()"))
        layers = window.run("return viewer.state.toJSON().layers.map(one => one.name)")
        assert {"nuclei", "tracks"} < set(layers)
        position = window.run("return viewer.state.toJSON().position")
        assert int(position[3]) == 3, "the time point that the page shows"
        window.open("about:blank")
    window.console()  # the page's own console was looked at before


def test_a_page_of_another_origin_reads_and_orders_nothing(window: Browser, tmp_path: Path) -> None:
    """Another site, open in the same browser: it hears nothing of ours, and what it sends changes nothing."""
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        family.fill(tmp_path / name)
    with live_page(tmp_path / "ours") as page, live_page(tmp_path / "theirs") as other:
        window.open(f"{other.address}/static/icon.svg")  # a page of another origin: another port
        asked = """
            const done = arguments[arguments.length - 1], [address, options] = arguments;
            fetch(address, options).then(async (a) => done([a.type, a.status, await a.text()]), () => done('blocked'));
        """
        order = {"method": "POST", "body": '{"acquisition": 1}'}
        own_header = {**order, "headers": {"X-Nusetd-Order": "1", "Content-Type": "application/json"}}
        for address, options in (
            (f"{page.address}/api/overview", {}),
            (f"{page.address}/api/overview", {"mode": "no-cors"}),
            (f"{page.address}/embryo.ome.zarr/.zattrs", {}),
            (f"{page.address}/api/orders/retry", order),
            (f"{page.address}/api/orders/retry", {**order, "mode": "no-cors"}),
            (f"{page.address}/api/orders/retry", own_header),
        ):
            answer = window.driver.execute_async_script(asked, address, options)
            assert answer == "blocked" or answer == ["opaque", 0, ""], (address, answer)
        window.open("about:blank")
    window.console()  # the browser writes down what it blocked
