"""What a failure of one task means for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

from state.outcome import HARMLESS_SKIPS, blocks, is_finished
from state.status import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.outcome import Outcome

FailureKind = Literal["continue", "fail_fast", "all_or_nothing", "quorum"]
FAILURE_KINDS: tuple[FailureKind, ...] = ("continue", "fail_fast", "all_or_nothing", "quorum")


class FailureModeDocument(TypedDict):
    """A `FailureMode` as it stands in a plan."""

    kind: FailureKind
    needed: int


@dataclass(frozen=True, slots=True)
class FailureMode:
    """What a failure of one task means for the others.

    - `continue`: the others go on; what builds on the failed task is skipped.
    - `fail_fast`: running tasks are cancelled, the others skipped.
    - `all_or_nothing`: running tasks finish, the others are skipped, and the workflow failed.
    - `quorum`: once `needed` tasks succeeded (or no longer can), the rest are cancelled.
    """

    kind: FailureKind
    needed: int = 0

    def document(self) -> FailureModeDocument:
        """The mode as JSON."""
        return {"kind": self.kind, "needed": self.needed}


def quorum(needed: int) -> FailureMode:
    """Succeed as soon as `needed` tasks did; the rest are cancelled."""
    return FailureMode("quorum", needed)


class Stop(NamedTuple):
    """Begin no further task."""

    reason: str
    cancel_running: bool
    fulfilled: bool = False
    """Whether the workflow got what it wanted."""


def stop_verdict(
    mode: FailureModeDocument, outcomes: Mapping[str, Outcome], *, total: int
) -> Stop | None:
    """Say whether what is known so far ends the workflow early.

    Args:
        mode: The plan's failure mode.
        outcomes: What is known so far, by task id.
        total: How many tasks the plan has.
    """
    if mode["kind"] == "continue":
        return None
    succeeded = sum(outcome["status"] == TaskStatus.SUCCEEDED for outcome in outcomes.values())
    failed = [id_ for id_, outcome in outcomes.items() if is_finished(outcome) and blocks(outcome)]
    if mode["kind"] == "quorum":
        return _quorum_verdict(
            mode["needed"], succeeded, possible=total - len(failed) - _spared(outcomes)
        )
    if failed:
        return Stop(f"{failed[0]!r} did not succeed", cancel_running=mode["kind"] == "fail_fast")
    return None


def _quorum_verdict(needed: int, succeeded: int, *, possible: int) -> Stop | None:
    if succeeded >= needed:
        reason = f"the quorum of {needed} was reached"
        return Stop(reason, cancel_running=True, fulfilled=True)
    if possible < needed:
        return Stop(f"the quorum of {needed} could no longer be reached", cancel_running=True)
    return None


def _spared(outcomes: Mapping[str, Outcome]) -> int:
    """How many tasks were not needed, and so count neither way."""
    return sum(
        outcome["status"] == TaskStatus.SKIPPED and outcome["because"] in HARMLESS_SKIPS
        for outcome in outcomes.values()
    )
