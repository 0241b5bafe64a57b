"""What the user said: the words that may ask for an effect, and those that only report some.

Only user messages are read. What assistants, tools, systems and earlier turns said is data
that a planner may look at, but it asks for nothing. Nor does what the user only passes on,
between quotation marks or as "the mail says ...", what is negated, or what is a question.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from state.jsonvalue import JsonObject, JsonValue

LONGEST_TEXT: Final = 20_000
"""Characters of one message that are read; whatever stands after them asks for nothing."""

_MARKS = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2039": "'", "\u203a": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"', "\u00ab": '"', "\u00bb": '"',
        "`": '"', "\u00b4": "'", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    }
)  # fmt: skip
GAP: Final = "\x00"
"""Stands for each character that was taken out, so that positions stay and no words join."""
_PASSED_ON = re.compile(r'"[^"]*(?:"|$)')
_MAIL = re.compile(r"(?m)^[ \t]*>.*$")
_REPORTED = re.compile(
    r"\b(?:e-?mail|mail|message|letter|document|(?:web)?page|website|attachment|memo|pdf|tool)s?\b"
    r"[^.?!;:\n]{0,60}?"
    r"(?:\b(?:says?|said|reads?|states?|asks?|asked|wants?|tells?|told)\b[^.?!\n]*|:[\s\S]*)"
)
_NEGATED = re.compile(
    r"\b(?:(?:do\s+not|don'?t)(?!\s+forget\b)|nobody|no\s+one|none|does\s+not|doesn'?t|never|no\s+need\s+to|must\s+not|mustn'?t|cannot"
    r"|can'?t|won'?t|should\s+not|shouldn'?t|without|instead\s+of|rather\s+than|stop|avoid"
    r"|not(?!\s+(?:more|less|over|above|under|below|later|earlier|only|exceed\w*|before|after)\b)"
    r"|no(?!\s+(?:more|less|later|earlier|fewer)\s+than))\b[^.,;:!?\n\x00]*?"
    r"(?=[.,;:!?\n\x00]|\bbut\b|$)"
)
_TOLD = re.compile(
    r"\b(?:i|we|he|she|they|you|who)\s+(?:(?:have|has|had|already|just|also|[a-z]+ly)\s+)*"
    r"(?:(?!(?:need|want|hop|wonder)(?:ed)?\b)[a-z]{2,}ed|bought|got|sent|took|made|wrote)\b"
    r"[^,.;:!?\n\x00]*?(?=[,.;:!?\n\x00]|\band\b|\bbut\b|$)"
    r"|(?:^|(?<=[,.;!?\n\x00]))"
    r"(?:(?!\b(?:who|that|which|when|after|once|if)\b)[^,.;!?\n\x00]){0,80}?"
    r"\b(?:was|were|been)\s+(?:[a-z]+ly\s+)?(?:[a-z]+ed|bought|sent|made)\b[^,.;!?\n\x00]*"
)
"""What is told of the past, e.g. "we booked 500 tickets"."""
_START = r"(?:^|(?<=[.!?;\n\x00]))\s*(?:(?:and|but|so|or|hi|hello|also|well)\b[\s,]*)*"
_QUESTION = re.compile(
    _START + r"(?:(?:should|shall|must|how|what|why|who|whether|is|are|was|were|did|does)\b"
    r"[^.!?;\n\x00]*?(?:\?|(?=[.!;\n]|,\s*(?:and|then)\b|\band\s+then\b|$))"
    r"|(?:when|where|which|do|has|have|had)\b[^.!?;\n\x00]*\?)"
)
_REFERS = re.compile(
    r"\b(?:it|that|them|those|these|this|same|again|above|earlier|previous|before|said|one|yes"
    r"|ok|okay|sure|proceed|confirm\w*)\b|go\s+ahead|^\W*\d"
)
_ANSWERS = re.compile(
    r"^\W*(?:yes|yep|yeah|ok|okay|sure|go\s+ahead|do\s+(?:it|that|so)|please\s+do|proceed|confirm"
    r"|correct|exactly|again|the\s+(?:same|one)|same|that\s+one|as\s+i\s+said|\d)"
)
_DECLINES = re.compile(r"\b(?:no|not|stop|never\s*mind|thanks|thank|don'?t|wait|cancel)\b")
_CLOSING = re.compile(r"(?<=\S)'(?!\w)")
_MOST_WORDS_OF_AN_ANSWER = 12


class UserWords(NamedTuple):
    """What the user said, normalised; the texts have the same length, with gaps."""

    said: str
    """Everything, quotations included; names may come from there."""
    open: str
    """What the user says in their own voice; numbers come from there."""
    orders: str
    """What of that may ask for an effect: no questions, no messages before the last."""
    questions: str
    """The same with questions, which may ask for information."""

    def asked_in(self, quote: str, *, effect: bool) -> str | None:
        """What a quote asks for; None where it is nowhere, empty where it asks nothing."""
        wanted, asking = normalised(quote), self.orders if effect else self.questions
        found = [asking[start:end].replace(GAP, " ") for start, end in places(wanted, self.said)]
        return " ".join(found).strip() if found else None


def normalised(text: str) -> str:
    """Return a text in lower case with plain marks and single spaces; line ends stay."""
    folded = unicodedata.normalize("NFKC", text[:LONGEST_TEXT]).casefold().translate(_MARKS)
    shown = "".join(each for each in folded if each in "\n\t" or not _is_hidden(each))
    return "\n".join(" ".join(line.split()) for line in shown.splitlines()).strip()


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character).startswith("C")


def user_words(messages: Sequence[JsonObject]) -> UserWords:
    """Return what the user said last, with earlier messages as far as that refers to them."""
    texts = [normalised(text_in(each.get("content"))) for each in messages if _is_user(each)]
    if not texts:
        return UserWords("", "", "", "")
    *earlier, last = texts
    if not _REFERS.search(last):
        earlier = []
    given = [*earlier, last]
    pairs = [*((text, is_answer(last)) for text in earlier), (last, True)]
    return UserWords(
        said=_joined(given),
        open=_joined(map(_open, given)),
        orders=_joined(orders_in(text) if own else _blank(text) for text, own in pairs),
        questions=_joined(_open(text) if own else _blank(text) for text, own in pairs),
    )


def is_answer(text: str) -> bool:
    """Whether a message only answers, so that what it is about was said before."""
    short = len(text.split()) <= _MOST_WORDS_OF_AN_ANSWER
    return short and bool(_ANSWERS.search(text)) and not _DECLINES.search(text)


def text_in(content: JsonValue) -> str:
    """The text of a message's content, which may come in parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [each.get("text") if isinstance(each, dict) else each for each in parts]
    return "\n".join(each for each in texts if isinstance(each, str))


