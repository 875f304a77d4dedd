"""The walk once more, slowly: one row at a time, plain Python, to disagree with the compiled one.

Money is integer paise; a value that can fall between two paise is a ``Fraction`` of paise. ``g`` is
a float, as in the compiled walk. Times are integer microseconds since 1970, UTC.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from reference_book import Account, Book, Entry, Leg, Position, Result, Trade, TradeLeg
from reference_quotes import TOLERANCE, Quotes, half_paise, microseconds
from reference_refusals import Gate
from reference_settings import Settings, check
from reference_sizing import Sizer

from optiq.market.panel import Panel
from optiq.trade.orders import Orders

Charge = Callable[[int, int], int]
"""``charge(premium_paise, side) -> paise`` of one order; side +1 buys, -1 sells."""


def walk(
    panel: Panel,
    orders: list[tuple[str, Orders]],
    scores: list[np.ndarray] | None,
    settings: Settings,
    charge: Charge,
    finish: bool = True,
) -> Result:
    """Walk the whole panel.

    ``orders`` in the order of the command; ``scores`` one array per strategy (NaN where the scorer
    cannot say), or None without a scorer. With ``finish=False`` positions still open give no trade
    and orders still waiting are "pending".
    """
    day = Day(panel, orders, scores, settings, charge)
    for row in range(panel.n_rows):
        day.mark(row)
        day.decide_exits(row)
        day.decide_entries(row)
        day.fill(row)
    if finish and panel.n_rows:
        day.finish()
    return Result(day.book.trades, day.book.outcomes)


class Day:
    """The state of one session's walk, and the four steps of a row."""

    def __init__(
        self,
        panel: Panel,
        orders: list[tuple[str, Orders]],
        scores: list[np.ndarray] | None,
        settings: Settings,
        charge: Charge,
    ) -> None:
        self.panel, self.orders, self.scores = panel, orders, scores
        self.settings, self.charge = settings, charge
        check(settings, len(orders), int(panel.lot.max(initial=0)))
        self.quotes = Quotes(panel, settings)
        self.sizer = Sizer(panel, self.quotes, settings)
        self.book = Book([Account() for _ in orders])
        self.gate = Gate(self.quotes, settings, self.sizer, self.book)
        self.by_row: dict[int, list[tuple[int, int]]] = {}
        for place, (name, asked) in enumerate(orders):
            for order in range(len(asked)):
                self._admit(name, place, order)

    def _admit(self, name: str, place: int, order: int) -> None:
        row = int(self.orders[place][1].row[order])
        self.book.outcomes[place, order] = "not_reached"
        if row < self.panel.n_rows:
            if not self.panel.is_chain[row]:
                raise ValueError(f"{name} decides on row {row}, which is no chain row")
            self.by_row.setdefault(row, []).append((place, order))

    # Step 1

    def mark(self, row: int) -> None:
        """Mark every open position, then see for whom the day is over."""
        book, limit = self.book, self.settings.max_daily_loss
        for position in book.open:
            self._mark(position, row)
        if is_lost(book.rupees_so_far(), limit):
            book.run.over = True
        if book.run.over:
            book.cancel("day_over")
        for place, limits in enumerate(self.settings.own):
            if is_lost(book.rupees_so_far(place), limits.max_daily_loss):
                book.strategies[place].over = True
            if book.strategies[place].over:
                book.cancel("strategy_day_over", place)

    def _mark(self, position: Position, row: int) -> None:
        legs = position.entry.legs
        position.marks = [self.quotes.mark(row, leg.contract) for leg in legs]
        position.g = math.nan
        for number, mark in enumerate(position.marks):
            if mark is not None:
                position.last_marks[number] = mark
        marks = [mark for mark in position.marks if mark is not None]
        if len(marks) < len(legs):
            return
        pnl, signed, money = 0.0, 0.0, 0.0
        for leg, mark, price_paise in zip(legs, marks, position.prices, strict=True):
            price = price_paise / 100
            gain = leg.side * (mark.price - price)
            pnl += leg.ratio * gain
            signed += leg.side * leg.ratio * price
            money += leg.quantity * gain
        position.g = pnl / abs(signed)
        position.peak = max(position.peak, position.g)
        position.unit_money = money

    # Step 2

    def decide_exits(self, row: int) -> None:
        """Decide who leaves; the first rule that holds is the reason."""
        for position in self.book.open:
            if position.reason:
                continue
            reason = self._exit_reason(position, row)
            if reason:
                position.reason = reason
                position.exit_decided_row = row
                self.book.leaving.append(position)

    def _exit_reason(self, position: Position, row: int) -> str:
        place, order = position.entry.place, position.entry.order
        rule = self.orders[place][1]
        target, stop = float(rule.target[order]), float(rule.stop[order])
        after, trail = float(rule.trail_after[order]), float(rule.trail[order])
        hold = float(rule.max_hold_minutes[order])
        held = self.quotes.minutes_between(position.entry_row, row)
        left = self.quotes.minutes_to_close(row)
        g, peak = position.g, position.peak
        fresh = self._may_judge_price(position, row)
        over = self.book.run.over or self.book.strategies[place].over
        tests = (
            ("STOP", fresh and g <= -stop + TOLERANCE),
            ("TARGET", fresh and g >= target - TOLERANCE),
            ("TRAIL", fresh and peak >= after - TOLERANCE and g <= peak - trail + TOLERANCE),
            ("TIME", held >= hold - TOLERANCE),
            ("EOD", left <= self.settings.square_off_minutes + TOLERANCE),
            ("RISK", over),
        )
        for reason, holds in tests:
            if holds:
                return reason
        return ""

    def _may_judge_price(self, position: Position, row: int) -> bool:
        """Whether a leg is observed now, all have marks, and the marks are of about one moment."""
        if not any(self.quotes.observed(row, leg.contract) for leg in position.entry.legs):
            return False
        marks = [mark for mark in position.marks if mark is not None]
        if len(marks) < len(position.marks):
            return False
        moments = [self.quotes.chain_rows_until(mark.row) for mark in marks]
        return max(moments) - min(moments) <= 1

    # Step 3

    def decide_entries(self, row: int) -> None:
        """Accept or refuse the orders of this row, best first."""
        for place, order in sorted(self.by_row.get(row, []), key=lambda key: self._rank(row, *key)):
            asked = self.orders[place][1]
            entry = Entry(place, order, row, self.sizer.legs(asked, order, 1))
            refused = self.gate.refusal(entry, asked, self._score(place, order))
            self.book.settle(entry, refused or "pending")
            if not refused:
                self.book.pending.append(entry)
                self.book.count(entry, +1)

    def _rank(self, row: int, place: int, order: int) -> tuple[object, ...]:
        asked = self.orders[place][1]
        first = int(asked.legs[order][0])
        strike, right = float(self.panel.strike[first]), int(self.panel.right[first])
        merit = float(asked.strength[order]) if self.scores is None else self._score(place, order)
        spot = self.quotes.last_spot(row)
        distance = 0.0 if spot is None else abs(strike - spot)
        unsaid = math.isnan(merit)
        best_first = (unsaid, 0.0 if unsaid else -merit)
        return (best_first, distance, strike, -right, self.panel.expiry[first], place, order)

    def _score(self, place: int, order: int) -> float:
        return math.nan if self.scores is None else float(self.scores[place][order])

    # Step 4

    def fill(self, row: int) -> None:
        """Fill what can be filled: exits, then entries, each in order of decision."""
        book = self.book
        for position in list(book.leaving):
            if self._due(position.exit_decided_row, row):
                self._try_exit(position, row)
        for entry in list(book.pending):
            if self._expired(entry, row):
                book.pending.remove(entry)
                book.count(entry, -1)
                book.settle(entry, "expired")
            elif self._due(entry.decided_row, row):
                self._try_entry(entry, row)

    def _due(self, decided_row: int, row: int) -> bool:
        waited = self.quotes.time[row] - self.quotes.known[decided_row]
        return waited >= microseconds(self.settings.latency_s)

    def _expired(self, entry: Entry, row: int) -> bool:
        waited = self.quotes.time[row] - self.quotes.known[entry.decided_row]
        return waited > microseconds(self.settings.max_wait_s)

    def _try_entry(self, entry: Entry, row: int) -> None:
        prices: list[int] = []
        for leg in entry.legs:
            price = self.quotes.executable(row, leg.contract, leg.side)
            if price is None:
                return
            prices.append(price)
        self.book.pending.remove(entry)
        if is_thin(entry.legs, prices):
            self.book.settle(entry, "thin_basis")
            return
        self.book.settle(entry, "filled")
        position = Position(entry, row, prices, last_marks=[None] * len(entry.legs))
        self.book.open.append(position)

    def _try_exit(self, position: Position, row: int) -> None:
        exits: list[int] = []
        for leg in position.entry.legs:
            price = self._leaving_price(leg, row)
            if price is None:
                return
            exits.append(price)
        self._close(position, row, exits, stale=False)

    def _leaving_price(self, leg: Leg, row: int) -> int | None:
        """Paise per unit at which a leg can leave now; 0 gives it up; None where it cannot."""
        if leg.side > 0 and self.quotes.is_worthless(row, leg.contract):
            return 0
        return self.quotes.executable(row, leg.contract, -leg.side)

    # Finish

    def finish(self) -> None:
        """Expire what waits and close what is open, stale, at the last row."""
        last = self.panel.n_rows - 1
        self.book.cancel("expired")
        for position in list(self.book.open):
            if not position.reason:
                position.reason, position.exit_decided_row = "EOD", last
            exits = [self._final_price(position, n, last) for n in range(len(position.prices))]
            self._close(position, last, exits, stale=True)

    def _final_price(self, position: Position, number: int, last: int) -> int:
        leg = position.entry.legs[number]
        price = self._leaving_price(leg, last)
        if price is not None:
            return price
        mark = position.last_marks[number]
        if mark is None:
            return position.prices[number]
        return self.quotes.against_us(half_paise(mark.price), -leg.side)

    def _close(self, position: Position, row: int, exits: list[int], stale: bool) -> None:
        entry = position.entry
        pairs = zip(entry.legs, position.prices, exits, strict=True)
        legs = tuple(self._trade_leg(leg, bought, sold) for leg, bought, sold in pairs)
        gross = sum(leg.gross_paise for leg in legs)
        charges = sum(leg.charges_paise for leg in legs)
        trade = Trade(
            strategy=self.orders[entry.place][0],
            place=entry.place,
            order=entry.order,
            lots=entry.lots,
            legs=legs,
            decided_row=entry.decided_row,
            entry_row=position.entry_row,
            exit_decided_row=position.exit_decided_row,
            exit_row=row,
            reason=position.reason,
            stale=stale,
            gross_paise=gross,
            charges_paise=charges,
            net_pnl=gross - charges,
        )
        self.book.close(position, trade)

    def _trade_leg(self, leg: Leg, entry_price: int, exit_price: int) -> TradeLeg:
        gross = leg.side * (exit_price - entry_price) * leg.quantity
        charges = self._charges(leg, entry_price, leg.side)
        if exit_price > 0:  # a leg given up at 0.00 sends no order
            charges += self._charges(leg, exit_price, -leg.side)
        return TradeLeg(
            contract=leg.contract,
            side=leg.side,
            ratio=leg.ratio,
            quantity=leg.quantity,
            entry_price=entry_price,
            exit_price=exit_price,
            gross_paise=gross,
            charges_paise=charges,
            net_pnl=gross - charges,
        )

    def _charges(self, leg: Leg, price: int, side: int) -> int:
        """Charge a leg order by order, none larger than the exchange takes."""
        freeze, lot = self.settings.freeze, int(self.panel.lot[leg.contract])
        largest = leg.quantity if freeze is None else min(leg.quantity, freeze // lot * lot)
        whole, rest = divmod(leg.quantity, largest)
        charges = whole * self.charge(price * largest, side)
        return charges + (self.charge(price * rest, side) if rest else 0)


def is_lost(rupees: float, limit: float | None) -> bool:
    """Whether a day has lost as much as it may."""
    return limit is not None and rupees <= -limit + TOLERANCE


def is_thin(legs: list[Leg], prices: list[int]) -> bool:
    """Whether the net premium is under a tenth of the premiums added up."""
    net = sum(leg.side * leg.ratio * price for leg, price in zip(legs, prices, strict=True))
    total = sum(leg.ratio * price for leg, price in zip(legs, prices, strict=True))
    return 10 * abs(net) < total
