"""What a scorer is worth on rows it has not seen, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optiq.learn.intervals import Statistic, session_bounds
from optiq.learn.measured import Evidence, Measured
from optiq.learn.validate import Interval, interval, mean_interval
from optiq.market.compiling import compiled
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray, TimeArray

TOP = 10
"""Rows of a day that "the day's top ten" are."""
BINS = 10
STRETCH_MINUTES = 30.0
"""Of one session: rows nearer than that share most of what becomes of them."""


@dataclass(frozen=True)
class Scored:
    """Tested rows, each scored by a model that has seen no session from its own on.

    Attributes
    ----------
    chance, margin : (n,) float
        The calibrated P(net P&L > 0), NaN where the scorer cannot say; and what ranks rows of
        equal chance.
    won : (n,) bool
    net_pnl : (n,) float
        Rupees of one lot after charges.
    base : (n,) float
        Share of winners among the rows its model learnt from: the forecast to beat.
    session : (n,) int
        Number of its session, 0 to ``n_sessions - 1``.
    """

    chance: FloatArray
    margin: FloatArray
    won: BoolArray
    net_pnl: FloatArray
    base: FloatArray
    session: IntArray
    n_sessions: int

    def __len__(self) -> int:
        return len(self.won)

    def known(self) -> Scored:
        """Return the rows that have a chance."""
        return self.take(~np.isnan(self.chance))

    def take(self, rows: AnyArray) -> Scored:
        """Return some rows; the sessions keep their numbers."""
        arrays = ("chance", "margin", "won", "net_pnl", "base", "session")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})

    def per_session(self, values: AnyArray) -> FloatArray:
        """Return (n_sessions,) sums of (n,) values over each session's rows."""
        return _sums(self.session, values, self.n_sessions)

    def per_bin(self, values: AnyArray, number: IntArray, n_bins: int = BINS) -> FloatArray:
        """Return (n_sessions, n_bins) sums of values over each session's rows in each bin."""
        cell = self.session * n_bins + number
        return _sums(cell, values, self.n_sessions * n_bins).reshape(self.n_sessions, n_bins)


def figures(scored: Scored, evidence: Evidence) -> list[Measured]:
    """Return every figure of a scorer; intervals resample sessions."""
    rows, ones = scored.known(), np.ones(len(scored))
    measured = {
        "AUC": auc(rows),
        "Brier": _mean(rows, (rows.chance - rows.won) ** 2),
        "Brier skill": _interval(rows, brier_skill(rows)),
        "log loss": _mean(rows, log_losses(rows.chance, rows.won)),
        "ECE": _interval(rows, calibration_error(rows)),
        f"precision, top {TOP} a day": precision_at_top(rows),
        "win rate, top decile": _top_decile(rows, rows.won),
        "lift, top decile": _interval(rows, top_decile_lift(rows)),
        "net P&L per trade, top decile": _top_decile(rows, rows.net_pnl),
        "coverage": mean_interval(
            scored.per_session(~np.isnan(scored.chance)), scored.per_session(ones)
        ),
    }
    return [Measured(name, found, evidence) for name, found in measured.items()]


def buying_everything(scored: Scored, evidence: Evidence) -> list[Measured]:
    """Return the figures of the forecast that all chances are the base rate: trade whatever."""
    measured = {
        "Brier": _mean(scored, (scored.base - scored.won) ** 2),
        "log loss": _mean(scored, log_losses(scored.base, scored.won)),
        "win rate": _mean(scored, scored.won),
        "net P&L per trade": _mean(scored, scored.net_pnl),
    }
    return [Measured(name, found, evidence) for name, found in measured.items()]


def log_losses(chance: FloatArray, won: BoolArray) -> FloatArray:
    """Return (n,) what each forecast cost, in nats; a certainty that fails costs 34.5."""
    came = np.clip(np.where(won, chance, 1.0 - chance), 1e-15, None)
    losses: FloatArray = -np.log(came)
    return losses


def auc(rows: Scored, **options: Any) -> Interval:
    """Return how often a winner is ranked above a loser, ties half."""
    return _interval(rows, auc_of(rows.chance, rows.won, rows.session, rows.n_sessions), **options)


