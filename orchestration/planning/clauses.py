"""A request as clauses: what is to be done, each with its order, conditions and ties."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestration.planning.conditions import POSSIBLE, Condition, read_condition
from orchestration.planning.fillers import (
    asks_for_order,
    is_filler,
    without_in_order,
    without_reason,
)
from orchestration.planning.order_words import Order, unmarked
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.sentences import Sentence, sentences
from orchestration.planning.starters import (
    BARE_CONDITION,
    CONDITION,
    OTHERWISE,
    SAME,
    TIE,
    starts_clause,
    starts_command,
    starts_verb,
)
from orchestration.planning.ties import Tie, read_tie

MOST_CLAUSES = 40
_JOINER = re.compile(
    r"\s*,(?![0-9])\s*(?:(?:and|but|plus)\b\s*,?)?\s*(?!\ue000)|\s+(?:and|but|plus|&|\+|while|whilst|as\s+well\s+as|along\s+with)\s*,?\s+(?!\ue000)|\s+-\s+|\s+/\s+|\s*:\s+(?!\ue000)",
    re.IGNORECASE,
)
_ASKS_WHEN = re.compile(
    r"\b(?:tell\s+(?:me|us)|let\s+(?:me|us)\s+know|check|find\s+out|see|ask(?:\s+\w+)?|wonder|look\s+up)$",
    re.IGNORECASE,
)
_ANYTHING = re.compile(r"(?:any|some|every|no)(?:thing|one|body)$|\bor$", re.IGNORECASE)
_ONLY_LEADS = re.compile(
    r"\s*(?:(?:but|and|only|even|right|straight|immediately|directly|not)\s*)+", re.IGNORECASE
)
_SUBORDINATE = re.compile(
    rf"(?<=[\w\ue001)%$])\s+(?={CONDITION.pattern}|{TIE.pattern.replace('?P<word>', '')}|{OTHERWISE.pattern.replace('?P<word>', '')}|then\b|which\s+(?:need|require|must|have\s+to|has\s+to|should)|followed\s+by\b|and\s+then\b)".replace(
        "?P<word>", ""
    ),
    re.IGNORECASE,
)


@dataclass(slots=True, kw_only=True)
class Clause:
    """One thing that a request says is to be done, or not."""

    words: str
    """Without order words, courtesies, conditions and ties."""
    quote: str
    sentence: int
    joiner: str = ""
    order: Order = Order.UNSAID
    late_order: bool = False
    """Whether the order word stood at its end."""
    condition: Condition | None = None
    ties: list[Tie] = field(default_factory=list)


class Piece(NamedTuple):
    """A stretch of a sentence from one boundary to the next."""

    joiner: str
    words: str


@dataclass(slots=True)
class _Reader:
    """What is known while the pieces of a request are read from left to right."""

    clauses: list[Clause] = field(default_factory=list)
    pending: Condition | None = None
    pending_ties: list[Tie] = field(default_factory=list)
    last: Condition | None = None
    carried: Condition | None = None
    sentence: int = 0
    fronted: bool = False
    carried_ties: list[Tie] = field(default_factory=list)
    pending_order: Order | None = None


def read_clauses(text: str) -> list[Clause]:
    """Return the clauses of a request.

    Raises:
        NotUnderstoodError: It has a condition that cannot be judged, or too many clauses.
    """
    reader = _Reader()
    ordered = asks_for_order(text)
    for sentence in sentences(without_in_order(text) if ordered else text):
        reader.sentence += 1
        reader.carried = None
        reader.carried_ties = []
        _read_sentence(reader, sentence)
        if reader.pending is not None and not sentence.words.rstrip().endswith((",", ":", "...")):
            raise NotUnderstoodError(
                f"{quoted(sentence.words)} gives a condition and not what depends on it; say for "
                "example 'if it costs more than 5000, get approval'."
            )
    _close(reader)
    if ordered:
        for clause in reader.clauses[1:]:
            if clause.order in {Order.UNSAID, Order.BESIDE}:
                clause.order = Order.FOLLOWS
    if len(reader.clauses) > MOST_CLAUSES:
        raise NotUnderstoodError(
            f"The request has {len(reader.clauses)} parts; at most {MOST_CLAUSES} are planned at "
            "once. Ask for them in several requests."
        )
    return reader.clauses


def pieces(sentence: str) -> list[Piece]:
    """Split a sentence where something begins that may be a clause of its own."""
    cuts: list[tuple[int, int]] = []
    for match in _JOINER.finditer(sentence):
        if match.end() < len(sentence) and match.start() and _starts(match, sentence):
            cuts.append((match.start(), match.end()))
    for match in _SUBORDINATE.finditer(sentence):
        inside = any(start <= match.start() <= end for start, end in cuts)
        if not inside and not _goes_on(sentence[: match.start()], sentence[match.end() :]):
            cuts.append((match.start(), match.end()))
    cuts.sort()
    found, joiner, begin = [], "", 0
    for start, end in cuts:
        if start < begin or (begin and _ONLY_LEADS.fullmatch(sentence[begin:start])):
            continue
        found.append(Piece(joiner, sentence[begin:start]))
        joiner, begin = sentence[start:end].strip().lower(), end
    found.append(Piece(joiner, sentence[begin:]))
    return [piece for piece in found if re.search(r"\w", piece.words)]


def _goes_on(before: str, after: str) -> bool:
    """Whether `when …` or `if …` is what is asked about, or `else` belongs to `anything`."""
    if re.match(r"(?:when|if|once|after|before)\b", after, re.IGNORECASE):
        return bool(_ASKS_WHEN.search(before))
    return bool(re.match(r"else\b", after, re.IGNORECASE) and _ANYTHING.search(before))


def _starts(match: re.Match[str], sentence: str) -> bool:
    rest = sentence[match.end() :]
    if ":" in match[0]:
        return True
    until = re.split(r",\s|\s+(?:and|but)\s", rest, maxsplit=1)[0]
    if re.search(r"\bgo(?:\s+ahead)?$|\btry$", sentence[: match.start()], re.IGNORECASE):
        return False
    return starts_clause(rest) or is_filler(until)


def _read_sentence(reader: _Reader, sentence: Sentence) -> None:
    found = pieces(without_reason(sentence.words))
    for number, piece in enumerate(found):
        following = found[number + 1] if number + 1 < len(found) else None
        _read_piece(reader, piece, following=following, first=number == 0)


def _read_piece(reader: _Reader, piece: Piece, *, following: Piece | None, first: bool) -> None:
    marked = unmarked(piece.words)
    words = marked.words
    order = marked.order
    if not words and order is not Order.UNSAID:
        _keep_order(reader, piece, order, following=following)
        return
    if is_filler(piece.words):
        return
    if reader.pending_order is not None and order in {Order.UNSAID, Order.BESIDE}:
        order = reader.pending_order
    reader.pending_order = None
    for pattern in (OTHERWISE, SAME):
        if match := pattern.match(words):
            condition = _opposite(reader) if pattern is OTHERWISE else reader.last
            if condition is None:
                raise NotUnderstoodError(
                    f"{quoted(piece.words)} has no condition before it; say 'if ..., ..., otherwise ...'."
                )
            reader.pending, reader.last = condition, condition
            words = unmarked(words[match.end() :]).words
            order = Order.UNSAID
            if not words:
                return
    if match := CONDITION.match(words) or BARE_CONDITION.match(words):
        _read_condition(
            reader,
            piece,
            words[match.end() :],
            following=following,
            first=first,
            unless="unless" in match[0].lower(),
        )
    elif (match := TIE.match(words)) and match["word"].lower() not in {"with", "without"}:
        _read_tie(reader, piece, match, words, following=following, first=first)
    else:
        _add(reader, piece, words=words, order=order, late=marked.trailing)


def _keep_order(reader: _Reader, piece: Piece, order: Order, *, following: Piece | None) -> None:
    """An order word alone belongs to what follows it, or, at the end, to what it follows."""
    here = [clause for clause in reader.clauses[-1:] if clause.sentence == reader.sentence]
    if (
        here
        and (following is None or not piece.joiner)
        and here[0].order in {Order.UNSAID, Order.BESIDE}
    ):
        here[0].order, here[0].late_order = order, True
    else:
        reader.pending_order = order


def _opposite(reader: _Reader) -> Condition | None:
    if reader.last is None:
        return None
    if reader.last.comparisons:
        return reader.last.opposite()
    raise NotUnderstoodError(
        f"'otherwise' after {quoted(reader.last.words)} cannot be planned, since what follows a "
        "failure or a refusal is not run; only after a comparison such as 'if it costs more than 5000'."
    )


def _read_condition(
    reader: _Reader, piece: Piece, said: str, *, following: Piece | None, first: bool, unless: bool
) -> None:
    for cut in _cuts(said):
        condition = read_condition(said[:cut], unless=unless)
        if condition is None:
            continue
        reader.last = condition
        rest = unmarked(said[cut:]).words
        if rest:
            reader.pending, reader.fronted = condition, True
            _read_piece(reader, Piece(piece.joiner, rest), following=None, first=False)
        elif _is_fronted(piece, following, first=first) or not reader.clauses:
            reader.pending, reader.fronted = condition, True
        else:
            _attach(reader, condition)
        return
    raise NotUnderstoodError(
        f"The condition {quoted(piece.words)} cannot be judged from what the tasks answer; {POSSIBLE}."
    )


def _read_tie(
    reader: _Reader,
    piece: Piece,
    match: re.Match[str],
    words: str,
    *,
    following: Piece | None,
    first: bool,
) -> None:
    said = words[match.end() :]
    for cut in _cuts(said, verbs_only=True):
        tie = read_tie(match["word"], said[:cut], whole=piece.words)
        if tie is None:
            continue
        rest = unmarked(said[cut:]).words
        if rest and not starts_command(rest):
            continue
        if rest:
            reader.pending_ties.append(tie)
            _read_piece(reader, Piece(piece.joiner, rest), following=None, first=False)
        elif _is_fronted(piece, following, first=first) or not reader.clauses:
            reader.pending_ties.append(tie)
        else:
            reader.clauses[-1].ties.append(tie)
        return
    raise NotUnderstoodError(
        f"{quoted(piece.words)} waits for something that no task of this request does; say after which "
        "of its tasks, for example 'once the tickets are booked'."
    )


def _cuts(said: str, *, verbs_only: bool = False) -> list[int]:
    """Where in `if … do …` the condition may end: at its end, or where a command begins."""
    inner = []
    for match in re.finditer(r"\s+", said):
        rest = unmarked(said[match.end() :]).words
        if starts_verb(rest) if verbs_only else starts_command(rest):
            inner.append(match.start())
    return [*inner, len(said)]


def _is_fronted(piece: Piece, following: Piece | None, *, first: bool) -> bool:
    if following is None:
        return False
    if first:
        return True
    after_comma = piece.joiner.startswith((",", "and", "but", "-", ":"))
    return after_comma and not re.match(r",?\s*(?:and|but|plus)\b", following.joiner)


def _attach(reader: _Reader, condition: Condition) -> None:
    clause = reader.clauses[-1]
    if clause.condition is not None:
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} has two conditions; give one, or write them in sentences of their own."
        )
    clause.condition = condition


def _add(reader: _Reader, piece: Piece, *, words: str, order: Order, late: bool) -> None:
    condition = reader.pending
    if condition is not None and reader.fronted and order is Order.FOLLOWS and not late:
        order = Order.UNSAID
    if condition is None and piece.joiner in {"and", "&"} and order is Order.UNSAID:
        condition = reader.carried
    if piece.joiner in {"and", "&"} and order is Order.UNSAID and not reader.pending_ties:
        reader.pending_ties += reader.carried_ties
    reader.carried_ties = [tie for tie in reader.pending_ties if tie.after]
    reader.carried, reader.pending, reader.fronted = condition, None, False
    if is_filler(words):
        reader.pending = condition
        return
    reader.clauses.append(
        Clause(
            words=words,
            quote=piece.words.strip(),
            sentence=reader.sentence,
            joiner=piece.joiner,
            order=order,
            late_order=late,
            condition=condition,
            ties=[*reader.pending_ties],
        )
    )
    reader.pending_ties.clear()


def _close(reader: _Reader) -> None:
    if reader.pending is not None:
        raise NotUnderstoodError(
            f"{quoted(reader.pending.words)} is a condition without anything that depends on it."
        )
    if reader.pending_ties:
        raise NotUnderstoodError(
            f"{quoted(reader.pending_ties[0].words)} is followed by nothing to do."
        )
