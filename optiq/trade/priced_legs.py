"""Legs as a person names them, completed by a market: what margin wants to know of a package."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from optiq.errors import InputError, MissingDataError
from optiq.market import contracts
from optiq.market.black76 import black76_price, implied_volatility
from optiq.market.panel import Panel
from optiq.market.pricing import years_to_expiry
from optiq.market.schema import IST_OFFSET, RIGHT_NAMES, FloatArray, IntArray, TimeArray
from optiq.trade.book import quotes_of
from optiq.trade.fills import WalkSettings, decision_price
from optiq.trade.margin import Margin, MarginRates, package_margin


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg as asked for; NaN is what was left open.

    ``side`` is +1 or -1, ``right`` +1 call or -1 put, ``price`` in rupees a unit, ``volatility``
    an annualised fraction.
    """

    side: int
    lots: int
    strike: float
    right: int
    expiry: dt.date
    price: float = math.nan
    volatility: float = math.nan

    @property
    def name(self) -> str:
        """Return the contract's name, such as ``25700 CE``."""
        return f"{self.strike:g} {RIGHT_NAMES[self.right]}"


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a market says of the legs, (k,) each, NaN where it says nothing."""

    spot: float
    forward: FloatArray
    volatility: FloatArray
    price: FloatArray

    def overruled(self, spot: float, forward: float, volatility: float) -> Quoted:
        """Return it with what is not NaN among the arguments in place of what it says."""
        return replace(
            self,
            spot=self.spot if math.isnan(spot) else spot,
            forward=self.forward if math.isnan(forward) else np.full_like(self.forward, forward),
            volatility=(
                self.volatility
                if math.isnan(volatility)
                else np.full_like(self.volatility, volatility)
            ),
        )


class FillTerms(NamedTuple):
    """What `fills.decision_price` asks of the settings."""

    slippage_ticks: int
    half_spread: float
    max_quote_age_us: int


@dataclass(frozen=True, slots=True)
class Package:
    """The legs of one position with everything that margin reads, (k,) each.

    ``quantity`` in units, ``years`` from ``moment`` (UTC) to the close of the expiry.
    """

    underlying: str
    moment: np.datetime64
    side: IntArray
    quantity: IntArray
    strike: FloatArray
    right: IntArray
    expiry: TimeArray
    years: FloatArray
    forward: FloatArray
    volatility: FloatArray
    price: FloatArray
    spot: float

    @property
    def on(self) -> dt.date:
        """Return the day in India."""
        return day_of(self.moment)

    @property
    def sells(self) -> bool:
        """Return whether any leg is sold."""
        return bool((self.side < 0).any())

    @property
    def notional(self) -> float:
        """Return the spot times the units sold, in rupees."""
        return self.spot * float(self.quantity[self.side < 0].sum())

    def margin(self, rates: MarginRates) -> Margin:
        """Return what it binds."""
        return self._margin(np.arange(len(self.side)), rates)

    def sold_alone(self, rates: MarginRates) -> float:
        """Return what its sold legs would bind one by one, with nothing bought, in rupees."""
        sold = np.flatnonzero(self.side < 0)
        return math.fsum(self._margin(np.array([k]), rates).total for k in sold)

    def _margin(self, legs: IntArray, rates: MarginRates) -> Margin:
        margin: Margin = package_margin(
            self.side[legs],
            self.quantity[legs],
            self.strike[legs],
            self.right[legs],
            self.years[legs],
            self.forward[legs],
            self.volatility[legs],
            self.price[legs],
            len(np.unique(self.expiry[legs])) == 1,
            self.expiry[legs] == np.datetime64(self.on, "D"),
            self.spot,
            rates,
        )
        return margin


def quoted_at(panel: Panel, row: int, legs: Sequence[Leg], settings: WalkSettings) -> Quoted:
    """Return what a row of a panel says of the legs, as the walk reads it for a decision there.

    The price is the one a leg would trade at, else its mark; the spot is the last one known.
    """
    columns = np.array([_column(panel, leg) for leg in legs])
    age_us = round(1e6 * settings.max_quote_age_s)
    terms = FillTerms(settings.slippage_ticks, settings.half_spread, age_us)
    quotes = quotes_of(panel)
    known = panel.spot[: row + 1][~np.isnan(panel.spot[: row + 1])]
    pairs = zip(columns, legs, strict=True)
    return Quoted(
        spot=float(known[-1]) if len(known) else math.nan,
        forward=panel.forward[row, columns],
        volatility=np.asarray(panel.iv[row, columns], np.float64),
        price=np.array([decision_price(quotes, row, c, leg.side, terms) for c, leg in pairs]),
    )


def _column(panel: Panel, leg: Leg) -> int:
    same_day = panel.expiry == np.datetime64(leg.expiry, "D")
    found = np.flatnonzero(same_day & (panel.strike == leg.strike) & (panel.right == leg.right))
    if len(found) == 0:
        days = ", ".join(map(str, panel.expiries))
        raise MissingDataError(
            f"no {panel.underlying} {leg.name} of {leg.expiry} in the stored chain of {panel.date}",
            f"its expiries are {days}; strikes {panel.strike.min():g} to {panel.strike.max():g}",
        )
    return int(found[0])


def chain_row_at(panel: Panel, moment: np.datetime64) -> int:
    """Return the last chain row at or before a moment, UTC."""
    rows = np.flatnonzero(panel.is_chain & (panel.ts <= moment))
    if len(rows) == 0:
        first = (panel.ts[panel.is_chain] + IST_OFFSET).min().astype("datetime64[s]").item()
        raise MissingDataError(
            f"the first stored snapshot of {panel.underlying} on {panel.date} is of "
            f"{first:%H:%M:%S} IST",
            "choose a later --at",
        )
    return int(rows[-1])


def day_of(moment: np.datetime64) -> dt.date:
    """Return the day in India of a moment, UTC."""
    day: dt.date = (moment + IST_OFFSET).astype("datetime64[D]").item()
    return day


def priced(legs: Sequence[Leg], underlying: str, moment: np.datetime64, quoted: Quoted) -> Package:
    """Return the package at a moment (UTC), with the lot sizes of that day.

    What a leg itself says stands before what is quoted. A leg that names its price alone gets the
    volatility at which the model gives that price, unless one is quoted; a leg without any price
    gets the model's. `InputError` says what cannot be told.
    """
    expiry = np.array([leg.expiry for leg in legs], "datetime64[D]")
    years = years_to_expiry(np.array([moment]), contracts.expiry_close_utc(expiry, underlying))[0]
    strike = np.array([leg.strike for leg in legs], np.float64)
    right = np.array([leg.right for leg in legs], np.int64)
    own_price = np.array([leg.price for leg in legs], np.float64)
    volatility = _first(
        [leg.volatility for leg in legs],
        quoted.volatility,
        implied_volatility(own_price, quoted.forward, strike, years, right),
    )
    price = _first(
        own_price,
        quoted.price,
        black76_price(quoted.forward, strike, years, volatility, right),
    )
    lots = np.array([leg.lots for leg in legs], np.int64)
    package = Package(
        underlying=underlying,
        moment=moment,
        side=np.array([leg.side for leg in legs], np.int64),
        quantity=lots * contracts.lot_sizes(underlying, expiry, day_of(moment)),
        strike=strike,
        right=right,
        expiry=expiry,
        years=years,
        forward=quoted.forward,
        volatility=volatility,
        price=price,
        spot=quoted.spot,
    )
    _require_known(package, legs)
    return package


def _first(*choices: Sequence[float] | FloatArray) -> FloatArray:
    """Return, element by element, the first that is not NaN."""
    found = np.asarray(choices[0], np.float64)
    for other in choices[1:]:
        found = np.where(np.isnan(found), other, found)
    return found


def _require_known(package: Package, legs: Sequence[Leg]) -> None:
    """Refuse a package whose margin could only be guessed."""
    sells = package.sells
    if sells and math.isnan(package.spot):
        raise InputError("the level of the index is not known", "give --spot")
    for k, leg in enumerate(legs):
        if math.isnan(package.years[k]):
            raise InputError(f"{leg.name} of {leg.expiry} has expired", "name another expiry")
        if sells and math.isnan(package.forward[k]):
            raise InputError(f"no forward for {leg.expiry}", "give --forward")
        if math.isnan(package.price[k]) or (sells and math.isnan(package.volatility[k])):
            raise _unpriced(package, k, leg)


def _unpriced(package: Package, k: int, leg: Leg) -> InputError:
    hint = "give its volatility in the leg, such as 12.5%, or --iv for all"
    if math.isnan(leg.price):
        return InputError(f"{leg.name} has no volatility here", hint)
    at = f"with the forward at {package.forward[k]:.2f} and {365 * package.years[k]:.1f} days left"
    return InputError(f"no volatility gives {leg.name} a price of {leg.price:g} {at}", hint)
