"""Does a strategy see what it may not? Checks that need nothing but the strategy and some days.

| check | what it does | fails when |
|---|---|---|
| truncation | days cut at many moments, their columns shuffled | any order differs |
| warm-up | 500, 1,000, 2,000 drawn sessions before the known ones | any order differs |
| shifted | a random walk traded as asked and with orders 5 rows later | waiting costs |
| random walk | a market without an edge, traded net of all costs | it shows a profit |

Stored days are asked where there are any; the random walk is simulated, options at their fair
price, and a direction model on it is a coin, so that what waits for one speaks too. What one row
ahead is worth the walk itself takes away: an order fills a row after it was decided. That is
what truncation is for, and what is wrong is named by row and contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optiq.learn.audit import Found
from optiq.learn.audit_market import UNDERLYING, fair_market, with_older_days
from optiq.learn.intervals import Interval, mean_interval
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.market.store import Store
from optiq.run.backtest import Settings, backtest_day
from optiq.run.mismatch import compare
from optiq.run.prefix import check, orders_of
from optiq.run.stored import fields_of
from optiq.trade.orders import Orders
from optiq.trade.strategies import Strategy

CUT_DAYS = 5
WALK_DAYS = 40
HISTORIES = (500, 1000, 2000)
LEAST_HISTORY = 60
"""Sessions; where fewer are stored, drawn ones come before them: a rank needs a past to speak."""
LATER = 5
"""Rows by which orders are held back: what is known of the minutes ahead is worth nothing then."""
SURE = 0.99
"""Two-sided: a strategy that sees nothing is accused one time in two hundred."""
Day = tuple[Panel, Context]


@dataclass(frozen=True)
class Subject:
    """A strategy and what it is asked: some days, a random walk, the settings it trades under."""

    strategy: Strategy
    days: tuple[Day, ...]
    walk: tuple[Day, ...]
    settings: Settings
    seed: int = 0


@contextmanager
def subject(
    strategy: Strategy, store: Store, underlying: str, settings: Settings, seed: int = 0
) -> Iterator[Subject]:
    """Keep what the checks ask: a few stored days, the last of the random walk where are none."""
    with fair_market(WALK_DAYS, seed) as market:
        walk = tuple(_days_of(market, UNDERLYING, strategy, WALK_DAYS, seed))
        days = tuple(_days_of(store, underlying, strategy, CUT_DAYS, seed))
        yield Subject(strategy, days or walk[-CUT_DAYS:], walk, settings, seed)


def _days_of(
    store: Store, underlying: str, strategy: Strategy, most: int, seed: int
) -> Iterator[Day]:
    days = store.days(underlying)
    picked = np.unique(np.linspace(0, len(days) - 1, min(most, len(days))).round().astype(int))
    for at in picked.tolist():
        date = days[at].date
        panel = store.read_panel(underlying, date, fields_of([strategy]))
        context = _with_a_coin(store.context(underlying, date), panel, seed)
        short = LEAST_HISTORY - len(context.sessions)
        yield panel, with_older_days(context, panel, short, seed) if short > 0 else context


def _with_a_coin(context: Context, panel: Panel, seed: int) -> Context:
    """Return the context with a direction model that knows nothing and is sure of it."""
    rng = np.random.default_rng([seed, panel.date.toordinal()])
    said = rng.dirichlet([0.6, 0.6, 0.6], len(panel.chain_rows))
    return replace(context, direction=said, direction_threshold=0.5)


def truncation(asked: Subject) -> Found:
    """Cut days at many moments and shuffle their columns: no order may differ."""
    cuts = statements = 0
    for panel, context in asked.days:
        (one,) = check([orders_of(asked.strategy)], panel.chain_only, context, seed=asked.seed)
        cuts, statements = cuts + one.cuts, statements + one.statements
        if one.mismatch is not None:
            return False, one.mismatch.message, {"cuts": cuts, "differences": 1}
    says = f"0 of {statements:,} orders differ over {cuts} cuts of {len(asked.days)} days"
    return True, says, {"cuts": cuts, "statements": statements, "differences": 0}


def warm_up(asked: Subject) -> Found:
    """Put ever more drawn sessions before the history: no order may differ."""
    panel, context = asked.days[-1]
    speaks, chain = orders_of(asked.strategy), panel.chain_only
    first, *others = (
        speaks.say(chain, with_older_days(context, panel, n, asked.seed)) for n in HISTORIES
    )
    for n, other in zip(HISTORIES[1:], others, strict=True):
        where = f"with {n:,} sessions before it"
        found = compare(speaks.name, chain, chain.n_rows, where, other, first)
        if found is not None:
            return False, found.message, {"differences": 1}
    histories = ", ".join(f"{n:,}" for n in HISTORIES)
    says = f"the {len(first):,} orders of {panel.date} are the same after {histories} sessions"
    return True, says, {"statements": len(first), "differences": 0}


def shifted(asked: Subject) -> Found:
    """Trade a random walk as asked and with each order later: waiting must cost nothing."""
    earlier, now, later = (
        _gross(asked.walk, moved(asked.strategy, rows), asked.settings)
        for rows in (-LATER, 0, LATER)
    )
    cost = mean_interval(now - later, np.ones(len(now)), level=SURE)
    says = (
        f"orders {LATER} rows later cost {_rupees(cost)} a session before charges; "
        f"{LATER} rows earlier would have brought {float((earlier - now).mean()):.0f} more"
    )
    numbers = {"cost": cost.value, "low": _known(cost.low), "earlier": float(earlier.mean())}
    return not (cost.is_known and cost.low > 0), says, numbers


def random_walk(asked: Subject) -> Found:
    """Trade a market without an edge: no profit may show, net of spread and charges."""
    net = np.array(
        [
            backtest_day(*day, [asked.strategy], asked.settings, compare_instant=False).net_paise
            for day in asked.walk
        ]
    )
    earned = mean_interval(net / 100.0, np.ones(len(net)))
    says = f"{len(net)} sessions of a random walk bring {_rupees(earned)} each, net"
    numbers = {"sessions": len(net), "net": earned.value, "low": _known(earned.low)}
    return not (earned.is_known and earned.low > 0), says, numbers


def moved(strategy: Strategy, rows: int) -> Strategy:
    """Return the strategy with each of its orders so many chain rows later; earlier below 0."""

    def rule(panel: Panel, context: Context, params: Any) -> Orders:
        orders = strategy.rule(panel, context, params)
        row = orders.row + rows
        kept = (row >= 0) & (row < panel.n_rows)
        return replace(orders, row=row).take(kept)

    return replace(strategy, rule=rule) if rows else strategy


def _gross(days: Sequence[Day], strategy: Strategy, settings: Settings) -> FloatArray:
    """Return (n_days,) rupees before charges."""
    gross = []
    for panel, context in days:
        done = backtest_day(panel, context, [strategy], settings, compare_instant=False)
        gross.append(float(np.sum(done.trades()["gross_pnl"])))
    return np.array(gross)


def _rupees(found: Interval) -> str:
    if not found.is_known:
        return f"{found.value:,.0f} rupees ({found.note})"
    return f"{found.value:,.0f} rupees ({found.low:,.0f} to {found.high:,.0f})"


def _known(bound: float) -> float | None:
    return None if np.isnan(bound) else bound


CHECKS: tuple[tuple[str, Callable[[Subject], Found]], ...] = (
    ("truncation", truncation),
    ("warm-up", warm_up),
    ("shifted", shifted),
    ("random walk", random_walk),
)
