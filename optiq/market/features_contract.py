"""Features of contracts in a row, for the pairs of row and contract that are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from optiq.market.black76_functions import polynomial_log
from optiq.market.compiling import compiled
from optiq.market.counts import NOT_A_COUNT, relative_change, units
from optiq.market.feature_day import NO_ROW, FeatureDay, Values, value_at
from optiq.market.parity import ABSENT, StrikePairs, quoted_price
from optiq.market.schema import BoolArray, FloatArray, IntArray

FEWEST_CONTRACTS = 3
"""A deviation among fewer says nothing."""
LEAST_DEVIATION = 1e-9
"""Equal values differ by rounding alone."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of the tail and columns, (k,) each; every pair exists."""

    row: IntArray
    contract: IntArray
    expiry: IntArray

    def cell(self, cells: FloatArray) -> FloatArray:
        """Return what (n_contracts, n_tail) holds of each."""
        return value_at(cells, self.contract, self.row)

    def of_expiry(self, by_expiry: FloatArray) -> FloatArray:
        """Return what (n_tail, n_expiries) holds of each."""
        return value_at(by_expiry, self.row, self.expiry)


def pair_features(day: FeatureDay, row: IntArray, contract: IntArray) -> Values:
    """Return the features of contracts on rows of the tail, (k,) each.

    ``row`` (k,) counts from the tail's first row. Every contract must have been quoted by then.
    """
    pairs = Pairs(row, contract, day.panel.expiry_index[contract])
    return {**_option(day, pairs), **_quote(day, pairs), **_activity(day, pairs)}


def _option(day: FeatureDay, pairs: Pairs) -> Values:
    """Return what the pricing model says."""
    forward = pairs.of_expiry(day.forward[day.tail :])
    atm_iv = pairs.of_expiry(day.atm_iv)
    deviation = atm_iv * np.sqrt(pairs.of_expiry(day.years))
    strike, right = day.panel.strike[pairs.contract], day.panel.right[pairs.contract]
    return {
        "moneyness": right * logarithm(strike / forward) / deviation,
        "delta": pairs.cell(day.cells("delta")),
        "gamma_1pct": pairs.cell(day.cells("gamma")) * forward / 100.0,
        "iv_minus_atm": pairs.cell(day.cells("iv")) - atm_iv,
    }


def _quote(day: FeatureDay, pairs: Pairs) -> Values:
    """Return what depends on the contract's own price."""
    price = prices(day, pairs.contract, pairs.row)
    before = day.back_in_tail(15)[pairs.row]
    exists = before >= day.first_in_tail[pairs.contract]
    earlier = prices(day, pairs.contract, np.where(exists, before, NO_ROW))
    bid, ask = (pairs.cell(day.cells(side)) for side in ("bid", "ask"))
    is_book = (bid > 0.0) & (ask >= bid)
    return {
        "theta_per_premium": pairs.cell(day.cells("theta")) / price,
        "vega_per_premium": pairs.cell(day.cells("vega")) / 100.0 / price,
        "relative_spread": np.where(is_book, (ask - bid) / (0.5 * (bid + ask)), np.nan),
        "premium_momentum_15m": price / earlier - 1.0,
    }


def _activity(day: FeatureDay, pairs: Pairs) -> Values:
    """Return how the contract is held and traded beside the others of its expiry."""
    wanted = np.zeros(len(day.panel.expiries), np.bool_)
    wanted[pairs.expiry] = True
    oi, change = pairs.cell(day.cells("oi")), pairs.cell(day.cells("oi_change"))
    return {
        "volume_z": _standing(day, pairs, "volume", wanted),
        "oi_z": _standing(day, pairs, "oi", wanted),
        "oi_change_relative": relative_change(oi, change),
    }


def _standing(day: FeatureDay, pairs: Pairs, name: str, wanted: BoolArray) -> FloatArray:
    logs = logarithms_of_units(day.cells(name), day.panel.expiry_index, wanted)
    mean, deviation = spread_of_expiry(logs, day.pairs, day.first_in_tail, wanted)
    return (pairs.cell(logs) - pairs.of_expiry(mean)) / pairs.of_expiry(deviation)


def prices(day: FeatureDay, contract: IntArray, row: IntArray) -> FloatArray:
    """Return the price of each pair, rupees; NaN where there is none or the row is negative."""
    last, bid, ask = (day.cells(name) for name in ("ltp", "bid", "ask"))
    price: FloatArray = _prices(last, bid, ask, day.panel.has_book, contract, row)
    return price


@compiled
def _prices(
    last: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    has_book: bool,
    contract: IntArray,
    row: IntArray,
) -> FloatArray:
    price = np.full(len(row), math.nan)
    for pair in range(len(row)):
        c, r = contract[pair], row[pair]
        if r >= 0:
            price[pair], _, _ = quoted_price(last[c, r], bid[c, r], ask[c, r], has_book)
    return price


@compiled
def logarithm(values: FloatArray) -> FloatArray:
    """Return the natural logarithm, the same bits wherever a value stands; NaN unless positive."""
    logs = np.full(len(values), math.nan)
    for place in range(len(values)):
        if 0.0 < values[place] < math.inf:
            logs[place] = polynomial_log(values[place])
    return logs


@compiled
def logarithms_of_units(
    quantity: FloatArray, expiry_index: IntArray, wanted: BoolArray
) -> FloatArray:
    """Return ln(1 + units) of the contracts of the wanted expiries; NaN elsewhere."""
    logs = np.full(quantity.shape, math.nan)
    for contract in range(len(quantity)):
        if wanted[expiry_index[contract]]:
            for row in range(quantity.shape[1]):
                count = units(quantity[contract, row])
                if count != NOT_A_COUNT:
                    logs[contract, row] = polynomial_log(1.0 + count)
    return logs


@compiled
def spread_of_expiry(
    values: FloatArray, pairs: StrikePairs, first: IntArray, wanted: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation over each expiry's contracts, (n_rows, n_expiries) each.

    Added up along the strikes. NaN under `FEWEST_CONTRACTS` and where all are equal.
    """
    shape = (values.shape[1], len(wanted))
    count, mean, deviation = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for is_second in (False, True):
        for pair in range(len(pairs.strike)):
            expiry = pairs.expiry[pair]
            for column in (pairs.call[pair], pairs.put[pair]):
                if column != ABSENT and wanted[expiry]:
                    for row in range(first[column], values.shape[1]):
                        value = values[column, row]
                        if math.isfinite(value) and is_second:
                            deviation[row, expiry] += (value - mean[row, expiry]) ** 2
                        elif math.isfinite(value):
                            mean[row, expiry] += value
                            count[row, expiry] += 1.0
        if not is_second:
            mean = np.where(count >= FEWEST_CONTRACTS, mean / count, math.nan)
    deviation = np.sqrt(deviation / count)
    return mean, np.where(deviation > LEAST_DEVIATION, deviation, math.nan)
