"""A request as clauses: what is to be done, each with its order, conditions and ties."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orchestration.planning.approvals import asks_person
from orchestration.planning.condition import Condition
from orchestration.planning.condition_words import POSSIBLE, asked_condition, read_condition
from orchestration.planning.fillers import (
    asks_for_order,
    is_filler,
    without_in_order,
    without_reason,
)
from orchestration.planning.order_words import Marked, Order, unmarked
from orchestration.planning.pieces import Piece, pieces
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.sentences import Sentence, sentences
from orchestration.planning.starters import (
    BARE_CONDITION,
    CONDITION,
    OTHERWISE,
    SAME,
    TIE,
    starts_command,
    starts_verb,
)
from orchestration.planning.ties import Tie, read_tie

MOST_CLAUSES = 40
_MOST_PIECES = 120
"""Of which most are greetings and the like; reading more would only take time."""


_DETERMINER = re.compile(r"\b(?:the|an?|my|our|your|this|that|his|her|their|all)$", re.IGNORECASE)


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


@dataclass(slots=True)
class _Reader:
    """What is known while the pieces of a request are read from left to right."""

    clauses: list[Clause] = field(default_factory=list)
    pending: Condition | None = None
    pending_ties: list[Tie] = field(default_factory=list)
    last: Condition | None = None
    carried: Condition | None = None
    sentence: int = 0
    pieces: int = 0
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
        reader.carried, reader.carried_ties = None, []
        for piece in pieces(without_reason(sentence.words)):
            _read_piece(reader, piece)
            _check_number(reader)
        _check_condition_used(reader, sentence)
    _close(reader)
    for clause in reader.clauses[1:] if ordered else ():
        if clause.order in {Order.UNSAID, Order.BESIDE}:
            clause.order = Order.FOLLOWS
    return reader.clauses


def _check_number(reader: _Reader) -> None:
    reader.pieces += 1
    if len(reader.clauses) > MOST_CLAUSES or reader.pieces > _MOST_PIECES:
        raise NotUnderstoodError(
            f"The request has too many parts; at most {MOST_CLAUSES} are planned at once. Ask for "
            "them in several requests."
        )


def _check_condition_used(reader: _Reader, sentence: Sentence) -> None:
    if reader.pending is not None and not sentence.words.rstrip().endswith((",", ":", "...")):
        raise NotUnderstoodError(
            f"{quoted(sentence.words)} gives a condition and not what depends on it; say for "
            "example 'if it costs more than 5000, get approval'."
        )


def _read_piece(reader: _Reader, piece: Piece) -> None:
    marked = unmarked(piece.words)
    if not marked.words and marked.order is not Order.UNSAID:
        _keep_order(reader, piece, marked.order)
    elif not is_filler(piece.words):
        _read_said(reader, piece, _with_kept_order(reader, marked))


def _with_kept_order(reader: _Reader, marked: Marked) -> Marked:
    kept, reader.pending_order = reader.pending_order, None
    if kept is None or marked.order not in {Order.UNSAID, Order.BESIDE}:
        return marked
    return marked._replace(order=kept)


def _read_said(reader: _Reader, piece: Piece, marked: Marked) -> None:
    rest = _alternative(reader, piece, marked)
    words = rest.words
    if not words:
        return
    if match := CONDITION.match(words) or BARE_CONDITION.match(words):
        said = _with_end(piece, words)[match.end() :]
        _read_condition(reader, piece, said, unless="unless" in match[0].lower())
    elif (match := TIE.match(words)) and match["word"].lower() not in {"with", "without"}:
        _read_tie(reader, piece, _with_end(piece, words)[match.end() :], word=match["word"])
    else:
        _add(reader, piece, rest)


def _with_end(piece: Piece, words: str) -> str:
    """The words with the order word at their end, which may belong to a command inside."""
    start = piece.words.find(words)
    return piece.words[start:].rstrip(" .!;") if start >= 0 else words


def _alternative(reader: _Reader, piece: Piece, marked: Marked) -> Marked:
    """Take off `otherwise` and `in that case`, which bring the condition from before along."""
    for pattern in (OTHERWISE, SAME):
        match = pattern.match(marked.words)
        if match is None:
            continue
        condition = _opposite(reader) if pattern is OTHERWISE else reader.last
        if condition is None:
            raise NotUnderstoodError(
                f"{quoted(piece.words)} has no condition before it; say 'if ..., ..., "
                "otherwise ...'."
            )
        reader.pending = reader.last = condition
        return Marked(unmarked(marked.words[match.end() :]).words, Order.UNSAID)
    return marked


def _keep_order(reader: _Reader, piece: Piece, order: Order) -> None:
    """An order word alone belongs to what follows it, or, at the end, to what it follows."""
    here = [clause for clause in reader.clauses[-1:] if clause.sentence == reader.sentence]
    ends = piece.before is None or not piece.joiner
    if here and ends and here[0].order in {Order.UNSAID, Order.BESIDE}:
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
        "failure or a refusal is not run; only after a comparison such as 'if it costs more than "
        "5000'."
    )


def _read_condition(reader: _Reader, piece: Piece, said: str, *, unless: bool) -> None:
    for cut in _ends(said):
        condition = read_condition(said[:cut], unless=unless)
        if condition is None:
            continue
        reader.last = condition
        rest = unmarked(said[cut:]).words
        if rest or _is_fronted(piece) or not reader.clauses:
            reader.pending, reader.fronted = condition, True
        else:
            _attach(reader, condition)
        if rest:
            _read_piece(reader, Piece(piece.joiner, said[cut:].strip(" ,")))
        return
    raise NotUnderstoodError(
        f"The condition {quoted(piece.words)} cannot be judged from what the tasks answer; "
        f"{POSSIBLE}."
    )


def _read_tie(reader: _Reader, piece: Piece, said: str, *, word: str) -> None:
    for cut in _ends(said, verbs_only=True):
        tie = read_tie(word, said[:cut], whole=piece.words)
        rest = unmarked(said[cut:]).words
        if tie is None or (rest and not starts_command(rest)):
            continue
        if rest or _is_fronted(piece) or not reader.clauses:
            reader.pending_ties.append(tie)
        else:
            reader.clauses[-1].ties.append(tie)
        if rest:
            _read_piece(reader, Piece(piece.joiner, said[cut:].strip(" ,")))
        return
    raise NotUnderstoodError(
        f"{quoted(piece.words)} waits for something that no task of this request does; say after "
        "which of its tasks, for example 'once the tickets are booked'."
    )


def _ends(said: str, *, verbs_only: bool = False) -> list[int]:
    """Where in `if … do …` the condition may end: at its end, or where a command begins."""
    inner = []
    for match in re.finditer(r"\s+", said):
        rest = unmarked(said[match.end() :]).words
        if verbs_only and _DETERMINER.search(said[: match.start()]):
            continue  # `the order`, `logging the expense`
        if starts_verb(rest) if verbs_only else starts_command(rest):
            inner.append(match.start())
    return [*inner, len(said)]


def _is_fronted(piece: Piece) -> bool:
    """Whether `if …` or `once …` stands before what it belongs to."""
    if piece.before is None or piece.first:
        return piece.before is not None
    after_comma = piece.joiner.startswith((",", "and", "but", "-", ":"))
    return after_comma and not re.match(r",?\s*(?:and|but|plus)\b", piece.before)


def _attach(reader: _Reader, condition: Condition) -> None:
    clause = reader.clauses[-1]
    if clause.condition is not None:
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} has two conditions; give one, or write them in sentences of "
            "their own."
        )
    clause.condition = condition


def _add(reader: _Reader, piece: Piece, marked: Marked) -> None:
    condition, order = reader.pending, marked.order
    if condition and reader.fronted and order is Order.FOLLOWS and not marked.trailing:
        order = Order.UNSAID  # `if …, then …`
    goes_on = piece.joiner in {"and", "&"} and order is Order.UNSAID
    if goes_on:
        condition = condition or reader.carried
        reader.pending_ties = reader.pending_ties or _carried_ties(reader, marked.words)
    reader.carried_ties = [*reader.pending_ties]
    reader.carried, reader.pending, reader.fronted = condition, None, False
    if is_filler(marked.words):
        reader.pending = condition
        return
    reader.last = asked_condition(marked.words) or reader.last
    reader.clauses.append(
        Clause(
            words=marked.words,
            quote=piece.words.strip(),
            sentence=reader.sentence,
            joiner=piece.joiner,
            order=order,
            late_order=marked.trailing,
            condition=condition,
            ties=[*reader.pending_ties],
        )
    )
    reader.pending_ties.clear()


def _carried_ties(reader: _Reader, words: str) -> list[Tie]:
    """`Before buying them, check the budget and get approval`: both come before."""
    return [tie for tie in reader.carried_ties if tie.after or asks_person(words)]


def _close(reader: _Reader) -> None:
    if reader.pending is not None:
        raise NotUnderstoodError(
            f"{quoted(reader.pending.words)} is a condition without anything that depends on it."
        )
    if reader.pending_ties:
        raise NotUnderstoodError(
            f"{quoted(reader.pending_ties[0].words)} is followed by nothing to do."
        )
