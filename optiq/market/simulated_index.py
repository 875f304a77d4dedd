"""One simulated session of the index and what is hidden in it, before any option is priced."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from optiq.market import simulated_spot as spot
from optiq.market import simulated_surface as surface
from optiq.market.calendar import Session
from optiq.market.plant_effect import Hours, Seeds
from optiq.market.schema import UNDERLYINGS, FloatArray, TimeArray
from optiq.market.simulated_chain import Chain
from optiq.market.simulated_plants import Planted, planted
from optiq.market.simulated_settings import Simulation


@dataclass(frozen=True)
class IndexDay:
    """A session of the index; its rows are all there were, the recorder's gaps not cut out.

    ``ts`` (n_rows,) are their moments in UTC, ``mood`` is that of the options, ``weather`` what
    the index hands to the next session.
    """

    session: Session
    ts: TimeArray
    path: spot.SpotPath
    plan: Planted
    mood: surface.Mood
    weather: spot.Weather

    @property
    def hour(self) -> FloatArray:
        """How lively each row is, (n_rows,)."""
        minutes = self.session.close_minute - self.session.open_minute
        return spot.hours_pulse(minutes, self.plan.hours.row_seconds)


def index_day(
    simulation: Simulation, session: Session, weather: spot.Weather, mood: surface.Mood
) -> IndexDay:
    """Return the index of the session after ``weather`` and ``mood``."""
    seeds, law = seeds_of(simulation, session.date), simulation.laws.spot
    minutes, row_seconds = session.close_minute - session.open_minute, simulation.row_seconds
    plan = planted(simulation.plants, Hours(int(minutes * 60.0 / row_seconds), row_seconds), seeds)
    opening = spot.overnight(weather, law, seeds("night"))
    path = spot.session_path(
        opening,
        spot.variance_shares(minutes, row_seconds, law),
        law,
        plan.signals,
        simulation.horizon_rows,
        seeds("spot"),
        plan.own_noise,
        plan.drifts,
    )
    return IndexDay(
        session=session,
        ts=row_times(session, len(path.level), row_seconds),
        path=path,
        plan=plan,
        mood=surface.next_mood(mood, simulation.laws.surface, seeds("mood")),
        weather=spot.Weather(float(path.level[-1]), float(path.log_volatility[-1]), opening.regime),
    )


def row_times(session: Session, n_rows: int, row_seconds: float) -> TimeArray:
    """Return the snapshots' moments, the last on the close where the rows divide the session."""
    steps = np.round(np.arange(1, n_rows + 1) * row_seconds * 1e6).astype("timedelta64[us]")
    times: TimeArray = session.open_utc + steps
    return times


def options_of(
    simulation: Simulation,
    index: IndexDay,
    path: spot.SpotPath,
    chain: Chain,
    volatility: FloatArray | None,
) -> surface.Surface:
    """Return the surface of a session, were ``path`` the way the index took.

    ``volatility`` (n_rows,) is added to the log of every implied volatility.
    """
    return surface.session_surface(
        path,
        index.mood,
        chain.sessions_left,
        (chain.closes[:, None] - index.ts) / np.timedelta64(1, "m"),
        simulation.laws.spot,
        simulation.laws.surface,
        surface.Strain(index.plan.skew, volatility),
    )


def seeds_of(simulation: Simulation, date: dt.date) -> Seeds:
    """Return the streams of one session."""
    index = UNDERLYINGS.index(simulation.underlying)
    return lambda part: stream([simulation.seed, index, date.toordinal()], part)


def stream(entropy: list[int], part: str) -> np.random.Generator:
    """Return the stream of one named part, independent of all others."""
    return np.random.default_rng(np.random.SeedSequence([*entropy, *part.encode()]))
