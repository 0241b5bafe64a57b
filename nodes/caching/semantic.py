"""Kept questions by what they mean: a model that ships in its wheel, and strict guards."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nodes.caching.paraphrase import difference, may_match
from state.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodes.caching.question import FullKey, Question

    Embed = Callable[[str], Any]
    """Gives the vector of a text, of length 1."""

EXTRA: Final = "agent-orchestration-layer[semantic]"
MOST_TEXTS: Final = 10_000
MOST_PER_FRAME: Final = 200
"""Texts of one asker that differ in nothing else."""


class _Known(NamedTuple):
    text: str
    vector: Any
    key: FullKey


class Near(NamedTuple):
    """What was found: a key and its cosine; without a key, why none."""

    key: FullKey | None
    why: str


class SemanticIndex:
    """Finds kept questions that mean the same; it holds no answers.

    Only questions to the same version of the same agent, of the same asker, that differ in
    nothing but the text of the last message are compared.
    """

    def __init__(self, load: Callable[[], Embed] | None = None) -> None:
        """`load` loads the model, when it is first needed."""
        self._load = load or wordllama_embed
        self._embed: Embed | None = None
        self._lock = Lock()
        self._frames: OrderedDict[object, OrderedDict[str, _Known]] = OrderedDict()
        self._texts = 0

    async def find(self, question: Question) -> Near:
        """Find the nearest kept question that differs in its wording only.

        Raises:
            ConfigurationError: The extra `semantic` is not installed.
        """
        if not may_match(question.key.text):
            return Near(None, "the question has lines, or is too long, for its meaning to count")
        with self._lock:
            known = list(self._frames.get(_frame(question), {}).values())
        if not known:
            return Near(None, "no question like it is kept")
        vector = (await self._model())(question.key.text)
        near = sorted(((float(vector @ each.vector), each) for each in known), key=_cosine)
        why = "no kept question is near enough"
        for cosine, each in reversed(near):
            if cosine < question.policy["semantic_threshold"]:
                break
            odd = difference(question.key.text, each.text)
            if odd is None:
                return Near(each.key, f"a question that means the same ({cosine:.2f})")
            why = "the nearest kept question differs"
            if question.key.user is not None:  # others are not told what was asked
                why = f"{why} in {odd}"
        return Near(None, why)

    async def learn(self, question: Question) -> None:
        """Remember a question whose answer is kept.

        Raises:
            ConfigurationError: The extra `semantic` is not installed.
        """
        frame, text = _frame(question), question.key.text
        if not may_match(text):
            return
        with self._lock:
            if text in self._frames.get(frame, ()):
                return
        vector = (await self._model())(text)
        with self._lock:
            texts = self._frames.setdefault(frame, OrderedDict())
            self._frames.move_to_end(frame)
            self._texts += text not in texts
            texts[text] = _Known(text, vector, question.full_key)
            if len(texts) > MOST_PER_FRAME:
                texts.popitem(last=False)
                self._texts -= 1
            while self._texts > MOST_TEXTS:
                _, oldest = self._frames.popitem(last=False)
                self._texts -= len(oldest)

    async def _model(self) -> Embed:
        if self._embed is None:
            self._embed = await asyncio.to_thread(self._load)
        return self._embed


def wordllama_embed() -> Embed:
    """Load the model; nothing is downloaded.

    Raises:
        ConfigurationError: The extra `semantic` is not installed.
    """
    from pathlib import Path  # noqa: PLC0415  with the heavy one

    try:
        import wordllama  # noqa: PLC0415  heavy
    except ImportError as error:
        raise ConfigurationError(
            f"a cache policy with semantic=True needs wordllama; run `pip install '{EXTRA}'`"
        ) from error
    folder = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    return lambda text: model.embed([text], norm=True)[0]


def _frame(question: Question) -> object:
    key = question.key
    return question.full_key[0], key.capability, key.scope, key.user, key.frame


def _cosine(found: tuple[float, _Known]) -> float:
    return found[0]
