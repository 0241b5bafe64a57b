"""The ids of tasks, which are the ids of their threads.

So nothing has to be kept beside the coordinator's database: the id says what is served, in which
context, and by which message the task began.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from a2a.types import Message
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError

_LONGEST_CONTEXT: Final = 100
_DIGEST: Final = 32


def context_of_message(message: Message) -> str:
    """Return a new task's context: what the client says, or always the same for a message.

    Raises:
        InvalidParamsError: The client's is too long.
    """
    given: str = message.context_id
    if not given:
        return _digest(f"context {message.message_id}")
    if len(given.encode()) > _LONGEST_CONTEXT:
        raise InvalidParamsError(f"context_id may have {_LONGEST_CONTEXT} bytes at most")
    return given


def task_id_for(message: Message, *, key: str) -> str:
    """Return the id of the task that a message begins; the same message, the same task.

    Args:
        message: It has a message id.
        key: What the ids begin with.
    """
    context = context_of_message(message)
    digest = _digest(f"{len(context)} {context} {message.message_id}")
    packed = base64.urlsafe_b64encode(context.encode()).decode().rstrip("=")
    return f"{key}{digest}.{packed}"


def context_of_task(task_id: str, *, key: str) -> str:
    """Return the context of a task.

    Raises:
        TaskNotFoundError: It is no task of what is served under the key; so nobody sees, or
            cancels, other threads of the database.
    """
    digest, dot, packed = task_id.removeprefix(key).partition(".")
    if not task_id.startswith(key) or not dot or len(digest) != _DIGEST:
        raise TaskNotFoundError
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), b"-_", validate=True).decode()
    except ValueError:
        raise TaskNotFoundError from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
