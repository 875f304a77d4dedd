"""Replay stored days through the strategies and the walk, all rows of a day at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from optiq.market import calendar
from optiq.market.context import Context
from optiq.market.contracts import unsure_lots
from optiq.market.panel import Panel
from optiq.run.asking import Scorer, ask
from optiq.run.choosing import Acting, Chooser, Decision, of_the_chosen
from optiq.run.seeing import Direction, seen
from optiq.trade.book import NO_FREEZE, Book, Records, Rules
from optiq.trade.charges import Broker, Schedule, schedule
from optiq.trade.fill_quality import fills_of
from optiq.trade.fills import WalkSettings
from optiq.trade.ledger import Columns, decisions_of, trades_of
from optiq.trade.limits import Limits
from optiq.trade.sizing import Sizing
from optiq.trade.strategies import Strategy
from optiq.trade.terms import rules_of
from optiq.trade.walk import walk_day


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of a run that is not a strategy."""

    walk: WalkSettings = field(default_factory=WalkSettings)
    limits: Limits = field(default_factory=Limits)
    broker: Broker = field(default_factory=Broker)
    sizing: Sizing = field(default_factory=Sizing)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who traded when: the chooser, who acted for it on the day, and its decisions, by row."""

    chooser: Chooser
    acting: Acting
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class DayResult:
    """One session walked to its end.

    ``net_if_instant_paise`` is the net result of the same orders under ``latency_s = 0``; equal
    to ``net_paise`` where that is the setting anyway. ``chosen`` is None where all traded.
    """

    panel: Panel
    context: Context
    orders: Records
    book: Book
    strategies: tuple[str, ...]
    schedule: Schedule
    rules: Rules
    walk: WalkSettings
    net_if_instant_paise: int
    notes: tuple[str, ...]
    chosen: Chosen | None = None

    @property
    def net_paise(self) -> int:
        """Realised profit after charges."""
        return int(self.book.day["realised_paise"][0])

    def trades(self) -> Columns:
        """One row per leg of a closed position."""
        return trades_of(self.panel, self.orders, self.book, self.strategies)

    def fills(self) -> Columns:
        """One row per leg of a closed position: what its fills waited for and lost."""
        return fills_of(self.panel, self.orders, self.book, self.strategies, self.walk)

    def decisions(self) -> Columns:
        """One row per order asked for, and what became of it."""
        return decisions_of(self.panel, self.orders, self.book, self.strategies)


def backtest_day(
    panel: Panel,
    context: Context,
    strategies: Sequence[Strategy],
    settings: Settings,
    scorer: Scorer | None = None,
    chooser: Chooser | None = None,
    *,
    direction: Direction | None = None,
    compare_instant: bool = True,
) -> DayResult:
    """Ask each strategy for its orders and walk the day; pure, so paper trading can repeat it.

    With a chooser, only whom it chose trades, from each of its decisions to the next. With a
    direction model, strategies see in the context what it says.
    """
    chain, rows = panel.chain_only, panel.chain_rows
    context = seen(chain, context, direction)
    orders, chosen = ask(chain, rows, context, strategies, scorer), None
    if chooser is not None:
        decisions = chooser.decide(chain, rows, context, strategies, settings.limits)
        orders = of_the_chosen(orders, decisions)
        chosen = chosen_by(chooser, panel, decisions)
    book = walked(panel, orders, strategies, settings)
    return day_result(
        panel,
        context,
        orders,
        book,
        strategies,
        settings,
        chosen=chosen,
        compare_instant=compare_instant,
    )


def chosen_by(chooser: Chooser, panel: Panel, decisions: Sequence[Decision]) -> Chosen:
    """Return a day's decisions with who made them."""
    return Chosen(chooser, chooser.on(panel.underlying, panel.date), tuple(decisions))


def day_result(
    panel: Panel,
    context: Context,
    orders: Records,
    book: Book,
    strategies: Sequence[Strategy],
    settings: Settings,
    *,
    chosen: Chosen | None = None,
    compare_instant: bool = True,
) -> DayResult:
    """Return a finished walk as the result of its day, with what a reader should know."""
    rules, instant = rules_of(panel), int(book.day["realised_paise"][0])
    if compare_instant and settings.walk.latency_s > 0:
        at_once = replace(settings, walk=replace(settings.walk, latency_s=0.0))
        instant = int(walked(panel, orders, strategies, at_once).day["realised_paise"][0])
    return DayResult(
        panel=panel,
        context=context,
        orders=orders,
        book=book,
        strategies=tuple(strategy.name for strategy in strategies),
        schedule=schedule(panel.underlying, panel.date, settings.broker),
        rules=rules,
        walk=settings.walk,
        net_if_instant_paise=instant,
        notes=(
            *panel.notes,
            *_notes(panel, context, orders, strategies, settings),
            *_notes_on_size(panel, book, rules),
        ),
        chosen=chosen,
    )


def walked(
    panel: Panel, orders: Records, strategies: Sequence[Strategy], settings: Settings
) -> Book:
    """Return the book of a day whose orders are asked already, walked to its end."""
    rates = schedule(panel.underlying, panel.date, settings.broker).rates
    own = [strategy.limits for strategy in strategies]
    return walk_day(panel, orders, rates, settings.walk, settings.limits, settings.sizing, own)


def backtest(
    days: Iterable[tuple[Panel, Context]],
    strategies: Sequence[Strategy],
    settings: Settings,
    scorer: Scorer | None = None,
    chooser: Chooser | None = None,
    *,
    direction: Direction | None = None,
    compare_instant: bool = True,
) -> Iterator[DayResult]:
    """Walk each day in turn; days share nothing, so memory stays that of one."""
    for panel, context in days:
        yield backtest_day(
            panel,
            context,
            strategies,
            settings,
            scorer,
            chooser,
            direction=direction,
            compare_instant=compare_instant,
        )


def _notes_on_size(panel: Panel, book: Book, rules: Rules) -> Iterator[str]:
    lots = book.closed["lots"][: int(book.day["n_closed"][0])]
    if (lots > 1).any() and (rules.freeze == NO_FREEZE).any():
        yield f"no freeze quantity of {panel.underlying} is known for the day: no order was split"


def _notes(
    panel: Panel,
    context: Context,
    orders: Records,
    strategies: Sequence[Strategy],
    settings: Settings,
) -> Iterator[str]:
    session = calendar.session(panel.date, panel.underlying)
    if session.confidence != "high":
        yield f"hours of {panel.date} ({session.confidence} confidence)"
    asked_for = panel.expiry[np.unique(orders["legs"][orders["legs"] >= 0])]
    yield from unsure_lots(panel.underlying, asked_for, panel.date)
    for strategy in strategies:
        if reason := strategy.silence(panel, context):
            yield f"{strategy.name} stays silent: {reason}"
    if panel.n_rows > 1 and settings.walk.latency_s > 0:
        too_far = np.diff(panel.ts) > np.timedelta64(round(1e6 * settings.walk.max_wait_s), "us")
        if 2 * np.count_nonzero(too_far) > len(too_far):
            yield (
                f"most rows lie over walk.max_wait_s = {settings.walk.max_wait_s:g} s apart: "
                "entries expire before the next one; --set walk.latency_s=0 fills on the "
                "deciding quote"
            )
