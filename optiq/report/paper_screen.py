"""A paper session on a terminal: redrawn a few times a second, after the commit, never amid it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, RenderableType
from rich.live import Live

from optiq.market.calendar import time_of_day
from optiq.market.chain_row import ChainRow
from optiq.market.feeds.clocks import Clock, seconds
from optiq.market.panel import minute_of_day
from optiq.report.paper_lines import choice_words, parting, sentence
from optiq.report.screen_layout import draw
from optiq.report.screen_view import Health, Line, View
from optiq.run.day_in_progress import Step
from optiq.run.exploring import Progress
from optiq.run.journal import Event
from optiq.run.paper import OVER, Fault, PaperSession
from optiq.run.standing import standing_of
from optiq.run.telling import events_of

REDRAW_S, IDLE_REDRAW_S = 0.25, 1.0
"""Between two pictures while rows come, and while the ages of quotes are all that changes."""
KEPT = 200
TOLD = ("entry", "leaving", "exit", "ended")


class PaperScreen:
    """Shows a session while the block runs.

    Parameters
    ----------
    clock
        Of a live feed, by which quotes age; None for a replay, whose quotes age since they came.
    stale_after
        Seconds after which the last quote counts as stale.
    exploring
        The episodes of other sessions, where this one's choices at random count toward a policy.
    troubles
        Says what else goes wrong: alerts, the heartbeat.
    """

    def __init__(
        self,
        session: PaperSession,
        title: str,
        console: Console,
        *,
        policy: str = "",
        exploring: Progress | None = None,
        clock: Clock | None = None,
        stale_after: float = 180.0,
        troubles: Callable[[], Sequence[str]] = list,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._title, self._policy = session, title, policy
        self._exploring = exploring
        self._clock, self._stale_after, self._troubles = clock, stale_after, troubles
        self._stopwatch = stopwatch
        self._came_at, self._drawn_at, self._last_fault = stopwatch(), -np.inf, ""
        self._refused: frozenset[str] = frozenset()
        self._lines: deque[Line] = deque(self._earlier(), KEPT)
        self._console, self._drawn_size, self._parting = console, console.size, ""
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        if self._parting:
            self._console.print(self._parting, soft_wrap=True)

    def row(self, row: ChainRow, step: Step) -> None:
        """Take in what a row did."""
        self._came_at = self._stopwatch()
        self._take_in(step, time_of_day(row.ts))

    def fault(self, fault: Fault) -> None:
        """Take in a poll that failed."""
        self._last_fault = "" if fault.kind == "recovered" else fault.message
        self._add(_fault(self._time(), fault.kind, fault.message))
        self._draw_soon()

    def waiting(self) -> None:
        """Draw again, if it is time, or if the terminal has another size."""
        if self._since_drawn() >= IDLE_REDRAW_S or self._console.size != self._drawn_size:
            self._draw()

    def _draw_soon(self) -> None:
        if self._since_drawn() >= REDRAW_S:
            self._draw()

    def _since_drawn(self) -> float:
        return self._stopwatch() - self._drawn_at

    def ended(self, step: Step) -> None:
        """Take in what left at the end."""
        self._take_in(step, "end")
        self._draw()

    def stopped(self, by: str) -> None:
        """Show that it was stopped; the words stay when the screen is gone."""
        self._parting = parting(self._session, by)
        self._add(Line(self._time(), "stopped", f"by {by}", "bold yellow"))
        self._draw()

    def view(self) -> View:
        """Return what is shown now."""
        day = self._session.day
        standing = standing_of(day)
        has_rows = standing.rows > 0
        minute = float(minute_of_day(np.array([standing.last_ts]))[0]) if has_rows else 0.0
        return View(
            title=self._title,
            session=day.rows.session,
            minute=minute if has_rows else day.rows.session.open_minute,
            standing=standing,
            limits=day.settings.limits,
            health=Health(
                age_s=self._age(standing.last_ts) if has_rows else float("nan"),
                stale_after=self._stale_after,
                faults=self._session.faults,
                last_fault=self._last_fault,
                troubles=self._troubles(),
            ),
            strategies=[strategy.name for strategy in day.strategies],
            policy=self._policy,
            lines=self._lines,
            exploring=self._exploring and self._exploring.with_today(len(day.decisions)),
        )

    def drawn(self) -> RenderableType:
        """Return the screen for the console's present size."""
        width, height = self._console.size
        return draw(self.view(), width, height)

    def _draw(self) -> None:
        self._live.update(self.drawn(), refresh=True)
        self._drawn_at, self._drawn_size = self._stopwatch(), self._console.size

    def _age(self, last: np.datetime64) -> float:
        if self._clock is None:
            return self._stopwatch() - self._came_at
        return max(seconds(self._clock.now() - last), 0.0)

    def _take_in(self, step: Step, when: str) -> None:
        for event in events_of(self._session.day, step):
            self._add(*self._lines_of(event, when))
        self._draw_soon()

    def _add(self, *lines: Line) -> None:
        self._lines.extend(lines)

    def _time(self) -> str:
        last = self._session.last_ts
        now = self._clock.now() if self._clock is not None else last
        return "" if now is None else time_of_day(now)

    def _earlier(self) -> Iterator[Line]:
        """Yield what the journal held when the session was resumed."""
        ts = self._session.day.rows.ts
        for event in self._session.journal.events:
            is_row = 0 <= event.row < OVER
            when = time_of_day(ts[event.row]) if is_row else "end" if event.row == OVER else ""
            yield from self._lines_of(event, when)
        if rows := self._session.day.rows.n_rows:
            yield Line(time_of_day(ts[rows - 1]), "resumed", f"after {rows:,} rows", "bold")

    def _lines_of(self, event: Event, when: str) -> Iterator[Line]:
        if event.kind in TOLD:
            word, _, text = sentence(event).partition(" ")
            yield Line(when, word, text.strip(), _style(event))
        elif event.kind == "chosen":
            yield Line(when, "chosen", choice_words(event.told, self._policy), "")
        elif event.kind == "fault":
            yield _fault(when, **event.told)
        elif event.kind == "decided":
            yield from self._refusals_of(event, when)

    def _refusals_of(self, event: Event, when: str) -> Iterator[Line]:
        """Yield what refused a row's orders, unless the same did on the last row with orders."""
        taken = ("pending", "filled")
        statuses = Counter(o["status"] for o in event.told if o["status"] not in taken)
        names = frozenset(statuses)
        if names and names != self._refused:
            counts = ", ".join(f"{name} {count}" for name, count in statuses.most_common())
            yield Line(when, "refused", counts, "")
        self._refused = names or self._refused


def _fault(when: str, kind: str, message: str) -> Line:
    return Line(when, "fault", f"{kind}: {message}", "yellow")


def _style(event: Event) -> str:
    if event.kind != "exit":
        return ""
    return {"TARGET": "green", "STOP": "red", "RISK": "red"}.get(event.told["reason"], "bold")
