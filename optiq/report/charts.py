"""What the page's charts draw, as plain lists: thinned to a size, extremes kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from optiq.errors import RuleError
from optiq.market import calendar
from optiq.market.panel import minute_of_day
from optiq.market.schema import FloatArray, IntArray, TimeArray
from optiq.report.ledger_lines import contract
from optiq.report.positions import Positions
from optiq.report.spot_paths import SpotPath
from optiq.run.recorded import RecordedRun, session_days
from optiq.trade.book import PAISE
from optiq.trade.ledger import Columns

EQUITY_POINTS = 2_000
DAYS = 40
"""A longer run shows the days of its largest gains and losses on the spot path."""
SPOT_POINTS = 500
TRADES_A_DAY = 100
FULL_DAY = (555.0, 930.0)
"""Where the calendar does not know a session's hours; the chart only needs a width."""


def thinned(values: FloatArray, limit: int) -> IntArray:
    """Return which values to draw, at most ``limit``: both ends, the extremes of each stretch.

    >>> thinned(np.array([0.0, 1, 9, 1, 0, -5, 0, 1, 0, 0]), 6).tolist()
    [0, 2, 5, 7, 9]
    """
    if len(values) <= limit:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), (limit - 2) // 2 + 1).astype(np.int64)
    kept = {0, len(values) - 1}
    for start, stop in pairwise(edges.tolist()):
        part = values[start:stop]
        kept |= {start + int(part.argmin()), start + int(part.argmax())}
    return np.array(sorted(kept))


def equity_chart(run: RecordedRun) -> dict[str, Any]:
    """Return the realised net and its drawdown at the moments of exits, of at least one.

    They start at 0 at the first day's open and reach to the last one's close.
    Time runs in sessions: each moment is the place of its day in ``days`` and its IST minute.
    """
    ts, equity = run.equity["ts"], np.asarray(run.equity["equity"], np.float64)
    dates = np.union1d(run.decided_on, session_days(ts)).tolist()
    hours = [_hours(date, run.summary["underlying"]) for date in dates]
    drawdown = equity - np.maximum(np.maximum.accumulate(equity), 0.0)
    shown = np.union1d(*(thinned(line, EQUITY_POINTS // 2) for line in (equity, drawdown)))
    place = np.searchsorted(np.array(dates, "datetime64[D]"), session_days(ts[shown]))
    return {
        "days": [[f"{date}", *span] for date, span in zip(dates, hours, strict=True)],
        "day": [0, *place.tolist(), len(dates) - 1],
        "minute": [hours[0][0], *_rounded(minute_of_day(ts[shown]), 2), hours[-1][1]],
        "equity": [0.0, *_rounded(equity[shown], 2), float(equity[-1])],
        "drawdown": [0.0, *_rounded(drawdown[shown], 2), round(float(drawdown[-1]), 2)],
    }


def drawn_days(positions: Positions, paths: Mapping[dt.date, SpotPath]) -> list[dt.date]:
    """Return the days with trades and a known spot: all, or of many the `DAYS` that moved most."""
    days, index = np.unique(positions.day, return_inverse=True)
    net = np.zeros(len(days), np.int64)
    np.add.at(net, index, positions.net)
    dates = [date for date in positions.dates if date in paths]
    size = dict(zip(days.tolist(), np.abs(net).tolist(), strict=True))
    return sorted(sorted(dates, key=lambda date: -size[date])[:DAYS])


def day_chart(
    date: dt.date, positions: Positions, trades: Columns, path: SpotPath, names: Sequence[str]
) -> dict[str, Any]:
    """Return one day's spot with its largest trades on it; ``names`` are the run's strategies."""
    of_day = positions.day == np.datetime64(date)
    shown = thinned(path.level, SPOT_POINTS)
    return {
        "date": f"{date}",
        "open": path.open_minute,
        "close": path.close_minute,
        "minute": _rounded(path.minute[shown], 2),
        "level": _rounded(path.level[shown], 2),
        "of": int(of_day.sum()),
        "net": int(positions.net[of_day].sum()) / PAISE,
        "trades": _marks(positions, trades, path, names, positions.largest(TRADES_A_DAY, of_day)),
    }


def _marks(
    positions: Positions, trades: Columns, path: SpotPath, names: Sequence[str], chosen: IntArray
) -> list[list[Any]]:
    """Return strategy, entry minute and spot, exit minute and spot, net, reason and contract."""
    place = {name: index for index, name in enumerate(names)}
    columns = (
        [place[name] for name in positions.strategy[chosen]],
        _rounded(positions.entry_minute[chosen], 2),
        _rounded(_within(path, positions.entry[chosen]), 2),
        _rounded(positions.exit_minute[chosen], 2),
        _rounded(_within(path, positions.exit[chosen]), 2),
        (positions.net[chosen] / PAISE).tolist(),
        positions.reason[chosen].tolist(),
        [contract(positions, trades, index) for index in chosen.tolist()],
    )
    return [list(row) for row in zip(*columns, strict=True)]


def _within(path: SpotPath, moments: TimeArray) -> FloatArray:
    """Return the spot at each moment, the day's first before there is one."""
    level = path.at(moments)
    return np.where(np.isnan(level), path.level[0], level)


def _hours(date: dt.date, underlying: str) -> tuple[float, float]:
    try:
        session = calendar.session(date, underlying)
    except RuleError:
        return FULL_DAY
    return session.open_minute, session.close_minute


def _rounded(values: FloatArray, digits: int) -> list[float]:
    rounded: list[float] = np.round(values, digits).tolist()
    return rounded
