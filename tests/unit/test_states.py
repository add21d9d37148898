"""The state machines as data: closed, and with ends that are ends."""

from uploads import states
from uploads.states import JOB_CHANGES, STEP_CHANGES, UPLOAD_CHANGES, JobState, StepState


def test_every_state_has_its_row_and_leads_to_known_ones() -> None:
    for changes in (UPLOAD_CHANGES, JOB_CHANGES, STEP_CHANGES):
        for after in changes.values():
            assert after <= set(changes)


def test_only_retry_leads_out_of_an_ended_job() -> None:
    for state in states.ENDED_JOB_STATES:
        assert JOB_CHANGES[state] <= {JobState.QUEUED}
    assert not JOB_CHANGES[JobState.SUCCEEDED]


def test_a_done_step_is_done_again_only_when_its_files_are_gone() -> None:
    assert STEP_CHANGES[StepState.SUCCEEDED] == {StepState.READY}
