"""Orders about jobs: each is understood first, then written down by whoever asked, then carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.errors import UsageError
from daemon.installation.kept_weights import keep
from daemon.jobs.job import Job, JobState
from daemon.jobs.job_folders import RESULTS, JobFolders
from daemon.jobs.prediction import PredictOrder, offered_settings
from daemon.jobs.starting import Starter
from daemon.jobs.training_order import NOTHING, TrainOrder
from daemon.page.live.jobs.models import model_names
from daemon.page.live.jobs.uploads import UploadLimits, uploaded
from daemon.page.live.orders.changing import Prepared
from daemon.page.live.orders.folders import Folders
from daemon.page.live.orders.services import Said
from storage.query.corrected import corrected_acquisitions
from storage.query.snapshots import snapshot
from storage.readers.confined import leading_out
from storage.readers.discover import discover

_ALWAYS_TOLD = ("name", "start_from")
"""Of a training, whether they are as usual or not; all else only where a person chose it."""


@dataclass(frozen=True)
class JobRules:
    """How jobs work here.

    Attributes
    ----------
    folder : Path
        Where everything of them lies.
    limits : UploadLimits
    cores : int
        That one computes on.
    engine : sequence of str
        More arguments for the command that finds nuclei, for another segmenter.
    """

    folder: Path
    limits: UploadLimits = field(default_factory=UploadLimits)
    cores: int = 1
    engine: Sequence[str] = ()


class JobOrders:
    """Understands orders.

    Parameters
    ----------
    database : str
    rules : JobRules
    folders : Folders
        Where images of this computer may be chosen.
    """

    def __init__(self, database: str, rules: JobRules, folders: Folders) -> None:
        self._database, self._rules, self._folders = database, rules, folders
        self.limits = rules.limits
        self.jobs = JobFolders(rules.folder)
        self._starter = Starter(self.jobs, database)

    def offered(self) -> list[dict[str, Any]]:
        """The settings of the form."""
        return [
            {
                "name": one.full_name,
                "default": one.default,
                "unset": one.default_text,
                "range": one.range_text,
                "unit": one.unit_text,
                "meaning": one.setting.meaning,
                "change": one.setting.change,
            }
            for one in offered_settings()
        ]

    def draft(self, values: Mapping[str, Any]) -> Prepared:
        """Make a job that images are uploaded for."""

        def act() -> Said:
            self.jobs.remove_old_drafts()
            job = self.jobs.new("predict", "uploaded images", {})
            return Said("Images can be given now.", values={"job": job.id})

        return Prepared("uploaded images", act)

    def predict(self, values: Mapping[str, Any]) -> Prepared:
        """Find nuclei in the images that were uploaded, or in a folder of this computer."""
        order = PredictOrder.read(values, model_names())
        chosen: dict[str, Any] = {"weights": order.weights, "settings": dict(order.settings)}
        chosen |= {"channel": order.channel, "voxel_size_um": order.voxel_size_um}
        if "job" in values:
            draft = self._named(values)
            if self.jobs.reported(draft.id).state != JobState.DRAFT.value:
                raise UsageError("The job was started already.")
            images: list[Path] = uploaded(self.jobs.folder(draft.id))
            title, count = f"{len(images)} uploaded image{'s' * (len(images) != 1)}", len(images)
            if not images:
                raise UsageError("No image was given: drop some, or name a folder.")
        else:
            path = self._folders.inside(str(values.get("folder") or ""))
            found = discover(path)
            self._refuse_leading_out(path, found)
            draft, images, title, count = None, [path], str(path), len(found)
            if not found:
                raise UsageError(f"There is no image in {path}: name another folder.")

        def act() -> Said:
            job = draft or self.jobs.new("predict", title, {})
            results = self.jobs.folder(job.id) / RESULTS
            steps = order.steps(images, results, self._rules.cores, self._rules.engine)
            chosen["count"] = count
            return self._begin(replace(job, title=title, steps=steps, order=chosen, cores=self._rules.cores))

        return Prepared(title, act, chosen)

    def train(self, values: Mapping[str, Any]) -> Prepared:
        """Train weights on images and labels of this computer."""
        order = TrainOrder.read(values, model_names())
        title, acquisition = f"{order.name}, from {order.start_from}", values.get("acquisition")
        decided = {"name": order.name, "start_from": order.start_from, "acquisition": acquisition}
        usual = asdict(TrainOrder.read(decided, model_names()))
        chosen: dict[str, Any] = asdict(order)
        given = {name: value for name, value in chosen.items() if name in _ALWAYS_TOLD or value != usual[name]}
        source: dict[str, Any]
        if acquisition is not None:
            if order.start_from == NOTHING:
                raise UsageError("What people corrected tunes weights: choose some to start from.")
            held_out = order.held_out or "a fifth of the time points"
            source = self._corrected(acquisition) | {"compared_with": order.start_from, "held_out": held_out}
        else:
            images, labels = (self._folders.inside(str(values.get(name) or "")) for name in ("images", "labels"))
            for folder in (images, labels):
                self._refuse_leading_out(folder, list(folder.iterdir()) if folder.is_dir() else [])
            source = {"images": str(images), "labels": str(labels)}
        given |= source

        def act() -> Said:
            job = self.jobs.new("train", title, {**chosen, **source, "changed": list(given)})
            results, cores = self.jobs.folder(job.id) / RESULTS, self._rules.cores
            if acquisition is not None:
                steps = order.steps_from(acquisition, results)
            else:
                steps = order.steps_for(images, labels, results, cores)
            return self._begin(replace(job, steps=steps, cores=cores))

        return Prepared(title, act, given)

    def stop(self, values: Mapping[str, Any]) -> Prepared:
        """Have a job stop; what it has is kept."""

        def act(job: Job) -> Said:
            self._starter.stop(job.id)
            return Said("It is told to stop, and keeps what it has.")

        return self._about(values, act)

    def resume(self, values: Mapping[str, Any]) -> Prepared:
        """Have a job go on where it is, or with a later one of its steps."""
        job = self._named(values)
        step = values.get("step", self.jobs.reported(job.id).step)
        if not isinstance(step, int) or not 0 <= step < len(job.steps):
            raise UsageError("The job has no such step.")

        def act(job: Job) -> Said:
            self._starter.start(job.id, step)
            return Said("It goes on.")

        return self._about(values, act)

    def remove(self, values: Mapping[str, Any]) -> Prepared:
        """Remove a job with its uploads and results."""

        def act(job: Job) -> Said:
            self.jobs.remove(job.id)
            return Said("It is removed, with all that it had.")

        return self._about(values, act)

    def keep(self, values: Mapping[str, Any]) -> Prepared:
        """Keep the weights of a training under their name."""
        weights, name = self.trained(values), str(values.get("name") or "")

        def act(job: Job) -> Said:
            keep(weights, name)
            return Said(f"They are kept as {name!r}: every list of weights has them now, and `--weights {name}`.")

        return self._about(values, act)

    def trained(self, values: Mapping[str, Any]) -> Path:
        """The weights of a training.

        Raises
        ------
        DaemonError
            When there are none.
        """
        job = self._named(values)
        if job.kind != "train":
            raise UsageError("That job made no weights.")
        weights = self.jobs.folder(job.id) / RESULTS / f"{job.order['name']}.npz"
        if not weights.is_file():
            raise UsageError("There are no weights yet: the first ones come with the first validation.")
        return weights

    def corrected(self) -> list[dict[str, Any]]:
        """The acquisitions with corrected time points."""
        with snapshot(self._database) as connection:
            found = corrected_acquisitions(connection)
        return [{"id": number, "name": name, "time_points": count} for number, name, count in found]

    def _corrected(self, acquisition: object) -> dict[str, Any]:
        """What is said of an acquisition that is trained on."""
        for one in self.corrected():
            if one["id"] == acquisition and not isinstance(acquisition, bool):
                return {"acquisition": one["name"], "corrected time points": one["time_points"]}
        raise UsageError("That acquisition has no corrected time point: correct some, or name folders.")

    @staticmethod
    def _refuse_leading_out(folder: Path, paths: Sequence[Path]) -> None:
        """Refuse links to what the page may not use."""
        out = leading_out(folder, paths) if folder.is_dir() else None
        if out is not None:
            raise UsageError(f"{out} is a link that leads out of {folder}: name a folder without such links.")

    def _begin(self, job: Job) -> Said:
        self.jobs.write(job)
        self._starter.start(job.id)
        return Said("It is begun.", values={"job": job.id})

    def _about(self, values: Mapping[str, Any], act: Callable[[Job], Said]) -> Prepared:
        job = self._named(values)
        return Prepared(f"{job.title} ({job.id})", lambda: act(job))

    def _named(self, values: Mapping[str, Any]) -> Job:
        return self.jobs.job(str(values.get("job") or ""))
