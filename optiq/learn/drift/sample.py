"""What a session looked like: features at the decision points and the recording's own levels.

And what a scorer said of the same contracts, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optiq.market.context import Context
from optiq.market.feature_day import FeatureDay
from optiq.market.feature_table import CONTRACT_FEATURES, MARKET_FEATURES
from optiq.market.features import contracts_of, market_of
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, FloatArray, IntArray
from optiq.run.choosing import decision_rows
from optiq.trade.tradability import in_band

BAND = 0.03
"""Contracts farther from spot are left out: on many days they are hardly quoted."""
EDGES_OF_MONEYNESS = (-1.0, 1.0)
"""Standard deviations: in the money, about it, out of it; like is compared with like."""
EDGES_OF_LIFE = (1.5, 4.5)
"""Days to expiry."""
N_BUCKETS = (len(EDGES_OF_MONEYNESS) + 1) * (len(EDGES_OF_LIFE) + 1)

LEVELS = (
    ("quotes", "quotes a snapshot"),
    ("premium", "log10 of the median last price over spot"),
    ("spread", "log10 of the median (ask - bid) / spot"),
    ("crossed", "share of books with ask below bid"),
    ("volume", "log10 of the day's volume"),
    ("open_interest", "log10 of the open interest"),
    ("spot", "log10 of spot over the close before"),
    ("forward_basis", "median of forward over spot, less 1"),
)
"""Levels that features, being ratios, do not see: name and what it is. One value a session."""

MARKET_NAMES = tuple(feature.name for feature in MARKET_FEATURES)
CONTRACT_NAMES = tuple(feature.name for feature in CONTRACT_FEATURES)
LEVEL_NAMES = tuple(name for name, _ in LEVELS)


@dataclass(frozen=True, slots=True)
class DaySample:
    """One session as drift sees it.

    Attributes
    ----------
    session : datetime64[D]
    market : (n_decisions, 23) float
        The market's features at each decision point, NaN where missing.
    contract : (n, 11) float
        Those of every contract within 3 % of spot there.
    bucket : (n,) int
        Moneyness and life of each of them, 0 to 8; -1 where moneyness is unknown.
    levels : (8,) float
        `LEVELS`, NaN where the source has none.
    score : (n,) float
        What a scorer says of each of them, 0 to 100; NaN where it cannot say, or none was asked.
    """

    session: np.datetime64
    market: FloatArray
    contract: FloatArray
    bucket: IntArray
    levels: FloatArray
    score: FloatArray


Score = Callable[[AnyArray], FloatArray]
"""Scores rows of features, (n, 34) float32 as a scorer sees them, in order of `FEATURES`."""


def sample(panel: Panel, context: Context, score: Score | None = None) -> DaySample:
    """Return what drift compares of a stored day."""
    chain = panel.chain_only
    due = decision_rows(chain)
    day = FeatureDay(chain, context)
    market = market_of(day)[due]
    rows, contracts = np.nonzero(in_band(chain, BAND)[due] & chain.observed[due])
    contract = contracts_of(day, due[rows], contracts)
    life = market[rows, MARKET_NAMES.index("days_to_expiry")]
    bucket = buckets(contract[:, CONTRACT_NAMES.index("moneyness")], life)
    said = np.full(len(rows), np.nan)
    if score is not None and len(rows):
        said = score(np.hstack([market[rows], contract]).astype(np.float32))
    session = np.datetime64(panel.date, "D")
    return DaySample(session, market, contract, bucket, levels(chain, context), said)


def buckets(moneyness: FloatArray, life: FloatArray) -> IntArray:
    """Return which contracts are alike, (n,) 0 to 8; -1 where moneyness or life is unknown."""
    place = 3 * np.digitize(moneyness, EDGES_OF_MONEYNESS) + np.digitize(life, EDGES_OF_LIFE)
    return np.where(np.isnan(moneyness) | np.isnan(life), -1, place)


@np.errstate(all="ignore")
def levels(chain: Panel, context: Context) -> FloatArray:
    """Return `LEVELS` of a day of chain rows, (8,)."""
    spot = chain.spot[:, None]
    near = in_band(chain, BAND)
    book = (chain.bid, chain.ask) if chain.has_book else (np.full_like(chain.ltp, np.nan),) * 2
    two_sided = near & ~np.isnan(book[0]) & ~np.isnan(book[1])
    before = context.closes[-1] if len(context.closes) else np.nan
    said = (
        chain.observed.sum() / max(chain.n_rows, 1),
        np.log10(_median((chain.ltp / spot)[near])),
        np.log10(_median(((book[1] - book[0]) / spot)[two_sided])),
        (book[1] < book[0])[two_sided].mean() if two_sided.any() else np.nan,
        np.log10(_last_total(chain.volume)),
        np.log10(_last_total(chain.oi)),
        np.log10(_median(chain.spot) / before),
        _median((chain.forward / spot)[near]) - 1,
    )
    values = np.array(said, np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _median(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else np.nan


def _last_total(values: FloatArray) -> float:
    """Return the sum over contracts of the greatest value each had."""
    known = values[:, ~np.isnan(values).all(axis=0)]
    return float(np.nanmax(known, axis=0).sum()) if known.size else np.nan
