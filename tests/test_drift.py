"""A day that left the training days is found by what left; an ordinary day is not."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from optiq.errors import EvidenceError, MissingDataError
from optiq.learn.drift import FLOOR, NAMES, TREND_SESSIONS, Reference, psi
from optiq.learn.drift_days import FIELDS, chosen, drift
from optiq.learn.drift_sample import BAND, CONTRACT_NAMES, DaySample, sample
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

TRAINED, AFTER = 60, 30


@pytest.fixture(scope="module")
def days(tmp_path_factory) -> list[tuple[Panel, Context]]:
    store = Store(tmp_path_factory.mktemp("drift"))
    store_simulation(Simulation(days=TRAINED + AFTER, seed=5, row_seconds=300.0), store)
    return [
        (store.read_panel("NIFTY", day.date, FIELDS), store.context("NIFTY", day.date))
        for day in store.days("NIFTY")
    ]


@pytest.fixture(scope="module")
def samples(days) -> list[DaySample]:
    return [sample(panel, context) for panel, context in days]


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
    found = Counter(
        m.feature for day in samples[TRAINED:] for m in reference.compare([day]) if m.is_alarm
    )
    assert sum(found.values()) <= 0.035 * AFTER * len(NAMES)  # the study has the exact rate
    assert max(found.values(), default=0) <= AFTER // 3


def test_a_training_day_is_no_news(reference, samples):
    assert len(moved(reference, samples[30])) <= 3


@pytest.mark.parametrize("feature", ["delta", "moneyness", "oi_z", "iv_minus_atm"])
def test_half_a_standard_deviation_is_found_over_twenty_sessions(reference, samples, feature):
    column = CONTRACT_NAMES.index(feature)
    rows = np.concatenate([day.contract[:, column] for day in samples[:TRAINED]])
    shifted = [with_contract(day, column, 0.5 * np.nanstd(rows)) for day in samples[TRAINED:][:20]]
    assert feature in moved(reference, *shifted)


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


ORDINARY, SHIFTS = 200, 40


def half_shifted(days: list[DaySample], learnt: list[DaySample], name: str) -> list[DaySample]:
    column = CONTRACT_NAMES.index(name)
    unit = np.nanstd(np.concatenate([day.contract[:, column] for day in learnt]))
    return [with_contract(day, column, 0.5 * float(unit)) for day in days]


@pytest.mark.study
@pytest.mark.parametrize("trained", [60, 100])
def test_false_alarms_and_shifts_found_feature_by_feature(tmp_path, write_study, trained):
    """Each ordinary day beside the sessions before it, as the command compares."""
    store = Store(tmp_path)
    simulation = Simulation(
        days=trained + TREND_SESSIONS + ORDINARY,
        seed=21,
        start=dt.date(2022, 1, 3),  # two years in which no expiry day and no closing time moved
        row_seconds=300.0,
    )
    store_simulation(simulation, store)
    found = [
        sample(store.read_panel("NIFTY", day.date, FIELDS), store.context("NIFTY", day.date))
        for day in store.days("NIFTY")
    ]
    alarms: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    places = range(trained, trained + ORDINARY)
    shifted_at = set(places[:: ORDINARY // SHIFTS])
    for place in places:
        learnt, after = found[place - trained : place], found[place : place + TREND_SESSIONS]
        usual = Reference(learnt)
        alarms.update(m.feature for m in usual.compare(after) if m.is_alarm)
        if place in shifted_at:
            seen.update(
                n for n in CONTRACT_NAMES if n in moved(usual, *half_shifted(after, learnt, n))
            )
    rows = [
        (name, f"{alarms[name] / ORDINARY:.3f}", f"{seen[name] / len(shifted_at):.3f}")
        for name in CONTRACT_NAMES
    ]
    others = [name for name in NAMES if name not in CONTRACT_NAMES]
    rows += [(name, f"{alarms[name] / ORDINARY:.3f}", "") for name in others]
    rate = sum(alarms.values()) / (ORDINARY * len(NAMES))
    write_study(
        f"drift-{trained}-sessions",
        f"{ORDINARY} ordinary simulated days, each twenty sessions after the {trained} it is "
        f"compared with: {rate:.4f} false alarms a feature and day. A shift of half a standard "
        f"deviation of the rows over 20 sessions, {len(shifted_at)} times a feature of the "
        "contract; features of the market and levels were not shifted, as their sessions differ "
        "by more than that among themselves.",
        ["feature", "false alarms a day", "shifts found"],
        rows,
    )
    assert rate <= 0.02
    missed = [row[0] for row in rows if row[2] and float(row[2]) < 0.99]
    loud = [row[0] for row in rows if float(row[1]) > 0.02]
    if missed or loud:
        pytest.xfail(f"not every feature: shifts missed of {missed}, alarms above 0.02 of {loud}")
