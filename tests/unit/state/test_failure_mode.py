from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.failure_mode import FAILURE_KINDS, FailureMode, Stop, quorum, stop_verdict
from state.outcome import Outcome, skipped
from state.status import SkipCause, TaskStatus

TOTAL = 5
FATES = {
    "succeeded": Outcome(status="succeeded", attempts=1),
    "pending": Outcome(status="pending", attempts=1),
    "failed": Outcome(status="failed", attempts=1),
    "timed out": Outcome(status="timed_out", attempts=1),
    "cancelled": Outcome(status="cancelled", attempts=1),
    "rejected": Outcome(status="rejected", attempts=0),
    "upstream": skipped("why", because=SkipCause.UPSTREAM),
    "stopped": skipped("why", because=SkipCause.STOPPED),
    "not needed": skipped("why", because=SkipCause.CONDITION),
}
LOST = ("failed", "timed out", "cancelled", "rejected", "upstream", "stopped")
fates = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(list(FATES)), max_size=TOTAL)


def verdict(mode: FailureMode, known: Mapping[str, str]) -> Stop | None:
    outcomes = {id_: FATES[fate] for id_, fate in known.items()}
    return stop_verdict(mode.document(), outcomes, total=TOTAL)


@given(fates)
def test_continue_never_stops(known: dict[str, str]) -> None:
    assert verdict(FailureMode("continue"), known) is None


@given(fates)
def test_fail_fast_stops_at_the_first_loss_and_cancels(known: dict[str, str]) -> None:
    stop = verdict(FailureMode("fail_fast"), known)
    lost = [id_ for id_, fate in known.items() if fate in LOST]
    assert (stop is not None) == bool(lost)
    if stop is not None:
        assert (stop.cancel_running, stop.fulfilled) == (True, False)
        assert lost[0] in stop.reason


@given(fates)
def test_all_or_nothing_stops_at_the_first_loss_and_lets_the_running_finish(
    known: dict[str, str],
) -> None:
    stop = verdict(FailureMode("all_or_nothing"), known)
    assert (stop is not None) == any(fate in LOST for fate in known.values())
    assert stop is None or (stop.cancel_running, stop.fulfilled) == (False, False)


@given(fates, st.integers(1, TOTAL))
def test_a_quorum_stops_once_it_is_decided(known: dict[str, str], needed: int) -> None:
    stop = verdict(quorum(needed), known)
    succeeded = sum(fate == "succeeded" for fate in known.values())
    out = sum(fate in {*LOST, "not needed"} for fate in known.values())
    if succeeded >= needed:
        assert stop is not None
        assert stop.fulfilled
    elif TOTAL - out < needed:
        assert stop is not None
        assert not stop.fulfilled
    else:
        assert stop is None
    assert stop is None or stop.cancel_running


@given(fates, st.sampled_from(FAILURE_KINDS), st.integers(1, TOTAL), st.data())
def test_a_verdict_is_never_taken_back(
    known: dict[str, str], kind: str, needed: int, data: st.DataObject
) -> None:
    mode = quorum(needed) if kind == "quorum" else FailureMode(kind)  # type: ignore[arg-type]
    before = verdict(mode, known)
    free = sorted(set("abcde") - set(known))
    if before is None or not free:
        return
    more = {**known, free[0]: data.draw(st.sampled_from(list(FATES)))}
    after = verdict(mode, more)
    assert after is not None
    assert after.fulfilled or not before.fulfilled


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_every_mode_goes_on_while_nothing_is_known(kind: str) -> None:
    mode = quorum(2) if kind == "quorum" else FailureMode(kind)  # type: ignore[arg-type]
    assert verdict(mode, {}) is None


def test_a_mode_is_plain_json() -> None:
    assert quorum(2).document() == {"kind": "quorum", "needed": 2}
    assert FailureMode("fail_fast").document() == {"kind": "fail_fast", "needed": 0}


def test_a_task_still_to_be_tried_again_is_no_loss() -> None:
    assert FATES["pending"]["status"] == TaskStatus.PENDING
    assert verdict(FailureMode("fail_fast"), {"a": "pending"}) is None
    assert verdict(quorum(TOTAL), {"a": "pending"}) is None
