"""Libraries are loaded without a look for garbage, which is looked for afterwards as before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NESTED = """
import gc
from nuset_engine.loading import undisturbed
with undisturbed():
    assert not gc.isenabled()
    with undisturbed():
        pass
    assert not gc.isenabled()
assert gc.isenabled()
try:
    with undisturbed():
        import no_such_package
except ImportError:
    assert gc.isenabled()
else:
    raise AssertionError("it is there")
gc.disable()
with undisturbed():
    pass
assert not gc.isenabled()
"""

OVERLAPPING = """
import gc, threading
from nuset_engine.loading import undisturbed
begun, go_on = threading.Event(), threading.Event()
def load():
    with undisturbed():
        begun.set()
        assert go_on.wait(20)
other = threading.Thread(target=load, daemon=True)
with undisturbed():
    other.start()
    assert begun.wait(20)
assert not gc.isenabled()
go_on.set()
other.join()
assert gc.isenabled()
"""


def in_a_process_of_its_own(code: str, *arguments: object) -> None:
    """Run `code` where no thread of another test loads: all threads have one collector."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_garbage_is_looked_for_afterwards_whatever_happens() -> None:
    in_a_process_of_its_own(NESTED)


def test_garbage_is_looked_for_once_the_last_of_several_threads_has_loaded() -> None:
    in_a_process_of_its_own(OVERLAPPING)


def test_what_stays_is_loaded_once_and_not_looked_through(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("import gc\nWAS = gc.isenabled()\n")
    in_a_process_of_its_own(
        "import gc, sys\nfrom nuset_engine.loading import load_to_stay\nsys.path.insert(0, sys.argv[1])\n"
        "load_to_stay('heavy')\nimport heavy\nassert heavy.WAS is False and gc.isenabled()\n"
        "stays = gc.get_freeze_count()\nload_to_stay('heavy')\nassert stays == gc.get_freeze_count() > 0\n",
        tmp_path,
    )
