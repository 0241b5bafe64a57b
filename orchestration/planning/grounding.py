"""Whether a proposed task is what the user asked for: pure, and deaf to everybody else.

A planner may be mistaken, or be talked into something by a mail, a tool's output or an
earlier answer that it reads. So nothing that it says counts here but its quote, which has to
stand in the user's own words, and what the task would tell its agent, which has to come from
there too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from orchestration.planning.asking_words import Vocabulary, meanings
from orchestration.planning.numbers_said import numbers_in, odd_tokens
from orchestration.planning.proposed_input import cards_for, told_by, touched_by
from orchestration.planning.user_words import GAP, UserWords, normalised, places, user_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from orchestration.planning.proposed_input import Told, Touched
    from state.jsonvalue import JsonObject
    from state.proposal import AgentCard, ProposedTask

_LITERAL = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_EVERYDAY = frozenset({Decimal(0), Decimal(1)})
"""Numbers of a condition that nobody has to say: `> 0`, `size() >= 1`."""
_CONDITIONAL = re.compile(r"\b(?:if|unless|in\s+case|only\s+when|provided)\b")
_DEPENDS = re.compile(
    r"\b(?:if|unless|in\s+case|when|provided|over|above|beyond|exceed\w*|more\s+than|at\s+least"
    r"|under|below|less\s+than)\b"
)
_OF_THE_RUN = re.compile(r"\b(?:outputs|outcomes|input)\b")
_A_SINGLE = re.compile(r"\ban?\b")
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """What speaks against a task, in sentences."""

    refusals: list[str] = field(default_factory=list)
    """It is not what the user asked for."""
    doubts: list[str] = field(default_factory=list)
    """It may be, but a person has to look."""


class Grounds:
    """What proposed tasks are held against: one request, and the agents there are."""

    def __init__(
        self,
        messages: Sequence[JsonObject],
        agents: Sequence[AgentCard],
        *,
        informs: Collection[str],
        assumptions: Sequence[str] = (),
        asks_for: Callable[[str], Collection[str]] | None = None,
    ) -> None:
        self.words: UserWords = user_words(messages)
        self.agents = agents
        self.vocabulary = Vocabulary(agents)
        self._informs = frozenset(informs)
        self._asks_for = asks_for
        self._numbers = numbers_in(self.words.open)
        if _A_SINGLE.search(self.words.open):
            self._numbers.add(Decimal(1))
        self._claimed: dict[frozenset[str], list[tuple[int, int]]] = {}
        self._assumed = {n for each in assumptions for n in numbers_in(normalised(each))}

    def touched(self, task: ProposedTask) -> Touched:
        """Which capabilities a task may use."""
        cards = cards_for(task, self.agents)
        return touched_by(task, cards, self.vocabulary, told_by(task.input_data))

    def only_reads(self, task: ProposedTask) -> bool:
        """Whether a task has no effect, whoever gets it."""
        cards = cards_for(task, self.agents)
        reads = bool(cards) and all(card.read_only for card in cards)
        return reads or self._only_informs(self.touched(task))

    def may_mean(self, condition: str | None) -> bool:
        """Whether the user may have meant a condition; always, if there is none.

        It needs words that make something depend on something, no number but theirs, and
        anything to depend on: a planner could else waive with it what they ask for.
        """
        if condition is None:
            return True
        depends = _DEPENDS.search(self.words.open) and _OF_THE_RUN.search(condition)
        return bool(depends) and not self._unsaid_in(condition)

    def judge(self, task: ProposedTask) -> Finding:
        """Say what speaks against a task; nothing does if its agents only read."""
        cards, finding = cards_for(task, self.agents), Finding()
        if cards and all(card.read_only for card in cards):
            return finding
        told, touched = told_by(task.input_data), self.touched(task)
        self._judge_quote(task, touched, finding)
        self._judge_numbers(told, finding)
        self._judge_text(told, touched, finding)
        self._judge_condition(task, finding)
        if not self._only_informs(touched):
            self._claim(task, touched, finding)
        return finding

    def _judge_quote(self, task: ProposedTask, touched: Touched, finding: Finding) -> None:
        effect = not self._only_informs(touched)
        asked, quote = self.words.asked_in(task.quote, effect=effect), _shown(task.quote)
        if not normalised(task.quote):
            finding.refusals.append("it names no words of the user that ask for it")
        elif asked is None:
            finding.refusals.append(f"the user did not say {quote}")
        elif not asked:
            finding.refusals.append(
                f"the user says {quote}, but only passes it on, asks about it, or says not to"
            )
        elif effect:
            self._judge_asking(asked, task, touched, finding)
        if asked and _CONDITIONAL.search(asked) and task.condition is None:
            finding.doubts.append(f"{quote} makes it depend on something, and the task does not")

    def _judge_asking(
        self, asked: str, task: ProposedTask, touched: Touched, finding: Finding
    ) -> None:
        quote = _shown(task.quote)
        if not touched.possible and not touched.named:
            self._judge_bare_agent(asked, task, quote, finding)
            return
        wanted = self._capabilities_in(asked)
        missing = touched.named - wanted - self._informs
        if not touched.named and not touched.all & wanted:
            missing = touched.all
        if touched.spoken:
            missing |= touched.spoken - self._capabilities_in(self._orders()) - self._informs
        if missing:
            finding.refusals.append(f"{quote} does not ask for {_listed(missing)}")

    def _judge_bare_agent(
        self, asked: str, task: ProposedTask, quote: str, finding: Finding
    ) -> None:
        """An agent without capabilities is known by its name and its description."""
        cards = cards_for(task, self.agents)
        about = " ".join(f"{card.agent_id} {card.description}" for card in cards)
        if not meanings(asked) & meanings(normalised(re.sub(r"[_.-]", " ", about))):
            finding.refusals.append(f"{quote} does not ask for agent {task.agent_id!r}")

    def _only_informs(self, touched: Touched) -> bool:
        return bool(touched.all) and touched.all <= self._informs

    def _judge_numbers(self, told: Told, finding: Finding) -> None:
        unsaid = told.numbers - self._numbers
        if assumed := unsaid & self._assumed:
            finding.doubts.append(f"the planner assumes {_numbers(assumed)}")
        if invented := unsaid - self._assumed:
            finding.refusals.append(f"the user did not say {_numbers(invented)}")
        if odd := told.odd - odd_tokens(self.words.open):
            finding.refusals.append(f"the user did not say {_listed(odd)}")

    def _judge_text(self, told: Told, touched: Touched, finding: Finding) -> None:
        allowed = meanings(self.words.said) | self.vocabulary.words_for(
            touched.named | touched.spoken
        )
        if foreign := meanings(told.text) - allowed:
            finding.doubts.append(f"it speaks of {_listed(foreign)}, which the user did not")

    def _judge_condition(self, task: ProposedTask, finding: Finding) -> None:
        if unsaid := self._unsaid_in(task.condition or ""):
            shown = _numbers(unsaid)
            finding.doubts.append(f"its condition has {shown}, which the user did not say")

    def _unsaid_in(self, condition: str) -> set[Decimal]:
        literals = {Decimal(each) for each in _LITERAL.findall(condition)}
        return {each.normalize() for each in literals} - self._numbers - _EVERYDAY

    def _claim(self, task: ProposedTask, touched: Touched, finding: Finding) -> None:
        """Let the same words ask for the same thing once; for more of it a person has to look."""
        taken = self._claimed.setdefault(touched.all, [])
        for start, end in places(normalised(task.quote), self.words.said):
            if all(end <= begun or start >= ended for begun, ended in taken):
                taken.append((start, end))
                return
        if not finding.refusals:
            again = _shown(task.quote)
            finding.doubts.append(f"{again} already asks for another task of that kind")

    def _orders(self) -> str:
        return self.words.orders.replace(GAP, " ")

    def _capabilities_in(self, text: str) -> frozenset[str]:
        found = self.vocabulary.asked_for(text)
        return found if self._asks_for is None else found | frozenset(self._asks_for(text))


def _shown(quote: str) -> str:
    return repr(quote if len(quote) <= 80 else f"{quote[:77]}...")  # noqa: PLR2004


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _MOST_SHOWN} more" if len(ordered) > _MOST_SHOWN else ""
    return ", ".join(map(repr, ordered[:_MOST_SHOWN])) + more


def _numbers(numbers: Iterable[Decimal]) -> str:
    return ", ".join(sorted({f"{number:f}"[:30] for number in numbers})[:_MOST_SHOWN])
