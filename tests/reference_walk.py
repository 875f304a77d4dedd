"""The walk once more, slowly: one row at a time, plain Python, to disagree with the compiled one.

Money is integer paise; a value that can fall between two paise is a ``Fraction`` of paise. ``g`` is
a float, as in the compiled walk. Times are integer microseconds since 1970, UTC.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from reference_book import Entry, Leg, Position, Result, Trade, TradeLeg
from reference_quotes import Quotes, Settings, half_paise, microseconds

from optiq.market.panel import Panel
from optiq.trade.orders import Orders

TOLERANCE = 1e-9

Charge = Callable[[int, int], int]
"""``charge(premium_paise, side) -> paise`` of one leg's order; side +1 buys, -1 sells."""


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
    return Result(day.trades, day.outcomes)


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
        self.quotes = Quotes(panel, settings)
        self.pending: list[Entry] = []
        self.open: list[Position] = []
        self.leaving: list[Position] = []
        self.trades: list[Trade] = []
        self.outcomes: dict[tuple[int, int], str] = {}
        self.over = False
        self.accepted = 0
        self.realised = 0
        self.last_exit: dict[int, int] = {}
        self.by_row: dict[int, list[tuple[int, int]]] = {}
        for place, (name, asked) in enumerate(orders):
            for order in range(len(asked)):
                self._admit(name, place, order)

    def _admit(self, name: str, place: int, order: int) -> None:
        asked = self.orders[place][1]
        row = int(asked.row[order])
        if self.settings.capital is not None and (asked.side[order] < 0).any():
            raise ValueError(f"{name} sells: margin is not modelled here, leave capital off")
        self.outcomes[place, order] = "not_reached"
        if row < self.panel.n_rows:
            if not self.panel.is_chain[row]:
                raise ValueError(f"{name} decides on row {row}, which is no chain row")
            self.by_row.setdefault(row, []).append((place, order))

    # Step 1

    def mark(self, row: int) -> None:
        """Mark every open position, then see whether the day is over."""
        for position in self.open:
            self._mark(position, row)
        limit = self.settings.max_daily_loss
        if limit is not None:
            total = self.realised / 100 + sum(p.unit_money for p in self.open)
            if total <= -limit + TOLERANCE:
                self.over = True
        if self.over:
            for entry in self.pending:
                self._settle(entry, "day_over")
            self.pending = []

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
        for position in self.open:
            if position.reason:
                continue
            reason = self._exit_reason(position, row)
            if reason:
                position.reason = reason
                position.exit_decided_row = row
                self.leaving.append(position)

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
        tests = (
            ("STOP", fresh and g <= -stop + TOLERANCE),
            ("TARGET", fresh and g >= target - TOLERANCE),
            ("TRAIL", fresh and peak >= after - TOLERANCE and g <= peak - trail + TOLERANCE),
            ("TIME", held >= hold - TOLERANCE),
            ("EOD", left <= self.settings.square_off_minutes + TOLERANCE),
            ("RISK", self.over),
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
            entry = Entry(place, order, self._legs(asked, order), row)
            refused = self._refusal(entry, row)
            if refused:
                self._settle(entry, refused)
                continue
            self._settle(entry, "pending")
            self.pending.append(entry)
            self.accepted += 1

    def _legs(self, asked: Orders, order: int) -> list[Leg]:
        legs = []
        for contract, side, ratio in zip(
            asked.legs[order], asked.side[order], asked.ratio[order], strict=True
        ):
            if contract >= 0:
                quantity = self.settings.lots * int(ratio) * int(self.panel.lot[contract])
                legs.append(Leg(int(contract), int(side), int(ratio), quantity))
        return legs

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

    def _refusal(self, entry: Entry, row: int) -> str:
        """Return the first reason against the entry, or the empty string."""
        limits = self.settings
        contract = entry.legs[0].contract
        busy = [p.entry.legs[0].contract for p in self.open]
        busy += [e.legs[0].contract for e in self.pending]
        since_open = self.quotes.minutes_since_open(row)
        left = self.quotes.minutes_to_close(row)
        if self.over:
            return "day_over"
        if since_open < limits.first_entry_minutes - TOLERANCE:
            return "hours"
        if left < limits.last_entry_minutes - TOLERANCE:
            return "hours"
        if (
            limits.min_score is not None
            and self._score(entry.place, entry.order) < limits.min_score
        ):
            return "min_score"
        if len(busy) >= limits.max_open:
            return "max_open"
        if contract in busy:
            return "same_contract"
        if contract in self.last_exit:
            rested = self.quotes.minutes_between(self.last_exit[contract], row)
            if rested < limits.cooldown_minutes - TOLERANCE:
                return "cooldown"
        if self.accepted >= limits.max_trades_per_day:
            return "max_trades"
        if limits.capital is not None and not self._can_pay(entry, row):
            return "capital"
        return ""

    def _can_pay(self, entry: Entry, row: int) -> bool:
        """Whether the premium fits in the free capital; if so it is held for the entry."""
        free = Fraction(str(self.settings.capital)) * 100 + self.realised
        for position in self.open:
            legs = position.entry.legs
            free -= sum(q.quantity * p for q, p in zip(legs, position.prices, strict=True))
        for waiting in self.pending:
            free -= waiting.held
        need = Fraction(0)
        for leg in entry.legs:
            price = self._likely_price(leg, row)
            if price is None:
                return False
            need += leg.quantity * price
        entry.held = need
        return need <= free

    def _likely_price(self, leg: Leg, row: int) -> Fraction | None:
        """The executable price of a leg in paise, else its mark, else None."""
        price = self.quotes.executable(row, leg.contract, leg.side)
        if price is not None:
            return Fraction(price)
        mark = self.quotes.mark(row, leg.contract)
        return None if mark is None else half_paise(mark.price)

    # Step 4

    def fill(self, row: int) -> None:
        """Fill what can be filled: exits, then entries, each in order of decision."""
        for position in list(self.leaving):
            if self._due(position.exit_decided_row, row):
                self._try_exit(position, row)
        for entry in list(self.pending):
            if self._expired(entry, row):
                self.pending.remove(entry)
                self.accepted -= 1
                self._settle(entry, "expired")
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
        self.pending.remove(entry)
        if is_thin(entry.legs, prices):
            self._settle(entry, "thin_basis")
            return
        self._settle(entry, "filled")
        self.open.append(Position(entry, row, prices, last_marks=[None] * len(entry.legs)))

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
        for entry in self.pending:
            self._settle(entry, "expired")
        self.pending = []
        for position in list(self.open):
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
        name = self.orders[entry.place][0]
        self.trades.append(
            Trade(
                strategy=name,
                place=entry.place,
                order=entry.order,
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
        )
        self.realised += gross - charges
        self.last_exit[entry.legs[0].contract] = row
        self.open = [other for other in self.open if other is not position]
        self.leaving = [other for other in self.leaving if other is not position]

    def _trade_leg(self, leg: Leg, entry_price: int, exit_price: int) -> TradeLeg:
        gross = leg.side * (exit_price - entry_price) * leg.quantity
        charges = self.charge(entry_price * leg.quantity, leg.side)
        if exit_price > 0:  # a leg given up at 0.00 sends no order
            charges += self.charge(exit_price * leg.quantity, -leg.side)
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

    def _settle(self, entry: Entry, outcome: str) -> None:
        self.outcomes[entry.place, entry.order] = outcome


def is_thin(legs: list[Leg], prices: list[int]) -> bool:
    """Whether the net premium is under a tenth of the premiums added up."""
    net = sum(leg.side * leg.ratio * price for leg, price in zip(legs, prices, strict=True))
    total = sum(leg.ratio * price for leg, price in zip(legs, prices, strict=True))
    return 10 * abs(net) < total
