"""How far the forward is expected to move over the next minutes: the width of the barrier's law.

A barrier that lags the market is met more often when things get lively and less when they calm
down, so whoever sees the clock or the options knows how often, and shines without knowing up from
down. Two estimates are known on every row, both as variance a traded minute:

- implied: what options at the money of the nearest expiry are priced on up to its close, shared
  out over the sessions until then; a session counts 1, its nights `NIGHT_SHARE` of it;
- realised: of the last half hour.

A `WidthLaw` turns them into a forecast: a factor for the hour of the day and the pull of the
realised on the implied, learnt from the logarithms of what came, so that one jump does not
bend them; then a level at which the forecast is right in the mean. Few windows leave it as it was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from optiq.errors import RuleError
from optiq.market import calendar
from optiq.market.feature_day import FeatureDay, value_at
from optiq.market.features_session import session_features
from optiq.market.schema import AnyArray, FloatArray

SESSION_MINUTES = 375.0
TRADED_MINUTES_PER_YEAR = 252.0 * SESSION_MINUTES
NIGHT_SHARE = 0.3
"""Of a session's variance: options pay for nights too, minutes of the session do not move by
them."""
KNOTS = (0.0, 15.0, 30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 345.0)
"""Minutes after the open of a session of 375 at which the hour's factor is learnt; between them
its logarithm is a straight line."""
_FAINT = 5.0
"""Windows' worth of doubt about each number: so many must speak for it to be half believed."""
_LEAST_VARIANCE = 1e-14


@dataclass(frozen=True, slots=True)
class WidthLaw:
    """What was learnt of how the estimates become a forecast; the default takes the implied.

    Attributes
    ----------
    by_hour
        Logarithm of the variance's factor at each of `KNOTS`.
    pull
        Power of realised over implied variance.
    level
        Factor of all of it.
    windows
        How many it was learnt from.
    """

    by_hour: tuple[float, ...] = (0.0,) * len(KNOTS)
    pull: float = 0.0
    level: float = 1.0
    windows: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_hour", tuple(self.by_hour))
        if len(self.by_hour) != len(KNOTS):
            raise ValueError(f"{len(self.by_hour)} factors by hour, not {len(KNOTS)}")

    def variance(self, outlook: Outlook) -> FloatArray:
        """Return (n_rows,) the variance a minute that is expected; NaN where nothing is known."""
        slopes = np.array([*self.by_hour, self.pull])
        # row by row, not a matrix product: BLAS gives other bits for other numbers of rows
        expected = (outlook.regressors * slopes).sum(axis=1)
        forecast: FloatArray = self.level * np.exp(expected) * outlook.variance
        return forecast


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the variance ahead on each chain row, (n_rows,) each.

    ``elapsed`` minutes of a session of 375; ``variance`` a traded minute, implied or, without
    options, realised; ``surprise`` the logarithm of realised over it, 0 where either is unknown.
    """

    elapsed: FloatArray
    variance: FloatArray
    surprise: FloatArray

    @property
    def regressors(self) -> FloatArray:
        """How near each row is to each of `KNOTS`, and its surprise, (n_rows, n_knots + 1)."""
        place = np.interp(self.elapsed, KNOTS, np.arange(len(KNOTS)))
        near = np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(len(KNOTS))))
        return np.column_stack([near, self.surprise])


def outlook_of(day: FeatureDay) -> Outlook:
    """Return what is known of the variance ahead on a day's chain rows; no row sees a later one."""
    panel = day.panel
    realised = session_features(day)["realised_vol_30m"] ** 2 / TRADED_MINUTES_PER_YEAR
    implied = implied_variance(day)
    variance = np.where(implied > 0.0, implied, realised)
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = np.log(realised / variance)
    length = panel.close_minute - panel.open_minute
    return Outlook(
        (panel.minute - panel.open_minute) * (SESSION_MINUTES / length),
        variance,
        np.where(np.isfinite(surprise), surprise, 0.0),
    )


def implied_variance(day: FeatureDay) -> FloatArray:
    """Return (n_rows,) the variance a traded minute that options of the nearest expiry pay for."""
    panel, near = day.panel, day.near
    years, volatility = np.full((2, panel.n_rows), np.nan)
    years[day.tail :] = day.per_tail_row(day.years, near[day.tail :])
    volatility[day.tail :] = day.per_tail_row(day.atm_iv, near[day.tail :])
    later = [sessions_after(panel.date, one, panel.underlying) for one in panel.expiries.tolist()]
    rows = np.arange(panel.n_rows)
    nights = value_at(np.tile(np.array(later, np.float64), (panel.n_rows, 1)), rows, near)
    today = (1.0 - NIGHT_SHARE) * (panel.close_minute - panel.minute) / SESSION_MINUTES
    of_a_session = volatility**2 * years / (today + nights)
    return np.asarray(of_a_session * (1.0 - NIGHT_SHARE) / SESSION_MINUTES)


@cache
def sessions_after(date: dt.date, expiry: dt.date, underlying: str) -> int:
    """Return how many sessions come after a day up to an expiry; weekdays beyond the calendar."""
    try:
        tomorrow = date + dt.timedelta(days=1)
        return len(calendar.sessions_between(tomorrow, expiry, underlying, with_muhurat=False))
    except RuleError:
        return int(np.busday_count(date, expiry))


def learnt_law(days: Sequence[tuple[Outlook, AnyArray, FloatArray]]) -> WidthLaw:
    """Return the law that fits what came: outlook, rows and variance a minute after each of them.

    Rows without an outlook or a move say nothing; without any the default law stands.
    """
    from sklearn.linear_model import Ridge

    known, came, expected = [], [], []
    for outlook, rows, moved in days:
        usable = (outlook.variance[rows] > 0.0) & (moved > _LEAST_VARIANCE)
        known.append(outlook.regressors[rows][usable])
        came.append(moved[usable])
        expected.append(outlook.variance[rows][usable])
    x, ratio = np.concatenate(known), np.concatenate(came) / np.concatenate(expected)
    if not len(ratio):
        return WidthLaw()
    centre = float(np.median(np.log(ratio)))
    slopes = Ridge(_FAINT, fit_intercept=False).fit(x, np.log(ratio) - centre).coef_
    level = float(np.mean(ratio / np.exp(x @ slopes)))
    return WidthLaw(tuple(slopes[:-1].tolist()), float(slopes[-1]), level, len(ratio))
