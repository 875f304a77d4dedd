"""The 34 numbers that models see of a moment, named and explained in `feature_table`.

Everything here is prefix-invariant bit for bit: a row says the same whether the panel ends there
or at the close, whatever contracts appear later and wherever their columns lie. Monitor rows have
no features and no influence. What is missing is NaN, never 0, and nothing is infinite.
"""

from __future__ import annotations

import numpy as np

from optiq.market.context import Context
from optiq.market.feature_day import FeatureDay, Values
from optiq.market.feature_table import CONTRACT_FEATURES, FEATURES, MARKET_FEATURES, Feature
from optiq.market.features_chain import chain_features
from optiq.market.features_contract import pair_features
from optiq.market.features_session import session_features
from optiq.market.panel import Panel
from optiq.market.schema import CE, FloatArray, IntArray

__all__ = [
    "CONTRACT_FEATURES",
    "FEATURES",
    "MARKET_FEATURES",
    "Feature",
    "FeatureDay",
    "atm_call_features",
    "atm_calls",
    "contract_features",
    "market_features",
]


def market_features(panel: Panel, context: Context, first_row: int = 0) -> FloatArray:
    """Return the features of the market, (n_rows, 23) in the order of `MARKET_FEATURES`.

    NaN on monitor rows and on rows before ``first_row``: paper trading asks for its last row only,
    which costs what its windows reach back, not what the day has seen.
    """
    return market_of(FeatureDay(panel, context, first_row))


def contract_features(
    panel: Panel, context: Context, rows: IntArray, contracts: IntArray
) -> FloatArray:
    """Return the features of contracts on rows, (k, 11) in the order of `CONTRACT_FEATURES`.

    ``rows`` and ``contracts`` are (k,) each, row and column of ``panel``. NaN on monitor rows,
    before the first chain row that quotes the contract, and where either index is negative.
    """
    asked = rows[(rows >= 0) & (contracts >= 0)]
    return contracts_of(FeatureDay(panel, context, int(min(asked, default=0))), rows, contracts)


def atm_call_features(panel: Panel, context: Context, first_row: int = 0) -> FloatArray:
    """Return the contract's features of each row's call at the money, (n_rows, 11).

    At the strike nearest the forward of the nearest live expiry, the lower of two; NaN on rows
    without one, on monitor rows and on rows before ``first_row``.
    """
    day = FeatureDay(panel, context, first_row)
    return contracts_of(day, np.arange(panel.n_rows), atm_calls(day))


@np.errstate(all="ignore")
def market_of(day: FeatureDay) -> FloatArray:
    """Return `market_features` of a day whose intermediate results are shared."""
    values = _on_chain_rows(day)
    asked = np.full((day.whole.n_rows, len(MARKET_FEATURES)), np.nan)
    columns = [values[feature.name][day.start :] for feature in MARKET_FEATURES]
    asked[day.rows[day.start :]] = np.column_stack(columns)
    return _finite(asked)


@np.errstate(all="ignore")
def contracts_of(day: FeatureDay, rows: IntArray, contracts: IntArray) -> FloatArray:
    """Return `contract_features` of a day whose intermediate results are shared."""
    values = np.full((len(rows), len(CONTRACT_FEATURES)), np.nan)
    place = np.full(day.whole.n_rows, -1)
    place[day.rows[day.start :]] = np.arange(day.start, len(day.rows))
    there = np.flatnonzero((rows >= 0) & (contracts >= 0))
    row, contract = place[rows[there]], contracts[there]
    exists = (row >= 0) & (row >= day.first[contract])
    found = pair_features(day, row[exists] - day.tail, contract[exists])
    columns = [found[feature.name] for feature in CONTRACT_FEATURES]
    values[there[exists]] = np.column_stack(columns)
    return _finite(values)


def atm_calls(day: FeatureDay) -> IntArray:
    """Return the column of the call at the money, (n_rows,) of the whole panel; -1 without one."""
    columns = np.full(day.whole.n_rows, -1)
    is_it = (day.steps == 0) & (day.panel.right == CE)[:, None]
    if is_it.size:
        found = np.where(is_it.any(axis=0), is_it.argmax(axis=0), -1)
        columns[day.rows[day.start :]] = found[day.start - day.tail :]
    return columns


def _on_chain_rows(day: FeatureDay) -> Values:
    """Return the market's features by name, (n_chain_rows,) each."""
    values = session_features(day)
    for name, tail in chain_features(day).items():
        values[name] = np.concatenate([np.full(day.tail, np.nan), tail])
    values["iv_minus_realised"] = values["atm_iv"] - values["realised_vol_session"]
    values["minutes_to_close"] = day.panel.close_minute - day.panel.minute
    near = day.near[day.tail :]
    years = np.concatenate([np.full(day.tail, np.nan), day.per_tail_row(day.years, near)])
    values["days_to_expiry"] = 365.0 * years
    return values


def _finite(values: FloatArray) -> FloatArray:
    """Return the values with NaN for what a division by almost nothing made infinite."""
    return np.where(np.isfinite(values), values, np.nan)
