"""A day that left the training days is found by what left; an ordinary day is not."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_models import promote, save

from optiq.cli.app import main
from optiq.errors import EvidenceError, MissingDataError
from optiq.learn.drift.day import NAMES
from optiq.learn.drift.days import FIELDS, chosen, drift
from optiq.learn.drift.reference import Reference
from optiq.learn.drift.sample import BAND, CONTRACT_NAMES, MARKET_NAMES, DaySample, sample
from optiq.learn.drift.scores import Serving, chosen_unseen, score_drift, scores_in
from optiq.learn.drift.statistics import FLOOR, psi
from optiq.learn.evening.manifest import Manifest
from optiq.learn.evening.night import Tonight
from optiq.learn.evening.settings import EveningSettings
from optiq.learn.evening.steps import steps_of
from optiq.learn.scorer.fit import NAMES as SCORED
from optiq.learn.scorer.fit import Examples, FitSettings
from optiq.learn.scorer.model import Question, ScorerModel, trained
from optiq.learn.scorer.serving import features_of, scorer_of
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.choosing import decision_rows
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.tradability import in_band

TRAINED, AFTER = 60, 30
LEARNT = 20
"""Sessions that the scorer has seen."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("drift") / "store")
    store_simulation(Simulation(days=TRAINED + AFTER, seed=5, row_seconds=300.0), store)
    return store


@pytest.fixture(scope="module")
def days(stored) -> list[tuple[Panel, Context]]:
    return [
        (stored.read_panel("NIFTY", day.date, FIELDS), stored.context("NIFTY", day.date))
        for day in stored.days("NIFTY")
    ]


@pytest.fixture(scope="module")
def scorer(days) -> ScorerModel:
    """Trees that know the first days: what is near the money and dear for its strike pays."""
    examples = [planted(days[:15], 0), planted(days[15:LEARNT], 1)]
    settings = FitSettings(max_rounds=40, num_leaves=7)
    return trained(Question("any", ExitRule(0.15, 0.10), ("NIFTY",)), *examples, settings)[0]


def planted(days: list[tuple[Panel, Context]], seed: int) -> Examples:
    rng, parts = np.random.default_rng(seed), []
    for panel, context in days:
        cells = rng.permutation(np.argwhere(in_band(panel, BAND) & panel.observed))[:400].T
        parts.append(features_of(panel, context, *cells))
    seen = np.concatenate(parts)
    delta, iv = (np.nan_to_num(seen[:, SCORED.index(n)]) for n in ("delta", "iv_minus_atm"))
    chance = 1 / (1 + np.exp(3 * np.abs(delta) - 60 * iv))
    return Examples(seen, rng.random(len(seen)) < chance, np.ones(len(seen)), len(days))


@pytest.fixture(scope="module")
def samples(days, scorer) -> list[DaySample]:
    return [sample(panel, context, scorer.score) for panel, context in days]


@pytest.fixture(scope="module")
def reference(samples) -> Reference:
    return Reference(samples[:TRAINED])


def moved(reference: Reference, *recent: DaySample) -> set[str]:
    return {m.feature for m in reference.compare(recent) if m.is_alarm or m.is_trend}


def test_the_index_by_hand():
    usual, now = np.array([[[50.0, 150.0] * 2]]), np.array([[[50.0, 50.0] * 2]])
    by_hand = 2 * ((0.25 - 0.125) * np.log(0.25 / 0.125) + (0.25 - 0.375) * np.log(0.25 / 0.375))
    assert psi(usual, now) == pytest.approx([by_hand])


def test_an_empty_bin_counts_as_the_floor_and_few_rows_as_unknown():
    usual, now = np.array([[[200.0, 0.0]]]), np.array([[[0.0, 40.0]]])
    assert psi(usual, now) == pytest.approx([2 * (1 - FLOOR) * np.log(1 / FLOOR)])
    assert np.isnan(psi(usual, now / 4)).all()


def test_ordinary_days_seldom_alarm(reference, samples):
    """Nor do the sessions since the training, told every evening; the study has exact rates."""
    days = [reference.day(day) for day in samples[TRAINED:]]
    said = [reference.judge(days[: place + 1]) for place in range(AFTER)]
    alarms = Counter(m.feature for evening in said for m in evening if m.is_alarm)
    lately = Counter(m.feature for evening in said for m in evening if m.is_trend)
    assert sum(alarms.values()) <= 0.01 * AFTER * len(NAMES)
    assert sum(lately.values()) <= 0.01 * AFTER * len(NAMES)
    assert max((alarms | lately).values(), default=0) <= AFTER // 6


