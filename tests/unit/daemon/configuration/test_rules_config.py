"""`[[when]]`: rules that can be said, and each mistake in one sentence with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon.configuration import config, reload
from daemon.configuration.config import Config
from daemon.configuration.machine import machine_faults
from daemon.errors import ConfigError
from storage.query.noticing.subjects import MADE

HEAD = '[[watch]]\npath = "in"\noutput = "out"\n[[when]]\n'
RULE = 'name = "follow"\nover = "tracks"\nwhere = "track_id = 3 and age > 2"\nnext = "answers"\n'


def parsed(text: str, tmp_path: Path) -> Config:
    return config.parse(HEAD + text, tmp_path / "nusetd.toml")


def test_a_rule_is_read_with_its_defaults(tmp_path: Path) -> None:
    [rule] = parsed(RULE, tmp_path).rules
    assert (rule.name, rule.over, rule.actions, rule.next) == ("follow", "tracks", ("next",), tmp_path / "answers")
    assert (rule.holds_for, rule.expires_s, rule.at_most_per_hour) == (1, 60.0, 60)
    assert rule.is_about("embryo")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE.replace("track_id = 3", "track = 3"), "have no column track (did you mean"),
        (RULE.replace("age > 2", "age >"), "cannot be read at its end"),
        (RULE.replace('"tracks"', '"cells"'), "over = 'cells' must be one of"),
        (RULE.replace('next = "answers"\n', ""), "does nothing; give it next, webhook or command"),
        (RULE + 'webhook = "http://scope.example/x"\n', "another computer that is not named"),
        (RULE + 'webhook = "ftp://127.0.0.1/x"\n', "is no address"),
        (RULE + 'webhook = "http://a:b@127.0.0.1/x"\n', "without a password"),
        (RULE + 'webhook = "http://127.0.0.1:99999/"\n', "is no address"),
        (RULE + 'webhook = "http://127.0.0.1.evil.example/"\n', "another computer that is not named"),
        (RULE + "expires_s = 0\n", "expires_s = 0 must be a number of at least 0.1"),
        (RULE + 'command = "reboot now"\n', "it is not run by a shell"),
        (RULE.replace('"follow"', '"../x"'), "up to 64 letters"),
        (RULE + "[[when]]\n" + RULE, "is another rule's too"),
        (RULE.replace('"answers"', '"in/answers"'), "lies in the watched folder"),
        (RULE.replace('"tracks"', '"divisions"').replace("track_id = 3 and age > 2", "t > 1") + "holds_for = 2\n",
         "a division is told once"),
        (RULE + "after = 3\n", "after is not a known key"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_in_a_sentence(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(text, tmp_path)
    assert said in str(caught.value)
    assert "nusetd.toml, line " in str(caught.value)


def test_two_rules_share_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one would be lost"):
        parsed(RULE + "[[when]]\n" + RULE.replace("follow", "stop"), tmp_path)


@pytest.mark.parametrize("where", ["channel_1_mean > 100", "volume_um3 > 300 and touches_border = false"])
def test_conditions_may_name_what_only_images_have(where: str, tmp_path: Path) -> None:
    assert parsed(RULE.replace("track_id = 3 and age > 2", where), tmp_path).rules


@pytest.mark.parametrize(
    ("over", "where"),
    [
        ("counts", "divisions_total >= 20"),
        ("counts", "signal_ratio < 0.7 and nuclei_ratio > 0.5"),
        ("drift", "total_um > 3"),
        ("divisions", "score > 0.5 and parent_volume_um3 is not null"),
    ],
)
def test_what_is_computed_can_be_asked(over: str, where: str, tmp_path: Path) -> None:
    text = RULE.replace('"tracks"', f'"{over}"').replace("track_id = 3 and age > 2", where)
    assert parsed(text, tmp_path).rules[0].where == where


def test_a_named_host_may_be_posted_to(tmp_path: Path) -> None:
    text = RULE + 'webhook = "https://scope.example/x"\n[rules]\nhosts = ["scope.example"]\n'
    assert parsed(text, tmp_path).rules[0].actions == ("next", "webhook")


def test_a_reload_takes_changed_rules(tmp_path: Path) -> None:
    old, new = parsed(RULE, tmp_path), parsed(RULE.replace("age > 2", "age > 5"), tmp_path)
    taken = reload.compare(old, new)
    assert (taken.config.rules, taken.changed) == (new.rules, ("rules",))
    assert old.rules[0].made_of != new.rules[0].made_of
    told_otherwise = parsed(RULE + "timeout_s = 3.0\n", tmp_path)
    assert told_otherwise.rules[0].made_of == old.rules[0].made_of, "how it is sent does not begin it anew"


def test_the_machine_is_asked_about_folders_and_programs(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    found = machine_faults(parsed(RULE + 'command = ["/no/such/program"]\n', tmp_path))
    said = {fault.key: fault.sentence for fault in found}
    assert "is not there; make it" in said["when", 0, "next"]
    assert "cannot be run" in said["when", 0, "command"]


def test_the_rules_of_the_documents_can_be_said(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "OPERATIONS.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- rules -->\n```toml\n(.*?)```", page, re.DOTALL)
    rules = config.parse(HEAD.replace("[[when]]\n", "") + block, tmp_path / "nusetd.toml").rules
    assert [rule.name for rule in rules] == ["follow", "drift", "stop", "mitosis", "bleached"]


def test_the_documents_name_every_column_that_is_computed() -> None:
    page = (Path(__file__).parents[4] / "OPERATIONS.md").read_text(encoding="utf-8")
    for subject, columns in MADE.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{subject}` |"))
        assert set(re.findall(r"`(\w+)`", row)) - {subject} == set(columns)
