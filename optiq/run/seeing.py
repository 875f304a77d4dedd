"""Let strategies see a direction model: its view of a day, put into the day's context.

A model is a plain callable, so that nothing here imports what was learnt. One that can also tell
of its last rows alone (`SinceRow`) is asked for these only, as a day comes in; what it says of a
row must be the same either way.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from optiq.errors import StrategyError
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray

Direction = Callable[[Panel, Context], FloatArray | None]
"""From a day's chain rows to probabilities of sell, hold and buy, (n_rows, 3); None: no model."""


@runtime_checkable
class SinceRow(Protocol):
    """A direction model as the registry serves it."""

    def since(self, panel: Panel, context: Context, first_row: int) -> FloatArray | None:
        """Return (n_rows - first_row, 3), what it says of the rows from ``first_row`` on."""

    def threshold(self, panel: Panel) -> float:
        """Return the confidence from which its calls on that session are worth acting on."""


@runtime_checkable
class Versioned(Protocol):
    """A direction model that says which version of it serves a session."""

    def version(self, session: dt.date) -> str | None:
        """Return that version; None where none serves."""


def speaker(direction: Direction | None, context: Context, session: dt.date) -> str:
    """Return the version whose view is in a day's context, "" where none is.

    A model without versions is "a function".
    """
    if context.direction is None:
        return ""
    model: Any = direction
    return (model.version(session) or "") if isinstance(model, Versioned) else "a function"


def seen(chain: Panel, context: Context, direction: Direction | None, *, since: int = 0) -> Context:
    """Return the context with what the model says of the chain rows.

    What ``context`` holds of the rows before ``since`` is kept. Without a model it stays as it is.
    """
    if direction is None:
        return context
    model: Any = direction
    if isinstance(model, SinceRow):
        new, threshold = model.since(chain, context, since), model.threshold(chain)
    else:
        whole = model(chain, context)
        new, threshold = None if whole is None else whole[since:], math.nan
    if new is None:
        return replace(context, direction=None)
    if new.shape != (chain.n_rows - since, 3):
        raise StrategyError(
            f"the direction model gave shape {new.shape} for {chain.n_rows - since} rows",
            "three probabilities a row",
        )
    if since and context.direction is not None:
        new = np.concatenate([context.direction[:since], new])
    return replace(context, direction=new, direction_threshold=threshold)
