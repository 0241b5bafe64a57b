"""Agents from an agents file that may change at any time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from state.errors import AgentFileError, FileProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from orchestration.agents.spec import AgentSpec

SETTLED_AFTER: Final = timedelta(milliseconds=250)
MOST_READS: Final = 20
"""Of a file that is different every time."""


class _Stamp(NamedTuple):
    """What is different when a file was written, replaced, or is another link's target."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int
    """When its content, name or rights changed; a copy that keeps `modified` cannot keep this."""


class _Accepted(NamedTuple):
    stamp: _Stamp
    digest: bytes
    specs: list[AgentSpec]


class WatchedFile:
    """Reads an agents file again when it changed; a bad one is never accepted.

    A change counts once two reads, a moment apart, found the same: a file that somebody writes
    in place may mean something else halfway. One that is renamed into place, or a link that is
    turned to another file, is never seen halfway.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        *,
        environment: Mapping[str, str] | None = None,
        settled_after: timedelta = SETTLED_AFTER,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Remember where the file is; it need not be there yet.

        Args:
            file: Its path.
            environment: What `${NAME}` in it stands for; by default the process's own.
            settled_after: How long it has to stay the same before it counts.
            sleep: Waits for so many seconds.
        """
        self.file = os.fspath(file)
        self._environment = environment
        self._settled_after = settled_after
        self._sleep = sleep
        self._accepted: _Accepted | None = None

    @property
    def name(self) -> str:
        """How people call it, e.g. `file:agents.yaml`."""
        return f"file:{self.file}"

    async def find(self) -> list[AgentSpec]:
        """Return the agents of the file, as it is now.

        Until it changes, they are the same objects. A bad file is looked at again each time,
        since what it lacks (a file of credentials) may come.

        Raises:
            AgentFileError: It is not there, not what it should be, or never the same; with
                every problem.
        """
        accepted = self._accepted
        if accepted is not None and await asyncio.to_thread(_stamp, self.file) == accepted.stamp:
            return list(accepted.specs)
        content, stamp = await self._settled()
        digest = hashlib.sha256(content).digest()
        if accepted is None or digest != accepted.digest:
            specs = await asyncio.to_thread(self._specs, content)
        else:  # written again, with nothing new
            specs = accepted.specs
        self._accepted = _Accepted(stamp, digest, specs)
        return list(specs)

    async def _settled(self) -> tuple[bytes, _Stamp]:
        """Read the file until it stays the same."""
        before: bytes | None = None
        for _ in range(MOST_READS):
            content, stamp = await asyncio.to_thread(_read, self.file)
            if content == before:
                return content, stamp
            before = content
            await self._sleep(self._settled_after.total_seconds())
        raise _unreadable(self.file, "is different each time it is read; let it rest")

    def _specs(self, content: bytes) -> list[AgentSpec]:
        from orchestration.agents.configuration.reading import agents_of  # noqa: PLC0415  pydantic

        return agents_of(content, file=self.file, environment=self._environment)


def _read(file: str) -> tuple[bytes, _Stamp]:
    """Read a file, and how it was stamped before; so what is written meanwhile is seen later."""
    from orchestration.documents.reading import read_bytes  # noqa: PLC0415  YAML
    from orchestration.documents.source import BadTextError  # noqa: PLC0415  with it

    stamp = _stamp(file)
    try:
        return read_bytes(file), stamp
    except BadTextError as error:
        raise _unreadable(file, str(error)) from error


def _stamp(file: str) -> _Stamp:
    """Look at a file, or at what a link to it leads to."""
    try:
        found = os.stat(file)  # noqa: PTH116  a path may have letters that no path has
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise _unreadable(file, f"cannot be read: {why or error}") from error
    if not stat.S_ISREG(found.st_mode):  # reading a pipe might never end
        raise _unreadable(file, "is no file, but a folder, a pipe or a device")
    return _Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _unreadable(file: str, message: str) -> AgentFileError:
    return AgentFileError(file, [FileProblem(file, None, None, "", message)])
