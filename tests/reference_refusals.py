"""Which entries the slow walk refuses: first the limits of the run, then the strategy's own."""

from __future__ import annotations

from fractions import Fraction

from reference_book import Book, Entry
from reference_quotes import TOLERANCE, Quotes
from reference_settings import OwnLimits, Settings
from reference_sizing import Sizer, in_paise

from optiq.trade.orders import Orders


class Gate:
    """Asks every limit in its order; the first that refuses is the reason."""

    def __init__(self, quotes: Quotes, settings: Settings, sizer: Sizer, book: Book) -> None:
        self.quotes, self.settings, self.sizer, self.book = quotes, settings, sizer, book

    def refusal(self, entry: Entry, asked: Orders, score: float) -> str:
        """Return the reason against an entry, or the empty string.

        An entry that comes as far as its size leaves with its lots, its legs and its need.
        """
        return (
            self._before_size(entry, score)
            or self._size(entry, asked)
            or self._capital(entry)
            or self._own(entry)
        )

    def _before_size(self, entry: Entry, score: float) -> str:
        row, limits, book = entry.decided_row, self.settings, self.book
        contract = entry.legs[0].contract
        busy = [other.legs[0].contract for other in book.busy()]
        since_open = self.quotes.minutes_since_open(row)
        left = self.quotes.minutes_to_close(row)
        if book.run.over:
            return "day_over"
        if since_open < limits.first_entry_minutes - TOLERANCE:
            return "hours"
        if left < limits.last_entry_minutes - TOLERANCE:
            return "hours"
        if limits.min_score is not None and score < limits.min_score:
            return "min_score"
        if len(busy) >= limits.max_open:
            return "max_open"
        if contract in busy:
            return "same_contract"
        if self._rests(book.last_exit.get(contract), row, limits.cooldown_minutes):
            return "cooldown"
        if book.run.accepted >= limits.max_trades_per_day:
            return "max_trades"
        return ""

    def _rests(self, exit_row: int | None, row: int, minutes: float | None) -> bool:
        if exit_row is None or minutes is None:
            return False
        return self.quotes.minutes_between(exit_row, row) < minutes - TOLERANCE

    def _size(self, entry: Entry, asked: Orders) -> str:
        row, realised = entry.decided_row, self.book.run.realised
        entry.lots = self.sizer.lots(asked, entry.order, row, realised)
        if entry.lots < 1:
            return "size"
        entry.legs = self.sizer.legs(asked, entry.order, entry.lots)
        if self.settings.capital is not None or self._limits(entry).capital is not None:
            entry.need = self.sizer.need(entry.legs, row)
        return ""

    def _capital(self, entry: Entry) -> str:
        if self.settings.capital is None:
            return ""
        wealth = in_paise(self.settings.capital) + self.book.run.realised
        return "" if fits(entry, wealth - self.book.held()) else "capital"

    def _limits(self, entry: Entry) -> OwnLimits:
        return self.settings.own[entry.place] if self.settings.own else OwnLimits()

    def _own(self, entry: Entry) -> str:
        limits, place, row = self._limits(entry), entry.place, entry.decided_row
        account = self.book.strategies[place]
        if account.over:
            return "strategy_day_over"
        if limits.max_open is not None and len(self.book.busy(place)) >= limits.max_open:
            return "strategy_max_open"
        if self._rests(account.last_exit_row, row, limits.cooldown_minutes):
            return "strategy_cooldown"
        most = limits.max_trades_per_day
        if most is not None and account.accepted >= most:
            return "strategy_max_trades"
        if limits.capital is not None:
            wealth = in_paise(limits.capital) + account.realised
            if not fits(entry, wealth - self.book.held(place)):
                return "strategy_capital"
        return ""


def fits(entry: Entry, free: Fraction) -> bool:
    """Whether what an entry binds is known and not more than what is free."""
    return entry.need is not None and entry.need <= free
