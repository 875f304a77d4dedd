"""A day's labelled rows are cached under all they come from, and made anew when in doubt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from optiq.learn import dataset_file
from optiq.learn.dataset import FOLDER, Dataset, Recipe, dataset
from optiq.learn.scorer.fit import NAMES
from optiq.market.features import contract_features, market_features
from optiq.market.plants import Momentum
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.trade.fills import WalkSettings
from optiq.trade.strategies import built_in

RECIPE = Recipe(built_in("gamma_scalping"), Settings(walk=WalkSettings(latency_s=0.0)))


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("market") / "store")
    store_simulation(Simulation(days=3, seed=2, plants=(Momentum(1.0),), row_seconds=300.0), store)
    return store


def rows(store: Store, recipe: Recipe = RECIPE, **options) -> Dataset:
    return dataset(store, store.days("NIFTY"), recipe, **options)


def same(one: Dataset, other: Dataset) -> bool:
    return one.sha256 == other.sha256 and all(
        np.array_equal(getattr(one, n), getattr(other, n), equal_nan=n == "features")
        for n in ("features", "net_pnl", "label_end", "session", "strike", "expiry", "weight")
    )


def files(store: Store):
    return sorted((store.root / FOLDER).rglob("*.parquet"))


def test_rows_are_features_beside_their_outcome(market):
    data = rows(market)
    day = market.days("NIFTY")[1]
    panel, context = market.read_panel("NIFTY", day.date), market.context("NIFTY", day.date)
    of_day = data.take(data.session == np.datetime64(day.date))
    at = 100
    row = int(np.searchsorted(panel.ts, of_day.ts[at]))
    is_it = (panel.strike == of_day.strike[at]) & (panel.right == of_day.right[at])
    column = int(np.flatnonzero(is_it & (panel.expiry == of_day.expiry[at]))[0])
    expected = [
        *market_features(panel, context)[row],
        *contract_features(panel, context, np.array([row]), np.array([column]))[0],
    ]
    np.testing.assert_array_equal(of_day.features[at], np.float32(expected))
    assert of_day.features.shape == (len(of_day), len(NAMES))
    assert (data.label_end >= data.entry_ts).all()
    assert (data.entry_ts >= data.ts).all()
    assert len(set(data.session.tolist())) == 3


def test_a_second_reading_makes_nothing(market):
    first = rows(market)
    stamps = [path.stat().st_mtime_ns for path in files(market)]
    assert same(rows(market), first)
    assert [path.stat().st_mtime_ns for path in files(market)] == stamps


def test_a_damaged_file_is_made_anew_with_a_word(market):
    first = rows(market)
    rng, said = np.random.default_rng(0), []
    for path in files(market):
        whole = path.read_bytes()
        for damage in ("flip", "cut", "empty"):
            content = bytearray(whole)
            if damage == "flip":
                content[int(rng.integers(4, len(content) // 2))] ^= 255
            path.write_bytes(content[: {"flip": None, "cut": -50, "empty": 0}[damage]])
            said.clear()
            assert same(rows(market, say=said.append), first)
            assert len(said) == 1
            assert "made anew" in said[0]
            assert path.read_bytes() == whole


def test_other_quotes_other_rules_and_other_earlier_days_are_other_rows(market, tmp_path):
    first = rows(market)
    later = Recipe(RECIPE.strategy, Settings(walk=WalkSettings(latency_s=0.0, slippage_ticks=2)))
    assert rows(market, later).sha256 != first.sha256
    wider = replace(RECIPE.strategy, params=replace(RECIPE.strategy.params, target=0.30))
    assert rows(market, Recipe(wider, RECIPE.settings)).sha256 != first.sha256
    own_condition = replace(RECIPE.strategy, params=replace(RECIPE.strategy.params, gamma_min=0.5))
    assert rows(market, Recipe(own_condition, RECIPE.settings)).sha256 == first.sha256

    other = Store(tmp_path / "store")
    store_simulation(Simulation(days=3, seed=3, row_seconds=300.0), other)
    last = market.days("NIFTY")[-1]
    alone = dataset(market, [last], RECIPE)
    stamp = files(market)[0].stat().st_mtime_ns
    with other.lock():  # an earlier day with another close: the gap is another
        changed = other.days("NIFTY")[-1]
        other.remanifest(replace(other.days("NIFTY")[0], close=1.0))
    before = dataset_file.read(files(market)[-1])[0]["overnight_gap"]
    assert not np.isnan(before).all()
    assert dataset(other, [changed], RECIPE).sha256 != alone.sha256
    assert files(market)[0].stat().st_mtime_ns == stamp


def test_an_earlier_day_that_changes_changes_the_rows_of_later_ones(tmp_path):
    store = Store(tmp_path / "store")
    store_simulation(Simulation(days=2, seed=2, row_seconds=900.0), store)
    first = rows(store)
    with store.lock():
        store.remanifest(replace(store.days("NIFTY")[0], close=20_000.0))
    second = rows(store)
    gap = NAMES.index("overnight_gap")
    assert second.sha256 != first.sha256
    assert np.nanmax(second.features[:, gap]) > 0.1 > np.nanmax(first.features[:, gap])


def test_many_rows_are_thinned_by_moments_and_the_digest_says_so(market):
    whole = rows(market)
    thin = rows(market, most_rows=len(whole) // 2 + 1)
    assert thin.every == 2
    assert thin.sha256 != whole.sha256
    moments = np.unique(whole.ts[whole.session == whole.session[0]])
    kept = np.unique(thin.ts[thin.session == whole.session[0]])
    assert np.array_equal(kept, moments[:: thin.every])
    assert thin.dropped == whole.dropped
