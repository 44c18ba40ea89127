"""The demonstration from end to end: microscope, real service, worker, stores, score and picture."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.cli import main
from daemon.demonstration import demo
from tracking.synthetic.movie import MovieParams

HERE = Path(__file__).parent

# Nuclei that keep apart, so that a threshold finds them and the test is about everything else.
APART = MovieParams(
    shape=(12, 160, 160),
    frames=8,
    nuclei=5,
    clusters=5,
    divisions=0,
    motility_um=0.4,
    missed_slices=1,
)


@pytest.fixture
def classical(monkeypatch: pytest.MonkeyPatch) -> str:
    """A segmenter without a network, which the service's worker can import."""
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    return "classical_engine:ClassicalEngine"


@pytest.mark.long  # `.ci/run` runs it
def test_the_demo_shows_what_was_found_and_where_it_is(
    classical: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "demo"
    code = demo.run_demo(output, APART, seed=4, pace_s=0.3, quiet_s=3, timeout_s=120, engine=classical)
    told = capsys.readouterr()
    assert code == 0, told.out + told.err
    assert "verdict: good" in told.out
    assert f"nusetd tracks demo --database {output / 'nusetd.sqlite'}" in told.out
    assert f"nusetd view demo --database {output / 'nusetd.sqlite'}" in told.out
    assert f"nusetd run --config {output / 'nusetd.toml'}" in told.out
    (first,) = [line for line in told.out.splitlines() if " acquisitions " in line]
    asked = subprocess.run(first, shell=True, capture_output=True, text=True, check=True)  # as it stands, in any shell
    assert "complete" in asked.stdout
    assert "8 of 8 stacks done" in told.err
    assert (output / "demo.png").stat().st_size > 50_000
    assert (output / "demo.ome.zarr").is_dir()
    assert len(list((output / "incoming").iterdir())) == 8
    assert main(["demo", "--output", str(output)]) == 2
    assert "delete it or give another --output" in capsys.readouterr().err


@pytest.mark.long  # `.ci/run` runs it
def test_ctrl_c_leaves_nothing_running(classical: str, tmp_path: Path) -> None:
    program = (
        "import signal, sys; from pathlib import Path; from daemon.output import complain\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it\n"
        "from daemon.demonstration import demo\n"
        f"try: demo.run_demo(Path({str(tmp_path / 'demo')!r}), pace_s=0.3, engine={classical!r})\n"
        "except KeyboardInterrupt: sys.exit(130)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    log = tmp_path / "demo" / "service.log"
    try:
        deadline = time.monotonic() + 60
        while not (log.exists() and "started" in log.read_text()):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "the service did not start within a minute"
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "stopped" in log.read_text().splitlines()[-1]
