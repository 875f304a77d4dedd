"""What the two orders of a trade cost on their days, with the rules of those days."""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np

from optiq.errors import RuleError
from optiq.market.contracts import Lot, lot_size
from optiq.market.ingest.symbols import Option
from optiq.trade.book import PAISE
from optiq.trade.charges import LARGEST_PREMIUM_PAISE, Broker, Schedule, leg_charge_paise, schedule
from optiq.trade.terms import freeze_units


def to_paise(rupees: float) -> int:
    """Return an amount in whole paise, rounded to the nearest."""
    return round(rupees * PAISE)


def order_charge(
    contract: Option, on: dt.date, side: int, price: float, quantity: float, broker: Broker
) -> float:
    """Return what buying (+1) or selling (-1) costs in rupees, split at the freeze quantity.

    A price of 0 is an option given up: no order, no charge. NaN where no dated rule says, and for
    a price or a quantity that no order can have.
    """
    rules = rules_of_contract(contract, on, broker)
    if rules is None or not 0 <= price < np.inf or not 1 <= quantity < 1e9 or quantity % 1:
        return np.nan
    charges, freeze = rules
    paise = to_paise(price)
    if paise * min(freeze, int(quantity)) > LARGEST_PREMIUM_PAISE:
        return np.nan
    if paise == 0:
        return 0.0
    return float(leg_charge_paise(paise, int(quantity), freeze, side, charges.rates) / PAISE)


def dated_lot(contract: Option, on: dt.date) -> Lot | None:
    """Return the lot of a contract on a day, None where no dated row says."""
    try:
        return lot_size(contract.underlying, contract.expiry.astype("datetime64[D]").item(), on)
    except RuleError:
        return None


@cache
def rules_of_contract(contract: Option, on: dt.date, broker: Broker) -> tuple[Schedule, int] | None:
    """Return the charges of a day and the most units in one order; None where no row says."""
    lot = dated_lot(contract, on)
    if lot is None:
        return None
    try:
        charges = schedule(contract.underlying, on, broker)
    except RuleError:
        return None
    return charges, int(freeze_units(contract.underlying, on, np.array([lot.size]))[0])
