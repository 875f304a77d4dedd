"""What each feature is made from: a missing input makes it NaN and touches nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from feature_days import NOW, differing, everything, history, pencil_day
from panels import writable

from optiq.market.context import Context
from optiq.market.feature_table import FEATURES, MARKET_FEATURES
from optiq.market.features import contract_features, market_features
from optiq.market.panel import Panel
from optiq.market.schema import FIELDS

NAMES = [feature.name for feature in FEATURES]
PRICES = ("ltp", "bid", "ask")
PRICED = ("forward", "price", *PRICES)


def without(day: Panel, *names: str) -> Panel:
    missing = dict.fromkeys(names, np.full(day.ltp.shape, np.nan))
    return replace(day, fields={**day.fields, **missing})


def users_of(*inputs: str) -> set[str]:
    return {f.name for f in FEATURES if set(inputs) & set(f.source.split(", "))}


def test_sources_name_fields_of_a_panel_or_of_its_context() -> None:
    known = {*FIELDS, "forward", "price", "ts", "close_minute", "expiry"}
    known |= {f"context.{name}" for name in Context.__dataclass_fields__}
    assert {part for f in FEATURES for part in f.source.split(", ")} <= known


@pytest.mark.parametrize(
    "name", ["iv", "delta", "gamma", "theta", "vega", "volume", "oi", "oi_change"]
)
def test_a_missing_field_makes_its_features_nan_and_no_other(name: str) -> None:
    day, context = pencil_day(), history()
    whole, said = everything(day, context)[NOW], everything(without(day, name), context)[NOW]
    assert not np.isnan(whole).any()
    assert {NAMES[k] for k in np.flatnonzero(np.isnan(said))} == users_of(name)
    others = ~np.isnan(said)
    assert not differing(said[others], whole[others]).any()


@pytest.mark.parametrize(
    ("context", "silent"),
    [
        (replace(history(), atm_iv=np.full(25, np.nan)), users_of("context.atm_iv")),
        (replace(history(), closes=np.full(25, np.nan)), users_of("context.closes")),
        (Context(), users_of("context.atm_iv", "context.closes")),
    ],
)
def test_missing_history_makes_its_features_nan_and_no_other(context, silent) -> None:
    whole, said = (everything(pencil_day(), c)[NOW] for c in (history(), context))
    assert {NAMES[k] for k in np.flatnonzero(np.isnan(said))} == silent
    assert not differing(said[~np.isnan(said)], whole[~np.isnan(said)]).any()


def test_without_a_book_there_is_no_spread_and_the_last_price_stands_in() -> None:
    day = replace(without(pencil_day(), "bid", "ask"), has_book=False)
    said = everything(day, history())[NOW]
    assert {NAMES[k] for k in np.flatnonzero(np.isnan(said))} == {"relative_spread"}
    assert said[NAMES.index("return_15m")] == 26_130 / 26_100 - 1


def test_without_any_price_what_needs_one_is_nan() -> None:
    day = pencil_day()
    for name in PRICES:
        writable(day, name)[NOW] = np.nan
    market = market_features(day, history())[NOW]
    silent = {f.name for f, v in zip(MARKET_FEATURES, market, strict=True) if np.isnan(v)}
    needing = users_of(*PRICED) & {f.name for f in MARKET_FEATURES}
    assert silent == needing - {"overnight_gap"}  # known since the opening


@pytest.mark.parametrize("book", [(np.nan, 51.0), (49.0, np.nan), (52.0, 51.0), (0.0, 51.0)])
def test_half_a_book_or_a_crossed_one_has_no_spread(book: tuple[float, float]) -> None:
    day = pencil_day()
    writable(day, "bid")[NOW, 3], writable(day, "ask")[NOW, 3] = book
    (row,) = contract_features(day, history(), np.array([NOW]), np.array([3]))
    assert np.isnan(row[6])
    assert row[10] == 50 / 40 - 1  # by the last price


def test_the_index_of_the_vendor_is_never_read() -> None:
    day = pencil_day()
    other = replace(day, spot=np.full(day.n_rows, np.nan))
    assert not differing(everything(day, history()), everything(other, history())).any()


def test_no_calls_no_ratio_and_no_puts_no_ratio() -> None:
    for side in (slice(0, 4), slice(4, 8)):
        day = pencil_day()
        writable(day, "oi")[:, side] = np.nan
        said = market_features(day, history())[NOW]
        for name in ("oi_put_call_ratio", "max_pain_distance"):
            assert np.isnan(said[NAMES.index(name)])
    day = pencil_day()
    writable(day, "oi")[:, :4] = 0.0
    assert np.isnan(market_features(day, history())[NOW, NAMES.index("oi_put_call_ratio")])


def test_a_vendors_gap_in_volume_is_no_trade() -> None:
    day, gapped = pencil_day(), pencil_day()
    writable(gapped, "volume")[3, 3] = 0.0  # and back to 400 a row later
    writable(gapped, "volume")[4, 1] = np.nan
    at = NAMES.index("vwap_distance")
    one, other = (market_features(panel, history())[:, at] for panel in (day, gapped))
    assert not differing(one, other).any()


def test_equal_contracts_have_no_z_and_two_have_none_either() -> None:
    day = pencil_day()
    writable(day, "oi")[:] = 1_000.0
    pair = np.array([NOW]), np.array([3])
    assert np.isnan(contract_features(day, history(), *pair)[0, NAMES.index("oi_z") - 23])
    later = contract_features(day, history(), np.array([NOW]), np.array([8]))
    assert np.isnan(later[0, NAMES.index("volume_z") - 23])


@pytest.mark.parametrize(
    ("calls", "puts", "strike"),
    [
        ((10, 20, 30), (30, 20, 10), 22_100.0),  # https://oidata.in works this one out
        ((10, 0, 0), (0, 0, 10), 22_000.0),  # all strikes pay alike: the lowest
        ((0, 0, 5), (5, 0, 0), 22_000.0),  # nothing is paid anywhere
        ((1, 0, 0), (0, 0, 9), 22_200.0),
    ],
)
def test_max_pain(calls, puts, strike) -> None:
    from panels import panel

    strikes = [22_000.0, 22_100.0, 22_200.0]
    prices = [150.0, 50.0, 10.0, 10.0, 10.0, 70.0]
    day = panel([600.0], strikes * 2, [1] * 3 + [-1] * 3, prices, oi=[*calls, *puts])
    forward = day.forward_by_expiry[0, 0]
    said = market_features(day, Context())[0, NAMES.index("max_pain_distance")]
    assert said == pytest.approx(strike / forward - 1, abs=1e-15)
