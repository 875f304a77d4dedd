"""Disk work beside the reading: two threads, never far behind."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_THREADS = 2
_FARTHEST_BEHIND = 4


class Writer:
    """Runs tasks that do not touch one another; an error comes out at a later call."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "optiq-writer")
        self._tasks: list[Future[None]] = []

    def put(self, task: Callable[[], None]) -> None:
        """Queue a task; wait while too many are queued."""
        self._tasks.append(self._threads.submit(task))
        while len(self._tasks) > _FARTHEST_BEHIND:
            self._tasks.pop(0).result()

    def wait(self) -> None:
        """Return when everything queued is done."""
        while self._tasks:
            self._tasks.pop(0).result()
