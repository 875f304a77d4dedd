"""Replay stored days through the strategies and the walk, all rows of a day at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from optiq.market import calendar
from optiq.market.context import Context
from optiq.market.contracts import unsure_lots
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.trade.book import Book, Records, queue
from optiq.trade.charges import Broker, Schedule, schedule
from optiq.trade.fills import WalkSettings
from optiq.trade.ledger import Columns, decisions_of, trades_of
from optiq.trade.limits import Limits
from optiq.trade.orders import Orders
from optiq.trade.strategies import Strategy
from optiq.trade.walk import walk_day

Scorer = Callable[[Panel, Context, Orders], FloatArray]
"""Scores 0 to 100 for each order, NaN where it cannot say."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of a run that is not a strategy."""

    walk: WalkSettings = field(default_factory=WalkSettings)
    limits: Limits = field(default_factory=Limits)
    broker: Broker = field(default_factory=Broker)


@dataclass(frozen=True, slots=True)
class DayResult:
    """One session walked to its end.

    ``net_if_instant_paise`` is the net result of the same orders under ``latency_s = 0``; equal
    to ``net_paise`` where that is the setting anyway.
    """

    panel: Panel
    orders: Records
    book: Book
    strategies: tuple[str, ...]
    schedule: Schedule
    net_if_instant_paise: int
    notes: tuple[str, ...]

    @property
    def net_paise(self) -> int:
        """Realised profit after charges."""
        return int(self.book.day["realised_paise"][0])

    def trades(self) -> Columns:
        """One row per leg of a closed position."""
        return trades_of(self.panel, self.orders, self.book, self.strategies)

    def decisions(self) -> Columns:
        """One row per order asked for, and what became of it."""
        return decisions_of(self.panel, self.orders, self.book, self.strategies)


def backtest_day(
    panel: Panel,
    context: Context,
    strategies: list[Strategy],
    settings: Settings,
    scorer: Scorer | None = None,
    *,
    compare_instant: bool = True,
) -> DayResult:
    """Ask each strategy for its orders and walk the day; pure, so paper trading can repeat it."""
    asked = [strategy.entries(panel, context) for strategy in strategies]
    scores = None if scorer is None else [scorer(panel, context, orders) for orders in asked]
    orders = queue(asked, scores, settings.walk.lots)
    charges = schedule(panel.underlying, panel.date, settings.broker)
    book = walk_day(panel, orders, charges.rates, settings.walk, settings.limits)
    instant = int(book.day["realised_paise"][0])
    if compare_instant and settings.walk.latency_s > 0:
        at_once = replace(settings.walk, latency_s=0.0)
        other = walk_day(panel, orders, charges.rates, at_once, settings.limits)
        instant = int(other.day["realised_paise"][0])
    return DayResult(
        panel=panel,
        orders=orders,
        book=book,
        strategies=tuple(strategy.name for strategy in strategies),
        schedule=charges,
        net_if_instant_paise=instant,
        notes=(*panel.notes, *_notes(panel, orders, strategies, settings)),
    )


def backtest(
    days: Iterable[tuple[Panel, Context]],
    strategies: list[Strategy],
    settings: Settings,
    scorer: Scorer | None = None,
    *,
    compare_instant: bool = True,
) -> Iterator[DayResult]:
    """Walk each day in turn; days share nothing, so memory stays that of one."""
    for panel, context in days:
        yield backtest_day(
            panel, context, strategies, settings, scorer, compare_instant=compare_instant
        )


def _notes(
    panel: Panel, orders: Records, strategies: list[Strategy], settings: Settings
) -> Iterator[str]:
    session = calendar.session(panel.date, panel.underlying)
    if session.confidence != "high":
        yield f"hours of {panel.date} ({session.confidence} confidence)"
    asked_for = panel.expiry[np.unique(orders["legs"][orders["legs"] >= 0])]
    yield from unsure_lots(panel.underlying, asked_for, panel.date)
    for strategy in strategies:
        if missing := strategy.missing(panel):
            yield f"{strategy.name} stays silent: the day has no {', '.join(missing)}"
    if panel.n_rows > 1 and settings.walk.latency_s > 0:
        too_far = np.diff(panel.ts) > np.timedelta64(round(1e6 * settings.walk.max_wait_s), "us")
        if 2 * np.count_nonzero(too_far) > len(too_far):
            yield (
                f"most rows lie over walk.max_wait_s = {settings.walk.max_wait_s:g} s apart: "
                "entries expire before the next one; --set walk.latency_s=0 fills on the "
                "deciding quote"
            )
