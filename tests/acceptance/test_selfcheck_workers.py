"""`nusetd selfcheck --workers`: how many serve most here, measured with the real parts and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from lab import ENGINE, HERE, asked

from daemon.demonstration import worker_rates


@pytest.mark.long  # `.ci/run` runs it once
def test_the_best_number_of_workers_is_measured_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(worker_rates.STACKS, shape=(4, 64, 64), frames=4, nuclei=4, clusters=1)
    monkeypatch.setattr(worker_rates, "STACKS", small)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.syspath_prepend(str(HERE))
    (tmp_path / "incoming").mkdir()
    config = tmp_path / "nusetd.toml"
    watch = f'[[watch]]\npath = "{tmp_path}/incoming"\noutput = "{tmp_path}/out"\n'
    config.write_text(f'{watch}[engine]\nfactory = "{ENGINE}"\n')
    done = asked("selfcheck", "--config", config, "--workers", "2,1", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found["timepoints_per_hour"]) == ["1", "2"]
    assert all(rate > 0 for rate in found["timepoints_per_hour"].values())
    assert str(found["best"]) in found["timepoints_per_hour"]
    kept = json.loads((tmp_path / "state" / "workers.json").read_text())
    assert kept["timepoints_per_hour"] == found["timepoints_per_hour"]
    assert list((tmp_path / "out").iterdir()) == [], "what was made for it is gone"
