"""What is to become of a plan's tasks, said as simply as it can be.

It knows nothing of graphs, supersteps, checkpoints or processes, and shares no code with
what it judges: it goes through a story (which agent was called, which call ended, which
task was settled, in the order in which that happened) and says what each task must come to.
Where no task ends the run early, any order that respects the needs gives the same fates, so
there the story need not be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Act = Literal["succeed", "fail", "refuse", "time_out"]
Decision = Literal["approve", "reject", "respond"]
BLOCKING = {"failed", "timed_out", "cancelled", "rejected"}
HARMLESS = {"condition", "not_routed"}


class Check(NamedTuple):
    """A condition: what it asks, and about which task."""

    asks: Literal["always", "never", "nonsense", "succeeded", "has", "more", "missing"]
    about: str = ""


@dataclass(frozen=True)
class Job:
    """One task, and what its agent does at each attempt (the last again and again)."""

    id: str
    after: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ("succeed",)
    attempts: int = 1
    condition: Check | None = None
    decision: Decision | None = None
    """What a person says about it; None if nobody has to be asked."""
    threshold: Check | None = None
    """Only if this holds (or cannot be told) is the person asked."""
    seconds: int = 0
    """How long its agent works; the interpreter does not care."""

    def act(self, attempt: int) -> Act:
        return self.acts[min(attempt, len(self.acts)) - 1]

    @property
    def output(self) -> dict[str, Any]:
        return {"value": int(self.id[1:])}


@dataclass(frozen=True)
class Scenario:
    """A plan, and what the world will do to it."""

    strategy: Literal["sequential", "parallel", "conditional"]
    mode: Literal["continue", "fail_fast", "all_or_nothing", "quorum"]
    jobs: tuple[Job, ...]
    quorum: int = 0
    route: str = ""

    def needs(self, job: Job) -> list[str]:
        """Whose failure keeps a job from running; a sequence that stops needs the one before."""
        earlier = [each.id for each in self.earlier(job)][-1:]
        stops = self.strategy == "sequential" and self.mode != "continue"
        return list(dict.fromkeys([*job.after, *(earlier if stops else ())]))

    def reads(self, job: Job) -> Sequence[str]:
        """Whose outputs its agent sees."""
        if self.strategy == "sequential":
            return [each.id for each in self.earlier(job)]
        return job.after

    def earlier(self, job: Job) -> tuple[Job, ...]:
        return self.jobs[: self.jobs.index(job)]

    def in_order(self) -> list[Job]:
        """Every job after those it depends on."""
        if self.strategy == "conditional":  # what the router passes over is settled first
            return sorted(self.jobs, key=lambda job: job.id == self.route)
        if self.strategy == "sequential":
            return list(self.jobs)
        done: list[Job] = []
        while len(done) < len(self.jobs):
            ready = {each.id for each in done}
            done += [job for job in self.jobs if job not in done and ready.issuperset(job.after)]
        return done

    @property
    def may_stop_early(self) -> bool:
        return self.strategy == "parallel" and self.mode != "continue"


class Fate(NamedTuple):
    """What became of a task."""

    status: str
    calls: int = 0
    cause: str = ""
    because_of: str = ""
    output: Mapping[str, Any] | None = None

    @property
    def blocks(self) -> bool:
        skipped = self.status == "skipped" and self.cause not in HARMLESS
        return skipped or self.status in BLOCKING


class Event(NamedTuple):
    """Something that happened in a run."""

    what: Literal["begin", "end", "settle", "die"]
    task: str = ""
    attempt: int = 0
    saved: Mapping[str, int] = {}
    """Of a death: the tasks that a checkpoint knows, with how often each was called if it is
    to be called again, or 0 if it is settled."""


@dataclass
class Interpreter:
    """Goes through one run."""

    scenario: Scenario
    fates: dict[str, Fate] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    """How often each task's agent was called."""
    ended: dict[str, int] = field(default_factory=dict)
    """The last attempt of each task that came to an end by itself."""
    asked: set[str] = field(default_factory=set)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each agent that was called saw of the tasks before it."""
    stop: Literal["", "let_finish", "cancel", "fulfilled"] = ""

    def interpret(self) -> Interpreter:
        """Settle every job, one after another."""
        assert not self.scenario.may_stop_early, "needs a story"
        for job in self.scenario.in_order():
            while self._undecided(job) and self._may_be_called_again(job):
                self.begin(job, self.begun.get(job.id, 0) + 1)
                self.ended[job.id] = self.begun[job.id]
            (self.fates[job.id],) = self.allowed(job)
        return self

    def follow(self, story: Iterable[Event], actual: Mapping[str, Fate]) -> Interpreter:
        """Go through what happened, and settle each job as it must be, given what was before.

        Where an agent was interrupted at the very moment its time was up, either may win;
        `actual` says which did.
        """
        jobs = {job.id: job for job in self.scenario.jobs}
        for event in story:
            if event.what == "die":
                self._die(event.saved)
                continue
            job = jobs[event.task]
            if event.what == "begin":
                assert not self.stop, f"{job.id} began although the run had its end"
                assert self._undecided(job), f"{job.id} began although it must not run"
                self.begin(job, event.attempt)
            elif event.what == "end":
                self.ended[job.id] = event.attempt
            else:
                self._settle(job, actual.get(job.id))
        return self

    def begin(self, job: Job, attempt: int) -> None:
        missing = [other for other in job.after if self._waits_for(other)]
        assert not missing, f"{job.id} began before {missing}"
        assert attempt == self.ended.get(job.id, 0) + 1, f"{job.id} began attempt {attempt}"
        self.begun[job.id] = attempt
        self.seen[job.id] = {
            other: self.fates[other].output
            for other in self.scenario.reads(job)
            if other in self.fates and self.fates[other].status == "succeeded"
        }

    def allowed(self, job: Job) -> list[Fate]:
        """What may become of a job now; mostly that is one fate."""
        calls, ended = self.begun.get(job.id, 0), self.ended.get(job.id, 0)
        if calls and calls == ended and not self._may_be_called_again(job):
            return [self._after(job, calls)]
        given_up = [Fate("cancelled", calls)]
        if calls and calls == ended:
            assert self.stop, f"{job.id} was given up although it was to be called again"
            return given_up
        if calls:  # only a call that hangs is settled without an end of its own
            hangs = job.act(calls) == "time_out" and calls >= job.attempts
            called_off = self.stop in {"cancel", "fulfilled"}
            assert hangs or called_off, f"{job.id} was settled while its agent works"
            late = [self._after(job, calls)] if hangs else []
            return late + (given_up if called_off else [])
        return [self._before_any_call(job)]

    def status(self) -> str:
        """What became of the whole."""
        fates = [self.fates[job.id] for job in self.scenario.jobs]
        if self.scenario.mode == "quorum":
            successes = sum(fate.status == "succeeded" for fate in fates)
            return "completed" if successes >= self.scenario.quorum else "failed"
        if any(fate.status == "rejected" for fate in fates):
            return "rejected"
        if not any(fate.blocks for fate in fates):
            return "completed"
        some = any(fate.status == "succeeded" for fate in fates)
        return "partial" if some and self.scenario.mode == "continue" else "failed"

    # -- inside --------------------------------------------------------------------------

    def _before_any_call(self, job: Job) -> Fate:
        for rule in (self._blocked, self._unneeded, self._decided):
            fate = rule(job)
            if fate is not None:
                return fate
        raise AssertionError(f"{job.id} was settled although its agent was to be called")

    def _undecided(self, job: Job) -> bool:
        rules = (self._blocked, self._unneeded, self._decided)
        return all(rule(job) is None for rule in rules)

    def _blocked(self, job: Job) -> Fate | None:
        if self.scenario.strategy == "conditional" and job.id != self.scenario.route:
            return Fate("skipped", cause="not_routed", because_of=self.scenario.route)
        for other in self.scenario.needs(job):
            fate = self.fates.get(other)
            if fate is not None and fate.blocks:
                root = fate.because_of or other
                return Fate("skipped", cause="upstream", because_of=root)
        return Fate("skipped", cause="stopped") if self.stop else None

    def _unneeded(self, job: Job) -> Fate | None:
        holds = True if job.condition is None else self._holds(job.condition)
        if holds is None:
            return Fate("failed")
        return None if holds else Fate("skipped", cause="condition")

    def _decided(self, job: Job) -> Fate | None:
        if job.decision is None:
            return None
        if job.threshold is not None and self._holds(job.threshold) is False:
            return None
        self.asked.add(job.id)
        if job.decision == "reject":
            return Fate("rejected")
        if job.decision == "respond":
            return Fate("succeeded", output={"content": "a word", "answered_by": None})
        return None

    def _holds(self, test: Check) -> bool | None:
        """Whether a condition holds; None if it has no answer."""
        fate = self.fates.get(test.about)
        output = fate.output if fate is not None and fate.status == "succeeded" else None
        match test.asks:
            case "always" | "never":
                return test.asks == "always"
            case "has":
                return output is not None
            case "succeeded":
                return None if fate is None else fate.status == "succeeded"
            case "more":
                return None if output is None or "value" not in output else output["value"] > 3
        return None

    def _may_be_called_again(self, job: Job) -> bool:
        calls = self.begun.get(job.id, 0)
        if not calls:
            return True
        return job.act(calls) in {"fail", "time_out"} and calls < job.attempts

    def _after(self, job: Job, calls: int) -> Fate:
        match job.act(calls):
            case "succeed":
                return Fate("succeeded", calls, output=job.output)
            case "time_out":
                return Fate("timed_out", calls)
        return Fate("failed", calls)

    def _settle(self, job: Job, actual: Fate | None) -> None:
        allowed = self.allowed(job)
        self.fates[job.id] = actual if actual in allowed else allowed[0]
        self._judge()

    def _judge(self) -> None:
        """Whether what is known ends the run; once it has, it stays so."""
        if self.stop or not self.scenario.may_stop_early:
            return
        fates, mode = self.fates.values(), self.scenario.mode
        if mode == "quorum":
            reached = sum(fate.status == "succeeded" for fate in fates) >= self.scenario.quorum
            lost = sum(fate.blocks or fate.cause in HARMLESS for fate in fates)
            if reached or len(self.scenario.jobs) - lost < self.scenario.quorum:
                self.stop = "fulfilled" if reached else "cancel"
        elif any(fate.blocks for fate in fates):
            self.stop = "cancel" if mode == "fail_fast" else "let_finish"

    def _waits_for(self, other: str) -> bool:
        return self.scenario.strategy != "conditional" and other not in self.fates

    def _die(self, saved: Mapping[str, int]) -> None:
        """Forget what no checkpoint knows."""
        self.fates = {id_: fate for id_, fate in self.fates.items() if saved.get(id_) == 0}
        for known in (self.begun, self.ended):
            for id_ in [*known]:
                if id_ not in self.fates:
                    known[id_] = saved.get(id_, 0)
        self.stop = ""
        self._judge()
