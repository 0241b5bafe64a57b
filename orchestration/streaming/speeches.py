"""What agents say, and what middleware finds, in the attempt to which it belongs.

An agent that is called again for the same attempt, as after a crash, says its text again: of
that, what was told is left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestration.streaming.told import Fact, Happening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.jsonvalue import JsonObject

SAID_OTHERWISE: Final = "the agent was called again and says something else"


@dataclass(slots=True)
class _Speech:
    """What was told of one attempt."""

    pieces: list[str] = field(default_factory=list)
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: bool = False
    """Whether a person was asked in it: then the agent may go on, or begin again."""


@dataclass(slots=True)
class _Hearing:
    """An attempt under way."""

    fact: Fact
    speech: _Speech
    before: str
    """What was told before, as long as what is said now may be the same."""
    again: Counter[tuple[str, str]]
    """Verdicts that were told before, and may come again."""
    heard: str = ""
    """What of that was said again."""


class Speeches:
    """Tells pieces of text and verdicts in order, and each once."""

    def __init__(self) -> None:
        self._speeches: defaultdict[Fact, _Speech] = defaultdict(_Speech)
        self._hearings: dict[str, _Hearing] = {}
        self._early: defaultdict[str, list[Happening]] = defaultdict(list)

    def begin(self, fact: Fact) -> Iterator[Happening]:
        """An attempt begins (again); tell what was found before its beginning was known."""
        path, known = fact.name, self._hearings.get(fact.name)
        if known is not None and known.fact == fact and not known.speech.asked:
            return  # it is heard of twice
        speech = self._speeches[fact]
        self._hearings[path] = _Hearing(
            fact, speech, "".join(speech.pieces), Counter(speech.verdicts)
        )
        for each in self._early.pop(path, ()):
            yield from self._found(path, each)

    def hears(self, fact: Fact) -> bool:
        """Whether an attempt is under way."""
        hearing = self._hearings.get(fact.name)
        return hearing is not None and hearing.fact == fact

    def say(self, path: str, text: str) -> Iterator[Happening]:
        """Tell a piece of what an attempt under way says, but what of it was told before."""
        hearing = self._hearings[path]
        if not hearing.before:
            yield self._piece(hearing, text)
            return
        heard = hearing.heard + text
        if hearing.before.startswith(heard):
            hearing.heard = heard
            if len(heard) == len(hearing.before):
                hearing.before = hearing.heard = ""
        elif heard.startswith(hearing.before):
            rest = heard[len(hearing.before) :]
            hearing.before = hearing.heard = ""
            yield self._piece(hearing, rest)
        else:
            yield from self._said_otherwise(hearing, heard)

    def find(self, path: str, middleware: str, verdict: JsonObject) -> Iterator[Happening]:
        """Tell a verdict of middleware."""
        yield from self._found(
            path, Happening("verdict", path, {"middleware": middleware, **verdict})
        )

    def end(self, fact: Fact) -> Iterator[Happening]:
        """An attempt ends; if it said less than before, tell all of that."""
        hearing = self._hearings.get(fact.name)
        if hearing is not None and hearing.fact == fact:
            del self._hearings[fact.name]
            if hearing.heard:
                yield from self._said_otherwise(hearing, hearing.heard)
        self._speeches.pop(fact, None)

    def learn(self, happening: Happening, fact: Fact | None) -> None:
        """Take over what the log has."""
        path = happening.task_id
        if fact is not None and happening.kind in {"task_started", "compensation_started"}:
            speech = self._speeches[fact]
            self._hearings[path] = _Hearing(fact, speech, "", Counter())
            return
        hearing = self._hearings.get(path)
        if hearing is None:
            return
        match happening.kind:
            case "token":
                hearing.speech.pieces.append(str(happening.data["text"]))
            case "token_restart":
                hearing.speech.pieces.clear()
            case "verdict":
                hearing.speech.verdicts[_key(happening)] += 1
            case "approval_requested":
                hearing.speech.asked = True

    def learned(self) -> None:
        """All that the log has is known; no attempt of it is under way any more."""
        self._hearings.clear()

    def asked(self, path: str) -> None:
        """A person is asked inside an attempt."""
        hearing = self._hearings.get(path)
        if hearing is not None:
            hearing.speech.asked = True

    def _found(self, path: str, verdict: Happening) -> Iterator[Happening]:
        hearing = self._hearings.get(path)
        if hearing is None:
            self._early[path].append(verdict)
            return
        key = _key(verdict)
        if hearing.again[key] > 0:
            hearing.again[key] -= 1
            return
        hearing.speech.verdicts[key] += 1
        yield verdict

    def _said_otherwise(self, hearing: _Hearing, heard: str) -> Iterator[Happening]:
        hearing.before = hearing.heard = ""
        if not hearing.speech.asked:
            hearing.speech.pieces.clear()
            yield Happening("token_restart", hearing.fact.name, {"reason": SAID_OTHERWISE})
        yield self._piece(hearing, heard)

    def _piece(self, hearing: _Hearing, text: str) -> Happening:
        hearing.speech.pieces.append(text)
        return Happening("token", hearing.fact.name, {"text": text})


def _key(verdict: Happening) -> tuple[str, str]:
    return str(verdict.data["middleware"]), str(verdict.data.get("verdict", ""))