def auc_within_a_session(rows: Scored, ts: TimeArray) -> Interval:
    """Return the AUC of one session's rows with bounds that rest on its half hours.

    ``ts`` (n,) are the rows' moments.
    """
    spent = float((ts.max() - ts.min()) / np.timedelta64(1, "m"))
    value = auc_of(rows.chance, rows.won, np.zeros(len(rows), np.int64), 1)
    stretches = max(1, int(spent // STRETCH_MINUTES))
    return session_bounds(float(value(np.ones((1, 1), np.int64))[0]), stretches, STRETCH_MINUTES)


def auc_of(chance: FloatArray, won: BoolArray, session: IntArray, n_sessions: int) -> Statistic:
    """Return the AUC as a statistic of how often each session counts.

    Pairs of a winner and a loser are counted once for every two sessions; any resample of the
    sessions is then a quadratic form of those counts. Rows without a chance (NaN) are left out.
    """
    known = ~np.isnan(chance)
    chance, won, session = chance[known], won[known], session[known]
    order = np.argsort(chance, kind="stable")
    pairs = _pairs(chance[order], won[order], session[order], n_sessions)
    winners = np.bincount(session[won], minlength=n_sessions).astype(float)
    losers = np.bincount(session[~won], minlength=n_sessions).astype(float)

    def statistic(times: IntArray) -> FloatArray:
        ranked = ((times @ pairs) * times).sum(axis=1)
        return _share(ranked, (times @ winners) * (times @ losers))

    return statistic


def brier_skill(rows: Scored) -> Statistic:
    """Return 1 - Brier / Brier of the base rate: above 0 the scorer knows more than that."""
    mine = rows.per_session((rows.chance - rows.won) ** 2)
    plain = rows.per_session((rows.base - rows.won) ** 2)
    return lambda times: 1.0 - _share(times @ mine, times @ plain)


def calibration_error(rows: Scored) -> Statistic:
    """Return the expected calibration error: mean distance of said and come, in ten equal bins."""
    number = bins_of(rows)
    said, came = rows.per_bin(rows.chance, number), rows.per_bin(rows.won, number)
    n = rows.per_session(np.ones(len(rows)))
    return lambda times: _share(np.abs(times @ said - times @ came).sum(axis=1), times @ n)


def precision_at_top(rows: Scored) -> Interval:
    """Return the share of winners among each session's ten highest."""
    top = rows.take(top_rows(rows))
    return _mean(top, top.won)


def top_rows(rows: Scored) -> IntArray:
    """Return the rows of each session's ten highest chances; of equal ones the higher margins."""
    order = np.lexsort((-rows.margin, -rows.chance, rows.session))
    ordered = rows.session[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    chosen: IntArray = order[place < TOP]
    return chosen


def top_decile_lift(rows: Scored) -> Statistic:
    """Return the win rate of the top decile over that of all rows."""
    top = rows.take(bins_of(rows) == BINS - 1)
    won, n = top.per_session(top.won), top.per_session(np.ones(len(top)))
    all_won, all_n = rows.per_session(rows.won), rows.per_session(np.ones(len(rows)))
    return lambda times: _share(
        _share(times @ won, times @ n), _share(times @ all_won, times @ all_n)
    )


def bins_of(rows: Scored) -> IntArray:
    """Return (n,) the tenth of the rows each is in by chance, then margin: 0 lowest, 9 highest."""
    order = np.lexsort((rows.margin, rows.chance))
    number = np.empty(len(rows), np.int64)
    number[order] = np.arange(len(rows)) * BINS // max(1, len(rows))
    return number


def reliability(scored: Scored) -> list[dict[str, float | None]]:
    """Return what was said and what came in each tenth of the rows, lowest chances first."""
    rows = scored.known()
    number = bins_of(rows)
    table = []
    for k in range(BINS):
        part = rows.take(number == k)
        came = _mean(part, part.won)
        table.append(
            {
                "predicted": float(part.chance.mean()),
                "observed": came.value,
                "low": _or_none(came.low),
                "high": _or_none(came.high),
                "rows": len(part),
            }
        )
    return table


def deciles(scored: Scored) -> list[dict[str, float | None]]:
    """Return the net result per trade of each tenth of the rows, rupees, lowest chances first."""
    rows = scored.known()
    number = bins_of(rows)
    table = []
    for k in range(BINS):
        part = rows.take(number == k)
        net = _mean(part, part.net_pnl)
        table.append(
            {
                "decile": k + 1,
                "net": net.value,
                "low": _or_none(net.low),
                "high": _or_none(net.high),
                "trades": len(part),
            }
        )
    return table


def _sums(number: IntArray, values: AnyArray, n: int) -> FloatArray:
    sums: AnyArray = np.bincount(number, np.asarray(values, np.float64), minlength=n)
    return sums.astype(np.float64)


def _interval(rows: Scored, statistic: Statistic, **options: Any) -> Interval:
    return interval(statistic, rows.n_sessions, **options)


def _mean(rows: Scored, values: AnyArray) -> Interval:
    return mean_interval(rows.per_session(values), rows.per_session(np.ones(len(rows))))


def _top_decile(rows: Scored, values: AnyArray) -> Interval:
    is_top = bins_of(rows) == BINS - 1
    return _mean(rows.take(is_top), values[is_top])


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return part / whole, NaN where there is no whole."""
    shares: FloatArray = np.divide(part, whole, out=np.full_like(part, np.nan), where=whole != 0)
    return shares


def _or_none(bound: float) -> float | None:
    return None if np.isnan(bound) else bound


@compiled
def _pairs(chance: FloatArray, won: BoolArray, session: IntArray, n_sessions: int) -> FloatArray:
    """Return (n_sessions, n_sessions) how often a winner of one outranks a loser of the other.

    Rows come by ascending chance; a tie counts half.
    """
    pairs = np.zeros((n_sessions, n_sessions))
    below = np.zeros(n_sessions)
    start = 0
    while start < len(chance):
        stop = start
        tied = np.zeros(n_sessions)
        while stop < len(chance) and chance[stop] == chance[start]:
            if not won[stop]:
                tied[session[stop]] += 1.0
            stop += 1
        for row in range(start, stop):
            if won[row]:
                for other in range(n_sessions):
                    pairs[session[row], other] += below[other] + 0.5 * tied[other]
        for other in range(n_sessions):
            below[other] += tied[other]
        start = stop
    return pairs
