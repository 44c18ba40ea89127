"""Training on a handful of small images: it learns, writes what it must, and continues after an interruption."""

from __future__ import annotations

import csv
import errno
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import numpy as np
import pytest
from cases.few_steps import few_steps
from skimage.io import imsave

from nuset_engine.errors import EngineError
from nuset_engine.models.losses import total_loss
from nuset_engine.models.nuset import Nuset
from nuset_engine.network import keras
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.training import trainer
from nuset_engine.training.examples import load_examples, samplers
from nuset_engine.training.telling import TrainingStoppedError
from nuset_engine.training.trainer import TrainingConfig, prepare, train
from nuset_engine.weights import find_weights, save_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic images with labels, as a user would bring them."""
    root = tmp_path_factory.mktemp("mine")
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (root / name).mkdir()
    for index in range(6):
        image, labels = synthetic_image(rng, SyntheticParams(size_px=96))
        imsave(root / "images" / f"{index}.tif", (500 * np.clip(image, 0, 4)).astype(np.uint16), check_contrast=False)
        imsave(root / "labels" / f"{index}.tif", labels.astype(np.uint16), check_contrast=False)
    return root


def config(folder: Path, output: Path, **changes: object) -> TrainingConfig:
    """A run of a few seconds."""
    base = TrainingConfig(
        folder / "images", folder / "labels", output, width=4, steps=3, batch_size=2, crop_px=64, validation=1
    )
    return replace(base, **changes)


VALIDATION = (3.0, 1.0, 2.0)


class StoppedError(Exception):
    """Ends a run as a power cut would."""


@pytest.fixture(scope="module")
def continued(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """Weights from a short run that was interrupted, of which the second validation was the best; what it said then."""

    def interrupt(sentence: str) -> None:
        if sentence.startswith("step 1:"):
            raise StoppedError

    output, losses = tmp_path_factory.mktemp("run") / "mine.npz", iter(VALIDATION)
    notes, told = list[str](), list[str]()
    with pytest.MonkeyPatch.context() as patch, few_steps():
        patch.setattr(trainer, "_validation_loss", lambda *_: next(losses))
        with pytest.raises(StoppedError):
            train(config(folder, output), note=interrupt, every=1)
        train(config(folder, output), note=notes.append, every=1, tell=lambda what, /, **_: told.append(what))
    return output, notes, told


@pytest.fixture(scope="module")
def trained(continued: tuple[Path, list[str], list[str]]) -> Path:
    """These weights."""
    return continued[0]


def history(weights: Path) -> list[dict[str, str]]:
    """Rows of the history beside the weights."""
    return list(csv.DictReader(weights.with_suffix(".history.csv").read_text().splitlines()))


def test_a_run_leaves_weights_manifest_history_and_plot(trained: Path) -> None:
    rows = history(trained)
    assert [(int(r["step"]), float(r["validation_loss"])) for r in rows] == list(enumerate(VALIDATION, start=1))
    assert trained.with_suffix(".history.png").stat().st_size > 5000
    manifest = Segmenter(trained).weights_info.manifest
    assert manifest["recipe"]["width"] == 4
    assert (manifest["scores"]["step"], manifest["scores"]["validation_loss"]) == (2, 1.0), "the best are kept"


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])  # another draw of the same
def test_a_step_makes_the_loss_on_its_crops_smaller(folder: Path, tmp_path: Path, seed: int) -> None:
    """Whatever is drawn: on the same crops again and again the loss falls with each step, in every part of it."""
    run = prepare(config(folder, tmp_path / "mine.npz", seed=seed))
    crops, _ = samplers(run.config, 0, *load_examples(run.config, lambda _: None))
    inputs, targets = crops.batch(2)
    parts = []
    for _ in range(4):
        run.trainer.reset_metrics()
        logs = run.trainer.train_on_batch(inputs, targets, return_dict=True)
        parts.append({name: float(np.asarray(logs[name])) for name in Nuset.parts})
    losses = [float(total_loss(part)) for part in parts]
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < 0.9 * losses[0]
    assert all(parts[-1][name] < parts[0][name] for name in Nuset.parts)


def test_an_interrupted_run_continues_where_it_stopped(continued: tuple[Path, list[str], list[str]]) -> None:
    output, notes, told = continued
    assert told == ["begins", *["step", "validated"] * 2, "trained"]
    assert any("continuing at step 1 of 3" in note for note in notes)
    assert [int(r["step"]) for r in history(output)] == [1, 2, 3]
    makers = [thread for thread in threading.enumerate() if thread.name == "crops"]
    for thread in makers:
        thread.join(10)
    assert not any(thread.is_alive() for thread in makers), "no crops are made that nobody learns from"


def test_what_was_learned_outlasts_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint, the weights and their manifest are on the disk before they have their names."""
    synced: dict[int, str] = {}
    monkeypatch.setattr(os, "fsync", lambda number: synced.update({os.fstat(number).st_ino: written(number)}))

    def written(number: int) -> str:
        return Path(f"/proc/self/fd/{number}").readlink().suffix

    run = SimpleNamespace(state_path=tmp_path / "mine.state.npz", step=1, best=0.5, seconds=2.0, validated=True)
    run._state, run._asked = list, dict
    trainer.Run.save_state(run)  # type: ignore[arg-type]
    model = SimpleNamespace(layers=[], inputs=[SimpleNamespace(shape=(None, None, None, 4))])
    save_weights(model, tmp_path / "mine.npz", {})  # type: ignore[arg-type]
    found = {path.name: synced.get(path.stat().st_ino) for path in tmp_path.iterdir()}
    assert found == dict.fromkeys(("mine.state.npz", "mine.npz", "mine.json"), ".partial")


