"""`nusetd selfcheck` through the real service, with a segmenter that starts in a moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.configuration import config
from daemon.demonstration import selfcheck
from tracking.synthetic.movie import MovieParams

HERE = Path(__file__).parent
APART = MovieParams(
    shape=(8, 128, 128), frames=5, nuclei=3, clusters=3, divisions=0, motility_um=0.4, missed_slices=0
)  # nuclei that keep apart, so that a threshold finds them


@pytest.mark.long  # `.ci/run` runs it
def test_a_machine_is_signed_off_and_one_that_is_too_slow_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setattr(selfcheck, "PACE_S", 0.3)
    monkeypatch.setattr(selfcheck, "QUIET_S", 3.0)
    (tmp_path / "in").mkdir()
    text = '[[watch]]\npath = "in"\noutput = "out"\n[engine]\nfactory = "classical_engine:ClassicalEngine"\n'
    given = config.parse(text, tmp_path / "nusetd.toml")
    findings = selfcheck.run_selfcheck(given, max_lag_s=0.001, params=APART)
    judged = {finding.name: finding.good for finding in findings}
    assert judged == {
        "configuration": True,
        "nuclei": True,
        "links": True,
        "divisions": True,
        "time per stack": None,
        "about": None,
        "lag": False,
    }
    assert not selfcheck.verdict(findings)
    assert list((tmp_path / "out").iterdir()) == [], "everything is removed"
