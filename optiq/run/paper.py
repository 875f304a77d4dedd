"""A paper session: rows come in, the walk goes on, the journal has it before anyone sees it.

Starting and recovering are one act: the journaled rows are walked again from the first, and what
that says must be what the journal says. There is no other state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Protocol

import numpy as np

from optiq.errors import DamagedError
from optiq.market.chain_row import ChainRow
from optiq.run.day_in_progress import DayInProgress, Step
from optiq.run.journal import Event, Journal
from optiq.run.telling import events_of

OVER = 1_000_000_000
"""The row number of what happens after the last row."""
WALKED = ("chosen", "leaving", "decided", "exit", "entry", "ended", "over")
"""The kinds of event that the walk says, as opposed to what it is given."""
FLATTENED = "flattened"
"""The kind of event by which a person ended a session early; what left then follows it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A poll that gave no row: it is counted, shown and journaled, and never becomes a price."""

    kind: str
    message: str


class Watcher(Protocol):
    """Whoever looks on: a screen, an alert, a heartbeat. It is told after the commit."""

    def row(self, row: ChainRow, step: Step) -> None:
        """Hear of a row that was walked and journaled."""

    def fault(self, fault: Fault) -> None:
        """Hear of a poll that failed."""

    def waiting(self) -> None:
        """Hear, a few times a second, that nothing has come yet."""

    def ended(self, step: Step) -> None:
        """Hear that the session is over and flat."""

    def stopped(self, by: str) -> None:
        """Hear that a signal, by its name, stopped the run; the session may not be over."""


class PaperSession:
    """A day in progress and its journal, kept in step."""

    def __init__(self, journal: Journal, day: DayInProgress) -> None:
        self.journal, self.day = journal, day
        self.is_over = walk_again(day, journal.events)
        self.faults: dict[str, int] = {}
        told = [event.told["by"] for event in journal.events if event.kind == FLATTENED]
        self.flattened_by: str = told[0] if told else ""

    @property
    def last_ts(self) -> np.datetime64 | None:
        """When the last row was observed; None before the first."""
        rows = self.day.rows
        return rows.ts[rows.n_rows - 1] if rows.n_rows else None

    def take(self, row: ChainRow) -> Step:
        """Walk one row; when this returns, the row and all that came of it are on disk."""
        step = self.day.take(row)
        received = Event("row", step.row, row.to_bytes())
        self.journal.append([received, *events_of(self.day, step)])
        return step

    def note(self, fault: Fault) -> None:
        """Journal a poll that failed."""
        self.faults[fault.kind] = self.faults.get(fault.kind, 0) + 1
        told = {"kind": fault.kind, "message": fault.message}
        self.journal.append([Event.of("fault", self.day.rows.n_rows - 1, told)])

    def finish(self, flattened_by: str = "") -> Step:
        """End the session flat, and say so, and by whom if that was before its time."""
        step = self.day.finish()
        asked = [Event.of(FLATTENED, OVER, {"by": flattened_by})] if flattened_by else []
        self.journal.append([*asked, *_finish_events(self.day, step)])
        self.is_over, self.flattened_by = True, flattened_by
        return step

    def run(
        self,
        feed: Iterable[ChainRow | Fault],
        watchers: Sequence[Watcher],
        whole: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Take what the feed gives until it ends, then finish; each of that inside ``whole()``."""
        for item in feed:
            with whole():
                self._take_in(item, watchers)
        with whole():
            self._end(watchers)

    def flatten(self, by: str, watchers: Sequence[Watcher]) -> None:
        """End the session here: what is pending expires, what is open leaves at the last row."""
        self._end(watchers, by)

    def _take_in(self, item: ChainRow | Fault, watchers: Sequence[Watcher]) -> None:
        if isinstance(item, Fault):
            self.note(item)
            for watcher in watchers:
                watcher.fault(item)
            return
        step = self.take(item)
        for watcher in watchers:
            watcher.row(item, step)

    def _end(self, watchers: Sequence[Watcher], flattened_by: str = "") -> None:
        step = self.finish(flattened_by)
        for watcher in watchers:
            watcher.ended(step)


def walk_again(day: DayInProgress, events: Sequence[Event]) -> bool:
    """Walk a fresh day through what a journal holds, and compare; return whether it is over.

    `DamagedError` naming the first difference where the walk says something else.
    """
    journaled = _by_row(events)
    rows = [ChainRow.from_bytes(event.body) for event in events if event.kind == "row"]
    for step in day.take_all(rows) if rows else ():
        require_same(step.row, journaled[step.row], events_of(day, step))
    if OVER in journaled:
        step = day.finish()
        require_same(OVER, journaled[OVER], _finish_events(day, step))
    return OVER in journaled


def _finish_events(day: DayInProgress, step: Step) -> list[Event]:
    realised = int(day.book.day["realised_paise"][0])
    over = Event.of("over", OVER, {"realised_paise": realised})
    return [*(replace(event, row=OVER) for event in events_of(day, step)), over]


def require_same(row: int, journaled: Sequence[Event], walked: Iterable[Event]) -> None:
    """Raise `DamagedError`, naming the first difference, where a row's events are not the same."""
    for was, now in zip_longest(journaled, walked):
        if was != now:
            where = "at the end" if row == OVER else f"at row {row}"
            raise DamagedError(
                f"the journal and the walk part {where}: journaled {_text(was)}, "
                f"walked {_text(now)}",
                "the code or the rules of the day have changed since: see `optiq parity`",
            )


def _by_row(events: Iterable[Event]) -> dict[int, list[Event]]:
    """Return what the walk said, by row; the end has a row of its own."""
    said: dict[int, list[Event]] = {}
    for event in events:
        if event.kind == "row":
            said[event.row] = []
        elif event.kind in WALKED:
            said.setdefault(event.row, []).append(event)
    return said


def _text(event: Event | None) -> str:
    return "nothing" if event is None else f"{event.kind} {event.body.decode()}"
