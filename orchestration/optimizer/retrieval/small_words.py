"""Words that say little about a subject, and words that turn what is said into the contrary."""

from __future__ import annotations

from typing import Final

STOP_WORDS: Final = (
    "a about am an and any are as at be been being but by can could did do does doing for from "
    "get had has have having he her him his how i if in into is it its let many may me might "
    "much must my of on or our ought please shall she should so some such than that the their "
    "them then there these they this those to too us very was we were what when where whether "
    "which while who whom whose why will with would you your"
)
"""English; what they leave of a question in another language is the question."""

NEGATIONS: Final = (
    "not no never none neither nor without cannot except "
    "kein keine keinen nicht nie ohne ne pas jamais sans sin nunca ni"
)
"""English, German, French and Spanish."""
