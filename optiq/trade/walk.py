"""The walk: the only code that opens, marks and closes positions.

``advance_rows`` takes the rows [a, b) of one day in turn. A backtest calls it once with all rows,
paper trading with one row at a time; between calls everything lies in the :class:`Book`. The steps
of a row: `marking`, `leaving` (decide), `entering` (decide), then fills, exits before entries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.trade.book import Book, Given, Records, Rules, Stage, quotes_of
from optiq.trade.charges import Rates
from optiq.trade.entering import decide_entries, expire, try_entry
from optiq.trade.exits import Reason
from optiq.trade.fills import WalkSettings
from optiq.trade.leaving import charge_exit, close, decide_exits, last_resort_paise, try_exit
from optiq.trade.limits import Limits, StrategyLimits
from optiq.trade.marking import judge_day, mark_positions
from optiq.trade.orders import MAX_LEGS
from optiq.trade.sizing import Sizing, require_capital
from optiq.trade.terms import own_terms_of, risk_of, rules_of, terms_of


@dataclass(slots=True)
class Walk:
    """One day being walked: what it was given, and its book."""

    given: Given
    book: Book

    @classmethod
    def start(
        cls,
        panel: Panel,
        orders: Records,
        rates: Rates,
        settings: WalkSettings | None = None,
        limits: Limits | None = None,
        sizing: Sizing | None = None,
        own: Sequence[StrategyLimits] = (),
        rules: Rules | None = None,
    ) -> Walk:
        """Return the walk of a day before its first row.

        ``orders`` come from ``book.queue``; ``own`` has the limits of each strategy in the order
        of its queue, none where it is empty. Without ``rules`` the exchange's of that date hold.
        """
        settings, limits = settings or WalkSettings(), limits or Limits()
        sizing = sizing or Sizing()
        require_capital(sizing, limits.capital)
        n_strategies = max(len(own), int(orders["strategy"].max(initial=-1)) + 1)
        own = (*own, *[StrategyLimits()] * (n_strategies - len(own)))
        terms = terms_of(panel, settings, limits, sizing, own)
        needs_margin = bool(terms["needs_pricing"][0]) and bool((orders["side"] < 0).any())
        return cls(
            given=Given(
                quotes=quotes_of(panel),
                orders=orders,
                terms=terms,
                own=own_terms_of(own),
                rates=rates,
                rules=rules or rules_of(panel),
                risk=risk_of(panel, needs_margin),
            ),
            book=Book.opened(len(orders), limits.max_open, limits.max_trades_per_day, n_strategies),
        )

    def advance(self, to_row: int) -> None:
        """Walk the rows not walked yet, up to and without ``to_row``."""
        advance_rows(int(self.book.day["rows"][0]), to_row, self.given, self.book)

    def finish(self) -> None:
        """End the day: pending entries expire, whatever is open leaves at the last row."""
        finish_day(self.given, self.book)


def walk_day(
    panel: Panel,
    orders: Records,
    rates: Rates,
    settings: WalkSettings | None = None,
    limits: Limits | None = None,
    sizing: Sizing | None = None,
    own: Sequence[StrategyLimits] = (),
    rules: Rules | None = None,
) -> Book:
    """Walk a whole day and finish it; the book then holds every trade and every refusal."""
    walk = Walk.start(panel, orders, rates, settings, limits, sizing, own, rules)
    walk.advance(panel.n_rows)
    walk.finish()
    return walk.book


@compiled
def advance_rows(a: int, b: int, given: Given, book: Book) -> None:
    """Walk the rows [a, b)."""
    quotes, orders, day = given.quotes, given.orders, book.day[0]
    for row in range(a, b):
        if not math.isnan(quotes.spot[row]):
            day.spot = quotes.spot[row]
        if day.n_active > 0:
            mark_positions(row, given, book)
        judge_day(given, book)
        decide_exits(row, given, book)
        if day.next_order < len(orders) and orders[day.next_order].row == row:
            decide_entries(row, given, book)
        if day.n_active > 0:
            _fill(row, given, book)
        day.rows = row + 1


@compiled
def _fill(row: int, given: Given, book: Book) -> None:
    """Step 4: fill exits, then entries, at the first row late enough that can."""
    quotes, terms = given.quotes, given.terms[0]
    day, active = book.day[0], book.active
    for i in range(day.n_active):
        position = active[i]
        if position.stage == Stage.LEAVING:
            decided = position.exit_decided_row
            if quotes.ts[row] >= quotes.known[decided] + terms.latency_us:
                try_exit(row, given, position)
    kept = 0
    for i in range(day.n_active):
        position = active[i]
        keep = True
        if position.stage == Stage.PENDING:
            keep = try_entry(row, given, book, position)
        elif position.exit_row >= 0 and position.stage == Stage.LEAVING:
            close(position, given, book)
            keep = False
        if keep:
            if kept != i:
                active[kept] = position
            kept += 1
    day.n_active = kept


@compiled
def finish_day(given: Given, book: Book) -> None:
    """Expire what is pending and close what is open, leg by leg, at the last row walked."""
    orders, day, active = given.orders, book.day[0], book.active
    last = day.rows - 1
    for i in range(day.n_active):
        position = active[i]
        if position.stage == Stage.PENDING:
            expire(position, given, book)
            continue
        order = orders[position.order]
        if position.stage == Stage.OPEN:
            position.reason = Reason.EOD
            position.exit_decided_row = last
        for k in range(MAX_LEGS):
            if order.legs[k] >= 0:
                position.exit_paise[k] = last_resort_paise(last, k, given, position)
        charge_exit(given, position)
        position.exit_row = last
        position.stale = True
        close(position, given, book)
    day.n_active = 0
