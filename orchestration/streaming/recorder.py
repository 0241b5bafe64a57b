"""Writes down what happens in a run, for whoever reads it now or later."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from checkpoints.events import PAGE, LoggedEvent, RunKey
from orchestration.streaming.told import Happening
from orchestration.streaming.translator import EventTranslator
from state.errors import EventsGoneError, LeaseLostError
from state.run_state import merge_outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langgraph.types import StateSnapshot

    from checkpoints.events import EventLog
    from orchestration.engines.local_parts import Chunk, LocalParts
    from orchestration.engines.segment import Segment
    from orchestration.workflow_events import EventKind
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject, JsonValue
    from state.plan import Plan
    from state.result import WorkflowResult
    from state.run_state import Outcomes

QUICK_ROUNDS: Final = 100
MOST_ROUNDS: Final = 1000
"""Looks at whether a report has come; nobody waits longer for it than a second."""
ROUND_SECONDS: Final = 0.001


class Recorder:
    """Numbers what there is to tell of one run, and puts it into the log."""

    def __init__(self, log: EventLog, segment: Segment, logged: Iterable[LoggedEvent] = ()) -> None:
        """Take up a log where it ends, or begin one.

        Args:
            log: Where events are kept.
            segment: The run, and the lease under which it is.
            logged: What the log has.
        """
        self._translator = EventTranslator(segment.plan)
        self._held = segment.held
        self._loop = asyncio.get_running_loop()
        self._appender = log.appender(
            segment.held.lease, segment.plan.run_id, refused=self._refused
        )
        self._lock = threading.Lock()
        self._is_closed = False
        self._last: Happening | None = None
        self._count = 0
        for event in logged:
            self._count = event.sequence
            self._last = Happening(cast("EventKind", event.kind), event.task_id, event.data)
            self._translator.learn(self._last)
        self._translator.learned()
        if self._last is None:
            self._tell([_beginning(segment.plan)])

    def listening(self, local: LocalParts) -> LocalParts:
        """Return the live parts of the run, with this as who watches it."""
        return local._replace(
            watch=self._watch, say=self._say, verdict=self._find, ready=self._ready
        )

    def catch_up_seed(self, plan: Plan) -> None:
        """Tell what a plan begins with that goes on from another's, or is a fork's."""
        if "seed" in plan.document:
            self._tell(self._translator.catch_up(plan.document, plan.document["seed"]["outcomes"]))

    def catch_up(self, snapshot: StateSnapshot, segment: Segment, known: Outcomes) -> None:
        """Tell what is in the checkpoints, and not in the log."""
        if "plan" not in snapshot.values:
            return
        plan, turns = snapshot.values["plan"], snapshot.values.get("turns", ())
        self._tell(self._translator.catch_up(plan, known, turns))
        for inner, found in segment.scopes:
            self._tell(self._translator.catch_up(inner, merge_outcomes({}, found)))
        for each in snapshot.interrupts:
            self._tell(self._translator.ask(each.id, each.value))

    def go_on_as(self, plan: Plan) -> None:
        """Go on under another plan of the same run."""
        self._translator.plan = plan

    def finish(self, plan: Plan, result: WorkflowResult) -> None:
        """Tell how the run ends or pauses, unless that was the last that was told."""
        data = _result_json(plan, result)
        last = self._last
        if last is None or last.kind != "run_finished" or _standing(last.data) != _standing(data):
            self._tell([Happening("run_finished", "", data)])

    async def close(self) -> None:
        """Tell no more, and wait until everything is in the log; see `EventAppender.settle`."""
        with self._lock:
            self._is_closed = True  # an agent in a thread may speak on for ever
        await self._appender.settle()

    def _refused(self, error: BaseException) -> None:
        """An event cannot be written; where the thread is another's, the run ends here."""
        if isinstance(error, LeaseLostError):
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._held.lose)

    def _watch(self, chunk: Chunk) -> None:
        self._tell(self._translator.translate(chunk[1]))

    async def _ready(self, context: AgentContext) -> None:
        """Wait until the beginning of a call is told, so that what is said comes after it.

        LangGraph's reports from a subgraph go from loop to loop, which takes a few rounds.
        """
        for number in range(MOST_ROUNDS):
            if self._translator.hears(context):
                return
            await asyncio.sleep(0 if number < QUICK_ROUNDS else ROUND_SECONDS)

    def _say(self, context: AgentContext, text: str) -> None:
        self._tell(self._translator.say(context, text))

    def _find(self, path: str, middleware: str, verdict: JsonObject) -> None:
        self._tell(self._translator.find(path, middleware, verdict))

    def _tell(self, happenings: Iterable[Happening]) -> None:
        with self._lock:  # agents in threads speak at any time; happenings are found as told
            if self._is_closed:
                return
            for happening in happenings:
                self._count += 1
                self._last = happening
                self._appender.add(LoggedEvent(self._count, *happening))


async def read_log(log: EventLog, key: RunKey) -> list[LoggedEvent]:
    """Return the log of a run, as far as it is kept."""
    events: list[LoggedEvent] = []
    after = 0
    while True:
        try:
            page = await log.read(key, after=after, limit=10 * PAGE)
        except EventsGoneError as error:
            after = error.first - 1
            continue
        if not page:
            return events
        events += page
        after = page[-1].sequence


def _beginning(plan: Plan) -> Happening:
    order: list[JsonValue] = [*plan.document["order"]]
    return Happening("run_started", "", {"order": order, "strategy": plan.document["strategy"]})


def _result_json(plan: Plan, result: WorkflowResult) -> JsonObject:
    """Say the result of a run; that of a request in plain words has an answer."""
    if "request" not in plan.document:
        return result.as_json()
    from orchestration.enterprise_result import EnterpriseResult  # noqa: PLC0415  only for these

    return EnterpriseResult.of(plan.document, result).as_json()


def _standing(result: JsonObject) -> object:
    """What a pause is known by: how the run stands, and what it asks."""
    return result["status"], result["interrupts"]
