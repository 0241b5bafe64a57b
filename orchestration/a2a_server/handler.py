"""The requests of A2A, answered from a desk."""

# ruff: noqa: ARG002  the signatures are the SDK's

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from a2a.server.request_handlers.request_handler import validate_request_params
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    ListTasksResponse,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.constants import DEFAULT_LIST_TASKS_PAGE_SIZE, MAX_LIST_TASKS_PAGE_SIZE
from a2a.utils.errors import InternalError, InvalidParamsError, UnsupportedOperationError

from orchestration.a2a.remote_task import OVER
from orchestration.a2a_server.without_push import WithoutPush
from state.errors import DecisionError, PlanError, RequestNotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from a2a.server.context import ServerCallContext

    from orchestration.a2a_server.desk import Desk
    from orchestration.a2a_server.runs import Run, Update

_CALLERS_MISTAKES: Final = (DecisionError, PlanError, RequestNotFoundError)


class DeskHandler(WithoutPush):
    """Answers the requests for one agent or workflow."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @validate_request_params
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task:
        """Begin a task or go on with it; return when it is over or asks, or else at once."""
        ids, run = await self._desk.accept(params.message)
        if run is not None:
            if params.configuration.return_immediately:
                await run.begun()
            else:
                await run.ended()
            _raise_error(run)
        return await self._desk.task(ids)

    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Update, None]:
        """Begin a task or go on with it, and tell what happens."""
        ids, run = await self._desk.accept(params.message)
        if run is None:
            yield await self._desk.task(ids)
            return
        async with aclosing(_updates(run)) as updates:
            async for update in updates:
                yield update

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Update, None]:
        """Tell what happened to a task, and what goes on."""
        ids, run = await self._desk.found(params.id)
        if run is None:
            task = await self._desk.task(ids)
            if task.status.state in OVER:
                raise UnsupportedOperationError(f"task {ids.task_id} is over; get it instead")
            yield task
            return
        async with aclosing(_updates(run)) as updates:
            async for update in updates:
                yield update

    @validate_request_params
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task:
        """Say how a task stands."""
        ids, _ = await self._desk.found(params.id)
        return await self._desk.task(ids)

    @validate_request_params
    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task:
        """Call a task off."""
        return await self._desk.cancel(params.id)

    @validate_request_params
    async def on_list_tasks(
        self, params: ListTasksRequest, context: ServerCallContext
    ) -> ListTasksResponse:
        """List tasks, the last changed first."""
        size = _page_size(params)
        first = _first_of_page(params.page_token)
        found = [
            ids
            for ids in await self._desk.tasks()
            if not params.context_id or ids.context_id == params.context_id
        ]
        following, total = first + size, len(found)
        if params.status == TaskState.TASK_STATE_UNSPECIFIED:  # only the page is looked at
            page = [await self._desk.task(ids) for ids in found[first:following]]
        else:
            tasks = [await self._desk.task(ids) for ids in found]
            fitting = [task for task in tasks if task.status.state == params.status]
            page, total = fitting[first:following], len(fitting)
        if not params.include_artifacts:
            for task in page:
                task.ClearField("artifacts")
        return ListTasksResponse(
            tasks=page,
            next_page_token=str(following) if following < total else "",
            page_size=len(page),
            total_size=total,
        )


async def _updates(run: Run) -> AsyncGenerator[Update, None]:
    updates = cast("AsyncGenerator[Update, None]", run.updates())
    async with aclosing(updates):
        async for update in updates:
            yield update
    _raise_error(run)


def _raise_error(run: Run) -> None:
    if run.error is None:
        return
    if isinstance(run.error, _CALLERS_MISTAKES):
        raise InvalidParamsError(str(run.error))
    # what it was stands in the log; it may tell too much
    raise InternalError(f"the run stopped ({type(run.error).__name__}); it may be asked after")


def _page_size(params: ListTasksRequest) -> int:
    if not params.HasField("page_size"):
        return DEFAULT_LIST_TASKS_PAGE_SIZE
    if not 1 <= params.page_size <= MAX_LIST_TASKS_PAGE_SIZE:
        raise InvalidParamsError(f"page_size may be 1 to {MAX_LIST_TASKS_PAGE_SIZE}")
    return int(params.page_size)


def _first_of_page(token: str) -> int:
    if not token:
        return 0
    if not token.isdecimal() or len(token) > 9:  # noqa: PLR2004  digits
        raise InvalidParamsError("page_token is none that was given")
    return int(token)
