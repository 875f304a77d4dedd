"""Days for the walk made by hand: panels of calls, orders that buy, and their walk."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from panels import panel
from reference_book import Result, Trade
from reference_settings import Settings
from reference_walk import walk

from optiq.market.panel import Panel
from optiq.trade.orders import ExitRule, Orders

NAN = math.nan
NOON = 720.0
RULE = ExitRule(target=0.10, stop=0.10)
BOLD = ExitRule()


def flat_fee(premium_paise: int, side: int) -> int:
    """Two rupees a buy order, three a sale: told apart, and easy by hand."""
    return 200 if side > 0 else 300


def quotes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float64)


def book_panel(
    minutes: list[float],
    bid: np.ndarray,
    ask: np.ndarray,
    ltp: np.ndarray | None = None,
    chain: list[bool] | None = None,
    late_s: list[float] | None = None,
    has_book: bool = True,
    spot: float = 24_000.0,
) -> Panel:
    """A panel of calls at 24000, 24050, ...; ``ltp`` is the middle of the book unless given."""
    n_contracts = bid.shape[1]
    made = panel(
        minutes,
        (24_000.0 + 50.0 * np.arange(n_contracts)).tolist(),
        [1] * n_contracts,
        (bid + ask) / 2 if ltp is None else ltp,
        bid=bid,
        ask=ask,
        spot=spot,
        chain=chain,
    )
    late = (np.array(late_s or 0.0) * 1e6).astype("timedelta64[us]")
    return replace(made, known=made.ts + late, has_book=has_book)


def price_panel(minutes: list[float], *prices: tuple[float, ...]) -> Panel:
    """A panel whose books are locked at ``prices``: marks and fills are one number."""
    locked = quotes(*prices)
    return book_panel(minutes, locked, locked)


def every_minute(n_rows: int, start: float = NOON) -> list[float]:
    return [start + n for n in range(n_rows)]


def buy(row: list[int] | int, contract: int = 0, rule: ExitRule = RULE) -> Orders:
    rows = [row] if isinstance(row, int) else row
    return Orders.packages(np.array(rows), np.full((len(rows), 1), contract), 1, rule)


def spread(row: int, rule: ExitRule = RULE) -> Orders:
    """Buy the first contract, sell the second twice."""
    legs, side, ratio = np.array([[0, 1]]), np.array([[1, -1]]), np.array([[1, 2]])
    return Orders.packages(np.array([row]), legs, side, rule, ratio=ratio)


def go(panel: Panel, *orders: Orders, scores: list[np.ndarray] | None = None, **keys: object):
    named = [(f"strategy {n}", asked) for n, asked in enumerate(orders)]
    finish = bool(keys.pop("finish", True))
    return walk(panel, named, scores, Settings(**keys), flat_fee, finish)


def only(result: Result) -> Trade:
    (trade,) = result.trades
    return trade


def rows_and_reason(trade: Trade) -> tuple[int, int, int, int, str]:
    return (
        trade.decided_row, trade.entry_row, trade.exit_decided_row, trade.exit_row, trade.reason,
    )  # fmt: skip
