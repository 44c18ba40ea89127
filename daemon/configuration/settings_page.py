"""The text of SETTINGS.md, made from the settings themselves."""

from __future__ import annotations

from daemon.configuration.advice import ADVICE
from daemon.configuration.catalogue import Known, every_setting

OPENING = """# Settings

Everything that decides a result besides the image. Settings go into the configuration file under their section, or onto
the command line of everything that computes, where they count more than the file:

    nusetd process stack.tif --output results --config nusetd.toml --set segmentation.min_score=0.8

`--set segmentation.min_score=default` takes back what the file says. What was used is stored with each acquisition
(`params`), and other settings make another result, never a mixture. `nusetd settings NAME` prints one of them;
`nusetd try` shows what they change, on one time point, without storing anything:

    nusetd try stack.tif --voxel-size 2.0,0.3,0.3 --vary segmentation.min_score=0.5,0.65,0.8

On a running service `nusetd override` changes them for one watched folder from now on, and the page ("try settings")
tries them on any time point that is stored, puts them to use, and shows two results of one source side by side.

This page is what `nusetd settings --format markdown` prints.

## What I see, and what to change

| what I see | settings | what to do |
|---|---|---|
"""
ORIGINAL = """## For those who know NuSeT's window

| there | here |
|---|---|
| minimum score | `segmentation.seed_score` for proposals, `segmentation.min_score` for nuclei |
| NMS threshold | `segmentation.nms_iou` |
| resize ratio R | `segmentation.nucleus_diameter_px` = 24 / R; measured by itself |
| watershed off | `segmentation.watershed = false` |
| post-processing off (specks kept) | `segmentation.min_area_fraction = 0` |
| smallest and largest size | `volume.min_diameter_um`, `volume.max_diameter_um` |
"""
TITLES = {
    "segmentation": "`[segmentation]`: planes to nuclei in 2D",
    "volume": "`[volume]`: slices to nuclei in 3D, and which are kept",
    "tracking": "`[tracking]`: nuclei to tracks",
}


def settings_page() -> str:
    """The whole page, in Markdown."""
    advice = "".join(
        f"| {one.seen} | {', '.join(f'`{name}`' for name in one.settings)} | {one.change} |\n" for one in ADVICE
    )
    sections = "".join(f"\n## {title}\n\n{_table(section)}" for section, title in TITLES.items())
    return f"{OPENING}{advice}{sections}\n{ORIGINAL}"


def _table(section: str) -> str:
    head = "| setting | default | range | unit | meaning | when to change it |\n|---|---|---|---|---|---|\n"
    return head + "".join(_row(one) for one in every_setting() if one.section == section)


def _row(one: Known) -> str:
    cells = (
        f"`{one.name}`",
        one.default_text,
        one.range_text or "-",
        one.unit_text,
        one.setting.meaning,
        one.setting.change,
    )
    return f"| {' | '.join(cells)} |\n"
