"""One settled day made whole (level, volatilities, Greeks) and committed to the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from optiq.market.chain_file import ALL_COLUMNS
from optiq.market.day_arrays import Columns, grid_of
from optiq.market.manifest import SourceEntry, SpotRecord
from optiq.market.panel import Panel
from optiq.market.pricing import price_day
from optiq.market.quality import spot_lead
from optiq.market.schema import GREEKS
from optiq.market.store import Store
from optiq.market.stored_panel import panel_from_columns

PARITY_NOTE = "no spot in the source: the nearest expiry's parity forward stands in for it"


@dataclass(frozen=True, slots=True)
class PricedDay:
    """A day ready to be stored."""

    underlying: str
    date: dt.date
    columns: Columns
    spot: SpotRecord
    notes: tuple[str, ...]


def price(underlying: str, date: dt.date, rows: Columns) -> PricedDay:
    """Give sorted rows their level, volatilities and Greeks."""
    columns = {name: values for name, values in rows.items() if name in ALL_COLUMNS}
    grid = grid_of(columns)
    panel = panel_from_columns(underlying, date, columns)
    spot = spot_record(panel)
    notes: tuple[str, ...] = ()
    if spot.source == "parity":
        panel = replace(panel, spot=panel.forward_by_expiry[:, 0])
        columns["spot"] = panel.spot[grid.row]
        notes = (PARITY_NOTE,)
    priced = price_day(panel)
    columns |= {name: grid.gather(priced[name]) for name in GREEKS}
    return PricedDay(underlying, date, columns, spot, notes)


def store_day(
    store: Store, day: PricedDay, sources: Iterable[SourceEntry], notes: Iterable[str] = ()
) -> None:
    """Put a day in place of what was stored."""
    store.write_day(
        day.underlying,
        day.date,
        day.columns,
        sources=sources,
        spot=day.spot,
        notes=(*notes, *day.notes),
    )


def spot_record(panel: Panel) -> SpotRecord:
    """Return where the level comes from and whether it keeps the options' time."""
    if not np.isfinite(panel.spot).any():
        known = bool(np.isfinite(panel.forward_by_expiry[:, 0]).any())
        return SpotRecord("parity" if known else "none")
    lead = spot_lead(panel)
    return SpotRecord("feed", trusted=not lead.is_clear, lead_s=lead.seconds)
