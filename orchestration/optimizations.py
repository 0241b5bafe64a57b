"""The optimizer: calls of agents made fewer, smaller and earlier, and what that came to."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache as once
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

from orchestration.optimizer.context import ContextSources
from orchestration.optimizer.metrics import PerformanceMetrics, PerformanceRecorder
from orchestration.optimizer.tools import Tools
from state.budget import Budget
from state.caching import CachePolicy
from state.errors import ConfigurationError, PlanError
from state.jsonvalue import described

if TYPE_CHECKING:
    from contextlib import ExitStack
    from types import TracebackType

    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever

    from nodes.caching.response_cache import ResponseCache
    from nodes.caching.verdict import CacheStats
    from nodes.compression import TokenCounter
    from nodes.middleware import Middleware
    from nodes.ports import Agents
    from nodes.record_layer import Measured
    from orchestration.optimizer.batching import BatchResults
    from orchestration.optimizer.common_answers import CommonAnswers
    from orchestration.optimizer.context import Fetch
    from orchestration.optimizer.rag_query import OptimizedQuery
    from orchestration.optimizer.retrieval.policy import RetrievalPolicy
    from orchestration.optimizer.retrieval.retrieval import RagOptimizer
    from orchestration.optimizer.tool_calls import Call
    from state.budget import BudgetDocument
    from state.jsonvalue import JsonObject
    from state.outcome import Outcome
    from state.plan import Plan

DEFAULT_TOKENS: Final = 2000
OWN_LAYERS: Final = frozenset({"budget", "compression", "cache", "context", "record"})


class Optimizer:
    """Caches, compresses, batches, prefetches and retrieves; give it to a coordinator, or use it.

    Around the calls of a coordinator's runs come, in this order: the run's budgets, measuring,
    compression, `middleware`, the cache, the context, `around_calls`, and the agent. What an agent
    (`AgentSpec`) or a task says of cache, compression and context comes before what is said here.

    Args:
        cache: How answers of agents that are `read_only` are used again: a policy, True for the
            default (an hour), False for only where agents or tasks ask for it.
        cache_url: Where answers are kept; see `checkpoints.response_caches.open_cache`. By default
            the environment's `ORCHESTRATION_CACHE_URL`, or memory.
        compress_to: Most tokens of the messages that agents are given; None is no limit.
        counter: Counts the tokens of messages; by default about four characters are one.
        model: A chat model that sums up what compression leaves out, and writes queries for
            retrieval; without one both are done by rules.
        budgets: What every run, its thread or its tenant may use up.
        middleware: Layers of your own that see every call.
        around_calls: Layers of your own that see only calls that no cache answers.
        retriever: Where `optimize_rag_query` looks: one, or several by name.
        embeddings: To compare documents with each other.
        retrieval: How documents are retrieved.

    Raises:
        ConfigurationError: Something of this cannot be.
    """

    def __init__(  # noqa: PLR0913  one for each setting
        self,
        *,
        cache: CachePolicy | bool = True,
        cache_url: str | None = None,
        compress_to: int | None = None,
        counter: TokenCounter | None = None,
        model: BaseChatModel | None = None,
        budgets: Budget | Sequence[Budget] = (),
        middleware: Sequence[Middleware] = (),
        around_calls: Sequence[Middleware] = (),
        retriever: BaseRetriever | Mapping[str, BaseRetriever] | None = None,
        embeddings: Embeddings | None = None,
        retrieval: RetrievalPolicy | None = None,
    ) -> None:
        policy = CachePolicy() if cache is True else cache
        budgets = (budgets,) if isinstance(budgets, Budget) else tuple(budgets)
        _check(policy, compress_to, budgets, [*middleware, *around_calls])
        _check_parts(counter, retriever)
        self._budgets = budgets
        self._policy = policy.document() if policy else None
        self._cache_url = cache_url
        self._compress_to = compress_to
        self._counter = counter
        self._model = model
        self._middleware = tuple(middleware)
        self._around_calls = tuple(around_calls)
        self._retriever = retriever
        self._embeddings = embeddings
        self._retrieval = retrieval
        self._metrics = PerformanceRecorder()
        self._opening = Lock()
        self._cache: ResponseCache | None = None
        self.tools = Tools()
        """The tools that calls of a batch can name; `register` yours."""
        self.context = ContextSources()
        """The sources of context."""

    # -- common questions ------------------------------------------------------------------

    def get_common_query_response(
        self, query: str, *, tenant: str | None = None, user: str | None = None
    ) -> Any:  # noqa: ANN401  what was cached
        """Return the answer that was cached for a question, or None.

        Case, white space and the final mark do not count.
        """
        begun = time.perf_counter()
        found = self._common.get(query, tenant=tenant, user=user)
        if found is None:
            self._metrics.count_miss()
        else:
            milliseconds = (time.perf_counter() - begun) * 1000
            self.record(PerformanceMetrics(milliseconds, cache_hit=True))
        return found

    def cache_response(  # noqa: PLR0913  as of `CommonAnswers.put`
        self,
        query: str,
        response: object,
        *,
        ttl: timedelta = timedelta(hours=1),
        tags: Sequence[str] = (),
        tenant: str | None = None,
        user: str | None = None,
    ) -> bool:
        """Cache the answer to a question; whether that was done.

        Args:
            query: The question.
            response: Any JSON value, or what `agent.chat` returned.
            ttl: For how long.
            tags: By which it can be invalidated.
            tenant: Only who gives the same one is given the answer.
            user: Likewise.

        Raises:
            NotJsonError: It is not JSON.
        """
        return self._common.put(query, response, ttl=ttl, tags=tags, tenant=tenant, user=user)

    async def invalidate(
        self,
        *,
        agent_id: str | None = None,
        version: str | None = None,
        tenant: str | None = None,
        tag: str | None = None,
    ) -> int:
        """Forget cached answers that all of this fits; return how many.

        An answer that is being given meanwhile is not cached either.

        Raises:
            CacheError: Nothing was said, or the store does not answer.
        """
        store = self.cache.store
        return await store.ainvalidate(agent_id=agent_id, version=version, tenant=tenant, tag=tag)

    async def cache_stats(self) -> CacheStats:
        """Say how often the cache answered in this process, and what its store holds."""
        return await self.cache.stats()

    # -- tools and context -----------------------------------------------------------------

    async def batch_tool_calls(
        self,
        calls: Iterable[Call],
        *,
        max_concurrency: int = 8,
        call_timeout: timedelta | None = None,
        total_timeout: timedelta | None = None,
    ) -> BatchResults:
        """Make calls at the same time; see `orchestration.optimizer.batching`.

        Returns:
            What they returned, in their order; where one failed, its exception.
        """
        from orchestration.optimizer.batching import batch_tool_calls  # noqa: PLC0415

        return await batch_tool_calls(
            calls,
            tools=self.tools,
            max_concurrency=max_concurrency,
            call_timeout=call_timeout,
            total_timeout=total_timeout,
        )

    def register_context(
        self,
        name: str,
        fetch: Fetch,
        *,
        ttl: timedelta = timedelta(minutes=5),
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        """Make a source of context known; see `ContextSources.register`."""
        self.context.register(name, fetch, ttl=ttl, timeout=timeout)

    async def prefetch_context(
        self,
        user_id: str,
        *,
        names: Iterable[str] | None = None,
        tenant: str | None = None,
    ) -> JsonObject:
        """Fetch what sources know of a user, or wait for it if that is under way.

        Returns:
            Values by source; those that failed are left out.
        """
        return await self.context.prefetch(user_id, names=names, tenant=tenant)

    # -- prompts and retrieval -------------------------------------------------------------

    def compress_prompt(
        self,
        messages: Sequence[Any],
        max_tokens: int = DEFAULT_TOKENS,
        *,
        focus: Sequence[str] = (),
    ) -> list[Any]:
        """Cut messages to a number of tokens; what fits comes back as it is.

        Args:
            messages: Dicts, or LangChain's; what comes back is the same kind.
            max_tokens: By the optimizer's counter.
            focus: What matters besides the latest messages, e.g. what open tasks are about.

        Raises:
            OrchestrationError: Nothing valid can be that short.
        """
        from nodes.compression import compress  # noqa: PLC0415  only where used
        from orchestration.optimizer.summaries import by_model_now  # noqa: PLC0415

        done = compress(
            messages,
            max_tokens=max_tokens,
            counter=self._counter,
            summarise=None if self._model is None else by_model_now(self._model),
            focus=focus,
        )
        return done.messages

    def optimize_rag_query(
        self,
        query: str,
        *,
        max_tokens: int = DEFAULT_TOKENS,
        top: int = 8,
        tenant: str | None = None,
        user: str | None = None,
    ) -> OptimizedQuery:
        """Return what is to be asked for a question; `await` it for the documents.

        Args:
            query: The question, in anybody's words.
            max_tokens: Of the documents' text.
            top: Documents at most.
            tenant: Whose results they are.
            user: Likewise.

        Raises:
            RetrievalError: The query says nothing; when awaited, there is no retriever.
        """
        from orchestration.optimizer.rag_query import OptimizedQuery  # noqa: PLC0415

        rag = self.rag

        def retrieve() -> Awaitable[Any]:
            return rag.retrieve(query, max_tokens=max_tokens, top=top, tenant=tenant, user=user)

        return OptimizedQuery(rag.queries(query), retrieve)

    @cached_property
    def rag(self) -> RagOptimizer:
        """What retrieves."""
        from orchestration.optimizer.retrieval.retrieval import RagOptimizer  # noqa: PLC0415

        return RagOptimizer(
            self._retriever,
            model=self._model,
            embeddings=self._embeddings,
            policy=self._retrieval,
        )

    # -- figures ---------------------------------------------------------------------------

    def record(self, metrics: PerformanceMetrics) -> None:
        """Count a request; calls of coordinators that have this optimizer are counted anyway."""
        self._metrics.record(metrics)

    def get_performance_stats(self) -> dict[str, Any]:
        """Return `cache_hit_rate`, `p95_response_time_ms`, `avg_tool_calls` and more.

        See `PerformanceRecorder.stats`; without any request every figure is 0.
        """
        return self._metrics.stats()

    # -- around calls ----------------------------------------------------------------------

    def standing_budgets(self, tenant: str | None) -> list[BudgetDocument]:
        """The budgets that every run of a tenant has; those per tenant only if there is one."""
        return [
            each.document() for each in self._budgets if tenant is not None or each.per != "tenant"
        ]

    def check_context(self, plan: Plan) -> None:
        """Return if there is a source for each that the tasks of a plan name.

        Raises:
            PlanError: There is not.
        """
        from orchestration.optimizer.run_context import context_problems  # noqa: PLC0415

        if problems := list(context_problems(plan.document, self.context.names)):
            raise PlanError(problems)

    def layers(
        self, plan: Plan, known: Mapping[str, Outcome], ending: ExitStack, *, agents: Agents
    ) -> list[Middleware]:
        """Return what runs around the calls of a run, and begin to fetch its context.

        Args:
            plan: Of the run.
            known: What became of its tasks so far.
            ending: Ends what is fetched when the run pauses or ends.
            agents: Who does the tasks.
        """
        from nodes.context_layer import ContextLayer  # noqa: PLC0415  with LangGraph
        from orchestration.optimizer.run_context import begun_context  # noqa: PLC0415

        context = begun_context(self.context, plan, known, agents=agents, ending=ending)
        before, after = self._fixed_layers
        return [*before, ContextLayer(context), *after]

    @cached_property
    def _fixed_layers(self) -> tuple[Sequence[Middleware], Sequence[Middleware]]:
        """The layers before and after the context, which is each run's own."""
        from nodes.cache_layer import CacheLayer  # noqa: PLC0415  with LangGraph
        from nodes.compression_layer import CompressionLayer  # noqa: PLC0415
        from nodes.record_layer import RecordLayer  # noqa: PLC0415
        from orchestration.optimizer.summaries import by_model  # noqa: PLC0415

        summarise = None if self._model is None else by_model(self._model)
        compression = CompressionLayer(
            self._compress_to, counter=self._counter, summarise=summarise
        )
        cache = CacheLayer(self.cache, self._policy)
        measuring = RecordLayer(self._measured)
        return (measuring, compression, *self._middleware, cache), self._around_calls

    def _measured(self, call: Measured) -> None:
        self.record(
            PerformanceMetrics(
                call.seconds * 1000,
                tool_calls=call.tool_calls,
                cache_hit=call.cache_hit,
                input_tokens=call.usage["input_tokens"],
                output_tokens=call.usage["output_tokens"],
                tokens_saved=call.tokens_saved,
                cost=call.cost,
                failed=call.failed,
                agent_id=call.agent_id,
            )
        )

    @property
    def cache(self) -> ResponseCache:
        """The cache in front of agents; one, whatever threads ask for it first."""
        from checkpoints.response_caches import open_cache  # noqa: PLC0415  heavy
        from nodes.caching.response_cache import ResponseCache  # noqa: PLC0415  heavy

        with self._opening:
            if self._cache is None:
                self._cache = ResponseCache(open_cache(self._cache_url))
            return self._cache

    @cached_property
    def _common(self) -> CommonAnswers:
        from orchestration.optimizer.common_answers import CommonAnswers  # noqa: PLC0415

        return CommonAnswers(self.cache.store)

    async def aclose(self) -> None:
        """End what is fetched in the background, and close the cache."""
        if self._cache is not None:
            await self._cache.aclose()
            await self._cache.store.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _check(
    policy: CachePolicy | bool,  # noqa: FBT001  what the caller gave
    compress_to: object,
    budgets: Sequence[Budget],
    layers: Sequence[Middleware],
) -> None:
    found = _misnamed(layers)
    if isinstance(policy, CachePolicy):
        found += policy.problems()
    elif policy is not False:
        found.append(f"cache is {described(policy)}; give a CachePolicy, True or False")
    if compress_to is not None and (type(compress_to) is not int or compress_to < 1):
        found.append(f"compress_to is {described(compress_to)}; give tokens from 1 on, or None")
    for budget in budgets:
        if isinstance(budget, Budget):
            found += (f"budget: {problem}" for problem in budget.problems())
        else:
            found.append(f"budgets has {described(budget)}; give a Budget")
    if found:
        raise ConfigurationError("; ".join(found))


def _check_parts(counter: object, retriever: object) -> None:
    found = []
    if counter is not None and not callable(counter):
        found.append(f"counter is {described(counter)}; give a function of messages, or None")
    asked = retriever.values() if isinstance(retriever, Mapping) else (retriever,)
    found += (
        f"retriever is {described(each)}; give a LangChain retriever, or several by name"
        for each in asked
        if each is not None and not callable(getattr(each, "ainvoke", None))
    )
    if found:
        raise ConfigurationError("; ".join(found))


def _misnamed(layers: Sequence[Middleware]) -> list[str]:
    """What is wrong with the names of layers: what two tell under one name would be mixed up."""
    found, taken = [], set(OWN_LAYERS)
    for each in layers:
        name: object = getattr(each, "name", None)
        if not isinstance(name, str) or not name or name in taken:
            found.append(
                f"the layer {described(each)} has the name {described(name)}; give each a name of "
                f"its own, and none of {sorted(OWN_LAYERS)}"
            )
        else:
            taken.add(name)
    return found


@once
def get_optimizer() -> Optimizer:
    """Return the process's optimizer, made when first asked for."""
    return Optimizer()
