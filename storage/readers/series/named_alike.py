"""Files that are named as parts of one image or of one series, and are taken one by one: what is said of that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

_LETTERS = {"t": "t", "f": "t", "z": "z", "s": "z", "c": "c", "w": "c"}  # of words, by how they begin
# A word and its number that tell a time point, a slice or a channel.
_WORD = re.compile(
    r"(?:\A|(?<=[_\-. ]))(?P<word>t|tp|time|timepoint|frame|z|slice|c|ch|chan|channel|w)(?P<gap>[_=]?)"
    r"(?P<number>\d{1,9})(?=[_\-. ]|\Z)(?!\.\d)",
    re.IGNORECASE,
)
# MetaMorph's wavelengths, with the dye behind the number: exp_w1DAPI, exp_w2GFP.
_WAVE = re.compile(r"(?<=[_\-. ])w(?P<number>\d)(?=[A-Za-z])", re.IGNORECASE)
# Dyes and lamps by which people call a channel's file: exp1_DAPI, exp1_GFP.
_DYES = (
    "DAPI", "Hoechst", "GFP", "EGFP", "RFP", "YFP", "CFP", "mCherry", "tdTomato", "Cy3", "Cy5", "Cy7", "FITC", "TRITC",
    "TxRed", "BF", "DIC", "Phase",
)  # fmt: skip
_DYE = re.compile(rf"(?<=[_\-. ])(?P<dye>{'|'.join(_DYES)})(?=[_\-. ]|\Z)", re.IGNORECASE)
# Micro-Manager's single planes: img_000000000_DAPI_000, by time, channel and slice.
_PLANE_OF_MM = re.compile(r"_(?P<t>\d{9})_(?P<channel>.+)_(?P<z>\d{3})\Z")
# Plate readers, of Revvity (Opera) and Yokogawa, with the pattern that tells their planes; the place stays in the name.
_PLANES_OF_PLATES = (
    r"(?P<name>r\d+c\d+f\d+)p(?P<z>\d+)-ch(?P<c>\d+)sk(?P<t>\d+)",
    r"(?P<name>.+)_T(?P<t>\d+)F\d+L\d+A\d+Z(?P<z>\d+)C(?P<c>\d+)",
)
_FOLDER_OF_TIME = re.compile(r"(?:\A|.*[_\-. ])(?:t|tp|time|timepoint|frame)[_=]?(?P<number>\d{2,9})\Z", re.I | re.S)
_COUNTER = re.compile(r"(?P<before>.*?)(?P<number>\d{3,9})\Z", re.DOTALL)
# What numbers behind these words count are places, which are images of their own.
_PLACE = re.compile(
    r"(?:\A|[_\-. ])(?:s|p|f|xy|pos|position|field|fov|site|scene|series|tile|well|point|stage|view)[_=]?\Z", re.I
)
_BELOW_0, _FRACTION = (re.compile(rf"[_\-. ]t{number}\Z", re.IGNORECASE) for number in (r"-\d+", r"\d+\.\d+"))
_ELSE = "(pattern of the watch), else --pattern none"


def doubt(path: Path, text: str, size_c: int, size_z: int, is_numbered: bool) -> str | None:
    """Return what to say of a file that others are named like; None where there is nothing to say.

    One sentence for all of these files: it is the same whichever of them is looked at.

    Parameters
    ----------
    path, text
        The file, and its name without ending.
    size_c, size_z : int
        Its channels and slices.
    is_numbered : bool
        It is a time point of a series.
    """
    words = list(_WORD.finditer(text))
    letters = [_LETTERS[word["word"][0].lower()] for word in words]
    if len(set(letters)) < len(letters):
        return None
    of_others = {letter for word, letter in zip(words, letters, strict=True) if _has_next(path, word)}
    if size_c * size_z == 1 and of_others & {"z", "c"}:
        return _planes(path, text, words, letters, is_numbered)
    if size_c == 1 and "c" in of_others:
        return _channels(_template(path, words, letters))
    wave = _WAVE.search(text)
    if size_c == 1 and wave is not None and _has_other_wave(path, wave):
        return _channels(_of_waves(path, wave))
    dye = _DYE.search(text)
    if size_c == 1 and dye is not None and _has_other_dye(path, *dye.span("dye")):
        return _channels(_cut(path, dye.span("dye"), "c"))
    return None if is_numbered else _numbered(path, text, words, letters, size_c * size_z == 1)


def _planes(path: Path, text: str, words: Sequence[re.Match[str]], letters: Sequence[str], is_numbered: bool) -> str:
    taken = "a time point of a series" if is_numbered else "an image"
    pattern = _pattern(text, words, letters)
    return (
        f"{_template(path, words, letters)}: files are named like planes of one image, and each is taken for {taken} "
        f"of its own: if they are one image, give --pattern '{pattern}' {_ELSE}"
    )


def _channels(template: Path) -> str:
    return (
        f"{template}: files are named like channels of one image, and each is taken for an "
        "image of its own: put the channels into one file (in ImageJ: Merge Channels), or hand in those with nuclei "
        "alone; if they are independent images, give --pattern none"
    )


def _numbered(
    path: Path, text: str, words: Sequence[re.Match[str]], letters: Sequence[str], is_plane: bool
) -> str | None:
    """What is said of files that are numbered in a way that is not taken for a series by itself."""
    if is_plane and (of_plate := _of_plate(path, text)) is not None:
        return of_plate
    plane = _PLANE_OF_MM.search(text) if is_plane else None
    if plane is not None:
        return (
            f"{_cut(path, plane.span('t'), 't', plane.span('z'), 'z')}: files are named like planes of Micro-Manager, "
            "and each is taken for an image of its own: if they are one image, give --pattern "
            rf"'(?P<name>.+)_(?P<t>\d{{9}})_.+_(?P<z>\d{{3}})' {_ELSE}"
        )
    for word, letter in zip(words, letters, strict=True):
        if letter == "t" and _has_next(path, word):  # what other words say is the same for all
            return _series(path, _pattern(text, [word], ["t"]), word.span("number"))
    for odd, what in ((_BELOW_0, "below 0"), (_FRACTION, "with a fraction")):
        if odd.search(text):
            return (
                f"{path} has a number {what}, which no time point has, and is taken for an image of its own: number "
                "the files from 0 or 1"
            )
    if (in_folders := _of_folders(path, text)) is not None:
        return in_folders
    counter = _COUNTER.fullmatch(text)
    if counter is None or _PLACE.search(counter["before"]) or _ends_with_date(text) or not _is_one_of_three(path, text):
        return None
    return _series(path, r"(?P<name>.*?)_?(?P<t>\d+)$", counter.span("number"))


def _of_plate(path: Path, text: str) -> str | None:
    """What is said of planes of a plate reader, of which others lie beside it."""
    for pattern in _PLANES_OF_PLATES:
        found = re.match(pattern, text)
        places = sorted((found.span(letter), letter) for letter in "tzc") if found is not None else []
        if any(_beside_at(path, *span) for span, _ in places):
            template = _cut(path, *(part for place in places for part in place))
            return (
                f"{template}: files are named like planes of a plate reader, and each is taken for an image of its "
                f"own: if they are one image, give --pattern '{pattern}' {_ELSE}"
            )
    return None


def _of_folders(path: Path, text: str) -> str | None:
    """What is said of files of one name in folders that are numbered like time points."""
    found = _FOLDER_OF_TIME.fullmatch(path.parent.name)
    if found is None:
        return None
    (start, end), number = found.span("number"), int(found["number"])
    near = [_with_number(path.parent, start, end, number + by) for by in (1, -1) if number + by >= 0]
    if not any((folder / path.name).exists() for folder in near):
        return None
    return (
        f"{_cut(path.parent, (start, end), 't') / path.name}: folders are numbered like time points, and each of their "
        f"files is taken for an image of its own: if they are one series, put them into one folder, named like "
        f"{text}_t0001 and so on, else give --pattern none"
    )


def _series(path: Path, pattern: str, number: tuple[int, int]) -> str:
    return (
        f"{_cut(path, number, 't')}: files are numbered, and each is taken for an image of its own: if they are time "
        f"points of one series, give --pattern '{pattern}' {_ELSE}"
    )


def _pattern(text: str, words: Sequence[re.Match[str]], letters: Sequence[str]) -> str:
    """Return a pattern that tells what these words do, of this name and others like it."""
    before = text[: words[0].start()]
    told = "(?P<name>.+)" + re.escape(before[-1:]) if before else ""
    for (one, letter), following in zip(zip(words, letters, strict=True), [*words[1:], None], strict=True):
        told += rf"{one['word']}{one['gap']}(?P<{letter}>\d+)"
        between = text[one.end() : len(text) if following is None else following.start()]
        if following is None:
            told += "" if not between else ".*" if before else f"{re.escape(between[:1])}(?P<name>.+)"
        else:
            told += re.escape(between) if len(between) == 1 else f"{re.escape(between[:1])}.*{re.escape(between[-1:])}"
    return told


def _template(path: Path, words: Sequence[re.Match[str]], letters: Sequence[str]) -> Path:
    name = path.name
    for word, letter in sorted(zip(words, letters, strict=True), key=lambda one: -one[0].start()):
        start, end = word.span("number")
        name = f"{name[:start]}{{{letter}}}{name[end:]}"
    return path.with_name(name)


def _of_waves(path: Path, wave: re.Match[str]) -> Path:
    """Return a name for all wavelengths, whose dyes differ."""
    start = wave.start("number")
    end = next((place for place in range(start, len(path.name)) if path.name[place] in "_."), len(path.name))
    return path.with_name(f"{path.name[:start]}{{c}}{path.name[end:]}")


def _cut(path: Path, *spans: tuple[int, int] | str) -> Path:
    """Return a path with letters in place of what lies in these spans of its name."""
    name, pairs = path.name, list(zip(spans[::2], spans[1::2], strict=True))
    for span, letter in reversed(pairs):
        assert not isinstance(span, str)
        name = f"{name[: span[0]]}{{{letter}}}{name[span[1] :]}"
    return path.with_name(name)


def _has_next(path: Path, word: re.Match[str]) -> bool:
    """Say whether a file with the next or the former number lies beside it."""
    return _beside_at(path, *word.span("number"))


def _beside_at(path: Path, start: int, end: int) -> bool:
    """Say whether a file with the next or the former number at a place of its name lies beside it."""
    near = (int(path.name[start:end]) + by for by in (1, -1))
    return any(number >= 0 and _with_number(path, start, end, number).exists() for number in near)


def _with_number(path: Path, start: int, end: int, number: int) -> Path:
    return path.with_name(f"{path.name[:start]}{number:0{end - start}d}{path.name[end:]}")


def _has_other_wave(path: Path, wave: re.Match[str]) -> bool:
    before = path.name[: wave.start("number")]
    other = re.compile(re.escape(before) + r"(?P<number>\d)[A-Za-z]", re.IGNORECASE)
    return any((found := other.match(name)) is not None and found["number"] != wave["number"] for name in _beside(path))


def _has_other_dye(path: Path, start: int, end: int) -> bool:
    own, name = path.name[start:end], path.name
    others = {form for dye in _DYES if dye.lower() != own.lower() for form in (dye, dye.lower(), dye.upper())}
    return any(path.with_name(f"{name[:start]}{other}{name[end:]}").exists() for other in others)


def _beside(path: Path) -> Iterator[str]:
    try:
        yield from (one.name for one in path.absolute().parent.iterdir())
    except OSError:
        return


def _is_one_of_three(path: Path, text: str) -> bool:
    """Say whether three files with numbers that follow each other are there, of which it is one."""
    counter = _COUNTER.fullmatch(text)
    assert counter is not None
    (start, end), number = counter.span("number"), int(counter["number"])
    near = [by for by in (-2, -1, 0, 1, 2) if number + by >= 0]
    there = {by for by in near if by == 0 or _with_number(path, start, end, number + by).exists()}
    return any(one in there and other in there for one, other in ((-2, -1), (-1, 1), (1, 2)))


def _ends_with_date(text: str) -> bool:
    for length, form in ((8, "%Y%m%d"), (6, "%y%m%d")):
        try:
            datetime.strptime(text[-length:], form)
        except ValueError:
            continue
        if not text[-length - 1 : -length].isdigit():
            return True
    return False
