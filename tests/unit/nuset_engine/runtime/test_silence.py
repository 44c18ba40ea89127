"""OpenVINO's telemetry never runs: no name is looked up, no connection and no process begun, no file left at home."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from nuset_engine.errors import EngineError
from nuset_engine.runtime.choice import read_by
from nuset_engine.runtime.names import AUTO, OPENVINO
from nuset_engine.runtime.silent_openvino import TELEMETRY, import_silently
from nuset_engine.weights import find_weights

pytestmark = pytest.mark.usefixtures("openvino")

WATCH = """
import sys
seen = []
CALLS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto",
         "subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn")
sys.addaudithook(lambda event, _: seen.append(event) if event in CALLS else None)
"""
SEGMENT = """
import numpy as np
from nuset_engine.segment import Segmenter
rng = np.random.default_rng(0)
image = rng.normal(100, 5, (96, 96))
image[30:54, 30:54] += 400
found = Segmenter(runtime="openvino").segment_plane(image)
assert len(found.scores) >= 1, found
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"tensorflow", "keras", "nncf"}, loaded
"""
QUANTISE = """
from pathlib import Path
from nuset_engine.runtime.silent_openvino import import_silently
nncf, op, ov = (import_silently(name) for name in ("nncf", "openvino.opset13", "openvino"))
import numpy as np
x = op.parameter([1, 2, 8, 8], np.float32)
kernel = op.constant(np.ones((2, 2, 3, 3), np.float32))
model = ov.Model([op.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1])], [x], "one")
nncf.quantize(model, nncf.Dataset([np.ones((1, 2, 8, 8), np.float32)]), subset_size=1)
"""
END = """
import threading
threads = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
assert not seen and not threads, (seen, threads)
assert sys.modules["openvino_telemetry"] is None
print("silent")
"""


def run(program: str, home: Path) -> None:
    """Run a program under watch, at home in an empty folder."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}  # where telemetry is off anyway
    done = subprocess.run(
        [sys.executable, "-c", WATCH + program + END],
        env=environment | {"HOME": str(home), "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("silent")
    assert not list(home.iterdir()), "telemetry keeps an identifier there"


def test_segmenting_calls_nobody_and_loads_no_tensorflow(tmp_path: Path) -> None:
    if read_by(find_weights("fluorescence"), AUTO).runtime != OPENVINO:
        pytest.skip("this processor has no instructions for int8, or there is a graphics card")
    run(SEGMENT, tmp_path)


def test_quantising_calls_nobody(tmp_path: Path) -> None:
    if find_spec("nncf") is None:
        pytest.skip("nncf is not installed (pip install nncf); it is among the packages for tests")
    run(QUANTISE, tmp_path)


def test_where_telemetry_runs_already_openvino_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, TELEMETRY, sys)
    with pytest.raises(EngineError, match="would report to its makers"):
        import_silently("openvino")


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(EngineError, match="pip install nncf"):
        import_silently("nncf")
