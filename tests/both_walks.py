"""The compiled walk and the slow reference on the same day, in one comparable form."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import NamedTuple

import numpy as np
from markets import Market
from reference_settings import Settings
from reference_walk import walk as reference

from optiq.trade.book import Book, Records, Rules, Status, queue
from optiq.trade.charges import Rates, order_charge_paise, schedule
from optiq.trade.exits import Reason
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits, StrategyLimits
from optiq.trade.margin import MarginRates
from optiq.trade.sizing import Sizing
from optiq.trade.walk import Walk

NO_FREEZE = 2**40
"""Units that no order reaches: the same as no row for the date."""

RATES: Rates = schedule("NIFTY", dt.date(2025, 11, 20)).rates


class Trade(NamedTuple):
    """One closed position; prices and charges in paise, a value a leg."""

    strategy: int
    order: int
    lots: int
    decided_row: int
    entry_row: int
    exit_decided_row: int
    exit_row: int
    reason: str
    stale: bool
    entry: tuple[int, ...]
    exit: tuple[int, ...]
    charges: tuple[int, ...]


Outcome = tuple[list[Trade], dict[tuple[int, int], str]]


def terms(settings: Settings) -> tuple[WalkSettings, Limits]:
    """Return the reference's settings as the package's two groups of them."""
    s = settings
    walk = WalkSettings(
        s.latency_s,
        s.max_wait_s,
        s.max_quote_age_s,
        s.half_spread,
        s.slippage_ticks,
        s.square_off_minutes,
        s.lots,
    )
    limits = Limits(
        s.first_entry_minutes,
        s.last_entry_minutes,
        s.max_open,
        s.cooldown_minutes,
        s.max_trades_per_day,
        s.max_daily_loss,
        s.capital,
        s.min_score,
    )
    return walk, limits


def rules(market: Market) -> Rules:
    """Return the exchange's rules of a market; the largest order is in whole lots."""
    freeze, lot = market.settings.freeze, market.panel.lot
    whole = np.full(len(lot), NO_FREEZE) if freeze is None else freeze // lot * lot
    return Rules(whole, MarginRates(**dataclasses.asdict(market.settings.margin)))


def start(market: Market, rates: Rates = RATES) -> Walk:
    """Return the compiled walk of a market before its first row."""
    orders = queue([o for _, o in market.orders], market.scores)
    return Walk.start(
        market.panel,
        orders,
        rates,
        *terms(market.settings),
        sizing=Sizing(**dataclasses.asdict(market.settings.sizing)),
        own=[StrategyLimits(**dataclasses.asdict(own)) for own in market.settings.own],
        rules=rules(market),
    )


def compiled(market: Market, rates: Rates = RATES) -> Outcome:
    """Walk the day at once."""
    walk = start(market, rates)
    walk.advance(market.panel.n_rows)
    walk.finish()
    return outcome(walk.given.orders, walk.book)


def outcome(orders: Records, book: Book) -> Outcome:
    """Return trades and statuses as the reference names them."""
    statuses = {
        (int(order["strategy"]), int(order["index"])): Status(int(status)).name.lower()
        for order, status in zip(orders, book.status, strict=True)
    }
    closed = book.closed[: int(book.day["n_closed"][0])]
    return sorted(_trade(orders[p["order"]], p) for p in closed), statuses


def _trade(order: Records, position: Records) -> Trade:
    legs = order["legs"] >= 0
    return Trade(
        int(order["strategy"]),
        int(order["index"]),
        int(position["lots"]),
        int(order["row"]),
        int(position["entry_row"]),
        int(position["exit_decided_row"]),
        int(position["exit_row"]),
        Reason(int(position["reason"])).name,
        bool(position["stale"]),
        tuple(position["entry_paise"][legs].tolist()),
        tuple(position["exit_paise"][legs].tolist()),
        tuple(position["charges_paise"][legs].tolist()),
    )


def slow(market: Market, rates: Rates = RATES) -> Outcome:
    """Walk the day with the reference."""

    def charge(premium_paise: int, side: int) -> int:
        return int(order_charge_paise(premium_paise, side, rates))

    result = reference(*market, charge)
    trades = [
        Trade(
            t.place,
            t.order,
            t.lots,
            t.decided_row,
            t.entry_row,
            t.exit_decided_row,
            t.exit_row,
            t.reason,
            t.stale,
            tuple(leg.entry_price for leg in t.legs),
            tuple(leg.exit_price for leg in t.legs),
            tuple(leg.charges_paise for leg in t.legs),
        )
        for t in result.trades
    ]
    return sorted(trades), result.outcomes
