"""By which words a request plausibly asks for a capability, whatever agents there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.numbers_said import NUMBER_WORDS
from state.capability import AgentCapability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from state.proposal import AgentCard

_ALIKE = (
    "buy purchase book booking order reserve reservation",
    "cancel cancellation refund return undo",
    "send text notify notification message sms tell inform",
    "log record note add enter file submit charge put",
    "create open draft write prepare make generate generation start",
    "approve approval authorise authorize authorisation sign permission okay",
    "update change set move mark sync refresh",
    "onboard onboarding hire",
    "leave vacation holiday pto off",
    "ticket seat pass",
    "opportunity deal",
    "crm account activity",
    "expense cost spending",
    "proposal offer quote",
)
"""Words that ask for the same; each line begins with the one that stands for it."""
_FILLING: Final = word_set(
    "a an the of to for from in on at by with and or is are be been it its this that these those "
    "i me my we us our you your he she they them their his her s t please can could would will "
    "shall kindly just also then so as if what who which there here do does did let lets may "
    "about into onto up out via per go ahead hello hi dear yes ok okay thanks thank tonight today "
    "user request requested requests new management information"
)
_ENDINGS = ("ations", "ation", "ings", "ing", "ions", "ion", "ers", "ed", "es", "al", "s", "e")
_SHORTEST_STEM = 3
_CLAUSE = re.compile(r"[,;.!?\n]|\band\b|\bthen\b")


def stem(word: str) -> str:
    """Cut a word's ending, roughly, so that `booking` and `booked` are `book`."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > _SHORTEST_STEM and word[-1] == word[-2] else word


_SAME = {stem(word): stem(line.split()[0]) for line in _ALIKE for word in line.split()}


_NOT_TOLD = _FILLING | frozenset(NUMBER_WORDS)  # numbers are compared as numbers
_UNDOING = frozenset(map(stem, ("cancel", "reverse", "withdraw")))


def meanings(text: str) -> frozenset[str]:
    """What a normalised text speaks of: stems, words that ask for the same as one."""
    words = re.findall(r"[^\W\d_]+", text.replace("'s ", " ").replace("'", ""))
    return frozenset(_SAME.get(stem(w), stem(w)) for w in words if w not in _NOT_TOLD)


class Words(NamedTuple):
    """What a capability's name, actions and agents' descriptions speak of."""

    verbs: frozenset[str]
    """What is done; empty where the name alone is known."""
    nouns: frozenset[str]
    """What it is done to."""

    @property
    def only_undoes(self) -> bool:
        """Whether it takes something back, which no noun alone asks for."""
        return bool(self.verbs) and self.verbs <= _UNDOING


def words_of(capability: str) -> Words:
    """Return a capability's words; an action's first one is its verb."""
    actions = AgentCapability(capability).actions
    verbs = meanings(" ".join(action.partition("_")[0] for action in actions))
    spoken = meanings(" ".join([capability, *actions]).replace("_", " "))
    return Words(verbs, spoken - verbs)


class Vocabulary:
    """Tells which capabilities of some agents a text plausibly asks for."""

    def __init__(self, agents: Sequence[AgentCard]) -> None:
        own = {each: words_of(each) for card in agents for each in card.capabilities}
        spoken = frozenset[str]().union(*(words.verbs | words.nouns for words in own.values()))
        described: dict[str, frozenset[str]] = {}
        for card in agents:
            extra = meanings(card.description.casefold()) - spoken
            for each in card.capabilities:
                described[each] = described.get(each, frozenset()) | extra
        self._words = {
            each: words._replace(nouns=words.nouns | described[each]) for each, words in own.items()
        }

    def asked_for(self, text: str) -> frozenset[str]:
        """Return the capabilities that a normalised text asks for, clause by clause."""
        clauses = _CLAUSE.split(text)
        return frozenset().union(*(self._asked_in(meanings(clause)) for clause in clauses))

    def words_for(self, capabilities: Iterable[str]) -> frozenset[str]:
        """What a task for these may say although the user did not."""
        known = [self._words[each] for each in capabilities if each in self._words]
        return frozenset[str]().union(*(words.verbs | words.nouns for words in known))

    def _asked_in(self, given: frozenset[str]) -> frozenset[str]:
        """Who both does what a clause says and does it to that; else who one of both fits.

        Who fits less than another does not count: "cancel the tickets" speaks of tickets,
        but does not ask for a purchase.
        """
        hits = {each: given & (words.verbs | words.nouns) for each, words in self._words.items()}
        fitting = {each for each, found in hits.items() if found and self._fits(each, found)}
        whole = {each for each in fitting if self._is_whole(each, hits[each])}
        left = whole or fitting
        return frozenset(
            each for each in left if not any(hits[each] < hits[other] for other in left)
        )

    def _fits(self, capability: str, found: frozenset[str]) -> bool:
        words = self._words[capability]
        return bool(found & words.verbs) or not words.only_undoes

    def _is_whole(self, capability: str, found: frozenset[str]) -> bool:
        words = self._words[capability]
        if not words.verbs:
            return len(found) > 1
        return bool(found & words.verbs and found & words.nouns)