def test_an_output_that_cannot_be_written_is_said_before_anything_is_computed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "prepare", pytest.fail)
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    for output, why in (("folder.npz", "is a folder"), ("file/mine.npz", r"cannot be written \(File exists\)")):
        with pytest.raises(EngineError, match=why):
            train(config(folder, tmp_path / output))
    assert {path.name for path in tmp_path.iterdir()} == {"folder.npz", "file"}


def test_a_disk_that_gets_full_is_said_and_nothing_half_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: IO[bytes], **_: object) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(trainer, "prepare", lambda _: SimpleNamespace(history_path=tmp_path / "mine.history.csv"))
    run = SimpleNamespace(state_path=tmp_path / "mine.resume.npz", step=1, best=0.5, seconds=2.0, validated=True)
    run._state, run._asked = list, dict
    monkeypatch.setattr(trainer, "_trained", lambda *_: trainer.Run.save_state(run))  # type: ignore[arg-type]
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(EngineError, match=r"mine\.npz cannot be written \(No space left on device\): choose another"):
        train(config(folder, tmp_path / "mine.npz"))
    assert not list(tmp_path.iterdir())


def test_what_is_no_number_gives_no_weights(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = SimpleNamespace(config=config(folder, tmp_path / "mine.npz"), step=3, best=float("inf"), model=Nuset())
    run.validated, run.resume, run.seconds, run.state_path = True, bool, 1.0, tmp_path / "mine.resume.npz"
    with pytest.raises(EngineError, match=r"is not a number, so there are no weights: remove .*mine\.resume\.npz"):
        trainer._trained(run, str, 1, False, lambda *_, **__: None, bool)  # type: ignore[arg-type]


def test_a_run_goes_on_whether_its_kind_is_said_or_not(
    continued: tuple[Path, list[str], list[str]], folder: Path
) -> None:
    assert prepare(config(folder, continued[0], model="nuset")).resume()


def test_a_run_does_not_go_on_with_other_settings_but_may_be_made_longer(
    continued: tuple[Path, list[str], list[str]], folder: Path
) -> None:
    """What was validated on was dimmed in another way, and the manifest would say what was not done."""
    output = continued[0]
    with pytest.raises(EngineError, match=r"with dimmed = 0\.0, and now dimmed = 0\.4 is asked for: give the same"):
        prepare(config(folder, output, dimmed=0.4)).resume()
    longer = prepare(config(folder, output, steps=5))
    assert longer.resume()
    assert longer.step == 3


@pytest.mark.usefixtures("eagerly")
def test_a_run_that_is_told_to_stop_keeps_what_it_learned_and_tells_of_it(folder: Path, tmp_path: Path) -> None:
    told: list[dict[str, object]] = []

    def tell(what: str, /, **values: object) -> None:
        told.append({"what": what, **values})

    settings = config(folder, tmp_path / "mine.npz", steps=2, optimizer="rmsprop")
    with pytest.raises(TrainingStoppedError, match="step 1 of 2; what was learned is kept"):
        train(settings, every=3, tell=tell, stop=lambda: True)
    assert [one["what"] for one in told] == ["begins", "step", "validated"]
    assert told[0]["validated_on"] == [load_examples(settings, lambda _: None)[1][0].name]
    assert told[2]["kept"] is True
    assert find_weights(tmp_path / "mine.npz").manifest["scores"]["step"] == 1
    (row,) = history(tmp_path / "mine.npz")
    assert 0 < float(row["validation_loss"]) < 10
    again = prepare(settings)
    assert again.resume()
    assert again.step == 1
    assert type(again.optimizer).__name__ == "RMSprop"


def test_fine_tuning_starts_from_the_given_weights(folder: Path, trained: Path, tmp_path: Path) -> None:
    run = prepare(config(folder, tmp_path / "tuned.npz", start_from=str(trained), width=24))
    assert run.architecture.filters[0] == 4
    with np.load(trained) as stored:
        layer = run.network.get_layer("encoder1_conv1")
        assert np.allclose(layer.get_weights()[0], stored["encoder1_conv1/kernel"], atol=1e-3)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(("norms", "stays"), [("fixed", True), ("learned", False)])
def test_batch_normalisation_stays_as_it_was_if_so_wanted(
    folder: Path, trained: Path, tmp_path: Path, norms: str, stays: bool
) -> None:
    asked = config(folder, tmp_path / "tuned.npz", start_from=str(trained), norms=norms)
    run = prepare(asked)
    layers = [layer for layer in run.network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [np.concatenate(layer.get_weights()) for layer in layers]
    kernel = run.network.get_layer("encoder1_conv1").get_weights()[0]
    inputs, targets = samplers(asked, 0, *load_examples(asked, lambda _: None))[0].batch(2)
    run.trainer.train_on_batch(inputs, targets)
    after = [np.concatenate(layer.get_weights()) for layer in layers]
    assert layers
    assert all(np.array_equal(one, two) for one, two in zip(before, after, strict=True)) is stays
    assert not np.array_equal(run.network.get_layer("encoder1_conv1").get_weights()[0], kernel), "all else is learned"


def test_fixed_norms_need_weights_to_start_from(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="norms = 'fixed' needs weights to start from"):
        config(folder, tmp_path / "x.npz", norms="fixed")


def test_a_blend_lies_between_the_start_and_what_was_learned(folder: Path, trained: Path, tmp_path: Path) -> None:
    run = prepare(config(folder, tmp_path / "mine.npz", start_from=str(trained)))
    for variable in run.trainer.trainable_variables:
        variable.assign_add(np.ones(variable.shape))
    for average in run.optimizer._model_variables_moving_average:
        average.assign_add(np.ones(average.shape))
    runs = {}
    for blend in (0.25, 1.0):
        run.config = replace(run.config, blend=blend)
        runs[blend] = run.averaged().get_layer("encoder1_conv1").get_weights()[0]
    with np.load(trained) as stored:
        start = stored["encoder1_conv1/kernel"].astype(np.float32)
    assert not np.allclose(runs[1.0], start, atol=0.5)
    assert np.allclose(runs[0.25], start + 0.25 * (runs[1.0] - start), atol=1e-3)


def test_a_blend_without_a_start_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="needs weights to start from"):
        config(folder, tmp_path / "x.npz", blend=0.5)


@pytest.mark.parametrize("name", ["mine.int8", "mine.bfloat16"])
def test_names_that_tell_what_computed_a_result_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EngineError, match=f"output: '{name}' ends in .*: choose another name"):
        TrainingConfig(None, None, tmp_path / f"{name}.npz")


