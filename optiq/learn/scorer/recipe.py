"""The recipe of a stored scorer, made again from its card: what labels its sessions were given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from optiq.errors import DamagedError, OptiqError
from optiq.learn.dataset import Recipe
from optiq.run.backtest import Settings
from optiq.trade.charges import Broker
from optiq.trade.fills import WalkSettings
from optiq.trade.strategies import built_in


def recipe_of(card: Mapping[str, Any]) -> Recipe:
    """Return the recipe that a scorer's card tells of.

    `DamagedError` where this version of optiq would label otherwise: the rows would not be of the
    kind it learnt from.
    """
    told = card.get("recipe")
    try:
        recipe = _read(dict(told or {}))
        same = recipe.to_json() == told
    except (KeyError, TypeError, ValueError, OptiqError) as reason:
        raise _other(card) from reason
    if not same:
        raise _other(card)
    return recipe


def _read(told: Mapping[str, Any]) -> Recipe:
    walk, charges = WalkSettings(**told["walk"]), told["charges"]
    fee = charges["brokerage_per_order"]
    broker = Broker(charges["broker"], None if fee == "None" else float(fee))
    strategy = built_in(told["rule"])
    exits = {name: np.nan if at is None else at for name, at in told["exits"].items()}
    known = {field.name for field in fields(strategy.params)}
    params = {name: at for name, at in (exits | told["tradable"]).items() if name in known}
    own = replace(strategy, params=replace(strategy.params, **params))
    return Recipe(own, Settings(walk=walk, broker=broker))


def _other(card: Mapping[str, Any]) -> DamagedError:
    return DamagedError(
        f"scorer {card.get('version')} was taught by rules that this version of optiq does not "
        "make again",
        "train it anew with `optiq train-scorer`",
    )
