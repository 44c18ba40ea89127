"""Training of the NuSeT network, from scratch or from earlier weights; resumable, on any backend of Keras."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.augment import AugmentParams
from nuset_engine.colour import grey
from nuset_engine.dataset import (
    CropSampler,
    Example,
    batches,
    by_checksum,
    event_examples,
    make_event_example,
    make_example,
    read_image,
    read_pairs,
    synthetic_examples,
)
from nuset_engine.errors import EngineError
from nuset_engine.history import PARTS, plot_history, record
from nuset_engine.losses import pixel_losses, proposal_losses, total_loss
from nuset_engine.network import Architecture, build_network, computing_in, keras, ops
from nuset_engine.weights import WeightsInfo, find_weights, load_weights, save_weights

MODES = ("nuclei", "events")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainingConfig:
    """A training run; saved beside its weights, so that anyone can repeat it.

    Attributes
    ----------
    images, labels : Path or None
        Folders of images and of instance labels with the same file stems; None: synthetic images alone.
    output : Path
        The weights to write (``.npz``); checkpoints and history lie beside them.
    mode : str
        ``nuclei``: every nucleus is labelled. ``events``: only rare events are, such as mitoses, and the loss is
        weighted by attention.
    width : int
        Channels of the network's first level.
    steps, batch_size, crop_px : int
        Number of updates, crops per update, edge of a crop in network pixels.
    learning_rate : float
        Highest rate; it rises over the first 2 % of the steps and falls to 0 along a cosine.
    synthetic_share : float
        Share of crops from synthetic images.
    held_out : int
        This many images, those with the smallest CRC-32 of their name, are neither trained on nor validated on.
    validation : int
        This many images, those that follow, choose the best weights.
    start_from : str or None
        Name or path of the weights to start from.
    blend : float
        Share of what was learned in the weights that are kept; the rest is what the run started from. Between the two
        lie weights that do well on both kinds of images (Wortsman et al. 2022, weight-space ensembles).
    seed : int
    precision : str
        What the network computes in while it learns, ``float32`` or ``bfloat16``, see `network.computing_in`.
    """

    images: Path | None
    labels: Path | None
    output: Path
    mode: str = "nuclei"
    width: int = 24
    steps: int = 8000
    batch_size: int = 4
    crop_px: int = 256
    learning_rate: float = 1e-3
    synthetic_share: float = 0.4
    held_out: int = 0
    validation: int = 24
    start_from: str | None = None
    blend: float = 1.0
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, all faults at once."""
        faults = [
            f"{n} = {getattr(self, n)} is not above 0" for n in ("width", "steps", "batch_size") if getattr(self, n) < 1
        ]
        if self.crop_px < 64 or self.crop_px % 16:
            faults.append(f"crop_px = {self.crop_px} is not a multiple of 16 of at least 64")
        if not 0 <= self.synthetic_share <= 1:
            faults.append(f"synthetic_share = {self.synthetic_share} is not between 0 and 1")
        if not 0 < self.blend <= 1:
            faults.append(f"blend = {self.blend} is not above 0 and at most 1")
        if self.blend < 1 and not self.start_from:
            faults.append(f"blend = {self.blend} needs weights to start from (start_from)")
        if self.mode not in MODES:
            faults.append(f"mode = {self.mode!r} is not one of {', '.join(MODES)}")
        if (self.images is None) != (self.labels is None):
            faults.append("images and labels belong together: give both folders, or neither for synthetic images alone")
        if self.precision not in PRECISIONS:
            faults.append(f"precision = {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if faults:
            raise EngineError("Training settings are wrong: " + "; ".join(faults) + ".")

    @property
    def momentum(self) -> float:
        """Momentum of the moving average of the weights: over about a tenth of a run, but at most 500 steps."""
        return float(np.clip(1 - 10 / self.steps, 0.8, 0.998))

    def recipe(self) -> dict[str, Any]:
        """The settings for the manifest, without anybody's paths."""
        values = asdict(self)
        del values["output"]
        if self.start_from:
            values["start_from"] = Path(self.start_from).stem
        if self.images is None or self.labels is None:
            return values
        return {**values, "images": self.images.absolute().parent.name, "labels": self.labels.name}


class NusetTrainer(keras.Model):
    """The network with its losses; targets come as `dataset.collate` orders them."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network
        self.parts = {name: keras.metrics.Mean(name=name) for name in PARTS}

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Forward pass."""
        return self.network(inputs, training=training)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """Total loss of a batch; its parts are kept as metrics."""
        y = [ops.convert_to_tensor(target) for target in y]
        pixels, classes, boxes = y[0], y[1::2], y[2::2]
        losses = pixel_losses(pixels, y_pred[0]) | proposal_losses(classes, boxes, y_pred[1:])
        for name, value in losses.items():
            self.parts[name].update_state(value)
        return total_loss(losses)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Means of the parts of the loss since they were last reset."""
        return {name: metric.result() for name, metric in self.parts.items()}


def split(names: Sequence[str], held_out: int, validation: int) -> tuple[list[str], list[str], list[str]]:
    """Names to train on, to validate on, and to leave alone; by CRC-32 of the name, the held-out ones first.

    A small set keeps at least four fifths of its images for training.
    """
    order = by_checksum(names)
    rest = order[held_out:]
    count = min(validation, len(rest) // 5)
    return rest[count:], rest[:count], order[:held_out]


def load_examples(config: TrainingConfig, note: Callable[[str], None]) -> tuple[list[Example], list[Example]]:
    """Training and validation images of a run."""
    if config.images is None or config.labels is None:
        note("synthetic images alone")
        return [], []
    pairs = {name: (image, labels) for name, image, labels in read_pairs(config.images, config.labels)}
    train, validate, _ = split(list(pairs), config.held_out, config.validation)
    if not train:
        raise EngineError(f"No image of {config.images} is left to train on; hold fewer out or add images.")
    note(f"{len(train)} images to train on, {len(validate)} to validate on")
    load = _event_loader() if config.mode == "events" else _load
    return [load(n, *pairs[n]) for n in train], [load(n, *pairs[n]) for n in validate]


def _load(name: str, image: Path, labels: Path) -> Example:
    return make_example(name, grey(read_image(image)), read_image(labels))


def _event_loader() -> Callable[[str, Path, Path], Example]:
    """Loads images of rare events; how large the nuclei in them are, the shipped weights say."""
    from nuset_engine.segment import Segmenter

    segmenter = Segmenter()

    def load(name: str, image: Path, labels: Path) -> Example:
        plane = grey(read_image(image))
        known = segmenter.statistics([plane])
        if known.is_blank:
            raise EngineError(f"{name}: no nucleus can be made out, so its scale is unknown; remove the image.")
        bright = -plane.astype(np.float32) if known.inverted else plane
        return make_event_example(name, bright, read_image(labels), known.diameter_px)

    return load


def samplers(
    config: TrainingConfig, step: int, examples: list[Example], validation: list[Example]
) -> list[CropSampler]:
    """Endless crops to train on from `step` on, and the fixed ones to validate on."""
    events = config.mode == "events"
    render = event_examples if events else synthetic_examples
    augment = AugmentParams(coarse_chance=1.0) if events else AugmentParams()
    share = 0.0 if validation else config.synthetic_share
    return [
        CropSampler(examples, config.seed + step, config.crop_px, config.synthetic_share, augment, render=render),
        CropSampler(validation or examples, 1_000_003, config.crop_px, share, augment, render=render),
    ]


def rate_at(step: int, config: TrainingConfig) -> float:
    """Learning rate of a step: a linear rise over 2 % of the steps, then half a cosine."""
    rise = max(1, config.steps // 50)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    return config.learning_rate * 0.5 * (1 + np.cos(np.pi * (step - rise) / max(1, config.steps - rise)))


class Run:
    """One training run with its network, optimiser state and files."""

    def __init__(self, config: TrainingConfig, architecture: Architecture, network: keras.Model) -> None:
        self.config, self.architecture, self.network = config, architecture, network
        self.trainer = NusetTrainer(network)
        optimizer = keras.optimizers.Adam(
            config.learning_rate, global_clipnorm=5.0, use_ema=True, ema_momentum=config.momentum
        )
        self.trainer.compile(optimizer=optimizer)
        self.optimizer = optimizer
        self._start = network.get_weights()
        optimizer.build(self.trainer.trainable_variables)
        self.step, self.best, self.seconds = 0, float("inf"), 0.0
        self.state_path = config.output.with_suffix(".resume.npz")
        self.history_path = config.output.with_suffix(".history.csv")

    def _state(self) -> list[Any]:
        return [*self.network.variables, *self.optimizer.variables]

    def save_state(self) -> None:
        """Write everything that `resume` needs, in one step."""
        arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(self._state())}
        partial = self.state_path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, progress=np.array([self.step, self.best, self.seconds]), **arrays)
        partial.replace(self.state_path)

    def resume(self) -> bool:
        """Continue where an interrupted run stopped; False where there is nothing to continue."""
        if not self.state_path.is_file():
            return False
        with np.load(self.state_path, allow_pickle=False) as stored:
            if len(stored.files) != len(self._state()) + 1:
                raise EngineError(f"{self.state_path} is of another network; remove it to train from the start.")
            for index, variable in enumerate(self._state()):
                variable.assign(stored[f"v{index}"])
            step, self.best, self.seconds = (float(v) for v in stored["progress"])
        self.step = int(step)
        return True

    def averaged(self) -> keras.Model:
        """A copy of the network with the moving average of the weights, which predicts better than the last ones.

        Blended with the weights that the run started from, if its settings say so.
        """
        with computing_in(self.config.precision):
            copy = build_network(self.architecture, channels=self.network.input_shape[-1])
        copy.set_weights(self.network.get_weights())
        averages = self.optimizer._model_variables_moving_average
        places = {v.path: i for i, v in enumerate(self.network.variables)}
        for variable, average in zip(self.trainer.trainable_variables, averages, strict=True):
            copy.variables[places[variable.path]].assign(np.asarray(average))
        if self.config.blend < 1:
            pairs = zip(copy.get_weights(), self._start, strict=True)
            copy.set_weights([first + self.config.blend * (now - first) for now, first in pairs])
        return copy


def _validation_loss(run: Run, network: keras.Model, crops: list[tuple[np.ndarray, list[np.ndarray]]]) -> float:
    """Mean total loss over fixed crops."""
    values = []
    for inputs, targets in crops:
        outputs = network(inputs, training=False)
        losses = pixel_losses(targets[0], outputs[0]) | proposal_losses(targets[1::2], targets[2::2], outputs[1:])
        values.append(float(total_loss(losses)))
    return float(np.mean(values))


def prepare(config: TrainingConfig) -> Run:
    """Network and optimiser of a run, new, from earlier weights, or as an interrupted run left them."""
    keras.utils.set_random_seed(config.seed)
    start: WeightsInfo | None = None
    architecture = Architecture.of_width(config.width)
    if config.start_from:
        start = find_weights(config.start_from)
        sizes = start.architecture
        architecture = Architecture(tuple(sizes["filters"]), sizes["head_filters"])
    with computing_in(config.precision):
        network = build_network(architecture)
    if start is not None:
        load_weights(network, start)
    config.output.parent.mkdir(parents=True, exist_ok=True)
    return Run(config, architecture, network)


def train(
    config: TrainingConfig, note: Callable[[str], None] = lambda _: None, every: int = 250, progress: bool = False
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

    Raises
    ------
    EngineError
        For missing, unreadable or unsuitable training data, and weights that do not fit.
    """
    from tqdm import tqdm

    run = prepare(config)
    examples, validation = load_examples(config, note)
    if run.resume():
        note(f"continuing at step {run.step} of {config.steps}")
    sampler, fixed = samplers(config, run.step, examples, validation)
    count = min(64, 8 * len(validation)) if examples else 8 * config.batch_size
    crops = [fixed.batch(config.batch_size) for _ in range(1 + count // config.batch_size)]
    began = time.monotonic() - run.seconds
    bar = tqdm(total=config.steps, initial=run.step, unit="step", disable=not progress)
    for inputs, targets in batches(sampler, config.batch_size):
        if run.step >= config.steps:
            break
        run.optimizer.learning_rate = rate_at(run.step, config)
        logs = run.trainer.train_on_batch(inputs, targets, return_dict=True)
        run.step += 1
        bar.update()
        if run.step % every == 0 or run.step == config.steps:
            run.seconds = time.monotonic() - began
            note(_checkpoint(run, crops, logs))
            run.trainer.reset_metrics()
    bar.close()
    plot_history(run.history_path)
    return find_weights(config.output)


def _checkpoint(run: Run, crops: list, logs: dict[str, Any]) -> str:
    """Validate the averaged weights, keep them if they are the best, save the state; a sentence about it."""
    averaged = run.averaged()
    loss = _validation_loss(run, averaged, crops)
    parts = {name: float(np.asarray(logs[name])) for name in PARTS}
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
    if loss <= run.best:
        run.best = loss
        manifest = {
            "architecture": run.architecture.as_dict(),
            "recipe": run.config.recipe(),
            "scores": {"validation_loss": loss, "step": run.step, "seconds": round(run.seconds)},
            "backend": keras.backend.backend(),
        }
        save_weights(averaged, run.config.output, manifest)
    run.save_state()
    return f"step {run.step}: loss {total:.4f}, validation {loss:.4f}, best {run.best:.4f}, {run.seconds:.0f} s"
