"""Features say the same of a row wherever the day ends, whatever else is quoted, bit for bit."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from feature_days import (
    active_panel,
    by_contract,
    differing,
    everything,
    history,
    pencil_day,
    require_prefix_invariance,
)
from hypothesis import given
from hypothesis import strategies as st
from recorded import RECORDED, needs_recordings

from optiq.market.context import Context
from optiq.market.features import atm_call_features, contract_features, market_features
from optiq.market.ingest.pipeline import ingest
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

markets = st.builds(
    active_panel,
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(1, 50),
    n_contracts=st.integers(1, 24),
)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> list[Panel]:
    """Return two days, the second an expiry day."""
    store = Store(tmp_path_factory.mktemp("simulated"))
    store_simulation(Simulation(days=2, seed=5), store)
    days = [store.read_panel(day.underlying, day.date) for day in store.days()]
    assert days[1].expiry.min() == np.datetime64(days[1].date)
    return days


def ordinary_cuts(panel: Panel) -> list[int]:
    gap = int(np.argmax(np.diff(panel.ts)))
    cuts = [0, 1, 2, 7, 16, 17, 31, 62, 120, gap, gap + 1, gap + 2, gap + 16, panel.n_rows - 1]
    return sorted(cut for cut in cuts if cut < panel.n_rows)


def test_on_simulated_days(simulated: list[Panel]) -> None:
    for panel in simulated:
        context = history(date=panel.date)
        require_prefix_invariance(everything, panel, context, [*ordinary_cuts(panel), 316, 330])
        assert np.isfinite(everything(panel, context)).any(axis=0).all()


@needs_recordings
@pytest.mark.parametrize(
    ("source", "date", "n_silent"),
    [
        ("nse_1min/NIFTY_20250829_1[01]*.parquet", dt.date(2025, 8, 29), 2),  # no opening
        ("collector/*.parquet", dt.date(2026, 8, 18), 3),  # nor a book
    ],
)
def test_on_recorded_days_around_their_holes(source, date, n_silent, tmp_path) -> None:
    store = Store(tmp_path)
    ingest([str(RECORDED / source)], store)
    panel, context = store.read_panel("NIFTY", date), history(date=date)
    require_prefix_invariance(everything, panel, context, ordinary_cuts(panel))
    said = everything(panel, context)
    assert not np.isinf(said).any()
    assert np.isnan(said).all(axis=0).sum() == n_silent


@pytest.mark.parametrize("known_before", ["nothing", "iv", "oi", "volume"])
def test_what_is_quoted_later_does_not_exist_before(known_before: str) -> None:
    """Two calls, or an expiry between two others, are first quoted in the last row."""
    day = pencil_day()
    between = day.expiry.copy()
    between[[0, 3]] += 3
    hidden = {"ltp", "bid", "ask", "iv", "oi", "volume"} - {known_before}
    fields = {name: day.fields[name].copy() for name in day.fields}
    for name in hidden:
        fields[name][:6, [0, 3]] = np.nan
    for expiry in (day.expiry, between):
        late = replace(day, expiry=expiry, fields=fields)
        require_prefix_invariance(everything, late, history(), range(8))


def test_every_contract_of_a_simulated_day(simulated: list[Panel]) -> None:
    whole, context = simulated[1], history(date=simulated[1].date)
    said = by_contract(whole, context)
    for cut in (1, 40, 330):
        for key, now in by_contract(whole.until(cut), context).items():
            assert not differing(now, said[key][:cut]).any(), (cut, key)


@given(panel=markets, data=st.data())
def test_on_generated_markets(panel: Panel, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, panel.n_rows))
    context = history(date=panel.date)
    require_prefix_invariance(everything, panel, context, [cut])
    said = by_contract(panel, context)
    for key, now in by_contract(panel.until(cut), context).items():
        assert not differing(now, said[key][:cut]).any(), key
    assert not np.isinf(everything(panel, context)).any()
    assert not any(np.isinf(grid).any() for grid in said.values())


def shuffled(panel: Panel, order: np.ndarray) -> Panel:
    fields = {name: panel.fields[name][:, order] for name in panel.fields}
    named = {name: getattr(panel, name)[order] for name in ("expiry", "strike", "right", "lot")}
    return replace(panel, fields=fields, **named)


@given(panel=markets, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_columns_does_not_matter(panel: Panel, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(panel.n_contracts)
    other, context = shuffled(panel, order), history(date=panel.date)
    assert not differing(everything(panel, context), everything(other, context)).any()
    said = by_contract(panel, context)
    assert not any(differing(g, said[k]).any() for k, g in by_contract(other, context).items())


def test_the_order_of_columns_does_not_matter_on_a_simulated_day(simulated: list[Panel]) -> None:
    panel, context = simulated[0], history(date=simulated[0].date)
    backwards = shuffled(panel, np.arange(panel.n_contracts)[::-1])
    assert not differing(everything(panel, context), everything(backwards, context)).any()


def with_monitor_rows(panel: Panel, rng: np.random.Generator) -> Panel:
    """Put two rows of wild quotes half a second before and after each row."""
    n, offset = panel.n_rows, np.array([-500_000, 0, 500_000]).astype("timedelta64[us]")
    ts = (panel.ts[:, None] + offset).reshape(-1)
    fields = {}
    for name in panel.fields:
        field = panel.fields[name].repeat(3, axis=0)
        wild = rng.random(field.shape) * 1_000.0
        fields[name] = np.where((np.arange(3 * n) % 3 == 1)[:, None], field, wild)
    return replace(
        panel,
        ts=ts,
        known=ts,
        is_chain=np.repeat(panel.is_chain, 3) & (np.arange(3 * n) % 3 == 1),
        spot=panel.spot.repeat(3),
        fields=fields,
    )


@pytest.mark.parametrize("seed", range(20))
def test_monitor_rows_have_no_features_and_no_influence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    panel = active_panel(seed, 30, 16) if seed else pencil_day()
    panel = replace(panel, is_chain=np.ones(panel.n_rows, bool))
    if panel.n_rows > 1 and np.diff(panel.ts).min() <= np.timedelta64(1, "s"):
        panel = replace(panel, ts=panel.ts[0] + np.arange(panel.n_rows) * np.timedelta64(7, "m"))
    busy, context = with_monitor_rows(panel, rng), history(date=panel.date)
    said = everything(busy, context)
    assert not differing(said[1::3], everything(panel, context)).any()
    assert np.isnan(said[0::3]).all()
    assert np.isnan(said[2::3]).all()
    quiet = by_contract(panel, context)
    for key, grid in by_contract(busy, context).items():
        assert not differing(grid[1::3], quiet[key]).any()


@given(panel=markets, data=st.data())
def test_the_last_rows_alone_say_what_the_day_says(panel: Panel, data: st.DataObject) -> None:
    first, context = data.draw(st.integers(0, panel.n_rows)), history(date=panel.date)
    for compute in (market_features, atm_call_features):
        alone, day = compute(panel, context, first), compute(panel, context)
        assert not differing(alone[first:], day[first:]).any()
        assert np.isnan(alone[:first]).all()
    row, column = (a[a.shape[0] - first :].ravel() for a in np.indices(panel.ltp.shape))
    pairs = contract_features(panel, context, row, column)
    for (_, grid), place in zip(
        by_contract(panel, context).items(), range(panel.n_contracts), strict=True
    ):
        mine = column == place
        assert not differing(pairs[mine], grid[row[mine]]).any()


def test_the_last_row_of_a_simulated_day_alone(simulated: list[Panel]) -> None:
    for panel in simulated:
        context = history(date=panel.date)
        day = market_features(panel, context)
        for row in (0, 1, 14, 15, 16, 60, 200, 314, 316, panel.n_rows - 1):
            alone = market_features(panel.until(row + 1), context, row)
            assert not differing(alone[row], day[row]).any()


def test_the_layout_in_memory_does_not_matter(simulated: list[Panel]) -> None:
    panel, context = simulated[0], history(date=simulated[0].date)
    by_row = {name: np.ascontiguousarray(panel.fields[name]) for name in panel.fields}
    other = replace(panel, fields=by_row)
    assert not differing(everything(panel, context), everything(other, context)).any()


def peeking_return(panel: Panel, context: Context) -> np.ndarray:
    said = market_features(panel, context)
    said[:-1, 0] = said[1:, 0]
    return said


def scaled_by_the_day(panel: Panel, context: Context) -> np.ndarray:
    said = market_features(panel, context)
    return said / np.nanmax(np.abs(said), axis=0, initial=1e-300)


def counting_contracts(panel: Panel, context: Context) -> np.ndarray:
    return market_features(panel, context) + panel.n_contracts


@pytest.mark.parametrize("leak", [peeking_return, scaled_by_the_day, counting_contracts])
def test_a_feature_that_looks_ahead_is_caught(leak, simulated: list[Panel]) -> None:
    panel, context = simulated[0], history(date=simulated[0].date)
    late = {name: panel.fields[name].copy() for name in panel.fields}
    for values in late.values():
        values[:300, -1] = np.nan  # one contract appears in the afternoon
    with pytest.raises(AssertionError, match="cut at"):
        require_prefix_invariance(leak, replace(panel, fields=late), context, [100, 200])


@pytest.mark.parametrize("n_rows", [0, 1])
def test_a_morning_without_a_quote_yet(n_rows: int, simulated: list[Panel]) -> None:
    panel = simulated[0]
    silent = {name: np.full_like(panel.fields[name], np.nan) for name in panel.fields}
    empty = replace(panel, fields=silent).until(n_rows)
    assert empty.n_contracts == 0
    said = market_features(empty, history(date=panel.date))
    assert said.shape == (n_rows, 23)
    assert np.isnan(said[:, :21]).all()
    assert atm_call_features(empty, Context()).shape == (n_rows, 11)
