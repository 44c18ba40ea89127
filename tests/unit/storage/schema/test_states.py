"""States and transitions."""

from __future__ import annotations

import pytest

from storage.errors import IllegalTransitionError
from storage.schema.states import (
    ACQUISITION_TRANSITIONS,
    TIMEPOINT_TRANSITIONS,
    AcquisitionState,
    TimepointState,
    check_transition,
)


@pytest.mark.parametrize("state", [*AcquisitionState, *TimepointState])
def test_every_state_has_a_sentence_and_a_place_in_the_table(state: AcquisitionState | TimepointState) -> None:
    assert state.meaning.endswith(".")
    table = {**ACQUISITION_TRANSITIONS, **TIMEPOINT_TRANSITIONS}
    assert state in table
    assert AcquisitionState("set_aside") is AcquisitionState.SET_ASIDE


@pytest.mark.parametrize("table", [ACQUISITION_TRANSITIONS, TIMEPOINT_TRANSITIONS])
def test_every_state_can_be_reached_and_left(table: dict) -> None:
    assert set().union(*table.values()) == set(table)
    assert all(table.values())


def test_what_the_table_does_not_list_is_refused() -> None:
    check_transition(TIMEPOINT_TRANSITIONS, TimepointState.RUNNING, TimepointState.DONE, "it")
    check_transition(TIMEPOINT_TRANSITIONS, TimepointState.DONE, TimepointState.DONE, "it")
    with pytest.raises(IllegalTransitionError, match="it is queued and cannot become done"):
        check_transition(TIMEPOINT_TRANSITIONS, TimepointState.QUEUED, TimepointState.DONE, "it")
