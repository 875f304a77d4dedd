"""Settings and limits of one session, as the compiled walk wants them."""

from __future__ import annotations

import math

import numpy as np

from optiq.market.panel import Panel
from optiq.trade.book import MICROSECONDS_PER_MINUTE, Records
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits

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
    ],
    align=True,
)


def terms_of(panel: Panel, settings: WalkSettings, limits: Limits) -> Records:
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
    terms["max_daily_loss"] = math.inf if limits.max_daily_loss is None else limits.max_daily_loss
    terms["has_capital"] = limits.capital is not None
    terms["capital"] = math.nan if limits.capital is None else limits.capital
    terms["min_score"] = -math.inf if limits.min_score is None else limits.min_score
    return terms
