"""What can be set, with meaning, unit, default, range and when to change it.

NAME is a setting (`segmentation.min_score`, or `min_score`) or a section. Settings go into the configuration file, or
onto the command line of everything that computes: --set segmentation.min_score=0.8
"""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import TYPE_CHECKING

from daemon.output import say

if TYPE_CHECKING:
    from daemon.configuration.catalogue import Known

EXAMPLE = "nusetd settings min_score"
WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="only this setting, or section (default: all)")
    parser.add_argument(
        "--format", choices=("text", "json", "markdown"), default="text", help="how to print (default: text)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Print them."""
    from daemon.configuration.catalogue import every_setting, found_settings
    from daemon.configuration.settings_page import settings_page

    if arguments.format == "markdown":
        say(settings_page().rstrip("\n"))
        return 0
    found = every_setting() if arguments.name is None else found_settings(arguments.name)
    if arguments.format == "json":
        say(json.dumps([_plain(one) for one in found], indent=2, ensure_ascii=False))
    elif arguments.name is None:
        _say_lines(found)
    else:
        for one in found:
            _say_whole(one)
    return 0


def _say_lines(found: list[Known]) -> None:
    """A line each, then where to read on."""
    widths = [max(len(one.full_name) for one in found), max(len(_short_default(one)) for one in found)]
    for one in found:
        meaning = textwrap.shorten(one.setting.meaning, WIDTH, placeholder=" ...")
        say(f"{one.full_name:<{widths[0]}}  {_short_default(one):<{widths[1]}}  {meaning}")
    say("All about one of them: nusetd settings NAME. What to change when something looks wrong: SETTINGS.md")


def _say_whole(one: Known) -> None:
    say(one.full_name)
    for title, text in (
        ("meaning", one.setting.meaning),
        ("unit", one.unit_text),
        ("default", one.default_text),
        ("range", one.range_text),
        ("change it", one.setting.change),
    ):
        say(textwrap.fill(text, WIDTH, initial_indent=f"  {title:<11}", subsequent_indent=" " * 13))


def _short_default(one: Known) -> str:
    return "measured" if one.default is None and "measured" in one.default_text else _none_as_dash(one)


def _none_as_dash(one: Known) -> str:
    return "-" if one.default is None else one.default_text


def _plain(one: Known) -> dict[str, object]:
    return {
        "name": one.full_name,
        "meaning": one.setting.meaning,
        "unit": one.setting.unit or None,
        "default": one.default,
        "unset": one.setting.unset or None,
        "range": one.range_text,
        "change": one.setting.change,
    }
