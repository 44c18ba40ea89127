"""The addresses of predict and train: what can be chosen, orders, how far jobs are, and what they made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from daemon.jobs.job import Job, JobReport, JobState
from daemon.page.live.jobs.job_orders import JobOrders, JobRules
from daemon.page.live.jobs.models import models
from daemon.page.live.jobs.progress import Progresses
from daemon.page.live.jobs.results import KINDS, archive, result_files
from daemon.page.live.jobs.scores import scores
from daemon.page.live.jobs.service_weights import ServiceWeights
from daemon.page.live.jobs.uploads import UploadRefusedError, Uploads, names_of
from daemon.page.live.orders.changing import Changing, Prepared
from daemon.page.live.orders.folders import Folders
from daemon.page.live.orders.services import Said, Services

_PASSED = 256 * 2**20
_FRESH = {"Cache-Control": "no-store"}


class JobRoutes:
    """Routes of jobs.

    Parameters
    ----------
    database : str
    services : Services
    folders : Folders
        Where images of this computer may be chosen.
    rules : JobRules
    changed : callable
        Told after every order.
    """

    def __init__(
        self, database: str, services: Services, folders: Folders, rules: JobRules, changed: Callable[[], None]
    ) -> None:
        self._folders, self._orders = folders, JobOrders(database, rules, folders)
        self._jobs = self._orders.jobs
        self._uploads = Uploads(self._jobs, rules.limits)
        self._progresses = Progresses()
        self._changing = Changing(database, services, changed)
        self._weights = ServiceWeights(database, services, self._changing, self._orders.trained)

    def routes(self) -> list[Route]:
        """Their addresses."""
        orders: dict[str, Callable[[Mapping[str, Any]], Prepared]] = {
            "draft": self._orders.draft,
            "predict": self._orders.predict,
            "train": self._orders.train,
            "stop-job": self._orders.stop,
            "resume-job": self._orders.resume,
            "remove-job": self._orders.remove,
            "keep-weights": self._orders.keep,
        }

        async def upload(request: Request) -> Response:
            return await self.upload(request)

        made = [self._changing.route(f"/api/orders/{what}", what, prepare) for what, prepare in orders.items()]
        return [
            *made,
            *self._weights.routes(),
            self._changing.marked("/api/uploads/{job}", "upload", upload),
            Route("/api/jobs", self.every),
            Route("/api/jobs/choices", self.choices),
            Route("/api/jobs/pairs", self.pairs),
            Route("/api/jobs/pair.png", self.pair),
            Route("/api/jobs/{job}", self.about),
            Route("/api/jobs/{job}/log", self.log),
            Route("/api/jobs/{job}/results.zip", self.archive),
            Route("/api/jobs/{job}/file/{place}/{name}", self.file),
        ]

    def every(self, request: Request) -> Response:
        """All jobs, the newest first."""
        found = [self._summary(job, report) for job, report in self._jobs.all()]
        return JSONResponse({"jobs": found}, headers=_FRESH)

    def choices(self, request: Request) -> Response:
        """What the forms offer."""
        limits = self._orders.limits
        return JSONResponse(
            {
                "models": models(),
                "settings": self._orders.offered(),
                "corrected": self._orders.corrected(),
                "upload_mb": limits.megabytes,
                "upload_files": limits.files,
                "kept_mb": round(self._jobs.uploaded_bytes() / 1e6, 1),
                "folders": [str(one) for one in self._folders.open_ones()],
            },
            headers=_FRESH,
        )

    def about(self, request: Request) -> Response:
        """One job: what was ordered, how far it is, what it found."""
        job, folder = self._found(request)
        report, names = self._jobs.reported(job.id), names_of(folder)
        values = self._summary(job, report) | {
            "order": dict(job.order),
            "steps": [one.name for one in job.steps],
            "folder": str(folder),
            "progress": self._progresses.of(job.id, folder).as_dict(job.kind, names),
            "scores": scores(folder) if job.kind == "train" else None,
            "files": [[one.place, one.path.name, one.name] for one in result_files(folder, names)],
        }
        return JSONResponse(values, headers=_FRESH)

    def log(self, request: Request) -> Response:
        """What its commands wrote, the end of it."""
        return JSONResponse({"text": self._jobs.log(self._found(request)[0].id)}, headers=_FRESH)

    def archive(self, request: Request) -> Response:
        """Everything that it made, as one file."""
        job, folder = self._found(request)
        files = list(result_files(folder, names_of(folder)))
        headers = {**_FRESH, "Content-Disposition": f'attachment; filename="nusetd-{job.kind}-{job.id}.zip"'}
        return StreamingResponse(archive(files), media_type="application/zip", headers=headers)

    def file(self, request: Request) -> Response:
        """One file that it made: only what is listed is given, whatever the address says."""
        _, folder = self._found(request)
        wanted = (request.path_params["place"], request.path_params["name"])
        for one in result_files(folder, names_of(folder)):
            if (one.place, one.path.name) == wanted:
                shown = one.path.suffix == ".png"
                kind = KINDS.get(one.path.suffix, "application/octet-stream")
                return FileResponse(one.path, headers=_FRESH, media_type=kind, filename=None if shown else one.name)
        raise HTTPException(404, "There is no such file.")

    def pairs(self, request: Request) -> Response:
        """Which images have labels, before they are trained on."""
        from daemon.page.live.jobs.pairs import pairs  # loads what only this needs

        return JSONResponse(pairs(*self._both(request)), headers=_FRESH)

    def pair(self, request: Request) -> Response:
        """One image beside its labels."""
        from daemon.page.live.jobs.pairs import pair_picture

        content = pair_picture(*self._both(request), request.query_params.get("name", ""))
        return Response(content, media_type="image/png", headers=_FRESH)

    async def upload(self, request: Request) -> Response:
        """Take a file for a job that was not started yet."""
        job, name = request.path_params["job"], request.query_params.get("name", "")
        length, content = request.headers.get("content-length", ""), request.stream()
        try:
            whole = await self._uploads.receive(job, name, int(length) if length.isdecimal() else None, content)
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody hears
        except UploadRefusedError as error:
            await _let_pass(content)
            return JSONResponse({"error": str(error)}, 413, {"Connection": "close"})

        def prepared() -> Prepared:
            return Prepared(f"{name} for job {job}", lambda: Said(self._uploads.finish(whole)))

        return await self._changing.carried_out(request, "upload", prepared)

    def _both(self, request: Request) -> tuple[Path, Path]:
        query = request.query_params
        return self._folders.inside(query.get("images", "")), self._folders.inside(query.get("labels", ""))

    def _found(self, request: Request) -> tuple[Job, Path]:
        number = request.path_params["job"]
        return self._jobs.job(number), self._jobs.folder(number)

    def _summary(self, job: Job, report: JobReport) -> dict[str, Any]:
        state = JobState(report.state)
        progress = self._progresses.of(job.id, self._jobs.folder(job.id))
        at_work = state.is_alive and report.step < len(job.steps)
        return {
            "id": job.id,
            "kind": job.kind,
            "title": job.title,
            "created_at": job.created_at,
            "state": state.value,
            "alive": state.is_alive,
            "meaning": state.meaning,
            "why": report.why,
            "step": report.step,
            "doing": job.steps[report.step].name if at_work else "",
            "summary": progress.summary(job.kind, job),
        }


async def _let_pass(content: AsyncIterator[bytes]) -> None:
    """Read what is not taken, within reason: a browser that is cut off while it sends is told no sentence."""
    passed = 0
    async for part in content:
        passed += len(part)
        if passed > _PASSED:
            return
