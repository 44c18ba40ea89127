"""Libraries are loaded without a look for garbage, which is looked for afterwards as before."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from nuset_engine.loading import undisturbed


def test_garbage_is_looked_for_afterwards_whatever_happens() -> None:
    with undisturbed():
        assert not gc.isenabled()
        with undisturbed():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), undisturbed():
        import no_such_package  # noqa: F401
    assert gc.isenabled()


def test_what_stays_is_loaded_once_and_not_looked_through(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("import gc\nWAS = gc.isenabled()\n")
    code = (
        "import gc, sys\nfrom nuset_engine.loading import load_to_stay\nsys.path.insert(0, sys.argv[1])\n"
        "load_to_stay('heavy')\nimport heavy\nassert heavy.WAS is False and gc.isenabled()\n"
        "stays = gc.get_freeze_count()\nload_to_stay('heavy')\nassert stays == gc.get_freeze_count() > 0\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