def places(quote: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a normalised quote stands in a text as whole words."""
    found = text.find(quote) if quote else -1
    while found >= 0:
        end = found + len(quote)
        before, after = text[found - 1 : found], text[end : end + 1]
        if not (_in_word(before, quote[:1]) or _in_word(quote[-1:], after)):
            yield found, end
        found = text.find(quote, found + 1)


def outside_quotation(text: str) -> str:
    """A normalised text with gaps for what stands between quotation marks."""
    text = _PASSED_ON.sub(_gap, text)
    openings = [match.start() for match in re.finditer(r"(?<![\w'])'(?=\S)", text)]
    for start, limit in zip(openings, [*openings[1:], len(text)], strict=False):
        # To the last mark that can close it before another opens: rather too far than not far
        # enough, where a plural has an apostrophe.
        closings = [match.end() for match in _CLOSING.finditer(text, start + 1, limit)]
        if closings:
            text = text[:start] + GAP * (closings[-1] - start) + text[closings[-1] :]
    return text


def _in_word(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum()


def _is_user(message: JsonObject) -> bool:
    return message.get("role") in {"user", "human"}


def _joined(texts: Iterable[str]) -> str:
    return f"\n{GAP}\n".join(texts)


def _blank(text: str) -> str:
    return GAP * len(text)


def _gap(match: re.Match[str]) -> str:
    return GAP * len(match[0])


def _open(text: str) -> str:
    own_voice = outside_quotation(_MAIL.sub(_gap, text))
    return _NEGATED.sub(_gap, _REPORTED.sub(_gap, own_voice))


def orders_in(text: str) -> str:
    """A normalised text with gaps for what asks for no effect."""
    return _TOLD.sub(_gap, _QUESTION.sub(_gap, _open(text)))
