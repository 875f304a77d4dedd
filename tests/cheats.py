"""Strategies that look ahead in the ways people do, and their honest siblings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np

from optiq import Context, Orders, Panel
from optiq.trade.strategies import Strategy, from_module

Rule = Callable[[Panel], Orders]


@dataclass(frozen=True)
class Params:
    """None."""


def strategy(rule: Rule, name: str = "mine", needs: tuple[str, ...] = ()) -> Strategy:
    """A user's strategy that asks ``rule`` for its orders."""
    module = ModuleType(name)
    module.Params, module.NEEDS = Params, needs
    module.entries = lambda panel, context, params: rule(panel)
    return from_module(name, module)


def calls_where(panel: Panel, rows: np.ndarray, strength: object = 50.0) -> Orders:
    """Buy every quoted call within 100 points of spot on the rows that are true."""
    near = np.abs(panel.strike - panel.spot[:, None]) <= 100.0
    mask = near & (panel.right > 0) & (panel.ltp > 0) & rows[:, None]
    return Orders.single(panel, mask, strength=strength)


def with_late_contracts(panel: Panel, seed: int = 1) -> Panel:
    """The same day, but a third of the contracts begin at a random row, all their own."""
    rng = np.random.default_rng(seed)
    start = np.where(
        rng.random(panel.n_contracts) < 1 / 3,
        rng.integers(1, panel.n_rows, panel.n_contracts),
        0,
    )
    early = np.arange(panel.n_rows)[:, None] < start
    fields = {name: np.where(early, np.nan, values) for name, values in panel.fields.items()}
    return replace(panel, fields=fields)


# Cheats


def peeks_one_row_ahead(panel: Panel) -> Orders:
    ahead = np.append(panel.spot[1:], np.nan)
    return calls_where(panel, ahead > panel.spot + 3.0)


def peeks_one_row_ahead_where_there_is_one(panel: Panel) -> Orders:
    ahead = np.append(panel.spot[1:], panel.spot[-1:])
    return calls_where(panel, ahead % 50.0 > 25.0)


def peeks_once_a_day(panel: Panel) -> Orders:
    rise = np.append(np.diff(panel.spot), np.nan)[: panel.n_rows]
    first = np.zeros(panel.n_rows, bool)
    first[np.flatnonzero(rise > 15.0)[:1]] = True
    return calls_where(panel, first)


def peeks_with_roll(panel: Panel) -> Orders:
    return calls_where(panel, np.roll(panel.spot, -1) > panel.spot + 3.0)


def knows_the_extremes_of_the_day(panel: Panel) -> Orders:
    high, low = np.max(panel.spot, initial=0.0), np.min(panel.spot, initial=1e6)
    return calls_where(panel, panel.spot > 0.5 * (high + low))


def centres_its_moving_average(panel: Panel) -> Orders:
    mean = np.array([panel.spot[max(0, r - 2) : r + 3].mean() for r in range(panel.n_rows)])
    return calls_where(panel, panel.spot > mean + 1.0)


def normalises_by_the_mean_of_the_day(panel: Panel) -> Orders:
    strength = 50.0 * panel.spot / panel.spot.sum() * max(1, panel.n_rows)
    share = np.broadcast_to(np.minimum(strength, 100.0)[:, None], panel.ltp.shape)
    return calls_where(panel, panel.minute % 20 < 1, share)


def counts_the_contracts(panel: Panel) -> Orders:
    return calls_where(panel, panel.minute % 20 < 1, float(panel.n_contracts % 101))


def compares_with_the_last_row(panel: Panel) -> Orders:
    return calls_where(panel, (panel.spot < panel.spot[-1:].sum()) & (panel.minute % 20 < 1))


def fills_backwards(panel: Panel) -> Orders:
    seen = np.where(panel.minute % 7 < 1, panel.spot, np.nan)
    filled = np.fmin.accumulate(seen[::-1])[::-1]
    return calls_where(panel, panel.spot < filled)


def counts_down_to_the_end(panel: Panel) -> Orders:
    return calls_where(panel, np.arange(panel.n_rows) >= panel.n_rows - 5)


def takes_the_leftmost_column(panel: Panel) -> Orders:
    quoted = (panel.right > 0) & (panel.ltp > 0) & (panel.minute % 20 < 1)[:, None]
    return Orders.single(panel, quoted & (quoted.cumsum(axis=1) == 1))


def ranks_by_column(panel: Panel) -> Orders:
    place = np.broadcast_to(np.arange(panel.n_contracts) % 101.0, panel.ltp.shape)
    return calls_where(panel, panel.minute % 20 < 1, place)


def draws_lots(panel: Panel) -> Orders:
    return calls_where(panel, np.random.default_rng().random(panel.n_rows) < 0.1)


class Remembers:
    """Keeps the longest day it was shown, and looks the answer up there from then on."""

    def __init__(self) -> None:
        self.spot = np.empty(0)

    def __call__(self, panel: Panel) -> Orders:
        if panel.n_rows > len(self.spot):
            self.spot = panel.spot
        ahead = np.append(self.spot[1:], np.nan)[: panel.n_rows]
        return calls_where(panel, ahead > panel.spot + 3.0)


CHEATS: tuple[Rule, ...] = (
    peeks_one_row_ahead,
    peeks_one_row_ahead_where_there_is_one,
    peeks_once_a_day,
    peeks_with_roll,
    knows_the_extremes_of_the_day,
    centres_its_moving_average,
    normalises_by_the_mean_of_the_day,
    counts_the_contracts,
    compares_with_the_last_row,
    fills_backwards,
    counts_down_to_the_end,
    takes_the_leftmost_column,
    ranks_by_column,
    draws_lots,
)

# What each might have done instead


def looks_one_row_back(panel: Panel) -> Orders:
    before = np.append(np.nan, panel.spot[:-1])[: panel.n_rows]
    return calls_where(panel, panel.spot > before + 3.0)


def knows_the_high_so_far(panel: Panel) -> Orders:
    return calls_where(panel, panel.spot == np.fmax.accumulate(panel.spot))


def trails_its_moving_average(panel: Panel) -> Orders:
    mean = np.array([panel.spot[max(0, r - 4) : r + 1].mean() for r in range(panel.n_rows)])
    return calls_where(panel, panel.spot > mean + 1.0)


def normalises_by_the_mean_so_far(panel: Panel) -> Orders:
    mean = np.cumsum(panel.spot) / np.arange(1, panel.n_rows + 1)
    share = np.broadcast_to(np.minimum(50.0 * panel.spot / mean, 100.0)[:, None], panel.ltp.shape)
    return calls_where(panel, panel.minute % 20 < 1, share)


def takes_the_lowest_strike(panel: Panel) -> Orders:
    quoted = (panel.right > 0) & (panel.ltp > 0) & (panel.minute % 20 < 1)[:, None]
    quoted &= panel.expiry == panel.expiry.min(initial=np.datetime64("2100-01-01"))
    strike = np.where(quoted, panel.strike, np.inf)
    return Orders.single(panel, quoted & (strike == strike.min(axis=1, initial=np.inf)[:, None]))


HONEST: tuple[Rule, ...] = (
    looks_one_row_back,
    knows_the_high_so_far,
    trails_its_moving_average,
    normalises_by_the_mean_so_far,
    takes_the_lowest_strike,
)


def follows_the_model(panel: Panel, context: Context) -> Orders:
    """Buy calls where the direction model says so; it must have as many rows as the panel."""
    assert context.direction is not None
    assert context.direction.shape == (panel.n_rows, 3)
    return calls_where(panel, context.direction[:, 2] > 0.6)
