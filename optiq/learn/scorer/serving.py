"""A scorer as the rest of optiq sees one: a plain callable over a panel and its orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from optiq.learn.scorer.model import ScorerModel
from optiq.market.context import Context
from optiq.market.features import FeatureDay, contracts_of, market_of
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray
from optiq.run.asking import Scorer
from optiq.trade.orders import NO_LEG, ExitRule, Orders

RULE = tuple(ExitRule.__slots__)


class StoredFiles(Protocol):
    """What is asked of a stored model: files whose manifest was checked, by name."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """Content by file name."""


def scorer_from(stored: StoredFiles) -> Scorer:
    """Return the scorer of a registered version as a callable.

    It gives 0 to 100 for each order, whole numbers; NaN for orders it was not taught to judge
    (sold legs, several legs, another exit rule) and where too few features are known. What it
    says of a row is the same, bit for bit, however far the day has come. `InputError` for an
    underlying it has not learnt.
    """
    return scorer_of(ScorerModel.from_files(stored.files))


def scorer_of(model: ScorerModel) -> Scorer:
    """Return a trained scorer as a callable."""

    def score(panel: Panel, context: Context, orders: Orders) -> FloatArray:
        model.require(panel.underlying)
        scores = np.full(len(orders), np.nan)
        judged = np.flatnonzero(judges(model.question.rule, orders))
        if len(judged):
            cells = (orders.row[judged], orders.legs[judged, 0])
            scores[judged] = model.score(features_of(panel, context, *cells))
        return scores

    return score


def judges(rule: ExitRule, orders: Orders) -> BoolArray:
    """Return (n,) which orders are bought single contracts under the rule."""
    mine: BoolArray = (orders.legs[:, 1:] == NO_LEG).all(axis=1) & (orders.side[:, 0] == 1)
    for name in RULE:
        asked, taught = getattr(orders, name), getattr(rule, name)
        mine &= (asked == taught) | (np.isnan(asked) & np.isnan(taught))
    return mine


def features_of(panel: Panel, context: Context, rows: IntArray, contracts: IntArray) -> AnyArray:
    """Return what a scorer sees of cells of a panel, (n, 34) float32, NaN where unknown."""
    day = FeatureDay(panel, context, int(rows.min(initial=panel.n_rows)))
    market = market_of(day)[rows]
    return np.hstack([market, contracts_of(day, rows, contracts)]).astype(np.float32)