def test_fewer_than_five_sessions_are_no_trend(reference, samples):
    shifted = [with_contract(day, 1, 9.0) for day in samples[TRAINED:][:5]]
    (delta,) = (m for m in reference.compare(shifted[:4]) if m.feature == "delta")
    assert np.isnan(delta.trend)
    assert not delta.is_trend
    (delta,) = (m for m in reference.compare(shifted) if m.feature == "delta")
    assert delta.is_trend


def test_a_training_day_is_no_news(reference, samples):
    assert moved(reference, samples[30]) == set()


@pytest.mark.parametrize("feature", ["delta", "moneyness", "oi_z", "iv_minus_atm"])
def test_half_a_standard_deviation_is_found_over_twenty_sessions(reference, samples, feature):
    column = CONTRACT_NAMES.index(feature)
    rows = np.concatenate([day.contract[:, column] for day in samples[:TRAINED]])
    shifted = [with_contract(day, column, 0.5 * np.nanstd(rows)) for day in samples[TRAINED:][:20]]
    assert feature in moved(reference, *shifted)


@pytest.mark.parametrize("feature", ["return_15m", "return_60m", "smile_curvature"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_feature_of_the_market_is_found_given_the_others(reference, samples, feature, sign):
    """Sessions differ among themselves by more than that: alone it would not be."""
    column = MARKET_NAMES.index(feature)
    rows = np.concatenate([day.market[:, column] for day in samples[:TRAINED]])
    step = sign * 0.5 * np.nanstd(rows) * (np.arange(len(MARKET_NAMES)) == column)
    after = samples[TRAINED:][:20]
    said = {
        m.feature: m
        for m in reference.compare([replace(day, market=day.market + step) for day in after])
    }
    assert said[feature].lately == f"{'higher' if sign > 0 else 'lower'} given the others"
    assert max(said.values(), key=lambda m: m.excess).feature == feature


def with_contract(day: DaySample, column: int, shift: float) -> DaySample:
    contract = day.contract.copy()
    contract[:, column] += shift
    return replace(day, contract=contract)


def swapped(panel: Panel) -> Panel:
    return replace(panel, fields={**panel.fields, "bid": panel.ask, "ask": panel.bid})


def scaled(*names: str, factor: float):
    return lambda panel: replace(
        panel, fields={**panel.fields, **{n: panel.fields[n] * factor for n in names}}
    )


DAMAGES = {
    "bid and ask swapped": (swapped, {"crossed"}),
    "prices in paise": (scaled("ltp", "bid", "ask", factor=100.0), {"premium", "spread"}),
    "open interest x 100": (scaled("oi", "oi_change", factor=100.0), {"open_interest"}),
    "open interest / 100": (scaled("oi", "oi_change", factor=0.01), {"open_interest"}),
    "volume x 100": (scaled("volume", factor=100.0), {"volume"}),
    "volatility in percent": (scaled("iv", factor=100.0), {"atm_iv", "iv_minus_atm"}),
    "spot x 100": (lambda p: replace(p, spot=p.spot * 100), {"spot", "forward_basis"}),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("day", [TRAINED, TRAINED + 7, TRAINED + 19])
def test_what_a_source_gets_wrong_is_found_at_once(reference, days, damage, day):
    panel, context = days[day]
    spoil, expected = DAMAGES[damage]
    assert moved(reference, sample(spoil(panel), context)) >= expected


def test_a_sample_has_missing_values_where_the_source_has_no_book(days):
    panel, context = days[TRAINED]
    nothing = np.full_like(panel.ltp, np.nan)
    bare = replace(panel, fields={**panel.fields, "bid": nothing, "ask": nothing})
    column = CONTRACT_NAMES.index("relative_spread")
    assert np.isnan(sample(bare, context).contract[:, column]).all()
    assert BAND < 0.05  # the widest band any strategy scans: everything here is quoted


def test_the_scores_are_those_that_orders_are_served(days, samples, scorer):
    """Of the cells that are compared, asked as a backtest asks: as orders to buy them."""
    panel, context = days[TRAINED]
    due = decision_rows(panel)
    rows, contracts = np.nonzero(in_band(panel, BAND)[due] & panel.observed[due])
    mask = np.zeros(panel.ltp.shape, bool)
    mask[due[rows], contracts] = True
    orders = Orders.single(panel, mask, rule=scorer.question.rule)
    served = scorer_of(scorer)(panel, context, orders)
    compared = samples[TRAINED].score
    assert len(np.unique(compared[~np.isnan(compared)])) > 10
    np.testing.assert_array_equal(served, compared)


@pytest.fixture(scope="module")
def scores(samples) -> Reference:
    return Reference(samples[LEARNT:TRAINED], scores_in, ("score",))


def test_scores_of_ordinary_days_seldom_alarm(scores, samples):
    assert sum(m.is_alarm for day in samples[TRAINED:] for m in scores.compare([day])) <= AFTER // 8


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_scores_half_a_deviation_off_for_twenty_sessions_are_found(scores, samples, sign):
    shift = sign * 0.5 * np.nanstd(np.concatenate([d.score for d in samples[LEARNT:TRAINED]]))
    shifted = [replace(day, score=day.score + shift) for day in samples[TRAINED:][:20]]
    assert moved(scores, *shifted) == {"score"}


def test_scores_that_say_nothing_or_all_the_same_are_found(scores, samples):
    day = samples[TRAINED]
    for said in (np.full_like(day.score, np.nan), np.full_like(day.score, 50.0)):
        assert moved(scores, replace(day, score=said)) == {"score"}


def test_a_unit_error_is_seen_in_the_scores_too(scores, days, scorer):
    panel, context = days[TRAINED]
    in_percent = scaled("iv", factor=100.0)(panel)
    assert moved(scores, sample(in_percent, context, scorer.score)) == {"score"}


def test_scores_are_compared_with_the_first_sessions_that_were_not_seen(days):
    dates = [panel.date for panel, _ in days]
    usual, recent = chosen_unseen(dates, 100, dates[59])
    assert (usual, recent) == (dates[60:84], dates[84:])
    usual, recent = chosen_unseen(dates, 12, dates[29])
    assert (usual, recent) == (dates[30:42], dates[78:])
    assert chosen_unseen(dates[:61], 100, dates[59]) == ([], [dates[60]])


@pytest.fixture(scope="module")
def models(days, scorer, tmp_path_factory) -> Path:
    """Where the scorer serves from the session after those it has seen."""
    root = tmp_path_factory.mktemp("models")
    seen, following = (str(days[n][0].date) for n in (LEARNT - 1, LEARNT))
    promote(root, save(root, files=scorer.files(), seen_until=seen), following)
    return root


def test_the_command_compares_the_scores_of_who_serves(
    stored, models, days, scores, samples, capsys
):
    day, unseen = (days[n][0].date for n in (-1, LEARNT))
    places = ["--store", str(stored.root), "--models", str(models)]
    assert main(["drift", "--date", str(day), "--sessions", "40", "--json", *places]) == 0
    told = json.loads(capsys.readouterr().out)
    said = told["scores"]
    (expected,) = scores.compare(samples[-14:])
    assert (told["scorer"], said["sessions"], said["from"]) == ("1.0.0", 40, str(unseen))
    assert (said["recent_sessions"], said["why_not"]) == (14, None)
    assert said["score"] == pytest.approx(expected.score)
    assert said["trend"] == pytest.approx(expected.trend)
    assert ("score" in told["alarms"]) is (expected.is_alarm or expected.is_trend)


def test_the_evening_compares_the_scores_of_who_serves(stored, models, days):
    day, now = days[LEARNT + 20][0].date, dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    step = steps_of(EveningSettings(), lambda *_: None, {})[-1]
    told = step.act(Tonight(day, stored.root, models, now, Manifest(day)))["NIFTY"]
    assert (step.name, told["compared"]) == ("drift", len(NAMES) + 1)
    assert told["scores"] == {"version": "1.0.0", "against": 17, "why_not": ""}


def test_a_scorer_that_is_new_says_how_many_sessions_are_missing(samples, scorer):
    serving = Serving("1.0.3", scorer, dt.date(2025, 1, 1))
    found = score_drift(serving, samples[LEARNT : LEARNT + 14], samples[TRAINED:][:1])
    assert found.moved is None
    assert found.why == "too few: 14 of 15 sessions before them that it had not seen"
    enough = score_drift(serving, samples[LEARNT : LEARNT + 15], samples[TRAINED:][:1])
    assert enough.moved is not None
    assert enough.why == ""


def test_too_few_training_sessions_are_refused(samples):
    with pytest.raises(EvidenceError, match="9 of 10 training sessions"):
        Reference(samples[:9])


def test_a_model_says_where_the_training_ends(days):
    dates = [panel.date for panel, _ in days]
    trained, recent = chosen(dates, 40, dates[59])
    assert (trained, recent) == (dates[20:60], dates[70:90])
    trained, recent = chosen(dates, 100, None)
    assert (len(trained), len(recent), recent[-1]) == (72, 18, dates[-1])
    assert chosen(dates[:60], 100, dates[59])[0][-1] < dates[59]  # a day is not its own training


def test_a_day_that_is_not_stored_is_missing_data(tmp_path):
    with pytest.raises(MissingDataError):
        drift(Store(tmp_path), "NIFTY", np.datetime64("2025-01-01").item(), 60)
