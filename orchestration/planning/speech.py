"""Words after a colon or `saying` that are to be passed on, not done."""

from __future__ import annotations

import re

from orchestration.planning.order_words import unmarked
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.quotes import Text
from orchestration.planning.sentences import sentences
from orchestration.planning.starters import starts_command

_INTRODUCED = re.compile(
    (
        r"(?P<left>.*?)(?P<by>:\s+|\s*,?\s+(?:saying|that\s+says|which\s+says|reading"
        r"|with\s+the\s+(?:message|text|note|words|following\s+message|comment)"
        r"|to\s+say(?!\s+that))\s*:?\s+)(?P<speech>(?!\ue000)\S.*)"
    ),
    re.IGNORECASE | re.DOTALL,
)
_SPEAKS = re.compile(
    (
        r"(?:text|sms|message|notify|tell|inform|remind|ping|alert)\b|(?:send|let|drop"
        r"|shoot|give)\b(?!.*\b(?:proposal|quote|offer)\b)|(?:update|log|record|add|note"
        r"|put|enter|write|leave|make)\b(?=.*\b(?:crm|salesforce|note|call|meeting"
        r"|e-?mail|visit|account)\b)"
    ),
    re.IGNORECASE,
)
_LAST = re.compile(
    (
        r".*(?:,\s*(?:and\s+)?(?:then\s+)?|\s+and\s+(?:then\s+)?"
        r"|\bthen\s+)(?=(?:please\s+)?(?:text|sms|message|notify|tell|inform|remind|send"
        r"|let|log|record|update|add|note|put|enter|write|ping|alert|drop|shoot|leave"
        r"|make)\b)"
    ),
    re.IGNORECASE | re.DOTALL,
)
_JOINER = re.compile(r",\s*(?:and\s+|then\s+)*|\s+(?:and|then|but)\s+(?:then\s+)?", re.IGNORECASE)


def with_speech(text: Text) -> Text:
    """Put what is to be passed on into marks, as if it had been quoted.

    Raises:
        NotUnderstoodError: It is not clear where the words to pass on end.
    """
    words, quotes = text
    kept = [*quotes]
    for sentence in sentences(words):
        match = _INTRODUCED.fullmatch(sentence.words)
        if match is None or not _introduces(match):
            continue
        speech = match["speech"].strip()
        _check_end(speech, sentence.words)
        if speech not in words:
            continue
        start = words.index(
            speech,
            words.index(match["left"].strip()[-8:] or speech)
            if match["left"].strip()[-8:] in words
            else 0,
        )
        kept.append(Text(words, tuple(kept)).restored(speech).strip("\"' .") or speech)
        stop = "." if speech[-1] in ".!?" else ""
        words = f"{words[:start]}\ue000{len(kept) - 1}\ue001{stop}{words[start + len(speech) :]}"
    return Text(words, tuple(kept))


def _introduces(match: re.Match[str]) -> bool:
    left = unmarked(match["left"]).words
    last = _LAST.match(left)
    command = unmarked(left[last.end() :] if last else left).words
    return bool(_SPEAKS.match(command))


def _check_end(speech: str, sentence: str) -> None:
    for match in _JOINER.finditer(speech):
        rest = unmarked(speech[match.end() :]).words
        if starts_command(rest):
            raise NotUnderstoodError(
                f"Is {quoted(rest)} in {quoted(sentence)} to be passed on, or to be "
                f"done? Put the words to pass on in quotation "
                "marks, or say the rest in a sentence of its own."
            )
