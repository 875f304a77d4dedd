"""Small panels by hand, for tests that say every number."""

from __future__ import annotations

import datetime as dt

import numpy as np
from markets import at_minute, filled_fields

from optiq.market.panel import Panel

DATE = dt.date(2025, 11, 20)
EXPIRY = np.datetime64("2025-11-25")
LOT = 75


def panel(
    minutes: list[float],
    strikes: list[float],
    rights: list[int],
    ltp: object,
    *,
    bid: object = None,
    ask: object = None,
    spot: float | list[float] = 26_000.0,
    chain: list[bool] | None = None,
    **fields: object,
) -> Panel:
    """A NIFTY panel of one expiry; ``ltp`` and every field broadcast to (rows, contracts).

    Without ``bid`` and ``ask`` the source has no book. Fields not given are NaN.
    """
    shape = (len(minutes), len(strikes))

    def grid(values: object) -> np.ndarray:
        return np.array(np.broadcast_to(np.asarray(values, float), shape))

    has_book = bid is not None
    book = (bid, ask) if has_book else (np.nan, np.nan)
    values = filled_fields(grid(ltp), *map(grid, book))
    values |= {name: grid(given) for name, given in fields.items()}
    ts = at_minute(np.array(minutes))
    return Panel(
        underlying="NIFTY",
        date=DATE,
        ts=ts,
        known=ts,
        is_chain=np.ones(shape[0], bool) if chain is None else np.array(chain),
        spot=np.array(np.broadcast_to(np.asarray(spot, float), shape[0])),
        expiry=np.full(shape[1], EXPIRY),
        strike=np.array(strikes, float),
        right=np.array(rights, np.int64),
        lot=np.full(shape[1], LOT),
        open_minute=555.0,
        close_minute=930.0,
        has_book=has_book,
        fields=values,
    )


def writable(panel: Panel, name: str) -> np.ndarray:
    """A field of a panel made here, to be changed before anyone looks; panels are read-only."""
    owner = panel.fields[name].base
    assert owner is not None
    return owner
