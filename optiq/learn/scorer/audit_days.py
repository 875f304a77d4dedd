"""Checks of a scorer that ask whole days anew: a longer past, features moved in time, no edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from optiq.errors import InputError
from optiq.learn.audit import Found
from optiq.learn.audit_market import UNDERLYING, fair_market, with_older_days
from optiq.learn.dataset import Dataset, dataset
from optiq.learn.intervals import Interval, mean_interval
from optiq.learn.labels import exit_rule
from optiq.learn.scorer.fit import fit
from optiq.learn.scorer.measure import measure
from optiq.learn.scorer.serving import scorer_of
from optiq.learn.scorer.training import Plan, folds_of, train
from optiq.market.manifest import DayManifest
from optiq.market.panel import Panel
from optiq.market.schema import PRICES, AnyArray, BoolArray, FloatArray, IntArray
from optiq.trade.orders import Orders
from optiq.trade.tradability import tradable

if TYPE_CHECKING:
    from optiq.learn.scorer.audit import Subject

SHIFT_DAYS = 60
WALK_DAYS, WALK_SECONDS, WALK_STRIKES, WALK_ROWS = 20, 100.0, 4, 6_000
WALK_SHIFT = 6
"""Rows, ten minutes: on a random walk what is known now tells no more than what was then."""
SURE = 0.99
"""Two-sided: an honest scorer is accused one time in two hundred."""


def warm_up(asked: Subject) -> Found:
    """Put older days, before all that features remember, before a day: no score may differ."""
    day = asked.days[-1]
    panel = asked.store.read_panel(day.underlying, day.date, PRICES).chain_only
    context = asked.store.context(day.underlying, day.date)
    rule = exit_rule(asked.recipe.strategy)
    orders = Orders.single(panel, tradable(panel, asked.recipe.strategy.params), rule=rule)
    scorer, differing = scorer_of(asked.model), 0
    whole = scorer(panel, context, orders)
    for times in (2, 4):
        n = max(1, len(context.sessions)) * (times - 1)
        longer = scorer(panel, with_older_days(context, panel, n, asked.seed), orders)
        differing += int((~_same(longer, whole)).sum())
    says = f"{differing} of {len(orders):,} scores of {day.date} differ with 2x, 4x the days"
    return differing == 0, says, {"statements": len(orders), "differences": differing}


def shifted(asked: Subject) -> Found:
    """Fit on features a row older and a row newer: older ones may not rank the outcomes better.

    Where they do, features and outcomes are out of line. Newer ones should, as they see a part of
    the outcome: by how much says what the check can see.
    """
    data, views = _views(asked, (-1, 0, 1))
    if not len(data):
        return True, "no row has one before it and one after it", {}
    older, now, newer = (_by_session(asked, data, views[k]) for k in (-1, 0, 1))
    late = mean_interval(older - now, np.ones(len(now)), level=SURE)
    verdict = "; they are out of line" if _is_above_zero(late) else _doubt(late)
    says = (
        f"outcomes are ranked at {now.mean():.3f} within sessions, by features a row older at "
        f"{older.mean():.3f}, a row newer at {newer.mean():.3f}{verdict}"
    )
    ranks = {"older": float(older.mean()), "now": float(now.mean()), "newer": float(newer.mean())}
    return not _is_above_zero(late), says, {**ranks, "sessions": len(now)}


def random_walk(asked: Subject) -> Found:
    """Put a market without an edge through features, labels, fits and figures.

    Its best purchases may not earn, and what is seen now may not rank them better than what was
    seen ten minutes before: nothing but the outcome could.
    """
    with fair_market(
        WALK_DAYS, asked.seed, row_seconds=WALK_SECONDS, strikes_each_side=WALK_STRIKES
    ) as store:
        days = store.days(UNDERLYING)
        data = dataset(store, days, asked.recipe, most_rows=WALK_ROWS)
        walk = replace(asked, data=data, store=store, days=tuple(days))
        rows, views = _views(walk, (-WALK_SHIFT, 0))
        try:
            top = _top_decile(walk)
            older, now = (_by_session(walk, rows, views[k]) for k in (-WALK_SHIFT, 0))
        except InputError as reason:
            return True, f"a random walk teaches nothing: {reason}", {"rows": len(data)}
    seen = mean_interval(now - older, np.ones(len(now)), level=SURE)
    says = (
        f"{len(data):,} purchases of {WALK_DAYS} sessions of a random walk: the best tenth brings "
        f"{top.value:,.0f} rupees a trade, net{_bounds(top)}; they are ranked at {now.mean():.3f}, "
        f"by features ten minutes older at {older.mean():.3f}"
        + ("; the features have seen the outcome" if _is_above_zero(seen) else "")
    )
    numbers = {"net": top.value, "now": float(now.mean()), "older": float(older.mean())}
    return not _is_above_zero(top) and not _is_above_zero(seen), says, numbers


def _top_decile(walk: Subject) -> Interval:
    plan = Plan(fit=walk.settings, lockbox=0, seed=walk.seed)
    worth = measure(train(walk.data, walk.model.question, plan), None)
    metric = "net P&L per trade, top decile"
    return next(one.interval for one in worth.figures if one.metric == metric)


def within_sessions(values: AnyArray, won: BoolArray, session: AnyArray) -> float:
    """Return how often a winner is above a loser of its own session, ties half; 0.5 if never known.

    ``values`` (n,), NaN left out; all sessions' pairs count alike.
    """
    from scipy.stats import rankdata

    known = ~np.isnan(values)
    above = pairs = 0.0
    for day in np.unique(session[known]):
        mine = known & (session == day)
        n_won = int(won[mine].sum())
        n_lost = int(mine.sum()) - n_won
        if n_won and n_lost:
            ranks = rankdata(values[mine])
            above += float(ranks[won[mine]].sum()) - n_won * (n_won + 1) / 2
            pairs += n_won * n_lost
    return above / pairs if pairs else 0.5


def _by_session(asked: Subject, data: Dataset, features: AnyArray) -> FloatArray:
    """Return (n_sessions,) how well fits on these features rank each session they are tested on."""
    seen, ranks = replace(data, features=features), []
    for fold in folds_of(seen)[0]:
        train_rows, calibrate_rows = seen.examples(fold.train), seen.examples(fold.calibrate)
        if not 0 < train_rows.won.sum() < len(train_rows):
            continue
        fitted = fit(train_rows, calibrate_rows, asked.settings)
        margin = replace(asked.model, trees=fitted.text).margin(features[fold.test])
        won, session = seen.won[fold.test], seen.session[fold.test]
        for day in np.unique(session):
            mine = session == day
            ranks.append(within_sessions(margin[mine], won[mine], session[mine]))
    return np.array(ranks)


def _views(asked: Subject, shifts: Sequence[int]) -> tuple[Dataset, dict[int, AnyArray]]:
    """Return the rows that have others so many rows away, and their features as of each of these.

    At most so many days, from the first to the last.
    """
    kept, views = [np.empty(0, np.int64)], {k: [np.empty((0, 0))] for k in shifts}
    every = np.unique(np.linspace(0, len(asked.days) - 1, SHIFT_DAYS).round().astype(int))
    for day in (asked.days[at] for at in every.tolist()):
        panel = asked.store.read_panel(day.underlying, day.date, PRICES)
        context = asked.store.context(day.underlying, day.date)
        at = _rows_of(asked.data, day)
        row, contract = _cells(asked.data, at, panel)
        inside = (row + min(shifts) >= 0) & (row + max(shifts) < panel.n_rows)
        if inside.any():
            kept.append(at[inside])
            for k, parts in views.items():
                parts.append(asked.look(panel, context, row[inside] + k, contract[inside]))
    together = {k: np.concatenate(parts[1:] or parts) for k, parts in views.items()}
    return asked.data.take(np.concatenate(kept)), together


def _rows_of(data: Dataset, day: DayManifest) -> IntArray:
    own = (data.session == np.datetime64(day.date)) & (data.underlying == day.underlying)
    return np.flatnonzero(own)


def _cells(data: Dataset, at: IntArray, panel: Panel) -> tuple[IntArray, IntArray]:
    """Return row and column in the panel of labelled rows."""
    named = zip(panel.expiry.tolist(), panel.strike.tolist(), panel.right.tolist(), strict=True)
    column = {contract: place for place, contract in enumerate(named)}
    asked = zip(
        data.expiry[at].astype("datetime64[D]").tolist(),
        data.strike[at].astype(float).tolist(),
        data.right[at].astype(int).tolist(),
        strict=True,
    )
    contract = np.array([column[name] for name in asked], np.int64)
    return np.searchsorted(panel.ts, data.ts[at]), contract


def _same(one: FloatArray | None, other: FloatArray | None) -> BoolArray:
    return np.asarray(np.isclose(one, other, 0.0, 0.0, equal_nan=True))  # type: ignore[arg-type]


def _is_above_zero(found: Interval) -> bool:
    return found.is_known and found.low > 0


def _bounds(found: Interval) -> str:
    return f" ({found.low:,.0f} to {found.high:,.0f})" if found.is_known else _doubt(found)


def _doubt(found: Interval) -> str:
    return "" if found.is_known else f" ({found.note})"
