"""The 34 features in their one order: name, formula, unit, window and source of each.

Models, episodes and the documentation take names and order from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """One number that models see.

    Attributes
    ----------
    name
        Unique; what models and tables call it.
    formula
        In the symbols of `SYMBOLS`.
    unit
        What 1.0 of it is.
    window
        How far back it looks: "now", minutes, or since when.
    source
        The panel's fields and the context's that it is made from.
    note
        Which of several conventions this is, and where it is from; empty where there is one only.
    """

    name: str
    formula: str
    unit: str
    window: str
    source: str
    note: str = ""


SYMBOLS = (
    ("near", "the first expiry with at least an hour to live, from its first quote on"),
    ("F", "the underlying: parity forward of near (of the contract's expiry in its features)"),
    ("X[w]", "X on the latest row at or before w minutes ago, if no older than twice that"),
    ("K, right", "strike; +1 call, -1 put"),
    ("T", "years to the expiry's close, by the minute, 525,600 a year"),
    ("ATM", "volatility of an expiry at the strike nearest its forward (mean of its contracts)"),
    ("price", "middle of a two-sided, uncrossed book, else the last price"),
    ("z(x)", "(x - mean) / standard deviation over the contracts of the expiry in the row"),
    ("steps", "strikes between a contract and the one nearest F, in near"),
)

_SHARE = "fraction"
_VOLATILITY = "per year, fraction"
_BACK = "15 min"

MARKET_FEATURES = (
    Feature("return_5m", "F / F[5] - 1", _SHARE, "5 min", "forward"),
    Feature("return_15m", "F / F[15] - 1", _SHARE, _BACK, "forward"),
    Feature("return_60m", "F / F[60] - 1", _SHARE, "60 min", "forward"),
    Feature(
        "overnight_gap",
        "first F of the session / last close - 1",
        _SHARE,
        "first 15 min",
        "forward, context.closes",
        "NaN where the first forward comes later than 15 minutes after the open, or the last"
        " stored close is more than 7 days old. Where that close is an index value, the gap has"
        " the forward's basis in it, about 0.1 % a week",
    ),
    Feature(
        "realised_vol_session",
        "sqrt(sum of (F / previous F - 1)^2 / years traded)",
        _VOLATILITY,
        "since the first row",
        "forward",
        "Around a mean of zero, nights left out, 252 sessions of 375 minutes a year; two returns"
        " at least",
    ),
    Feature(
        "realised_vol_30m",
        "the same from row [30] to now",
        _VOLATILITY,
        "30 min",
        "forward",
    ),
    Feature(
        "atm_iv",
        "ATM of the first expiry after today that has one, else of today's",
        _VOLATILITY,
        "now",
        "iv, forward",
        "The definition of context.atm_iv, so that days compare",
    ),
    Feature(
        "atm_iv_change_15m",
        "atm_iv - atm_iv[15], of the expiry of now",
        _VOLATILITY,
        _BACK,
        "iv, forward",
    ),
    Feature(
        "iv_rank",
        "(atm_iv - lowest) / (highest - lowest) of past sessions",
        "0 at the lowest, 1 at the highest",
        "365 days",
        "iv, forward, context.atm_iv",
        "IV rank, not IV percentile; today is not among the past, so it may leave 0..1; 20"
        " sessions at least",
    ),
    Feature(
        "iv_minus_realised",
        "atm_iv - realised_vol_session",
        _VOLATILITY,
        "since the first row",
        "iv, forward",
    ),
    Feature(
        "skew_25d",
        "iv of the put at delta -0.25 less iv of the call at 0.25, in near",
        _VOLATILITY,
        "now",
        "iv, delta",
        "Interpolated along delta between the two quoted strikes around 0.25 that are nearest the"
        " money. The 25-delta risk reversal of currency options, with the sign equity traders use:"
        " D. Reiswich and U. Wystup, FX Volatility Smile Construction, CPQF working paper 20, 2010",
    ),
    Feature(
        "smile_curvature",
        "mean of those two - ATM of near",
        _VOLATILITY,
        "now",
        "iv, delta, forward",
        "The 25-delta butterfly of the same paper",
    ),
    Feature(
        "term_slope",
        "ATM of the expiry after near - ATM of near",
        _VOLATILITY,
        "now",
        "iv, forward",
    ),
    Feature(
        "oi_put_call_ratio",
        "sum of put oi / sum of call oi, abs(steps) <= 10",
        "ratio",
        "now",
        "oi, forward",
        "The exchange's own total counts all strikes; a fixed reach compares over recordings",
    ),
    Feature(
        "volume_put_call_ratio",
        "sum of put volume / sum of call volume, abs(steps) <= 10",
        "ratio",
        "since the open",
        "volume, forward",
    ),
    Feature(
        "call_oi_flow_15m",
        "sum of (oi - oi[15]) / sum of oi[15], calls, abs(steps) <= 5",
        _SHARE,
        _BACK,
        "oi, forward",
        "The same contracts on both rows: those near the money now and known then",
    ),
    Feature(
        "put_oi_flow_15m",
        "the same of puts",
        _SHARE,
        _BACK,
        "oi, forward",
    ),
    Feature(
        "max_pain_distance",
        "max pain / F - 1",
        _SHARE,
        "now",
        "oi, forward",
        "Max pain is the strike of near at which what all its options would pay out is least; of"
        " equal ones the lowest. As at https://marketsetup.in/posts/option-chain/max-pain",
    ),
    Feature(
        "gamma_exposure",
        "F / 100 * sum of gamma * oi * right / sum of oi, in near",
        "share of the open notional, per 1 % move",
        "now",
        "gamma, oi, forward",
        "GEX as at https://squeezemetrics.com/download/white_paper.pdf, which takes dealers to be"
        " long calls and short puts; for India that is unproven. Rupees per 1 % move over the open"
        " notional F * sum of oi, so that years with other levels and lots compare",
    ),
    Feature(
        "vwap_distance",
        "F / (sum of F * traded / sum of traded) - 1",
        _SHARE,
        "since the first row",
        "forward, volume",
        "traded: units of the whole chain that changed hands since the row before. An index has no"
        " volume of its own",
    ),
    Feature(
        "opening_range_position",
        "(F - low) / (high - low) of the first 15 minutes",
        "0 at the low, 1 at the high",
        "first 15 min",
        "forward",
        "NaN until the range is complete",
    ),
    Feature("minutes_to_close", "close - now", "minutes", "now", "ts, close_minute"),
    Feature("days_to_expiry", "365 * T of near", "calendar days", "now", "ts, expiry"),
)
"""What the market does; one value a row."""

CONTRACT_FEATURES = (
    Feature(
        "moneyness",
        "right * ln(K / F) / (ATM * sqrt(T))",
        "standard deviations out of the money",
        "now",
        "forward, iv",
    ),
    Feature("delta", "delta", "rupees per rupee of F", "now", "delta"),
    Feature(
        "gamma_1pct",
        "gamma * F / 100",
        "delta per 1 % move",
        "now",
        "gamma, forward",
        "Plain gamma shrinks as the index grows; this does not",
    ),
    Feature(
        "theta_per_premium", "theta / price", "fraction per calendar day", "now", "theta, price"
    ),
    Feature(
        "vega_per_premium",
        "vega / 100 / price",
        "fraction per volatility point",
        "now",
        "vega, price",
    ),
    Feature("iv_minus_atm", "iv - ATM", _VOLATILITY, "now", "iv, forward"),
    Feature(
        "relative_spread",
        "(ask - bid) / middle",
        _SHARE,
        "now",
        "bid, ask",
        "NaN where the book is not two-sided, or crossed",
    ),
    Feature(
        "volume_z",
        "z(ln(1 + volume))",
        "standard deviations",
        "since the open",
        "volume",
        "The deviation is that of all (divided by n, not n - 1); three contracts at least",
    ),
    Feature("oi_z", "z(ln(1 + oi))", "standard deviations", "now", "oi", "As volume_z"),
    Feature(
        "oi_change_relative",
        "oi_change / (oi - oi_change)",
        _SHARE,
        "since the last session",
        "oi, oi_change",
    ),
    Feature(
        "premium_momentum_15m",
        "price / price[15] - 1",
        _SHARE,
        _BACK,
        "ltp, bid, ask",
    ),
)
"""What one contract does; one value a row and contract."""

FEATURES: tuple[Feature, ...] = MARKET_FEATURES + CONTRACT_FEATURES
"""All of them, the market's first."""