def test_holding_out_everything_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="left to train on"):
        train(config(folder, tmp_path / "none.npz", held_out=6))


def test_the_recipe_names_the_images_without_anybodys_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = config(folder, Path("mine.npz")).recipe()
    assert (given["images"], given["labels"]) == ("images", "labels")
    monkeypatch.chdir(folder)
    assert config(Path(), Path("mine.npz")).recipe()["images"] == "images"
    monkeypatch.chdir(folder / "images")
    bare = TrainingConfig(Path(), Path("../labels"), Path("mine.npz")).recipe()
    assert (bare["images"], bare["labels"]) == ("images", "labels")
    assert str(folder.parent) not in str(given)


def test_a_run_that_was_killed_at_its_last_validation_is_validated_by_the_next_call(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what was learned last would count for nothing, and of a short run nothing would be left."""
    settings = config(folder, tmp_path / "mine.npz", steps=1)
    run = prepare(settings)
    run.step, run.validated = 1, False
    run.save_state()
    run.step, run.validated = 0, True
    monkeypatch.setattr(trainer, "prepare", lambda _: run)
    fixed = SimpleNamespace(batch=lambda _: None)
    monkeypatch.setattr(trainer, "samplers", lambda *_: (None, fixed))
    monkeypatch.setattr(trainer, "_validation_loss", lambda *_: 0.5)
    scores = train(settings).manifest["scores"]
    assert (scores["step"], scores["validation_loss"]) == (1, 0.5)


def test_losses_of_a_validation_get_tensors_whatever_the_backend_makes_of_arrays() -> None:
    def losses(truth: list[object], outputs: list[object]) -> dict[str, object]:
        assert all(keras.ops.is_tensor(one) for one in (*truth, *outputs))
        return {"bce": keras.ops.mean(truth[0])}

    run = SimpleNamespace(model=SimpleNamespace(inputs=lambda inputs, _: inputs, losses=losses))
    crop = (np.ones((1, 4, 4, 2), np.float32), [np.full((1, 4, 4, 3), 0.5, np.float32)])
    network = lambda inputs, training: keras.ops.convert_to_tensor(inputs)  # noqa: E731
    assert trainer._validation_loss(run, network, [crop]) == 0.5  # type: ignore[arg-type]


def test_the_recipe_says_how_many_images_were_left_out_beforehand(folder: Path) -> None:
    apart = folder / "held-out" / "images"
    apart.mkdir(parents=True)
    for name in ("a.tif", "b.tif", "c.tif"):
        (apart / name).touch()
    given = config(folder, Path("mine.npz"), held_out=2, held_out_images=apart).recipe()
    assert (given["held_out"], given["held_out_images"]) == (5, f"{folder.name}/held-out/images")
    assert "held_out_images" not in config(folder, Path("mine.npz")).recipe()
    json.dumps(given)
