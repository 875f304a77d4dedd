"""Settings, limits and the exchange's rules of one session, as the compiled walk wants them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from optiq.market.contracts import expiry_close_utc, largest_order
from optiq.market.panel import Panel
from optiq.trade.book import (
    MICROSECONDS_PER_MINUTE,
    NO_FREEZE,
    Records,
    Risk,
    Rules,
)
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import UNLIMITED, Limits, StrategyLimits
from optiq.trade.margin import margin_rates
from optiq.trade.sizing import METHODS, Sizing

TERMS = np.dtype(
    [
        ("latency_us", "i8"),
        ("max_wait_us", "i8"),
        ("max_quote_age_us", "i8"),
        ("half_spread", "f8"),
        ("slippage_ticks", "i8"),
        ("square_off_us", "i8"),
        ("open_us", "i8"),
        ("close_us", "i8"),
        ("first_entry_us", "i8"),
        ("last_entry_us", "i8"),
        ("max_open", "i8"),
        ("cooldown_us", "i8"),
        ("max_trades", "i8"),
        ("max_daily_loss", "f8"),
        ("has_capital", "?"),
        ("capital", "f8"),
        ("min_score", "f8"),
        ("lots", "i8"),
        ("sizing", "i8"),
        ("risk_rupees", "f8"),
        ("capital_fraction", "f8"),
        ("needs_pricing", "?"),
    ],
    align=True,
)
"""``needs_pricing``: a limit or the sizing asks what an order binds."""

OWN_TERMS = np.dtype(
    [
        ("max_open", "i8"),
        ("max_trades", "i8"),
        ("cooldown_us", "i8"),
        ("max_daily_loss", "f8"),
        ("capital", "f8"),
    ],
    align=True,
)
"""The limits of one strategy; off is more than can be reached, a cooldown of 0."""


def terms_of(
    panel: Panel,
    settings: WalkSettings,
    limits: Limits,
    sizing: Sizing,
    own: Sequence[StrategyLimits] = (),
) -> Records:
    """Return settings and limits of one session as a (1,) TERMS record, times in microseconds."""
    terms = np.zeros(1, TERMS)
    midnight_utc = np.datetime64(panel.date, "us") - np.timedelta64(330, "m")
    midnight_us = int(midnight_utc.astype(np.int64))
    for name, seconds in (
        ("latency_us", settings.latency_s),
        ("max_wait_us", settings.max_wait_s),
        ("max_quote_age_us", settings.max_quote_age_s),
        ("square_off_us", 60 * settings.square_off_minutes),
        ("first_entry_us", 60 * limits.first_entry_minutes),
        ("last_entry_us", 60 * limits.last_entry_minutes),
        ("cooldown_us", 60 * limits.cooldown_minutes),
    ):
        terms[name] = round(1e6 * seconds)
    terms["open_us"] = midnight_us + round(panel.open_minute * MICROSECONDS_PER_MINUTE)
    terms["close_us"] = midnight_us + round(panel.close_minute * MICROSECONDS_PER_MINUTE)
    terms["half_spread"] = settings.half_spread
    terms["slippage_ticks"] = settings.slippage_ticks
    terms["max_open"] = limits.max_open
    terms["max_trades"] = limits.max_trades_per_day
    terms["max_daily_loss"] = _or(math.inf, limits.max_daily_loss)
    terms["has_capital"] = limits.capital is not None
    terms["capital"] = _or(math.nan, limits.capital)
    terms["min_score"] = _or(-math.inf, limits.min_score)
    terms["lots"] = settings.lots
    terms["sizing"] = METHODS.index(sizing.method)
    terms["risk_rupees"] = _or(math.nan, sizing.risk_rupees)
    terms["capital_fraction"] = _or(math.nan, sizing.capital_fraction)
    capitals = [limits.capital, *(strategy.capital for strategy in own)]
    terms["needs_pricing"] = sizing.method != "lots" or any(c is not None for c in capitals)
    return terms


def own_terms_of(own: Sequence[StrategyLimits]) -> Records:
    """Return the limits of each strategy as (n_strategies,) OWN_TERMS records."""
    terms = np.zeros(len(own), OWN_TERMS)
    for place, limits in enumerate(own):
        terms[place]["max_open"] = _or(UNLIMITED, limits.max_open)
        terms[place]["max_trades"] = _or(UNLIMITED, limits.max_trades_per_day)
        terms[place]["cooldown_us"] = round(60e6 * _or(0.0, limits.cooldown_minutes))
        terms[place]["max_daily_loss"] = _or(math.inf, limits.max_daily_loss)
        terms[place]["capital"] = _or(math.inf, limits.capital)
    return terms


def _or(when_off: float, limit: float | None) -> float:
    return when_off if limit is None else limit


def rules_of(panel: Panel) -> Rules:
    """Return the exchange's rules for a panel's contracts on its date."""
    lots, of_lot = np.unique(panel.lot, return_inverse=True)
    largest = [largest_order(panel.underlying, panel.date, int(lot)) or NO_FREEZE for lot in lots]
    return Rules(np.array(largest, np.int64)[of_lot], margin_rates(panel.underlying, panel.date))


def risk_of(panel: Panel, needed: bool) -> Risk:
    """Return what margin reads of a panel, or nothing of it where it is not needed."""
    if not needed:
        return Risk(np.empty((0, 0)), np.empty((0, 0)), np.empty(0, np.int64), np.empty(0, bool))
    close = expiry_close_utc(panel.expiry, panel.underlying)
    return Risk(
        forward=np.ascontiguousarray(panel.forward),
        volatility=np.ascontiguousarray(panel.iv, np.float64),
        expiry_close_us=close.astype("datetime64[us]").astype(np.int64),
        expires_today=panel.expiry == np.datetime64(panel.date, "D"),
    )
