"""What of a paper session is worth an alert: entries, exits, faults, limits, the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from optiq.market.calendar import time_of_day
from optiq.market.chain_row import ChainRow
from optiq.report.money import rupees
from optiq.report.paper_lines import sentence
from optiq.run.alerts import Alert, Alerts
from optiq.run.day_in_progress import Step
from optiq.run.journal import Event
from optiq.run.paper import Fault, PaperSession
from optiq.run.standing import held_in_words, held_now
from optiq.run.telling import events_of
from optiq.trade.book import PAISE, Status

LIMITS = {
    Status.DAY_OVER: "the day's loss limit is reached: nothing more is opened today",
    Status.MAX_TRADES: "the day's number of trades is reached: nothing more is opened today",
    Status.CAPITAL: "an order was refused for want of capital",
    Status.STRATEGY_DAY_OVER: "a strategy reached its own loss limit",
    Status.STRATEGY_MAX_TRADES: "a strategy reached its own number of trades",
    Status.STRATEGY_CAPITAL: "an order was refused for want of its strategy's capital",
}
"""The limits that end something; a full slot or a cooldown ends by itself and alerts nobody."""
SAME_FAULT_AGAIN_S = 300.0


class PaperAlerts:
    """Sends alerts about what was committed.

    Each limit alerts once a day, each kind of fault once in `SAME_FAULT_AGAIN_S`; what happened
    before a restart alerts nobody again.
    """

    def __init__(
        self,
        session: PaperSession,
        name: str,
        alerts: Alerts,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._name, self._alerts = session, name, alerts
        self._stopwatch = stopwatch
        self._limits_told = self._limits_reached()
        self._faults_told: dict[str, float] = {}

    def row(self, row: ChainRow, step: Step) -> None:
        """Alert on what a row did."""
        self._tell(step, time_of_day(row.ts))
        for limit in sorted(self._limits_reached() - self._limits_told):
            self._limits_told.add(limit)
            told = {"time": time_of_day(row.ts), "row": step.row, "limit": limit.name.lower()}
            self._send("limit", f"{step.row}:{limit.name.lower()}", LIMITS[limit], told)

    def fault(self, fault: Fault) -> None:
        """Alert on a poll that failed, unless the same did not long ago."""
        now, number = self._stopwatch(), sum(self._session.faults.values())
        if now - self._faults_told.get(fault.kind, -np.inf) >= SAME_FAULT_AGAIN_S:
            self._faults_told[fault.kind] = now
            row = self._session.day.rows.n_rows - 1
            told = {"fault": fault.kind, "row": row}
            self._send("fault", f"{row}:{fault.kind}:{number}", fault.message, told)

    def waiting(self) -> None:
        """Nothing came: nobody is told."""

    def ended(self, step: Step) -> None:
        """Alert on what left at the end, and that it is over."""
        self._tell(step, "end")
        by = self._session.flattened_by
        self._send("end", "end", f"over{f', flattened by {by}' if by else ''}, {self._net()}", {})

    def stopped(self, by: str) -> None:
        """Alert that it was stopped before its end."""
        if not self._session.is_over:
            held, pending = held_now(self._session.day)
            text = f"stopped by {by}, {held_in_words(self._session.day)}, {self._net()}"
            about = {"held": held, "pending": pending}
            self._send("end", f"stopped:{self._session.journal.seq}", text, about)

    def _tell(self, step: Step, when: str) -> None:
        for place, event in enumerate(events_of(self._session.day, step)):
            if event.kind in ("entry", "exit"):
                self._send_event(event, when, f"{step.row}:{place}")

    def _send_event(self, event: Event, when: str, place: str) -> None:
        text = " ".join(f"{when} {sentence(event)}".split())
        self._send(event.kind, place, text, {"time": when, "row": event.row, **event.told})

    def _send(self, kind: str, place: str, text: str, told: dict[str, Any]) -> None:
        day = self._session.day.rows
        about = {"session": self._name, "underlying": day.underlying, "date": str(day.date)}
        words = f"{self._name}: {text}"
        self._alerts.send(Alert(kind, f"{self._name}:{place}", words, about | told))

    def _limits_reached(self) -> set[Status]:
        day = self._session.day
        reached = {Status(int(s)) for s in np.unique(day.book.status[: day.n_orders])}
        if day.book.day["over"][0]:
            reached.add(Status.DAY_OVER)
        if int(day.book.day["accepted"][0]) >= day.settings.limits.max_trades_per_day:
            reached.add(Status.MAX_TRADES)
        return reached & set(LIMITS)

    def _net(self) -> str:
        return f"net {rupees(int(self._session.day.book.day['realised_paise'][0]) / PAISE)}"
