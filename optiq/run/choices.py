"""A policy's decisions as a run keeps them: ``choices.parquet``, a row a decision."""

from __future__ import annotations

import numpy as np

from optiq.market.feature_table import MARKET_FEATURES
from optiq.market.schema import AnyArray
from optiq.run.backtest import Chosen, DayResult
from optiq.trade.ledger import Columns

NAME = "choices.parquet"
ASIDE = "none"
"""What is written for standing aside."""


def decision_ids(day: DayResult, chosen: Chosen) -> AnyArray:
    """Return the names of a day's decisions, counted from 1: NIFTY-20250829-D0012."""
    place = f"{day.panel.underlying}-{day.panel.date:%Y%m%d}"
    numbers = range(1, len(chosen.decisions) + 1)
    return np.array([f"{place}-D{number:04d}" for number in numbers], object)


def choices_of(day: DayResult, chosen: Chosen) -> Columns:
    """Return a day's decisions, a row each.

    ``observation`` (n, 23) are the market's features, NaN where unknown; ``mask``,
    ``preferences`` and ``propensity`` (n, n_strategies) are of the strategies in the order of the
    run. ``policy`` is who was asked to choose, ``version`` who did: a model as ``policy/1.0.0``,
    a strategy's name, random or equal.
    """
    made, names = chosen.decisions, np.array([*day.strategies, ASIDE], object)
    choices, width = [decision.choice for decision in made], len(day.strategies)
    observation = [decision.observation for decision in made]

    def same(value: object) -> AnyArray:
        return np.full(len(made), value, object if isinstance(value, str) else np.int64)

    return {
        "decision_id": decision_ids(day, chosen),
        "underlying": same(day.panel.underlying),
        "ts": np.array([decision.ts for decision in made], "datetime64[us]"),
        "row": np.array([decision.row for decision in made], np.int64),
        "observation": _matrix(observation, len(MARKET_FEATURES)),
        "mask": _matrix([decision.mask for decision in made], width, bool),
        "preferences": _matrix([choice.preferences for choice in choices], width),
        "propensity": _matrix([choice.propensity for choice in choices], width),
        "chosen": names[[choice.index for choice in choices]],  # -1, none, is the last
        "policy": same(chosen.chooser.name),
        "version": same(chosen.acting.who),
        "seed": same(chosen.chooser.seed),
    }


def of_orders(day: DayResult, chosen: Chosen) -> Columns:
    """Return under which choice each order of a day was asked for, (n_orders, ...)."""
    choices = choices_of(day, chosen)
    latest = np.searchsorted(choices["row"], day.orders["row"], side="right") - 1
    return {name: choices[name][latest] for name in ("decision_id", "mask", "preferences")}


def _matrix(rows: list[AnyArray], width: int, kind: type = np.float64) -> AnyArray:
    return np.array(rows, kind).reshape(len(rows), width)
