"""The streaming tracker: nuclei of one time point in, every change of tracks out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nuset_engine.arrays import IntsN, VectorZYX
from nuset_engine.nuclei import Nuclei
from tracking.doubts.judge import judge
from tracking.doubts.model import shipped_model
from tracking.doubts.told import FrameDoubts, tell
from tracking.errors import TrackerStateError, TrackingError
from tracking.evidence.beliefs import believe
from tracking.evidence.expectation import CostModel
from tracking.evidence.frame import Frame, frame_of
from tracking.evidence.lookahead import Lookahead
from tracking.evidence.sources import known_steps
from tracking.graph import Track
from tracking.linking.connect import connect
from tracking.linking.ids import closed, extended, number
from tracking.linking.late_edit import undo
from tracking.linking.step import neighbour_scale, solve_step
from tracking.params import TrackingParams
from tracking.state import Memory, pack, unpack

REVISITS = 3
"""Times that a frame is solved again, as its successors show which of its nuclei are seen again; less within a short
lag, so that no decision is taken back that reaches into final frames."""


@dataclass(frozen=True)
class FrameTracks:
    """Track ids of the nuclei of one time point.

    Attributes
    ----------
    t : int
    labels, track_ids : (N,) int64
    is_final : bool
        These ids will never change.
    """

    t: int
    labels: IntsN
    track_ids: IntsN
    is_final: bool


@dataclass(frozen=True)
class TrackUpdate:
    """What one step changed.

    Attributes
    ----------
    frames : tuple of FrameTracks
        Every time point whose ids changed or became final, the new one included.
    tracks : tuple of Track
        Every track that is new or changed.
    removed_tracks : tuple of int
        Provisional ids that no longer exist.
    doubts : tuple of FrameDoubts
        Of the new nuclei, and of those earlier ones whose doubts have changed.
    jump : (z, y, x) or None
        How far the whole sample was moved at once since the time point before, in the unit of the nuclei.
    """

    frames: tuple[FrameTracks, ...]
    tracks: tuple[Track, ...]
    removed_tracks: tuple[int, ...]
    doubts: tuple[FrameDoubts, ...] = ()
    jump: tuple[float, float, float] | None = None


class Tracker:
    """Links nuclei through time, online.

    Each time point is linked to those before it at once (trackpy makes the first links) and reconsidered, together with
    divisions and gaps, until `lag_frames` later ones were seen; then its ids are final. All that is remembered is a
    window of frames and a few sums, so that time and memory per time point do not grow with the length of a movie.

    Parameters
    ----------
    params : TrackingParams, optional
    step : int
        From one time point to the next (`tracking.steps`): everything that counts time points counts these steps.
    """

    def __init__(self, params: TrackingParams | None = None, step: int = 1) -> None:
        """Begin without any nuclei."""
        self.params = params or TrackingParams()
        self._memory = Memory(step=step)

    def advance(self, nuclei: Nuclei) -> TrackUpdate:
        """Take the next time point.

        Parameters
        ----------
        nuclei : Nuclei
            Any number of nuclei, none included. Time points may be left out, but never come twice or backwards.

        Raises
        ------
        TrackingError
            If the time point is not after the last one or off the step, the unit changed, or a position is not finite.
        """
        memory = self._memory
        if memory.frames and nuclei.t <= memory.t_of(memory.frames[-1].t):
            raise TrackingError(
                f"Time point {nuclei.t} came after time point {memory.t_of(memory.frames[-1].t)}; give time points in "
                "rising order, each once."
            )
        if memory.frames and (nuclei.t - memory.offset) % memory.step:
            raise TrackingError(
                f"Time point {nuclei.t} does not fit the step of {memory.step} between those before; give the step of "
                "all of them."
            )
        if memory.unit not in (None, nuclei.unit):
            raise TrackingError(
                f"Nuclei of time point {nuclei.t} are in {nuclei.unit!r}, those before in {memory.unit!r}; use one "
                "unit throughout."
            )
        memory.unit, memory.offset = nuclei.unit, nuclei.t % memory.step
        frame = frame_of(nuclei if memory.step == 1 else replace(nuclei, t=nuclei.t // memory.step))
        before = [frame.track_id.copy() for frame in memory.frames]
        memory.frames.append(frame)
        jump = self._solve_window()
        final = max(memory.final, len(memory.frames) - self.params.lag_frames)
        doubts = self._doubts(range(memory.final, final), newest=True)
        update = self._report(before, final, doubts, ended=False)
        return update if jump is None else replace(update, jump=(float(jump[0]), float(jump[1]), float(jump[2])))

    def finish(self) -> TrackUpdate:
        """Declare everything final: no further time points are expected (if one comes all the same, it is taken)."""
        before = [frame.track_id.copy() for frame in self._memory.frames]
        frames = self._memory.frames
        doubts = self._doubts(range(self._memory.final, len(frames)), newest=False)
        return self._report(before, len(frames), doubts, ended=True)

    def state(self) -> bytes:
        """All that is remembered, as an npz file; `from_state` continues exactly."""
        return pack(self._memory)

    @classmethod
    def from_state(cls, data: bytes, params: TrackingParams | None = None, step: int = 1) -> Tracker:
        """Continue from `state`, with the parameters that it was made with.

        Raises
        ------
        TrackerStateError
            If `data` is not a state that this version understands, or counts other steps.
        """
        tracker = cls(params, step)
        tracker._memory = unpack(data)
        if tracker._memory.step != step:
            raise TrackerStateError(
                f"The tracker counted time points in steps of {tracker._memory.step}, they come in steps of {step}: "
                "track its acquisition anew."
            )
        return tracker

    @property
    def step(self) -> int:
        """From one time point to the next."""
        return self._memory.step

    def reserve(self, first_free: int) -> None:
        """Give no new track an id below this one: a person's corrections used them."""
        self._memory.next_id = max(self._memory.next_id, first_free)

    def _solve_window(self) -> VectorZYX | None:
        """Connect the newest frames anew, oldest first, with what is known by now about later ones.

        Returns the jump of the whole sample into the newest one, if there was any.
        """
        frames, jump = self._memory.frames, None
        if len(frames) == 1:
            frames[0].length[:] = 2  # they may have been there long before: not what `fresh` means
        else:
            jump = self._connect(frames)
        self._memory.next_id = number(frames, self._memory.final, self._memory.next_id)
        return jump

    def _connect(self, frames: list[Frame]) -> VectorZYX | None:
        lookaheads = [Lookahead.of(frames, index) for index in range(len(frames))]
        sums = self._memory.sums
        revisits = min(REVISITS, self.params.lag_frames - self.params.memory_frames)
        everything = np.concatenate([frame.positions for frame in frames])
        dimensions = max(1, int((np.ptp(everything, axis=0) > 0).sum())) if len(everything) else 3
        interval = float(np.median(np.diff([frame.t for frame in frames])))
        jump = None
        for index in range(max(1, self._memory.final), len(frames)):
            if index < len(frames) - 1 - revisits:
                sums = sums.faded(frames[index].sums)
                continue
            scale = neighbour_scale(frames, index)
            model = CostModel(dimensions, scale, believe(sums, interval), self.params)
            is_new = index == len(frames) - 1
            if not is_new:
                undo(frames, index)
            shift = _usual_shift(frames, index)
            step = solve_step(frames, index, self._memory.final, is_new, shift, lookaheads[index], model)
            connect(frames, index, step, model)
            sums, jump = sums.faded(frames[index].sums), step.jump
        return jump

    def _doubts(self, settled: range, newest: bool) -> tuple[FrameDoubts, ...]:
        """Doubt what becomes final with all that is known now, and the newest frame at first sight."""
        memory, found = self._memory, []
        last = len(memory.frames) - 1
        for index in (*settled, last) if newest else settled:
            told = tell(memory.frames[index], self._judge(index), is_new=newest and index == last)
            if told is not None:
                found.append(replace(told, t=memory.t_of(told.t)))
        return tuple(found)

    def _judge(self, index: int) -> FrameDoubts:
        return judge(self._memory.frames, index, shipped_model())

    def _report(self, before: list[IntsN], final: int, doubts: tuple[FrameDoubts, ...], ended: bool) -> TrackUpdate:
        """Make the frames before `final` final, tell what changed, and forget what is no longer needed."""
        memory = self._memory
        changed = [
            FrameTracks(memory.t_of(frame.t), frame.labels.copy(), frame.track_id.copy(), index < final)
            for index, frame in enumerate(memory.frames)
            if index >= memory.final
            and (index < final or index >= len(before) or not np.array_equal(before[index], frame.track_id))
        ]
        for index in range(memory.final, final):
            memory.sums = memory.sums.faded(memory.frames[index].sums)
        memory.tracks = extended(memory.tracks, memory.frames, memory.final, final)
        memory.final = final
        current = extended(memory.tracks, memory.frames, final, len(memory.frames))
        over = closed(memory.tracks, memory.frames, final, self.params.memory_frames)
        done = set(current) if ended else over
        current = {i: replace(track, is_final=True) if i in done else track for i, track in current.items()}
        update = TrackUpdate(
            tuple(changed),
            tuple(memory.in_time_points(track) for i, track in current.items() if memory.told.get(i) != track),
            tuple(sorted(set(memory.told) - set(current))),
            doubts,
        )
        memory.told = {i: track for i, track in current.items() if i not in over}
        memory.tracks = {i: track for i, track in memory.tracks.items() if i not in over}
        self._forget()
        return update

    def _forget(self) -> None:
        """Drop final frames that no later one can refer to."""
        spare = max(0, self._memory.final - (self.params.memory_frames + 2))
        del self._memory.frames[:spare]
        self._memory.final -= spare


def _usual_shift(frames: list[Frame], index: int) -> VectorZYX:
    """Median displacement of the sample in the step before."""
    if index < 2:
        return np.zeros(3)
    _, step = known_steps(frames, index - 1)
    return np.median(step, axis=0) if len(step) else np.zeros(3)
