"""Which runtime reads weights, and that it is part of what identifies them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from nuset_engine.errors import EngineError
from nuset_engine.runtime import choice
from nuset_engine.runtime.names import AUTO, BFLOAT16, OPENVINO, RUNTIMES, TENSORFLOW, read_as
from nuset_engine.weights import Int8File, WeightsInfo, find_weights, int8_path

QUICK = "processor : 0\nflags\t\t: fpu sse2 avx2 avx512_vnni\n"
BFLOAT = "processor : 0\nflags\t\t: fpu sse2 avx2 avx512_vnni avx512_bf16 amx_bf16\n"
SLOW = "processor : 0\nflags\t\t: fpu sse2 avx2\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with VNNI, OpenVINO and no graphics card: `cpuinfo` and `dev` in this folder."""
    (tmp_path / "cpuinfo").write_text(QUICK)
    (tmp_path / "dev").mkdir()
    monkeypatch.setattr(choice, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(choice, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(choice, "find_spec", lambda name: object())
    for name in ("CUDA_VISIBLE_DEVICES", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def weights(tmp_path: Path) -> WeightsInfo:
    """Weights with an int8 twin, as far as their files are looked at here."""
    return stored(tmp_path, "mine", b"twin")


def stored(folder: Path, name: str, twin: bytes | None, **more: str) -> WeightsInfo:
    """Weights by their files' hashes; `twin` None: without int8."""
    path = folder / f"{name}.npz"
    path.write_bytes(name.encode())
    manifest = {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), **more}
    if twin is not None:
        int8_path(path).write_bytes(twin)
        manifest["int8"] = {"sha256": hashlib.sha256(twin).hexdigest()}  # type: ignore[assignment]
    path.with_suffix(".json").write_text(json.dumps(manifest))
    return find_weights(path)


@pytest.mark.parametrize(("ending", "runtime"), [("int8", OPENVINO), ("bfloat16", BFLOAT16)])
def test_the_name_of_a_model_leads_to_its_weights(tmp_path: Path, ending: str, runtime: str) -> None:
    """Also by the path of their int8 twin; older weights that are called so are found."""
    for given, wanted in ((f"mine.{ending}", "mine"), (f"of/mine.{ending}.npz", "of/mine.npz")):
        with pytest.raises(EngineError) as raised:
            choice.weights_named(given)
        assert str(raised.value) == (
            f"There are no weights '{given}': results call '{wanted}' so where {runtime} computed them; "
            f"give '{wanted}', with runtime = '{runtime}' for the same results."
        )
    assert choice.weights_named(stored(tmp_path, f"mine.{ending}", None).path).name == f"mine.{ending}"


def test_int8_is_read_where_all_that_it_needs_is_there(machine: Path, weights: WeightsInfo) -> None:
    found = choice.read_by(weights, AUTO)
    assert (found.runtime, found.name) == (OPENVINO, "mine.int8")
    assert choice.read_by(weights, OPENVINO) == found


def test_float32_keeps_the_identity_that_the_file_has(machine: Path, weights: WeightsInfo) -> None:
    assert choice.read_by(weights, TENSORFLOW) == weights
    assert weights.runtime == TENSORFLOW


def test_what_identifies_weights_changes_with_the_runtime_and_with_the_twin(machine: Path, tmp_path: Path) -> None:
    first = stored(tmp_path, "mine", b"twin")
    seen = {choice.read_by(first, wanted).sha256 for wanted in (AUTO, OPENVINO, TENSORFLOW)}
    assert len(seen) == 2
    seen.add(choice.read_by(stored(tmp_path, "mine", b"another twin"), AUTO).sha256)
    assert len(seen) == 3
    stored(tmp_path, "planes", b"planes' twin")
    both = stored(tmp_path, "mine", b"twin", single_planes="planes")
    seen |= {choice.read_by(both, wanted).sha256 for wanted in (AUTO, OPENVINO, TENSORFLOW)}
    assert len(seen) == 5


def test_of_two_sets_each_is_read_as_it_can_be(machine: Path, tmp_path: Path) -> None:
    stored(tmp_path, "planes", None)
    found = choice.read_by(stored(tmp_path, "mine", b"twin", single_planes="planes"), AUTO)
    assert found.single_planes is not None
    assert (found.runtime, found.single_planes.runtime) == (OPENVINO, TENSORFLOW)
    (machine / "cpuinfo").write_text(BFLOAT)
    quicker = choice.read_by(find_weights(found.path), AUTO)
    assert quicker.single_planes is not None
    assert (quicker.runtime, quicker.single_planes.runtime) == (OPENVINO, BFLOAT16)
    assert quicker.single_planes.name == "planes.bfloat16"
    assert quicker.sha256 != found.sha256


def test_without_instructions_for_bytes_auto_is_float32_and_openvino_is_refused(
    machine: Path, weights: WeightsInfo
) -> None:
    for text in (SLOW, ""):
        (machine / "cpuinfo").write_text(text)
        assert choice.read_by(weights, AUTO) == weights
    (machine / "cpuinfo").unlink()  # as where there is no Linux
    assert choice.read_by(weights, AUTO) == weights
    with pytest.raises(EngineError, match=r"avx512_vnni.*'auto' or 'tensorflow'"):
        choice.read_by(weights, OPENVINO)


def test_without_openvino_auto_is_float32(machine: Path, weights: WeightsInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    assert choice.read_by(weights, AUTO) == weights
    with pytest.raises(EngineError, match="pip install openvino"):
        choice.read_by(weights, OPENVINO)


def test_without_a_twin_auto_is_float32(machine: Path, weights: WeightsInfo) -> None:
    bare = replace(weights, int8=None)
    assert choice.read_by(bare, AUTO) == bare
    with pytest.raises(EngineError, match=r"no int8 twin; make it by `nusetd train --quantise .*mine.npz`"):
        choice.read_by(bare, OPENVINO)


@pytest.mark.parametrize("device", ["nvidia0", "kfd"])
def test_a_graphics_card_is_left_to_tensorflow(
    machine: Path, weights: WeightsInfo, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "dev" / device).touch()
    assert choice.read_by(weights, AUTO).runtime == TENSORFLOW
    assert choice.read_by(weights, OPENVINO).runtime == OPENVINO
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert choice.read_by(weights, AUTO).runtime == OPENVINO


def test_another_backend_of_keras_is_asked_for_on_purpose(
    machine: Path, weights: WeightsInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert choice.read_by(weights, AUTO).runtime == TENSORFLOW


def test_without_int8_a_processor_that_computes_in_bfloat16_does(
    machine: Path, weights: WeightsInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = replace(weights, int8=None)
    (machine / "cpuinfo").write_text(BFLOAT)
    assert choice.read_by(weights, AUTO).runtime == OPENVINO
    found = choice.read_by(bare, AUTO)
    assert (found.runtime, found.name) == (BFLOAT16, "mine.bfloat16")
    assert found == choice.read_by(bare, BFLOAT16)
    assert choice.read_by(bare, TENSORFLOW) == bare
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert choice.read_by(bare, AUTO) == bare


def test_bfloat16_is_refused_where_it_would_be_slow(machine: Path, weights: WeightsInfo) -> None:
    (machine / "cpuinfo").write_text(BFLOAT.replace(" amx_bf16", ""))
    assert choice.read_by(replace(weights, int8=None), AUTO).runtime == TENSORFLOW
    with pytest.raises(EngineError, match=r"runtime = 'tensorflow-bfloat16': .* no instructions amx_bf16"):
        choice.read_by(weights, BFLOAT16)
    (machine / "dev" / "nvidia0").touch()
    assert choice.read_by(weights, BFLOAT16).runtime == BFLOAT16
    assert choice.read_by(weights, AUTO) == weights


def test_each_runtime_is_a_model_of_its_own(machine: Path, weights: WeightsInfo) -> None:
    (machine / "cpuinfo").write_text(BFLOAT)
    found = {runtime: choice.read_by(weights, runtime) for runtime in RUNTIMES if runtime != AUTO}
    assert len({one.sha256 for one in found.values()}) == len(found) == 3
    assert {runtime: read_as(one.name) for runtime, one in found.items()} == {name: ("mine", name) for name in found}


@pytest.mark.parametrize(("first", "second"), [(b"twin", None), (None, b"twin"), (None, None)])
def test_two_sets_that_were_read_as_each_could_be_are_read_so_again(
    machine: Path, tmp_path: Path, first: bytes | None, second: bytes | None
) -> None:
    """The name tells what read the first one alone, the hash tells both."""
    (machine / "cpuinfo").write_text(BFLOAT)
    stored(tmp_path, "planes", second)
    both = stored(tmp_path, "mine", first, single_planes="planes")
    for wanted in (AUTO, TENSORFLOW, BFLOAT16):
        made = choice.read_by(both, wanted)
        again = choice.wanted_for(both, made.sha256, read_as(made.name)[1])
        assert choice.read_by(both, again) == made
    assert choice.wanted_for(both, "another hash", TENSORFLOW) == TENSORFLOW


def test_a_twin_that_is_not_the_described_one_is_refused(machine: Path, weights: WeightsInfo) -> None:
    assert weights.int8 is not None
    weights.int8.path.write_bytes(b"another")
    with pytest.raises(EngineError, match="not the file that its manifest describes"):
        choice.read_by(weights, AUTO)
    weights.int8.path.unlink()
    with pytest.raises(EngineError, match=r"missing.*nusetd train --quantise .*mine.npz"):
        choice.read_by(weights, AUTO)
    assert choice.read_by(weights, TENSORFLOW) == weights


def test_files_are_read_once_to_be_checked_until_they_change(
    machine: Path, weights: WeightsInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plainly = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or plainly(path))  # type: ignore[func-returns-value]
    for _ in range(3):
        choice.read_by(find_weights(weights.path), AUTO)
    assert read == ["mine.int8.npz"]
    assert weights.int8 is not None
    beside = weights.int8.path.with_name("new")
    beside.write_bytes(b"TWIN")
    beside.replace(weights.int8.path)
    with pytest.raises(EngineError, match="not the file that its manifest describes"):
        choice.read_by(weights, AUTO)
    weights.path.write_bytes(b"else")
    os.utime(weights.path, ns=(0, 0))
    with pytest.raises(EngineError, match="not the file that its manifest describes"):
        find_weights(weights.path)


@pytest.mark.parametrize("fault", [EngineError("It is damaged."), PermissionError("It is not ours.")])
def test_every_refusal_names_what_was_wanted_once(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """Also where only the weights for single planes are at fault; what the system said stays its cause."""

    def check(file: Int8File) -> None:
        if file.path.stem == "planes.int8":
            raise fault

    monkeypatch.setattr(Int8File, "check", check)
    stored(tmp_path, "planes", b"twin")
    both = stored(tmp_path, "mine", b"twin", single_planes="planes")
    for wanted in (AUTO, OPENVINO):
        with pytest.raises(EngineError) as raised:
            choice.read_by(both, wanted)
        assert (str(raised.value), raised.value.__cause__) == (f"runtime = '{wanted}': {fault}", fault)


def test_unknown_runtimes_are_refused(weights: WeightsInfo) -> None:
    with pytest.raises(EngineError, match="'onnx': there is no such runtime; choose one of auto, openvino, tens"):
        choice.read_by(weights, "onnx")


def test_the_twin_lies_beside_its_weights() -> None:
    assert Int8File.beside(Path("a/mine.npz"), {}) is None
    assert Int8File.beside(Path("a/mine.npz"), {"int8": {"sha256": "x"}}) == Int8File(Path("a/mine.int8.npz"), "x")
