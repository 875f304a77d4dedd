"""A sign of life beside the journal, and the same to a supervisor, once a second at most."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from optiq.market.calendar import time_of_day
from optiq.market.chain_row import ChainRow
from optiq.market.feeds.clocks import Clock
from optiq.run.day_in_progress import Step
from optiq.run.paper import Fault, PaperSession
from optiq.run.standing import held_now
from optiq.run.supervisor import Supervisor
from optiq.trade.book import PAISE

NAME = "heartbeat.json"
EVERY_S = 1.0


class Heartbeat:
    """Writes ``heartbeat.json``, each time whole, and tells the supervisor.

    ``state`` is ``running``, ``stale`` while a feed gives no good row, ``over``, ``flattened`` or
    ``stopped``; a ``time`` that stays where it is means that the process hangs or is dead. It is
    no record: it is not made durable, and where it cannot be written ``failures`` counts that.
    """

    def __init__(
        self,
        session: PaperSession,
        folder: Path,
        clock: Clock,
        supervisor: Supervisor,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._path, self._clock = session, folder / NAME, clock
        self._supervisor, self._stopwatch = supervisor, stopwatch
        self._state, self.failures = self._over() or "running", 0
        self._beat("READY=1")

    def row(self, row: ChainRow, step: Step) -> None:
        """Hear of a row."""
        self._state = "running"
        self.waiting()

    def fault(self, fault: Fault) -> None:
        """Hear of a poll that failed, or of silence."""
        if fault.kind == "stale":
            self._state = "stale"
        self.waiting()

    def waiting(self) -> None:
        """Beat, if it is time."""
        if self._stopwatch() >= self._due:
            self._beat()

    def ended(self, step: Step) -> None:
        """Say that the session is over."""
        self._state = self._over()
        self._beat("STOPPING=1")

    def stopped(self, by: str) -> None:
        """Say that it was stopped."""
        self._state = self._over() or "stopped"
        self._beat("STOPPING=1")

    def _over(self) -> str:
        if self._session.flattened_by:
            return "flattened"
        return "over" if self._session.is_over else ""

    def _beat(self, *more: str) -> None:
        self._due = self._stopwatch() + EVERY_S
        told = self._told()
        self._supervisor.tell(*more, "WATCHDOG=1", f"STATUS={_status(told)}")
        half = self._path.with_name(f".{NAME}.tmp")
        try:
            half.write_text(json.dumps(told) + "\n", encoding="utf-8")
            half.replace(self._path)
        except OSError:  # the journal will say so where it matters
            self.failures += 1

    def _told(self) -> dict[str, object]:
        rows, book = self._session.day.rows, self._session.day.book
        held, pending = held_now(self._session.day)
        last = rows.ts[rows.n_rows - 1] if rows.n_rows else None
        return {
            "time": _iso(self._clock.now()),
            "state": self._state,
            "session": self._path.parent.name,
            "process": os.getpid(),
            "rows": rows.n_rows,
            "last_row": None if last is None else _iso(last),
            "last_row_ist": None if last is None else time_of_day(last),
            "held": held,
            "pending": pending,
            "net_pnl": int(book.day["realised_paise"][0]) / PAISE,
            "faults": dict(self._session.faults),
        }


def _iso(moment: np.datetime64) -> str:
    return f"{moment.astype('datetime64[ms]')}Z"


def _status(told: dict[str, object]) -> str:
    at = told["last_row_ist"] or "no row yet"
    return (
        f"{told['state']}: {told['session']}, {told['rows']} rows, {at}, {told['held']} held, "
        f"net {told['net_pnl']:.2f}"
    )
