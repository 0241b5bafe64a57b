"""A sentence as pieces, cut wherever something may begin that is a clause of its own."""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from orchestration.planning.approvals import asks_person
from orchestration.planning.fillers import is_filler
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.starters import CONDITION, OTHERWISE, TIE, starts_clause
from orchestration.planning.vocabulary import frame_of

_JOINER = re.compile(
    (
        r"\s*,(?![0-9])\s*(?:(?:and|but|plus)\b\s*,?)?\s*(?!\ue000)|\s+(?:and|but|plus|&"
        r"|\+|while|whilst|as\s+well\s+as|along\s+with)\s*,?\s+(?!\ue000)|\s+-\s+"
        r"|\s+/\s+|\s*:\s+(?!\ue000)"
    ),
    re.IGNORECASE,
)


_ASKS_WHEN = re.compile(
    (
        r"\b(?:tell\s+(?:me|us)|let\s+(?:me|us)\s+know|check|find\s+out|see"
        r"|ask(?:\s+\w+)?|wonder|look\s+up)$"
    ),
    re.IGNORECASE,
)


_ANYTHING = re.compile(r"(?:any|some|every|no)(?:thing|one|body)$|\bor$", re.IGNORECASE)


_ONLY_LEADS = re.compile(
    r"\s*(?:(?:but|and|only|even|right|straight|immediately|directly|not)\s*)+", re.IGNORECASE
)


_MOST_JOINERS = 200
_LOOK_AHEAD = 240
"""In characters; what begins a command is told by its first words."""
_UNJOINED = re.compile(
    r"(?<=[\w%$])\s+(?=(?:update|log|notify|book|buy|get|cancel|onboard|draft|refund|reserve)\s"
    r"|text\s+(?:(?-i:[A-Z])|[+0-9]))",
    re.IGNORECASE,
)
_NO_END = re.compile(
    r"\b(?:to|and|or|not|never|please|then|you|i|we|also|just|the|an?|my|our|please"
    r"|don't|can|could|would|will|should|let's|but|of|for|if"
    r"|ahead|simply|kindly|must|may|might|ever|now|first|next|finally|afterwards"
    r"|either|without|before|after|once)$|[,;:-]$|^$",
    re.IGNORECASE,
)
_SPEAKING = re.compile(
    (
        r"\b(?:text|sms|message|tell|notify|inform|remind|ask|asked|know|that|saying|says?"
        r"|said|write|wants?|ping|alert)\b|\ue000"
    ),
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(
    (
        rf"(?<=[\w\ue001)%$])\s+(?={CONDITION.pattern}"
        rf"|{TIE.pattern.replace('?P<word>', '')}"
        rf"|{OTHERWISE.pattern.replace('?P<word>', '')}|then\b|which\s+(?:need|require"
        rf"|must|have\s+to|has\s+to|should)|followed\s+by\b|and\s+then\b)"
    ).replace("?P<word>", ""),
    re.IGNORECASE,
)


class Piece(NamedTuple):
    """A stretch of a sentence from one boundary to the next."""

    joiner: str
    """The words and signs before it."""
    words: str
    before: str | None = None
    """The joiner of the piece after it; None if it is the last."""
    first: bool = False
    """Whether the sentence begins with it."""


def pieces(sentence: str) -> list[Piece]:
    """Split a sentence where something begins that may be a clause of its own."""
    found, joiner, begin = [], "", 0
    for start, end in _cuts(sentence):
        leads = _ONLY_LEADS.fullmatch(sentence[begin:start])
        if start < begin or (leads and (begin or leads[0].strip().lower() == "only")):
            continue
        found.append(Piece(joiner, sentence[begin:start]))
        joiner, begin = sentence[start:end].strip().lower(), end
    said = [
        piece
        for piece in [*found, Piece(joiner, sentence[begin:])]
        if re.search(r"\w", piece.words)
    ]
    after = [*(piece.joiner for piece in said[1:]), None][: len(said)]
    return [
        Piece(piece.joiner, piece.words, following, number == 0)
        for number, (piece, following) in enumerate(zip(said, after, strict=True))
    ]


def _cuts(sentence: str) -> list[tuple[int, int]]:
    joiners = list(islice(_JOINER.finditer(sentence), _MOST_JOINERS + 1))
    if len(joiners) > _MOST_JOINERS:
        raise NotUnderstoodError(
            f"{quoted(sentence)} has too many parts for one sentence; write shorter sentences."
        )
    cuts = [
        match.span()
        for match in joiners
        if match.end() < len(sentence) and match.start() and _starts(match, sentence)
    ]
    for match in _SUBORDINATE.finditer(sentence):
        inside = any(start <= match.start() <= end for start, end in cuts)
        if not inside and not _goes_on(sentence[: match.start()], sentence[match.end() :]):
            cuts.append((match.start(), match.end()))
    cuts += [match.span() for match in _UNJOINED.finditer(sentence) if _runs_on(match, sentence)]
    return sorted(cuts)


def _runs_on(match: re.Match[str], sentence: str) -> bool:
    """Whether a command begins without a comma, as in `book 2 tickets update the CRM`."""
    before, rest = sentence[: match.start()][-_LOOK_AHEAD:], sentence[match.end() :]
    if _NO_END.search(before) or _SPEAKING.search(before):
        return False
    frame = frame_of(rest[:_LOOK_AHEAD])
    return bool(asks_person(rest[:_LOOK_AHEAD])) or (frame is not None and frame.effect)


def _goes_on(before: str, after: str) -> bool:
    """Whether `when …` or `if …` is what is asked about, or `else` belongs to `anything`."""
    if re.match(r"(?:when|if|once|after|before)\b", after, re.IGNORECASE):
        return bool(_ASKS_WHEN.search(before))
    return bool(re.match(r"else\b", after, re.IGNORECASE) and _ANYTHING.search(before))


def _starts(match: re.Match[str], sentence: str) -> bool:
    rest = sentence[match.end() :]
    if ":" in match[0]:
        return True
    until = re.split(r",\s|\s+(?:and|but)\s", rest[:_LOOK_AHEAD], maxsplit=1)[0]
    if re.search(r"\bgo(?:\s+ahead)?$|\btry$", sentence[: match.start()][-20:], re.IGNORECASE):
        return False
    return starts_clause(rest) or is_filler(until)
