"""What a direction model said at one moment, which features and which rows it went by."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import MissingDataError
from optiq.learn import registry
from optiq.learn.direction.forecasters import Transformer, Trees
from optiq.learn.direction.labels import CLASS_NAMES
from optiq.learn.direction.model import BLOCK, DirectionModel, block_inputs, read_bundle
from optiq.learn.direction.serving import KIND
from optiq.learn.direction.windows import LENGTH, NAMES, Inputs, seen_of
from optiq.market.panel import minute_of_day
from optiq.market.schema import FloatArray, TimeArray
from optiq.market.store import Store

SELECTION = "share of the variable selection, over the rows attended to"
CONTRIBUTION = "share of the trees' contributions to the likeliest class"


@dataclass(frozen=True, slots=True)
class Look:
    """One forecast, seen from inside.

    ``probabilities`` (3,) of sell, hold, buy; ``features`` (34,) and ``rows`` (t,) are shares that
    add up to 1 at most, ``ts`` (t,) when those rows were, the decision's own last; ``means`` says
    what the shares are of; ``in_sample`` whether the model learnt from that session.
    """

    version: str
    model: str
    underlying: str
    moment: np.datetime64
    probabilities: FloatArray
    features: FloatArray
    rows: FloatArray
    ts: TimeArray
    values: FloatArray
    means: str
    in_sample: bool
    threshold: float

    def told(self) -> dict[str, Any]:
        """Return it for JSON; features with the largest share first."""
        order = np.argsort(-self.features, kind="stable")
        return {
            "version": self.version,
            "model": self.model,
            "underlying": self.underlying,
            "ts": self.moment,
            "probabilities": dict(zip(CLASS_NAMES, self.probabilities.tolist(), strict=True)),
            "threshold": self.threshold,
            "in_sample": self.in_sample,
            "shares_are": self.means,
            "features": [
                {"name": NAMES[k], "share": float(self.features[k]), "value": float(self.values[k])}
                for k in order.tolist()
            ],
            "rows": [
                {"ts": ts, "share": share}
                for ts, share in zip(self.ts, self.rows.tolist(), strict=True)
            ],
        }


def look(
    models: Path,
    store: Store,
    underlying: str,
    date: dt.date,
    at: dt.time,
    version: str | None = None,
) -> Look:
    """Return the forecast of the last chain row at or before a time of day (India).

    By ``version``, else by whoever served that session, else by the newest version there is.
    """
    name = version or registry.at(models, KIND, date) or _newest(models)
    stored = registry.load(models, KIND, name)
    bundle = read_bundle(stored.files, f"{KIND} {stored.version}")
    chain = store.read_panel(underlying, date).chain_only
    latest = 60.0 * at.hour + at.minute + at.second / 60.0
    row = int(np.searchsorted(minute_of_day(chain.ts), latest, side="right")) - 1
    if row < 0:
        raise MissingDataError(f"no snapshot of {underlying} on {date} by {at:%H:%M}")
    seen = seen_of(chain, store.context(underlying, date))
    start, model = row // BLOCK * BLOCK, bundle.speaks
    inputs = block_inputs(seen, model.scaler, model.rule.horizon_minutes, start, np.array([row]))
    features, rows, means = _shares(model, inputs, row - start)
    window = np.arange(row - LENGTH + 1, row + 1)
    there = window >= 0
    return Look(
        version=stored.version,
        model=bundle.chosen,
        underlying=underlying,
        moment=chain.ts[row],
        probabilities=model.of_day(seen, row)[row],
        features=features,
        rows=rows[there],
        ts=chain.ts[window[there]],
        values=seen.features[row],
        means=means,
        in_sample=date <= registry.seen_until(stored),
        threshold=model.acts_from,
    )


def _newest(models: Path) -> str:
    versions = registry.versions(models, KIND)
    if not versions:
        raise MissingDataError(f"no direction model in {models}", "optiq train-direction")
    return versions[-1]


def _shares(
    model: DirectionModel, inputs: Inputs, place: int
) -> tuple[FloatArray, FloatArray, str]:
    forecaster = model.forecaster
    if isinstance(forecaster, Transformer):
        _, selection, attention = forecaster.looked(inputs)
        rows = attention[place, :-1]
        carried = rows @ selection[inputs.rows[place]]
        return carried / max(float(carried.sum()), 1e-12), rows, SELECTION
    if isinstance(forecaster, Trees):
        features, rows = forecaster.contributions(inputs, place)
        return features, rows, CONTRIBUTION
    return np.full(len(NAMES), np.nan), np.full(LENGTH, np.nan), "not known of this model"
