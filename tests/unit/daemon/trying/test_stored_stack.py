"""A stored time point is tried with the weights and the runtime that made it, or a sentence says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.errors import UsageError
from daemon.installation import kept_weights
from daemon.trying import stored_stack
from daemon.trying.stored_stack import StoredStack
from nuset_engine.params import SegmentationParams
from nuset_engine.runtime import choice
from nuset_engine.runtime.names import BFLOAT16, TENSORFLOW
from nuset_engine.weights import find_weights, save_weights

Machine = Callable[[str], None]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Says what the processor of a machine without a graphics card knows; weights are kept there as ``mine``."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    model = SimpleNamespace(layers=[], inputs=[SimpleNamespace(shape=(None, None, None, 4))])
    save_weights(model, tmp_path / "run.npz", {"architecture": {}})  # type: ignore[arg-type]
    kept_weights.keep(tmp_path / "run.npz", "mine")
    monkeypatch.setattr(choice, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(choice, "DEVICES", tmp_path)
    monkeypatch.setattr(stored_stack, "segmenter_of", lambda engine, params: engine)

    def knows(flags: str) -> None:
        (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")

    return knows


def made_by(runtime: str, name: str = "mine") -> StoredStack:
    """A time point that these weights made, read by this runtime."""
    model = choice.read_by(find_weights(kept_weights.located(name)), runtime)
    stack = StoredStack.__new__(StoredStack)
    stack.about = SimpleNamespace(model_name=model.name, model_sha256=model.sha256)  # type: ignore[assignment]
    return stack


def tried(stack: StoredStack) -> tuple[str, str]:
    engine = stack.segmenter({}, SegmentationParams())
    return engine.weights, engine.runtime  # type: ignore[attr-defined]


def test_what_made_it_is_what_tries_it(machine: Machine) -> None:
    machine("avx2 amx_bf16")
    for runtime in (BFLOAT16, TENSORFLOW):
        assert tried(made_by(runtime)) == ("mine", runtime)


def test_without_its_instructions_one_sentence_says_what_to_do(machine: Machine) -> None:
    machine("avx2 amx_bf16")
    stack = made_by(BFLOAT16)
    machine("avx2")
    with pytest.raises(UsageError) as raised:
        tried(stack)
    assert str(raised.value) == (
        "mine.bfloat16, which made it, cannot be computed here (this processor has no instructions amx_bf16, without "
        "which it would be slower than float32): use `nusetd try --weights mine --runtime tensorflow`."
    )


def test_weights_that_are_gone_are_named(machine: Machine) -> None:
    machine("avx2 amx_bf16")
    stack = made_by(BFLOAT16)
    (kept_weights.kept_folder() / "mine.npz").unlink()
    with pytest.raises(
        UsageError, match=r"mine\.bfloat16, which made it, is not here: use `nusetd try --weights FILE`"
    ):
        tried(stack)
