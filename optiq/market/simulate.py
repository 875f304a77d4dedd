"""A whole simulated market, session after session: a function of its settings and nothing else.

Each session draws from streams of its own, one per part of the market, and takes from the session
before only what `MarketState` holds: so a market of three days is the beginning of one of ten, and
planting an edge changes no other draw.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from optiq.errors import RuleError
from optiq.market import calendar
from optiq.market import simulated_quotes as quotes
from optiq.market import simulated_spot as spot
from optiq.market import simulated_surface as surface
from optiq.market.calendar import Session
from optiq.market.panel import minute_of_day
from optiq.market.schema import UNDERLYINGS, AnyArray, BoolArray, FloatArray, TimeArray
from optiq.market.simulated_chain import Chain, list_chain
from optiq.market.simulated_index import IndexDay, index_day, options_of, seeds_of, stream
from optiq.market.simulated_interest import ContractKey
from optiq.market.simulated_plants import Planted
from optiq.market.simulated_settings import FIRST_LEVEL, Simulation
from optiq.market.simulated_tape import (
    as_columns,
    interest_fields,
    open_interest,
    published,
    quoted_fields,
)
from optiq.market.simulated_truth import probability_up


@dataclass(frozen=True)
class MarketState:
    """What one session hands to the next; open interest in lots at its close."""

    weather: spot.Weather
    mood: surface.Mood
    open_interest: Mapping[ContractKey, float]


@dataclass(frozen=True)
class SimulatedDay:
    """One session.

    Attributes
    ----------
    columns
        The quotes under the store's names: ``ts`` in UTC, quantities in units, sorted.
    truth
        Per recorded snapshot, (n_rows,): ``ts spot horizon_minutes spot_ahead probability_up
        log_volatility`` and, for each plant, ``latent_<plant>`` and what else `Effect.truth`
        holds; NaN where the session ends before the horizon.
    """

    date: dt.date
    columns: dict[str, AnyArray]
    truth: dict[str, AnyArray]


def simulate_days(simulation: Simulation) -> Iterator[SimulatedDay]:
    """Yield the sessions in order, the same for the same settings."""
    state = first_state(simulation)
    for session in sessions_of(simulation):
        day, state = simulate_day(simulation, session, state)
        yield day


def index_days(simulation: Simulation) -> Iterator[IndexDay]:
    """Yield the index of the same sessions, its hidden state and nothing else: milliseconds."""
    state = first_state(simulation)
    for session in sessions_of(simulation):
        day = index_day(simulation, session, state.weather, state.mood)
        state = replace(state, weather=day.weather, mood=day.mood)
        yield day


def sessions_of(simulation: Simulation) -> list[Session]:
    """Return the sessions asked for; a Muhurat evening whose hours nobody knows is left out."""
    found: list[Session] = []
    date = simulation.start
    while len(found) < simulation.days:
        if calendar.is_session(date, simulation.underlying):
            found += _known_session(date, simulation.underlying)
        date += calendar.ONE_DAY
    return found


def _known_session(date: dt.date, underlying: str) -> list[Session]:
    try:
        return [calendar.session(date, underlying)]
    except RuleError:
        if calendar.is_expiry_day_possible(date, underlying):
            raise
        return []


def first_state(simulation: Simulation) -> MarketState:
    """Return the market on the evening before its first session."""
    rng = stream([simulation.seed, UNDERLYINGS.index(simulation.underlying)], "first")
    law = simulation.laws.spot
    nudge, log_volatility, regime = rng.standard_normal(3).tolist()
    return MarketState(
        weather=spot.Weather(
            level=FIRST_LEVEL[simulation.underlying] * math.exp(0.02 * nudge),
            log_volatility=law.spread_of_log_volatility * log_volatility,
            regime=0 if abs(regime) < 0.5 else int(math.copysign(1, regime)),
        ),
        mood=surface.Mood(tilt=1.0, carry=simulation.laws.surface.carry),
        open_interest={},
    )


def simulate_day(
    simulation: Simulation, session: Session, state: MarketState
) -> tuple[SimulatedDay, MarketState]:
    """Return one session and the state after it."""
    seeds = seeds_of(simulation, session.date)
    index = index_day(simulation, session, state.weather, state.mood)
    path, plan, ts = index.path, index.plan, index.ts
    chain = list_chain(simulation, session.date, path.opening)
    options = options_of(simulation, index, path, chain, plan.volatility)
    fields = quoted_fields(simulation, chain, options, path, index.hour, plan.activity, seeds)
    before, lots = open_interest(
        simulation,
        chain,
        options,
        fields["volume"],
        state.open_interest,
        plan.interest(path.latent),
        seeds,
    )
    fields |= interest_fields(chain, before, lots)
    kept = quotes.kept_rows(len(ts), seeds("recorder")) & ~_in_breaks(session, ts)
    missing = quotes.missing_cells(fields["ltp"].shape, simulation.laws.quotes, seeds("gaps"))
    truth = _truth_of(simulation, path, plan, ts)
    day = SimulatedDay(
        session.date,
        as_columns(chain, ts, path.level, fields, kept, missing),
        {name: values[kept] for name, values in truth.items()},
    )
    after = _interest_after(state, chain, lots, session.date)
    return day, MarketState(index.weather, index.mood, after)


def _in_breaks(session: Session, ts: TimeArray) -> BoolArray:
    minute = minute_of_day(ts)
    paused = np.zeros(len(ts), np.bool_)
    for start, end in session.breaks:
        paused |= (minute > start) & (minute < end)
    return paused


def _interest_after(
    state: MarketState, chain: Chain, lots: FloatArray, date: dt.date
) -> dict[ContractKey, float]:
    alive = {key: held for key, held in state.open_interest.items() if key[0] > date}
    return alive | dict(zip(chain.keys, lots[:, -1].tolist(), strict=True))


def _truth_of(
    simulation: Simulation, path: spot.SpotPath, plan: Planted, ts: TimeArray
) -> dict[str, AnyArray]:
    """Return the hidden state of each row and the best forecast that it allows."""
    lag, law = simulation.horizon_rows, simulation.laws.spot
    level = published(path.level)
    ahead = np.concatenate([level[lag:], np.full(min(lag, len(level)), np.nan)])
    return {
        "ts": ts,
        "spot": level,
        "horizon_minutes": np.full(len(ts), lag * simulation.row_seconds / 60.0),
        "spot_ahead": ahead,
        "probability_up": probability_up(path, law, plan.signals, lag, plan.drifts),
        "log_volatility": path.log_volatility,
        **plan.truth(path.latent),
    }
