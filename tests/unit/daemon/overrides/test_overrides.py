"""Settings of one folder, by the configuration and by people: what counts, where it comes from, what is left out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from cases import family

from daemon import cli
from daemon.configuration import config, reload
from daemon.configuration.assignments import assignment
from daemon.configuration.config import Config
from daemon.errors import ConfigError, DaemonError, UsageError
from daemon.monitoring.report import Report
from daemon.overrides import book
from daemon.overrides.applying import applied
from daemon.overrides.book import OverrideChange, Overrides
from daemon.overrides.in_use import OverrideOrder, SettingsInUse
from daemon.overrides.origins import SettingInUse, in_use

ORIGIN = Path("/etc/nusetd/nusetd.toml")
A, B = "/data/a", "/data/b"
TEXT = f"""\
database = "/results/nusetd.sqlite"
[[watch]]
path = "{A}"
output = "/results"
[[watch]]
path = "{B}"
output = "/results"
[watch.segmentation]
min_score = 0.6
[segmentation]
min_score = 0.7
nms_iou = 0.3
"""
AT = "2026-03-01T12:00:00.000Z"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for the service's state."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state" / "overrides.toml"


def parsed(text: str = TEXT, *given: str) -> Config:
    return config.parse(text, ORIGIN, [assignment(one) for one in given])


def scores(found: Config) -> list[float]:
    """The smallest score of each folder."""
    return [found.processing_of(watch).segmentation.min_score for watch in found.watch]


def order(watch: str = A, removed: tuple[str, ...] = (), at: str = AT, **values: book.Value) -> OverrideOrder:
    return OverrideOrder(watch, at, "anna", {name.replace("__", "."): v for name, v in values.items()}, removed)


def test_a_folder_may_have_settings_of_its_own_in_the_configuration() -> None:
    found = parsed()
    assert scores(found) == [0.7, 0.6]
    assert found.processing_of(found.watch[1]).segmentation.nms_iou == 0.3  # what it leaves out is that of all
    assert scores(parsed(TEXT, "segmentation.min_score=0.9")) == [0.9, 0.9]  # the command line counts for all
    assert reload.compare(parsed(), parsed(TEXT.replace("0.6", "0.5"))).changed == ("watch",)


def test_faults_of_a_folders_own_settings_have_their_line_and_those_of_all_are_told_once() -> None:
    wrong = TEXT.replace("min_score = 0.6", "min_score = 6\nmin_scoer = 1").replace("nms_iou = 0.3", "nms_iou = 3")
    with pytest.raises(ConfigError) as raised:
        config.parse(wrong, ORIGIN)
    lines = str(raised.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{ORIGIN}, line {n}" for n in (9, 10, 13)]
    assert "min_score = 6 is not between 0 and 1" in lines[0]
    assert "did you mean min_score?" in lines[1]


def test_an_override_counts_for_its_folder_and_the_rest_is_left(state: Path) -> None:
    settings = SettingsInUse("sqlite:////results/nusetd.sqlite")
    before = settings.laid_over(parsed())
    after, told = settings.order(before, order(segmentation__min_score=0.5))
    assert scores(after) == [0.5, 0.6]
    assert told == f"From now on for {A}: segmentation.min_score = 0.5 (before: 0.7)."
    assert reload.compare(before, after).changed == ("watch",)
    assert not reload.compare(before, after).restarts_intakes  # the other folder goes on as it is
    # It is a configuration's text, with a record below, and the next start reads it.
    document = tomllib.loads(state.read_text())
    assert document["watch"] == [{"path": A, "segmentation": {"min_score": 0.5}}]
    assert document["changed"] == [
        {"at": AT, "by": "anna", "watch": A, "setting": "segmentation.min_score", "value": 0.5, "before": 0.7}
    ]
    again = SettingsInUse("sqlite:////results/nusetd.sqlite")
    assert scores(again.laid_over(parsed())) == [0.5, 0.6]
    assert scores(again.laid_over(parsed(TEXT, "segmentation.min_score=0.9"))) == [0.5, 0.9]  # it is the latest word
    assert list(state.parent.iterdir()) == [state]


def test_an_order_that_is_carried_out_twice_is_recorded_once(state: Path) -> None:
    settings = SettingsInUse("sqlite:////x")
    found = settings.laid_over(parsed())
    for _ in range(2):  # as after a crash before it was answered
        found, _ = settings.order(found, order(segmentation__min_score=0.5))
    assert [one.before for one in book.read(state).changes] == [0.7]


def test_back_to_the_configuration(state: Path) -> None:
    settings = SettingsInUse("sqlite:////x")
    found, _ = settings.order(
        settings.laid_over(parsed()), order(segmentation__min_score=0.5, tracking__memory_frames=2)
    )
    found, told = settings.order(found, order(removed=("segmentation.min_score",), at="2026-03-02T12:00:00.000Z"))
    assert "segmentation.min_score as the configuration says (before: 0.5)" in told
    assert scores(found) == [0.7, 0.6]
    assert found.processing_of(found.watch[0]).tracking.memory_frames == 2
    found, _ = settings.order(found, order(removed=("*",), at="2026-03-03T12:00:00.000Z"))
    assert found.watch[0].overridden is None
    assert book.read(state).values == {}
    assert len(book.read(state).changes) == 4


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (order(segmentation__min_score=5), "min_score = 5 is not between 0 and 1"),
        (order(segmentation__watershed="no"), "must be true or false"),
        (order(segmentation__min_skore=0.5), "segmentation.min_skore is not a setting of this version"),
        (order(page__listen="x"), "page.listen is not a setting"),
        (order(watch="/data/c", segmentation__min_score=0.5), "/data/c is not watched: choose one of /data/a, /data/b"),
    ],
)
def test_what_cannot_be_is_refused_whole(state: Path, asked: OverrideOrder, why: str) -> None:
    settings = SettingsInUse("sqlite:////x")
    found = settings.laid_over(parsed())
    both = OverrideOrder(asked.watch, AT, "anna", {"segmentation.nms_iou": 0.2, **asked.values})
    with pytest.raises(UsageError, match=re.escape(why)):
        settings.order(found, both)
    assert not state.exists()


@pytest.mark.parametrize(
    "text", ["[[watch]\n", "watch = 3\n", "[[watch]]\nsegmentation = {}\n", "[[changed]]\nx = 1\n"]
)
def test_a_broken_file_is_a_sentence_and_stays(state: Path, text: str) -> None:
    state.parent.mkdir()
    state.write_text(text)
    settings = SettingsInUse("sqlite:////x")
    found = settings.laid_over(parsed())
    assert scores(found) == [0.7, 0.6]
    [fault] = settings.faults
    assert fault.startswith(f"{state} does not count (")
    assert fault.endswith("correct it, or remove it.")
    with pytest.raises(DaemonError, match="does not count"):
        settings.order(found, order(segmentation__min_score=0.5))
    assert state.read_text() == text


def weights(*names: str, at: str = AT) -> OverrideOrder:
    """An order for weights; without one: those of the configuration."""
    values = {book.WEIGHTS: names[0]} if names else {}
    return OverrideOrder(book.SERVICE, at, "anna", values, () if names else (book.WEIGHTS,))


def test_weights_of_the_service_are_overridden_and_go_back(state: Path) -> None:
    settings = SettingsInUse("sqlite:////results/nusetd.sqlite")
    plain = settings.laid_over(parsed())
    assert settings.weights_after(plain, weights("histology")) == "histology"
    assert not state.exists()  # nothing is written before they are loaded
    found, told = settings.order(plain, weights("histology"))
    assert told == "From now on nuclei are found with other weights: histology (before: fluorescence)."
    assert (found.engine.weights, found.configured_weights) == ("histology", "fluorescence")
    document = tomllib.loads(state.read_text())
    assert document["engine"] == {"weights": "histology"}
    [one] = [SettingInUse.from_dict(one) for one in settings.told(found)["service"]]
    assert str(one) == f"engine.weights = histology, chosen by anna at {AT}; by the configuration fluorescence"
    assert settings.told(found)["overridden"] == []
    again = SettingsInUse("sqlite:////results/nusetd.sqlite").laid_over(parsed())
    assert again.engine.weights == "histology"
    assert reload.compare(found, again).for_restart is None
    back, _ = settings.order(found, weights(at="2026-03-02T12:00:00.000Z"))
    assert (back.engine.weights, back.configured_weights) == ("fluorescence", None)
    assert settings.told(back)["service"] == []
    assert [one.value for one in book.read(state).changes] == ["histology", None]


def test_weights_that_are_not_there_are_refused_and_left_out(state: Path) -> None:
    settings = SettingsInUse("sqlite:////x")
    plain = settings.laid_over(parsed())
    with pytest.raises(UsageError, match=r"Nothing was changed: weights = 'nowhere': "):
        settings.weights_after(plain, weights("nowhere"))
    with pytest.raises(UsageError, match=r"engine\.threads can only be changed in the configuration"):
        settings.order(plain, OverrideOrder(book.SERVICE, AT, "anna", {"engine.threads": 2}))
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text('[engine]\nweights = "nowhere"\n')
    assert settings.laid_over(parsed()).engine.weights == "fluorescence"
    [fault] = settings.faults
    assert fault.startswith("The weights that were chosen do not count, those of the configuration do: weights = 'no")
    state.write_text("[engine]\nthreads = 3\n")
    settings.laid_over(parsed())
    assert "[engine] holds something else than weights" in settings.faults[0]


def test_what_does_not_hold_any_more_is_left_out_and_told() -> None:
    """After an upgrade, or with another configuration: a setting that is gone, a value out of range, a folder gone."""
    values = {
        A: {"segmentation.min_score": 0.5, "segmentation.gone": 1, "volume.min_iou": 7, "tracking.memory_frames": 2},
        "/data/c": {"segmentation.min_score": 0.1},
    }
    found = applied(parsed(), Overrides(values))
    assert scores(found.config) == [0.5, 0.6]
    assert found.config.processing_of(found.config.watch[0]).tracking.memory_frames == 2
    assert [fault.split(": ", 1)[-1].split(";")[0] for fault in found.faults] == [
        "segmentation.gone is not a setting of this version.",
        "volume.min_iou = 7 is not between above 0 and 1.",
        "its overrides wait for it",
    ]
    assert found.faults[-1].endswith("remove them with `nusetd override /data/c --remove-all`.")


def test_a_value_that_is_not_given_any_more() -> None:
    text = TEXT.replace("nms_iou = 0.3", "nucleus_diameter_px = 30.0")
    found = applied(parsed(text), Overrides({A: {"segmentation.nucleus_diameter_px": "default"}})).config
    assert [found.processing_of(one).segmentation.nucleus_diameter_px for one in found.watch] == [None, 30.0]


def test_where_values_come_from() -> None:
    change = OverrideChange(AT, "anna", B, "segmentation.min_score", 0.5, 0.6)
    overrides = Overrides({B: {"segmentation.min_score": 0.5, "volume.min_iou": 0.4}}, (change,))
    found = applied(parsed(TEXT, "tracking.memory_frames=3"), overrides).config
    first, second = ([str(one) for one in in_use(found, watch, overrides)] for watch in found.watch)
    assert first == [
        "segmentation.min_score = 0.7, by the configuration",
        "segmentation.nms_iou = 0.3, by the configuration",
        "tracking.memory_frames = 3, by the command line",
    ]
    assert second == [
        f"segmentation.min_score = 0.5, chosen by anna at {AT}; by the configuration 0.6",
        "segmentation.nms_iou = 0.3, by the configuration",
        "volume.min_iou = 0.4, written into the file of overrides; by the configuration "
        f"{config.Processing().volume.min_iou}",
        "tracking.memory_frames = 3, by the command line",
    ]
    [one] = [one for one in in_use(found, found.watch[1], overrides) if one.by]
    assert SettingInUse.from_dict(one.as_dict()) == one


def test_odd_names_come_back_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "overrides.toml"
    change = OverrideChange(AT, 'a "b" \\ é 🔬 \x7f \n [[watch]]', '/data/"ä\\', "engine.weights", "x\ty")
    overrides = Overrides({'/data/"ä\\': {"segmentation.watershed": False}}, (change,))
    book.write(path, overrides)
    assert book.read(path) == overrides


def test_check_config_says_where_values_come_from(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    file = tmp_path / "nusetd.toml"
    file.write_text('[[watch]]\npath = "in"\noutput = "out"\n[segmentation]\nmin_score = 0.7\n')
    values = {str(folder): {"volume.min_iou": 0.4, "volume.min_overlap": 4.0}}
    change = OverrideChange(AT, "anna", str(folder), "volume.min_iou", 0.4)
    book.write(state, Overrides(values, (change,)))
    assert cli.main(["check-config", str(file)]) == 0
    said = capsys.readouterr()
    assert f"settings of {folder}: segmentation.min_score = 0.7, by the configuration" in said.out
    assert f"volume.min_iou = 0.4, chosen by anna at {AT}; by the configuration" in said.out
    assert "volume.min_overlap = 4.0 is not" in said.err
    state.write_text("[[[")
    assert cli.main(["check-config", str(file)]) == 0
    assert "correct it, or remove it" in capsys.readouterr().err


def test_reports_of_before_have_no_settings() -> None:
    report = Report("running", 1, "here", "1.0", AT, 10.0)
    assert (report.settings, report.engine) == ({}, {})


def test_a_source_that_is_gone_is_not_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    family.fill(tmp_path)  # of images that were never files
    assert cli.main(["again", family.NAME, "--database", str(tmp_path)]) == 2
    assert "is not there any more: it cannot be read again" in capsys.readouterr().err


def test_a_wrong_setting_or_folder_is_told_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    family.fill(tmp_path)
    for words, why in (
        (["/data/a", "segmentation.min_score=7"], "min_score = 7 is not between 0 and 1"),
        (["/data/a", "segmentation.min_skore=0.7"], "min_skore is not a setting"),
        (["segmentation.min_score=0.7"], "Name the watched folder"),
    ):
        assert cli.main(["override", *words, "--database", str(tmp_path)]) == 2
        assert why in capsys.readouterr().err
    assert cli.main(["override", "--database", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Nothing is overridden.\n"
