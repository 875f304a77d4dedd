"""A session walked as its rows arrive: the strategies and the walk of a backtest, row by row."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optiq.market.chain_row import ChainRow, Contract
from optiq.market.context import Context
from optiq.market.growing_panel import GrowingPanel
from optiq.market.panel import Panel
from optiq.market.schema import IntArray
from optiq.run.asking import Scorer, ask
from optiq.run.backtest import DayResult, Settings, chosen_by, day_result
from optiq.run.choosing import Chooser, Decision, of_the_chosen
from optiq.run.seeing import Direction, seen
from optiq.run.walk_tape import WalkTape
from optiq.trade.book import ORDER, Book, Given, Records, Stage, Status
from optiq.trade.charges import schedule
from optiq.trade.sizing import require_capital
from optiq.trade.strategies import Strategy
from optiq.trade.terms import own_terms_of, rules_of, terms_of
from optiq.trade.walk import advance_rows, finish_day

ORDERS_AT_FIRST = 65_536
MOST_POSITIONS = 4096
"""Room for positions where no limit says less; a session never comes near it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one row did.

    Attributes
    ----------
    row
        Its number.
    decided
        Numbers of the orders decided on it.
    ended
        Numbers of earlier orders that expired or were cancelled on it.
    chosen
        The decision made on it, if one was due.
    entered, leaving, left
        Positions that were entered on it, whose exit was decided on it, and that left on it;
        copies of their records.
    """

    row: int
    chosen: Decision | None
    decided: IntArray
    ended: IntArray
    entered: Records
    leaving: Records
    left: Records


class DayInProgress:
    """One underlying's session so far: its rows, the orders asked for, and their walk."""

    def __init__(
        self,
        underlying: str,
        date: dt.date,
        context: Context,
        strategies: Sequence[Strategy],
        settings: Settings,
        *,
        has_book: bool,
        scorer: Scorer | None = None,
        chooser: Chooser | None = None,
        direction: Direction | None = None,
    ) -> None:
        self.rows = GrowingPanel(underlying, date, has_book=has_book)
        self.context, self.strategies, self.settings = context, list(strategies), settings
        self.scorer, self.chooser, self.direction = scorer, chooser, direction
        self.decisions: list[Decision] = []
        self.schedule = schedule(underlying, date, settings.broker)
        self._orders = np.empty(ORDERS_AT_FIRST, ORDER)
        self.n_orders = 0
        self.n_asked = np.zeros(len(self.strategies), np.int64)
        self.given, self.book = self._opened()

    @property
    def orders(self) -> Records:
        """The orders asked for so far."""
        return self._orders[: self.n_orders]

    def take(self, row: ChainRow) -> Step:
        """Add a row, ask the strategies about it if it is a chain row, and walk it."""
        (step,) = self.take_all([row])
        return step

    def take_all(self, rows: Sequence[ChainRow]) -> Iterator[Step]:
        """Add rows, ask the strategies once about all of them, and walk one after the other.

        What strategies say of a row does not depend on later ones, so the steps are those of
        taking each row by itself.
        """
        first, first_chain = self.rows.n_rows, self.rows.n_chain_rows
        for row in rows:
            self.rows.append(row)
        chain = self.rows.chain_panel() if self.rows.n_chain_rows > first_chain else None
        if chain is not None:
            self._ask(chain, first_chain)
        new_contracts = self.tape.show(first, chain)
        self.given = self.given._replace(
            quotes=self.tape.quotes, orders=self.orders, risk=self.tape.risk
        )
        if new_contracts:
            self.given = self.given._replace(rules=rules_of(self.rows.panel()))
        return map(self._walk, range(first, self.rows.n_rows))

    def held(self) -> list[Contract]:
        """Return the contracts of open positions and pending orders."""
        active = self.book.active[: int(self.book.day["n_active"][0])]
        legs = np.unique(self.orders["legs"][active["order"]])
        known = self.rows.contracts
        return [
            Contract(known.expiry[leg], float(known.strike[leg]), int(known.right[leg]))
            for leg in legs[legs >= 0]
        ]

    def finish(self) -> Step:
        """End the session: pending entries expire, whatever is open leaves."""
        waiting, closed = self._waiting(), int(self.book.day["n_closed"][0])
        last = self.rows.n_rows - 1
        finish_day(self.given, self.book)
        left = self.book.closed[closed : int(self.book.day["n_closed"][0])].copy()
        leaving = left[left["exit_decided_row"] == last]
        return Step(last, None, np.empty(0, np.int64), waiting, left[:0], leaving, left)

    def result(self) -> DayResult:
        """Return the finished day as a backtest of the same rows would."""
        book = self.book._replace(status=self.book.status[: self.n_orders])
        orders, panel = self.orders.copy(), self.rows.panel()
        chosen = chosen_by(self.chooser, panel, self.decisions) if self.chooser else None
        return day_result(
            panel, self.context, orders, book, self.strategies, self.settings, chosen=chosen
        )

    def _ask(self, chain: Panel, since: int) -> None:
        rows = self.rows.chain_rows
        self.context = seen(chain, self.context, self.direction, since=since)
        about = chain, rows, self.context, self.strategies
        new = ask(*about, self.scorer, since=since, earlier=self.n_asked)
        self.n_asked += np.bincount(new["strategy"], minlength=len(self.n_asked))
        if self.chooser is not None:
            limits = self.settings.limits
            self.decisions += self.chooser.decide(
                chain, rows, self.context, self.strategies, limits, since, self.decisions
            )
            new = of_the_chosen(new, self.decisions)
        needed = self.n_orders + len(new)
        if needed > len(self._orders):
            room = max(needed, 2 * len(self._orders))
            self._orders = np.append(self.orders, np.empty(room - self.n_orders, ORDER))
            status = np.zeros(room, np.int8)
            status[: self.n_orders] = self.book.status[: self.n_orders]
            self.book = self.book._replace(status=status)
        self._orders[self.n_orders : needed] = new
        self.n_orders = needed

    def _walk(self, number: int) -> Step:
        first = int(self.book.day["next_order"][0])
        waiting, closed = self._waiting(), int(self.book.day["n_closed"][0])
        advance_rows(number, number + 1, self.given, self.book)
        day = self.book.day[0]
        active = self.book.active[: int(day["n_active"])]
        left = self.book.closed[closed : int(day["n_closed"])].copy()
        both = np.concatenate([left, active[active["stage"] == Stage.LEAVING]])
        is_open = active["stage"] == Stage.OPEN
        return Step(
            row=number,
            chosen=self._chosen_on(number),
            decided=np.arange(first, int(day["next_order"])),
            ended=waiting[self.book.status[waiting] > Status.FILLED],
            entered=active[is_open & (active["entry_row"] == number)],
            leaving=both[both["exit_decided_row"] == number],
            left=left,
        )

    def _chosen_on(self, number: int) -> Decision | None:
        at = bisect_left(self.decisions, number, key=lambda decision: decision.row)
        found = at < len(self.decisions) and self.decisions[at].row == number
        return self.decisions[at] if found else None

    def _waiting(self) -> IntArray:
        active = self.book.active[: int(self.book.day["n_active"][0])]
        waiting: IntArray = active["order"][active["stage"] == Stage.PENDING]
        return waiting.copy()

    def _opened(self) -> tuple[Given, Book]:
        limits, own = self.settings.limits, [s.limits for s in self.strategies]
        require_capital(self.settings.sizing, limits.capital)
        panel = self.rows.panel()
        terms = terms_of(panel, self.settings.walk, limits, self.settings.sizing, own)
        self.tape = WalkTape(self.rows, needs_margin=bool(terms["needs_pricing"][0]))
        given = Given(
            quotes=self.tape.quotes,
            orders=self.orders,
            terms=terms,
            own=own_terms_of(own),
            rates=self.schedule.rates,
            rules=rules_of(panel),
            risk=self.tape.risk,
        )
        room = min(limits.max_open, MOST_POSITIONS), limits.max_trades_per_day
        return given, Book.opened(ORDERS_AT_FIRST, *room, len(own))
