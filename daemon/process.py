"""`nusetd process`: the same pipeline as the service, over files and folders that are there now, once."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import pipeline
from daemon.assembly import Assembly, Hooks, Rules, Where, assemble, make_folder
from daemon.errors import DaemonError, EngineFailedError, UsageError
from daemon.monitoring.outcome_words import outcomes_in_words, set_aside_in_words
from daemon.output import complain, say
from daemon.plain_text import shown
from daemon.processing.channels.looking import doubt_about_channel
from daemon.processing.recipe import Recipe
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.steps.books import Seen
from daemon.progress import Bars
from daemon.sentences import Sentences
from daemon.upkeep.forgetting import Forgetting
from daemon.upkeep.superseded import give_way
from daemon.watching.inspection import Answer, Gone, InspectionRequest, Look, Looked, Missing, Open, Opened, Stuck
from daemon.watching.taken import folders_to, moved_here
from storage import naming, readers
from storage.database.catalog import Catalog
from storage.errors import StorageError
from storage.found import Found
from storage.given_facts import GivenFacts
from storage.omezarr.references import ImageKind
from storage.readers import names
from storage.schema.states import FINISHED, AcquisitionState
from storage.spans import counted, spoken
from tracking.steps import absent

if TYPE_CHECKING:
    from daemon.configuration.config import Processing, UnclearChannel
    from daemon.configuration.service_config import EngineConfig
    from storage.schema.rows import AcquisitionRow, TimepointRow

_TURN_S = 0.2
_AHEAD = 8  # acquisitions that are opened while others are queued
_DOUBTS_SAID = 3  # of an acquisition
_MORE = "`nusetd acquisitions --format json` has it in the columns doubts and error"
_RULES = Rules(worker_silence_s=900.0, reader_limit_s=300.0, retry_policy=RetryPolicy(attempts=3, pause_s=1.0))


@dataclass(frozen=True)
class ProcessOptions:
    """What is to be processed, and how.

    Attributes
    ----------
    paths : sequence of Path
        Files, OME-Zarr folders, and folders to look through.
    output : Path or str
        A folder, or the URL of an object store: gets a `<name>.ome.zarr` per acquisition.
    database : str or None
        Where the rows go; None: `nusetd.sqlite` in the output folder.
    step : int or None
        From one number of a series to the next; None: the constant step of three files or more, else 1.
    given : GivenFacts
        What is said of all of them.
    """

    paths: Sequence[Path]
    output: naming.Place
    engine: EngineConfig
    processing: Processing
    given: GivenFacts = field(default_factory=GivenFacts)
    ome_zarr_version: str = "0.4"
    pattern: str | None = None
    image: ImageKind = "copy"
    database: str | None = None
    step: int | None = None
    unclear_channel: UnclearChannel = "ask"


@dataclass
class _Run:
    """What is under way, and what became of it: acquisitions by id, and how much could not be taken up at all.

    `opened` are files that were opened with another one of their set: they need no look of their own. `sets` are files
    that may be so: none is opened before the one in front of it is. `failed` is what was set aside, by acquisition.
    """

    options: ProcessOptions
    catalog: Catalog
    parts: Assembly
    bars: Bars
    doubts: Mapping[int, Sequence[str]]
    failed: Mapping[int, Sequence[Seen]]
    rows: dict[int, None] = field(default_factory=dict)  # in the order in which they were taken up
    faults: int = 0
    opened: set[Path] = field(default_factory=set)
    sets: set[Path] = field(default_factory=set)
    sentences: Sentences = field(default_factory=lambda: Sentences(more=_MORE))

    def asked(self, *requests: InspectionRequest) -> list[Answer]:
        """Have files looked into by a process of its own, which a hostile one may crash, while the worker goes on."""
        answers: dict[int, Answer] = {}
        client = self.parts.inspection_client
        for number, request in enumerate(requests):
            client.ask(request, partial(answers.__setitem__, number))
        while len(answers) < len(requests):
            self.turn(_TURN_S)
        return [answers[number] for number in range(len(requests))]

    def turn(self, wait_s: float) -> None:
        """Hear what was found in files, and have the queue loop go on."""
        self.parts.inspection_client.turn()
        if self.parts.queue_loop.model is not None:  # the engine is not loaded before there is something to do
            self.step(0.0)
        wait(self.parts.told, wait_s)

    def step(self, wait_s: float = 0.5) -> None:
        """Have the queue loop go on, and tell what it waits for."""
        self.parts.queue_loop.step(wait_s)
        self.bars.wait(self.parts.queue_loop.troubles)


def process(options: ProcessOptions) -> int:
    """Process everything that the order names; return the exit code: 0 only when all of it succeeded."""
    if options.database is not None:
        database = naming.database_url(options.database)
    elif isinstance(options.output, Path):
        database = naming.database_url(naming.database_path(options.output))
    else:
        raise UsageError(f"{options.output} is no folder: say with --database where the rows go.")
    make_folder(options.output)
    with Catalog.open(database) as catalog, Bars() as bars:
        doubts, failed = defaultdict[int, list[str]](list), defaultdict[int, list[Seen]](list)

        def hear(seen: Seen) -> None:
            bars.show(seen)
            if seen.what == "doubted" and seen.reason is not None:
                doubts[seen.acquisition.id].append(seen.reason)
            if seen.what == "failed":
                failed[seen.acquisition.id].append(seen)

        parts = assemble(catalog, options.engine, Where([options.output]), _RULES, Hooks(hear))
        run = _Run(options, catalog, parts, bars, doubts, failed)
        try:
            groups = _groups(run)
            run.bars.overall.expect(len(groups))
            while parts.queue_loop.model is None and groups:
                run.step()
            for paths, facts, answer in _opened(groups, run):
                _take_up(paths, facts, answer, run)
            while parts.queue_loop.unfinished:
                run.step()
            _let_series_count(run)
        finally:
            parts.stop()
        return _report(run)


def _groups(run: _Run) -> list[list[Path]]:
    """The files of each acquisition; one that is not whole is complained about, and set aside if nothing of it is.

    Of files that belong to one image, and say so, one speaks for all.
    """
    whole: list[Path] = []
    said: set[Path] = set()
    paths = _candidates(run.options)
    for path, answer in zip(paths, run.asked(*(Look(path, own=True) for path in paths)), strict=True):
        if not isinstance(answer, Looked) or answer.completion is None:
            _complain(path, _why_not(path, answer), run)
            continue
        completion = answer.completion
        if completion.others or completion.called:
            run.sets.add(path)
        called, is_new = completion.called or path, completion.called not in said
        said.add(called)
        if completion.state == "growing" and completion.takeable:
            whole.append(path)
            if is_new and not completion.is_all_there:
                run.faults += 1
                run.sentences.say(f"{completion.reason.rstrip('.')}: it is processed as far as it goes.", called)
        elif completion.state == "complete":
            whole.append(path)
        elif is_new:
            _complain(called, completion.refusal, run)
    groups = readers.group(whole, run.options.pattern)
    for one, other in names.alike(groups):
        complain(
            f"{one} and {other.name} are taken for two series: the names of their files differ in capitals or endings "
            "alone; rename them if they are one."
        )
    return list(groups.values())


def _candidates(options: ProcessOptions) -> list[Path]:
    found: dict[Path, None] = {}
    previews: list[Path] = []
    for given in (path.absolute() for path in options.paths):
        found.update(dict.fromkeys(readers.discover(given, options.pattern)))
        previews += readers.left_out(given, options.pattern)
    if previews:
        verb, what = ("is", "a preview") if len(previews) == 1 else (f"and {len(previews) - 1} more are", "previews")
        complain(
            f"{previews[0]} {verb} taken for {what} of the image of the same name and left out: give pictures by "
            "their own names to process them."
        )
    if not found:
        raise DaemonError(f"There is no image in {', '.join(map(str, options.paths))}: nothing was processed.")
    return list(found)


def _why_not(path: Path, answer: Answer) -> str:
    if isinstance(answer, Stuck):
        return f"{answer.reason.rstrip('.')}: convert or remove the file, or look after its disk."
    return f"{path} cannot be read: see that it is there and may be read."


def _opened(groups: Sequence[list[Path]], run: _Run) -> Iterator[tuple[list[Path], GivenFacts, Answer]]:
    """Open what makes up one acquisition, or several in one file, one after the other and some ahead."""
    ahead: deque[tuple[list[Path], GivenFacts, list[Answer]]] = deque()
    pattern, rest = run.options.pattern, deque(groups)
    while True:
        while rest and len(ahead) < _AHEAD and not (ahead and not run.sets.isdisjoint([*rest[0], *ahead[-1][0]])):
            paths = rest.popleft()
            told = run.catalog.sources.given(readers.acquisition_key(paths[0], pattern).path)
            facts = run.options.given.over(told).over(run.catalog.sources.given(paths[0]))
            ahead.append((paths, facts, []))
            if not run.opened.issuperset(paths):
                run.parts.inspection_client.ask(Open(tuple(paths), facts, pattern), ahead[-1][2].append)
        if not ahead:
            return
        paths, facts, answers = ahead.popleft()
        run.turn(0.0)  # what is queued is processed meanwhile
        while not answers and not run.opened.issuperset(paths):
            run.turn(_TURN_S)
        if run.opened.issuperset(paths):
            run.bars.overall.over(worked=False)
        else:
            yield paths, facts, answers[0]


def _take_up(paths: list[Path], facts: GivenFacts, answer: Answer, run: _Run) -> None:
    """Queue what was opened."""
    if not isinstance(answer, Opened) or answer.error is not None:
        _complain(paths[0], (isinstance(answer, Opened) and answer.error) or _why_not(paths[0], answer), run)
        run.bars.overall.over(worked=False)
        return
    run.opened |= answer.beside.keys()
    run.bars.overall.expect(len(answer.found) - 1)
    called, several = naming_for(paths[0], run.options), len(answer.found) > 1
    for found in answer.found:
        try:
            _admit(found, facts, run, called)
        except EngineFailedError:  # the queue loop turns meanwhile: this is about no file
            raise
        except (StorageError, DaemonError, OSError) as error:  # the other images of a file go on
            run.bars.overall.over(worked=False)
            of_one = found.description if several else None
            _complain(of_one.source_path if of_one else paths[0], str(error), run, of_one.name if of_one else None)


def naming_for(path: Path, options: ProcessOptions) -> Callable[[str], str]:
    """What acquisitions of a file are called: from the folder on that was named, with it where it is one of many."""
    folders = [given.absolute() for given in options.paths if not readers.is_candidate(given)]
    around = next((given for given in folders if path.is_relative_to(given)), None)
    if around is None:
        return str
    root = around if len(options.paths) == 1 else around.parent
    return partial(naming.acquisition_name, naming.NAME_TEMPLATE, folders_to(path, root))


def _admit(found: Found, facts: GivenFacts, run: _Run, called: Callable[[str], str]) -> None:
    options, model = run.options, run.parts.queue_loop.model
    assert model is not None
    for doubt in found.description.doubts:
        run.sentences.say(doubt, found.description.source_path, found.description.name)
    recipe = Recipe(
        model,
        options.processing,
        facts.nuclear_channel,
        options.ome_zarr_version,
        options.pattern,
        options.image,
        facts.axes,
        options.step,
        options.unclear_channel,
    )
    elsewhere = {one.source_path: one.files for one in run.catalog.sources.elsewhere(found)}
    (gone,) = run.asked(Gone(elsewhere)) if elsewhere else (Missing(frozenset()),)
    moved = gone.sources if isinstance(gone, Missing) else frozenset()
    row = moved_here(run.catalog, found, moved, recipe, ())
    if row is None:
        row = _placed(found, recipe, run, called)
    _say_numbers(run, row)
    if row.id in run.rows:
        run.bars.overall.over(worked=False)
    else:
        run.rows[row.id] = None
        if row.state in FINISHED and not run.catalog.is_waiting(row.id):  # by a run before this one
            run.bars.overall.over(worked=False)
    run.parts.queue_loop.end(row.id)


def _say_numbers(run: _Run, row: AcquisitionRow) -> None:
    """Say which time points of a series are not there, and in which steps they come."""
    times = [row.source_t(point.t) for point in run.catalog.timepoints(row.id)]
    missing = absent(times, row.step)
    if row.step > 1 and run.options.step is None:
        steps = f"{row.name}: time points come in steps of {row.step}: --step 1 where the others are only missing."
        run.sentences.say(steps, row.source_path, row.name)
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        named = f"time point{'s' if len(missing) > 1 else ''} {spoken(missing)}"
        run.sentences.say(f"{row.name}: {named} {verb} not there and {verb} passed over.", row.source_path, row.name)


def _placed(found: Found, recipe: Recipe, run: _Run, called: Callable[[str], str]) -> AcquisitionRow:
    """Queue an image; read with facts that a person gives now, it takes the place of what it was taken for before.

    The nuclear channel is no such fact here: who asks for another one gets another result.
    """
    loop, given = run.parts.queue_loop, replace(run.options.given, nuclear_channel=None)
    if not given:
        return pipeline.admit(run.catalog, found, recipe, run.options.output, called=called)
    former = pipeline.former(run.catalog, found, recipe, any_channel=False)
    while former is not None and not loop.hold(former, "It is read again with other facts."):
        run.step()
    row = pipeline.admit(run.catalog, found, recipe, run.options.output, (), called, given, former)
    loop.show_again(row.id)
    return row


def _complain(path: Path, reason: str, run: _Run, name: str | None = None) -> None:
    """One sentence for the person, the same in the database."""
    run.faults += 1
    run.catalog.set_aside_source(path, naming_for(path, run.options)(name or names.stem(path)), reason)
    run.sentences.say(reason if path.name in reason else f"{path}: {reason}", path)


def _let_series_count(run: _Run) -> None:
    """Files that were processed alone before, and are time points of a series by now, are kept there alone."""
    forgetting = Forgetting(run.catalog)
    for row in map(run.catalog.acquisition, run.rows):
        for sentence in give_way(run.catalog, row, forgetting):
            run.sentences.say(sentence, row.source_path, row.name)
    while forgetting.busy:
        forgetting.turn()
        forgetting.wait()


def _time_points(row: AcquisitionRow, points: Sequence[TimepointRow]) -> str:
    """How many time points were processed, and of how many: a series is numbered up to its last file."""
    done = sum(point.nuclei_count is not None for point in points)
    named = -(-(row.size_t or 0) // row.step)
    return f"{counted(done, 'time point')}" + (f" of {named} named" if done < named else "")


def _report(run: _Run) -> int:
    """Where the results are, one line per acquisition; what failed, to standard error."""
    states: Counter[AcquisitionState] = Counter()
    found = outcomes_in_words(run.catalog, run.rows)
    for row_id in run.rows:
        row = run.catalog.acquisition(row_id)
        states[row.state] += 1
        points = run.catalog.timepoints(row_id)
        channel = f", {row.channel_in_words}" if (row.size_c or 1) > 1 else ""
        nuclei = sum(point.nuclei_count or 0 for point in points)
        times = f"{counted(nuclei, 'nucleus', 'nuclei')} in {_time_points(row, points)}"
        words = f"{row.name}: {row.state}, {times}{found[row_id]}{channel}, {row.zarr_path}{_untimed(row)}"
        say(shown(words, allowed=""))
        _say_doubts(row, run)
        if row.state is not AcquisitionState.COMPLETE:
            run.sentences.say(f"{row.name}: {row.error or row.state.meaning}", row.source_path, row.name)
    for number in run.failed.keys() - run.rows.keys():  # of runs before this one, in the same database
        row, sentence = run.failed[number][0].acquisition, set_aside_in_words(run.failed[number])
        run.sentences.say(sentence, row.source_path, row.name)
    run.sentences.end()
    failed = run.faults + sum(states.values()) - states[AcquisitionState.COMPLETE]
    return 1 if failed else 0


def _say_doubts(row: AcquisitionRow, run: _Run) -> None:
    """What a person must know before believing a result: of its channel, and of time points that make no sense."""
    said, sentences = run.doubts.get(row.id, ()), run.sentences
    if row.state is not AcquisitionState.SET_ASIDE and (doubt := doubt_about_channel(row)) is not None:
        sentences.say(doubt, row.source_path, row.name)
    for sentence in said[:_DOUBTS_SAID]:
        sentences.say(sentence, row.source_path, row.name)
    if len(said) > _DOUBTS_SAID:
        more = f"{row.name}: so it is with {counted(len(said) - _DOUBTS_SAID, 'more time point')}."
        sentences.say(more, row.source_path, row.name)


def _untimed(row: AcquisitionRow) -> str:
    several = (row.size_t or 1) > 1 and row.frame_interval_s is None
    return " (times and speeds are not known without --frame-interval)" if several else ""
