"""Ctrl-C and SIGTERM: heard between two rows, and followed by leaving what is held if asked."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from optiq.market.chain_row import ChainRow
from optiq.run.paper import Fault, PaperSession, Watcher

GRACE_S = 1.0
"""How long a row may go on after a signal; one that has yet to be compiled takes a minute."""


class Stopped(SystemExit):
    """A signal asked to stop: unwinds as `SystemExit` does, with the shell's status for it.

    ``amid_row`` tells that a row was left half walked: what is known of it is the journal's.
    """

    def __init__(self, number: int, *, amid_row: bool) -> None:
        super().__init__(128 + number)
        self.by = signal.Signals(number).name
        self.amid_row = amid_row


class Stopping:
    """While entered, SIGINT and SIGTERM raise `Stopped`.

    At once while the feed is waited for; after the row while one is walked and journaled, but
    `GRACE_S` later at the latest, and at once when asked a second time.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._is_busy = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def whole_row(self) -> Iterator[None]:
        """Put a signal off until the end of the block."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
        if self._asked:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            raise Stopped(self._asked, amid_row=False)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGALRM and not self._asked:
            return
        is_first, self._asked = not self._asked, self._asked or number
        if self._is_busy and is_first:
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)
        else:
            raise Stopped(self._asked, amid_row=self._is_busy)


def run_until_stopped(
    session: PaperSession,
    feed: Iterable[ChainRow | Fault],
    watchers: Sequence[Watcher],
    *,
    flatten: bool,
) -> None:
    """Run a session to its end; a signal raises `Stopped` once everyone has heard of it.

    With ``flatten`` a signal first ends the session flat where it holds or awaits something: each
    position leaves as the last row allows. That act is journaled, so a restart repeats it.
    """
    with Stopping() as stopping:
        try:
            session.run(feed, watchers, stopping.whole_row)
        except Stopped as stopped:
            is_sound = not stopped.amid_row and not session.is_over
            if flatten and is_sound and session.day.held():
                session.flatten(stopped.by, watchers)
            for watcher in watchers:
                watcher.stopped(stopped.by)
            raise
