"""Weights that learned other things than they are asked for are used, and that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon import cli
from daemon.commands.kind_of_weights import say_if_for_events, say_if_for_nuclei
from daemon.configuration.service_config import EngineConfig


def test_weights_of_the_other_kind_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    say_if_for_nuclei("fluorescence")
    assert "The weights fluorescence learned nuclei, so each of these is told as an event" in capsys.readouterr().err
    say_if_for_events(EngineConfig(weights="mitosis"))
    assert "The weights mitosis learned rare events among nuclei" in capsys.readouterr().err


def test_a_service_with_weights_for_events_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    file = tmp_path / "nusetd.toml"
    watch = f'[[watch]]\npath = "{tmp_path / "in"}"\noutput = "{tmp_path / "out"}"\n'
    file.write_text(f'database = "{tmp_path / "nusetd.sqlite"}"\n{watch}[engine]\nweights = "mitosis"\n')
    assert cli.main(["check-config", str(file)]) == 0
    assert "The weights mitosis learned rare events" in capsys.readouterr().err


def test_of_others_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.npz").touch()
    (tmp_path / "old.json").write_text(json.dumps({"name": "old", "sha256": "0"}))
    for weights in ("mitosis", "nobody", str(tmp_path / "old.npz")):
        say_if_for_nuclei(weights)
    for weights in ("fluorescence", "histology", "nobody", str(tmp_path / "old.npz")):
        say_if_for_events(EngineConfig(weights=weights))
    say_if_for_events(EngineConfig(weights="mitosis", factory="mine:engine"))
    assert capsys.readouterr().err == ""
