"""What the orders of an old ledger should have been charged on their dates."""

from __future__ import annotations

import datetime as dt
from functools import cache

from optiq.errors import RuleError
from optiq.market.contracts import largest_order, lot_size
from optiq.market.ingest.symbols import Option
from optiq.trade.charges import (
    LARGEST_PREMIUM_PAISE,
    Broker,
    Schedule,
    leg_charge_paise,
    schedule,
)


class ChargesDue:
    """The charges of one broker's orders by date; unknown where the dated tables have no row.

    ``unsure`` collects the rows that no official page or second source confirms.
    """

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.unsure: dict[str, None] = {}
        self._schedules: dict[tuple[str, dt.date], Schedule | None] = {}
        self._largest = cache(_largest_order)

    def schedule(self, underlying: str, on: dt.date) -> Schedule | None:
        """Return the charges in force, None where a row is missing."""
        key = (underlying, on)
        if key not in self._schedules:
            try:
                self._schedules[key] = schedule(underlying, on, self.broker)
            except RuleError:
                self._schedules[key] = None
            found = self._schedules[key]
            self.unsure |= dict.fromkeys(found.low_confidence if found else ())
        return self._schedules[key]

    def paise(
        self, option: Option, on: dt.date, side: int, quantity: int, price_paise: int
    ) -> int | None:
        """Return the charges of buying (+1) or selling (-1) so many units, in paise.

        Split at the freeze quantity. A leg at 0.00 expired or was given up: no order, no charge.
        """
        if price_paise == 0:
            return 0
        rates = self.schedule(option.underlying, on)
        in_one = min(self._largest(option, on) or quantity, quantity)
        if rates is None or not 0 < price_paise * in_one <= LARGEST_PREMIUM_PAISE:
            return None
        return int(leg_charge_paise(price_paise, quantity, in_one, side, rates.rates))


def lot_of(option: Option, on: dt.date) -> int | None:
    """Return the units per lot of a contract on a day, None where no row says."""
    try:
        return lot_size(option.underlying, option.expiry.item(), on).size
    except RuleError:
        return None


def _largest_order(option: Option, on: dt.date) -> int | None:
    lot = lot_of(option, on)
    return None if lot is None else largest_order(option.underlying, on, lot)
