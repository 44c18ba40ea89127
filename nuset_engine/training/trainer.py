"""Training of a network, from scratch or from earlier weights; resumable, on any backend of Keras."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.errors import EngineError
from nuset_engine.models.base import Model
from nuset_engine.models.losses import total_loss
from nuset_engine.models.nuset import Nuset
from nuset_engine.models.registry import model_named, model_of
from nuset_engine.network import Architecture, computing_in, keras, ops
from nuset_engine.runtime.choice import weights_named
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.dataset import Batch, CropSampler, batches
from nuset_engine.training.examples import judged_images, load_examples, samplers
from nuset_engine.training.history import plot_history, record
from nuset_engine.training.score_fit import MOST_IMAGES, fitted_shift, shift_scores
from nuset_engine.training.telling import Tell, TrainingStoppedError, silent
from nuset_engine.weights import MODEL, NUSET, WeightsInfo, find_weights, load_weights, save_weights, whole

SHIFT = "score_shift"
"""In a manifest: what was added to the logits of scores after training."""

__all__ = ["TrainingConfig", "train"]


class NetworkTrainer(keras.Model):
    """A network with its losses; targets come as `dataset.collate` orders them."""

    def __init__(self, network: keras.Model, model: Model) -> None:
        super().__init__()
        self.network, self.kind = network, model
        self.parts = {name: keras.metrics.Mean(name=name) for name in model.parts}

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Forward pass."""
        return self.network(inputs, training=training)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """Total loss of a batch; its parts are kept as metrics."""
        losses = self.kind.losses([ops.convert_to_tensor(target) for target in y], keras.tree.flatten(y_pred))
        for name, value in losses.items():
            self.parts[name].update_state(value)
        return total_loss(losses)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Means of the parts of the loss since they were last reset."""
        return {name: metric.result() for name, metric in self.parts.items()}


_OPTIMIZERS = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}


def rate_at(step: int, config: TrainingConfig) -> float:
    """Learning rate of a step: a linear rise over 2 % of the steps, then half a cosine."""
    rise = max(1, config.steps // 50)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, config.steps - rise)))


class Run:
    """One training run with its network, optimiser state and files."""

    def __init__(self, config: TrainingConfig, model: Model, architecture: Architecture, network: keras.Model) -> None:
        self.config, self.model, self.architecture, self.network = config, model, architecture, network
        self.trainer = NetworkTrainer(network, model)
        optimizer = _OPTIMIZERS[config.optimizer](
            config.learning_rate, global_clipnorm=5.0, use_ema=True, ema_momentum=config.momentum
        )
        self.trainer.compile(optimizer=optimizer)
        self.optimizer = optimizer
        self._start = network.get_weights()
        optimizer.build(self.trainer.trainable_variables)
        self.step, self.best, self.seconds = 0, float("inf"), 0.0
        self.validated = True  # as far as it came, if it was to be
        self.state_path = config.output.with_suffix(".resume.npz")
        self.history_path = config.output.with_suffix(".history.csv")

    def _state(self) -> list[Any]:
        return [*self.network.variables, *self.optimizer.variables]

    def _asked(self) -> dict[str, Any]:
        """All that decides what is learned but for the number of steps: a run may be made longer."""
        asked = {name: value for name, value in self.config.recipe().items() if name != "steps"}
        if (images := self.config.images) is not None:  # many folders of images have one name
            asked["images"] = "/".join(images.absolute().parts[-2:])
        return {**asked, MODEL: self.model.name}  # said or not

    def _check_same(self, before: dict[str, Any]) -> None:
        """Refuse to go on with other settings: other crops are validated on, and the manifest would be wrong."""
        now, before = self._asked(), {**before, MODEL: before.get(MODEL) or self.model.name}
        others = [n for n in now if before.get(n) != now[n]]
        if others:
            was, wanted = (", ".join(f"{n} = {some.get(n)}" for n in others) for some in (before, now))
            raise EngineError(
                f"{self.state_path} is of a run with {was}, and now {wanted} is asked for: give the same settings to "
                "go on, or another output, or remove it to train from the start."
            )

    def save_state(self) -> None:
        """Write everything that `resume` needs, in one step."""
        arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(self._state())}
        with whole(self.state_path) as partial, partial.open("wb") as file:
            progress = np.array([self.step, self.best, self.seconds, self.validated])
            np.savez(file, allow_pickle=False, progress=progress, recipe=np.array(json.dumps(self._asked())), **arrays)

    def resume(self) -> bool:
        """Continue where an interrupted run stopped; False where there is nothing to continue."""
        if not self.state_path.is_file():
            return False
        with np.load(self.state_path, allow_pickle=False) as stored:
            if "recipe" in stored.files:  # in older ones it is not
                self._check_same(json.loads(str(stored["recipe"])))
            if len(stored.files) - ("recipe" in stored.files) != len(self._state()) + 1:
                raise EngineError(f"{self.state_path} is of another network; remove it to train from the start.")
            for index, variable in enumerate(self._state()):
                variable.assign(stored[f"v{index}"])
            step, self.best, self.seconds, *validated = (float(v) for v in stored["progress"])
        self.step = int(step)
        self.validated = validated != [0.0]  # older ones do not say it
        return True

    def averaged(self) -> keras.Model:
        """A copy of the network with the moving average of the weights, which predicts better than the last ones.

        Blended with the weights that the run started from, if its settings say so.
        """
        with computing_in(self.config.precision):
            channels = self.network.inputs[0].shape[-1]
            copy = self.model.build(self.architecture, channels=channels, kernels="zeros")
        copy.set_weights(self.network.get_weights())
        averages = self.optimizer._model_variables_moving_average
        places = {v.path: i for i, v in enumerate(self.network.variables)}
        for variable, average in zip(self.trainer.trainable_variables, averages, strict=True):
            copy.variables[places[variable.path]].assign(np.asarray(average))
        if self.config.blend < 1:
            pairs = zip(copy.get_weights(), self._start, strict=True)
            copy.set_weights([first + self.config.blend * (now - first) for now, first in pairs])
        return copy


def _validation_loss(run: Run, network: keras.Model, crops: list[Batch]) -> float:
    """Mean total loss over fixed crops."""
    values = []
    for inputs, targets in crops:
        outputs = keras.tree.flatten(network(run.model.inputs(inputs, targets), training=False))
        truth = keras.tree.map_structure(keras.ops.convert_to_tensor, targets)  # arrays alone are not all backends'
        values.append(float(keras.ops.convert_to_numpy(total_loss(run.model.losses(truth, outputs)))))
    return float(np.mean(values))


def prepare(config: TrainingConfig) -> Run:
    """Network and optimiser of a run, new, from earlier weights, or as an interrupted run left them."""
    keras.utils.set_random_seed(config.seed)
    start = weights_named(config.start_from) if config.start_from else None
    model = _model(config, start)
    architecture = Architecture.of(start.architecture) if start else Architecture.of_width(config.width)
    with computing_in(config.precision):
        network = model.build(architecture)
    if start is not None:
        load_weights(network, start)
    if config.norms == "fixed":
        for layer in network.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return Run(config, model, architecture, network)


def _model(config: TrainingConfig, start: WeightsInfo | None) -> Model:
    """The kind of network that a run trains: that of the weights it starts from, or what was asked for."""
    model = model_named(config.model or NUSET) if start is None else model_of(start)
    if config.model not in (None, model.name):
        raise EngineError(
            f"{config.start_from} is of the model {model.name}, so it cannot become a {config.model}: leave out the "
            "weights to start from, or train their model."
        )
    if model.name != NUSET and (config.mode == "events" or config.scores == "fitted"):
        raise EngineError(
            f"Events and fitted scores are of the model {NUSET} alone, and this run trains the model {model.name}: "
            "leave them out, or train that one."
        )
    return model


def train(
    config: TrainingConfig,
    note: Callable[[str], None] = lambda _: None,
    every: int = 250,
    progress: bool = False,
    tell: Tell = silent,
    stop: Callable[[], bool] = lambda: False,
) -> WeightsInfo:
    """Train, or continue an interrupted run of the same output, and write the best weights.

    Parameters
    ----------
    config : TrainingConfig
    note : callable
        Gets a sentence now and then.
    every : int
        Steps between validations, each with a checkpoint.
    progress : bool
        Show a progress bar.
    tell : callable
        Gets what happens as plain values, see `telling`.
    stop : callable
        Asked after each step whether to stop there; what was learned is kept.

    Raises
    ------
    EngineError
        For missing, unreadable or unsuitable training data, weights that do not fit, and an output that cannot be
        written.
    TrainingStoppedError
        When it was told to stop; the same call goes on from there.
    """
    with _said_where_it_cannot_be_written(config.output):
        _try_to_write(config.output)
        run = prepare(config)
        _trained(run, note, every, progress, tell, stop)
        _fit_scores(run, note)
        if run.history_path.is_file():  # a run that was killed at its first validation has none
            plot_history(run.history_path)
        tell("trained", step=run.step, best=run.best)
        return find_weights(config.output)


@contextmanager
def _said_where_it_cannot_be_written(output: Path) -> Iterator[None]:
    """A disk that is full, a folder that is read-only: a sentence."""
    try:
        yield
    except OSError as error:
        raise EngineError(
            f"{output} cannot be written ({error.strerror or error}): choose another output, or make room; the same "
            "settings go on from the last checkpoint, where there is one."
        ) from error


def _try_to_write(output: Path) -> None:
    """Make the folder, and see that weights can have this name in it: before anything is computed."""
    if output.is_dir():
        raise EngineError(f"{output} is a folder: choose another output.")
    output.parent.mkdir(parents=True, exist_ok=True)
    with whole(output.with_suffix(".json.tried")) as partial:
        partial.touch()
    output.with_suffix(".json.tried").unlink()


def _trained(
    run: Run, note: Callable[[str], None], every: int, progress: bool, tell: Tell, stop: Callable[[], bool]
) -> None:
    """Learn up to the last step, see `train`."""
    from tqdm import tqdm

    config = run.config
    examples, validation = load_examples(config, note)
    if run.resume():
        note(f"continuing at step {run.step} of {config.steps}")
    tell("begins", step=run.step, steps=config.steps, images=len(examples), validated_on=[e.name for e in validation])
    sampler, fixed = samplers(config, run.step, examples, validation, run.model)
    count = min(64, 8 * len(validation)) if examples else 8 * config.batch_size
    crops = _drawn(fixed, config.batch_size, count) if run.step < config.steps or not run.validated else []
    if not run.validated:  # it was killed at that
        _keep_if_best(run, crops)
    began = time.monotonic() - run.seconds
    bar = tqdm(total=config.steps, initial=run.step, unit="step", disable=not progress)
    for inputs, targets in batches(sampler, config.batch_size, max(0, config.steps - run.step)):
        run.optimizer.learning_rate = rate_at(run.step, config)
        logs = run.trainer.train_on_batch(run.model.inputs(inputs, targets), targets, return_dict=True)
        run.step += 1
        run.seconds = time.monotonic() - began
        bar.update()
        stopping = stop() and run.step < config.steps
        tell("step", step=run.step, loss=_mean_loss(logs, run.model.parts), seconds=run.seconds)
        if run.step % every == 0 or run.step == config.steps or stopping:
            note(_checkpoint(run, crops, logs, tell))
        if stopping:
            bar.close()
            raise TrainingStoppedError(run.step, config.steps)
    bar.close()
    if not math.isfinite(run.best):
        raise EngineError(
            f"What was learned is not a number, so there are no weights: remove {run.state_path}, and train with a "
            "lower learning rate."
        )


def _drawn(sampler: CropSampler, size: int, count: int) -> list[Batch]:
    """More than so many crops, in whole batches."""
    return [sampler.batch(size) for _ in range(1 + count // size)]


def _fit_scores(run: Run, note: Callable[[str], None]) -> None:
    """Have the usual least scores suit the best weights, if so wanted; once, for those that were fitted stay so."""
    from nuset_engine.segment import Segmenter

    info = find_weights(run.config.output)
    if run.config.scores != "fitted" or SHIFT in info.manifest["scores"]:
        return
    if run.model.name != Nuset.name:
        note(f"scores of nuclei stay as they were learned: only those of {Nuset.name} can be moved")
        return
    segmenter = Segmenter(info.path)
    shift = fitted_shift(segmenter, judged_images(run.config, MOST_IMAGES))
    network = run.model.build(run.architecture, channels=info.channels, kernels="zeros")
    load_weights(network, info)
    shift_scores(network, shift)
    manifest = {name: info.manifest[name] for name in (MODEL, "architecture", "recipe", "backend")}
    save_weights(network, run.config.output, {**manifest, "scores": {**info.manifest["scores"], SHIFT: shift}})
    judged = f"as {segmenter.weights_info.runtime} computes them"
    note(f"scores of nuclei are moved by {shift:+.1f} (logit): so the usual least scores suit these images, {judged}")


def _mean_loss(logs: dict[str, Any], parts: Sequence[str]) -> float:
    """Total loss since the metrics were last reset."""
    return float(total_loss({name: float(np.asarray(logs[name])) for name in parts}))


def _keep_if_best(run: Run, crops: list[Batch]) -> tuple[float, bool]:
    """Validate the averaged weights, and keep them if they are the best; the loss, and whether they are."""
    averaged = run.averaged()
    loss = _validation_loss(run, averaged, crops)
    better = loss <= run.best
    if better:
        run.best = loss
        manifest = {
            MODEL: run.model.name,
            "architecture": run.architecture.as_dict(),
            "recipe": run.config.recipe(),
            "scores": {"validation_loss": loss, "step": run.step, "seconds": round(run.seconds)},
            "backend": keras.backend.backend(),
        }
        save_weights(averaged, run.config.output, manifest)
    run.validated = True
    run.save_state()
    return loss, better


def _checkpoint(run: Run, crops: list[Batch], logs: dict[str, Any], tell: Tell) -> str:
    """Save the state, validate, and record both; a sentence about it."""
    run.validated = False
    run.save_state()  # first of all: validation takes a while, and who asks for a stop may lose patience
    loss, better = _keep_if_best(run, crops)
    parts = {name: float(np.asarray(logs[name])) for name in run.model.parts}
    rate = rate_at(run.step - 1, run.config)
    total = float(total_loss(parts))
    record(
        run.history_path,
        {
            "step": run.step,
            "learning_rate": rate,
            "seconds": run.seconds,
            "loss": total,
            **parts,
            "validation_loss": loss,
        },
    )
    run.trainer.reset_metrics()
    values = {"loss": total, "validation_loss": loss, "best": run.best, "kept": better, "seconds": run.seconds}
    tell("validated", step=run.step, **values, parts=parts)
    return f"step {run.step}: loss {total:.4f}, validation {loss:.4f}, best {run.best:.4f}, {run.seconds:.0f} s"
