"""How many lots an order gets, and what it binds: decided once, at the row that decided it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from optiq.errors import InputError
from optiq.market.compiling import compiled
from optiq.market.pricing import MICROSECONDS_PER_YEAR
from optiq.market.schema import FloatArray
from optiq.trade.book import PAISE, Book, Given
from optiq.trade.fills import MOST_LOTS, decision_price
from optiq.trade.margin import package_margin
from optiq.trade.orders import MAX_LEGS

LOTS, RISK, CAPITAL = 0, 1, 2
METHODS = ("lots", "risk", "capital")
WHOLE_LOT = 1e-9
"""Slack that makes 2.9999999999 lots three."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """How many lots an order gets.

    Attributes
    ----------
    method
        ``lots``: always ``walk.lots``. ``risk``: what ``risk_rupees`` pays for when the stop is
        hit. ``capital``: what ``capital_fraction`` of capital and realised profit pays for.
    risk_rupees
        Rupees an order may lose at its stop; without a stop, all that it binds.
    capital_fraction
        Share of ``limits.capital`` that one order may bind, 0.1 is 10 %.
    """

    method: Literal["lots", "risk", "capital"] = "lots"
    risk_rupees: float | None = None
    capital_fraction: float | None = None

    def __post_init__(self) -> None:
        for name in ("risk_rupees", "capital_fraction"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} = {value:g}; give more than 0")
        for method, name in (("risk", "risk_rupees"), ("capital", "capital_fraction")):
            is_given = getattr(self, name) is not None
            if self.method == method and not is_given:
                raise ValueError(f"method = {method} needs {name}")
            if self.method != method and is_given:
                raise ValueError(f"{name} does nothing while method = {self.method}")


def require_capital(sizing: Sizing, capital: float | None) -> None:
    """Refuse to size by a share of a capital that is not set."""
    if sizing.method == "capital" and capital is None:
        raise InputError(
            "sizing.method = capital, but limits.capital is off", "--set limits.capital=RUPEES"
        )


@compiled
def size(row: int, order: Any, given: Given, book: Book) -> tuple[int, float]:
    """Return the lots of an order decided at a row, and what they bind in rupees.

    0 lots where the budget pays for none, or a price that is needed is missing. What they bind is
    NaN where it cannot be priced, and 0 where nothing asks for it.
    """
    terms = given.terms[0]
    if not terms.needs_pricing:
        return terms.lots, 0.0
    prices = decision_prices(row, order, given)
    bound = bound_by_one_lot(row, order, prices, given, book)
    lots = float(terms.lots)
    if terms.sizing == RISK:
        lots = terms.risk_rupees / _risk_of_one_lot(order, prices, bound, given)
    elif terms.sizing == CAPITAL:
        equity = terms.capital + book.day[0].realised_paise / PAISE
        lots = terms.capital_fraction * equity / bound
    if not lots + WHOLE_LOT >= 1.0:
        return 0, math.nan
    # Where nothing is at risk the quotient is infinite.
    whole = math.floor(min(lots + WHOLE_LOT, float(MOST_LOTS)))
    return int(whole), whole * bound


@compiled
def decision_prices(row: int, order: Any, given: Given) -> FloatArray:
    """Return (4,) rupees a unit of each leg would trade at now, else its mark, else NaN."""
    prices = np.full(MAX_LEGS, np.nan)
    for k in range(MAX_LEGS):
        if order.legs[k] >= 0:
            prices[k] = decision_price(
                given.quotes, row, order.legs[k], order.side[k], given.terms[0]
            )
    return prices


@compiled
def _risk_of_one_lot(order: Any, prices: FloatArray, bound: float, given: Given) -> float:
    """Return what one lot loses at the stop; without a stop, what it binds."""
    if math.isnan(order.stop):
        return bound
    basis = 0.0
    for k in range(MAX_LEGS):
        if order.legs[k] >= 0:
            units = order.ratio[k] * given.quotes.lot[order.legs[k]]
            basis += order.side[k] * units * prices[k]
    return order.stop * abs(basis)


@compiled
def sells(order: Any) -> bool:
    """Return whether any leg is sold."""
    return bool((order.side < 0).any())  # 0 where there is no leg


@compiled
def bound_by_one_lot(row: int, order: Any, prices: FloatArray, given: Given, book: Book) -> float:
    """Return the premium one lot of an order pays, or its margin where a leg is sold, in rupees."""
    if sells(order):
        return _margin_of_one_lot(row, order, prices, given, book)
    premium = 0.0
    for k in range(MAX_LEGS):
        if order.legs[k] >= 0:
            premium += prices[k] * order.ratio[k] * given.quotes.lot[order.legs[k]]
    return premium


@compiled
def _margin_of_one_lot(row: int, order: Any, prices: FloatArray, given: Given, book: Book) -> float:
    quotes, risk = given.quotes, given.risk
    legs = order.legs[order.legs >= 0]
    used = order.legs >= 0
    expiry = quotes.expiry[legs]
    return package_margin(
        order.side[used].astype(np.int64),
        order.ratio[used] * quotes.lot[legs],
        quotes.strike[legs],
        quotes.right[legs],
        (risk.expiry_close_us[legs] - quotes.ts[row]) / MICROSECONDS_PER_YEAR,
        risk.forward[row, legs],
        risk.volatility[row, legs],
        prices[used],
        expiry.min() == expiry.max(),
        risk.expires_today[legs],
        book.day[0].spot,
        given.rules.margin,
    ).total
