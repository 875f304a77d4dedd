"""A simulated market put into a store, priced and committed as any source's sessions are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optiq.errors import InputError
from optiq.market.day_arrays import n_quotes
from optiq.market.ingest import day_writer
from optiq.market.manifest import SourceEntry
from optiq.market.schema import AnyArray
from optiq.market.simulate import SimulatedDay, sessions_of, simulate_days
from optiq.market.simulated_settings import Simulation
from optiq.market.store import Store
from optiq.market.truth_file import require_free, write_truth

FORMAT = "simulation"

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What went into the store; ``days`` are ISO dates, ``written`` those not there before."""

    days: tuple[str, ...]
    written: int
    rows: int
    truth: Path | None


def store_simulation(
    simulation: Simulation, store: Store, *, truth: bool = False, advance: Advance | None = None
) -> SimulationReport:
    """Simulate, store each session as it comes, and with ``truth`` what they hide beside the store.

    A session already stored from the same simulation stays as it is; one stored from anything else
    is an `InputError` before anything is written. ``advance`` is told of each session.
    """
    _require_room(simulation, store)
    if truth:
        require_free(store.root)
    days, rows, written, hidden = [], 0, 0, []
    with store.lock():
        store.finish_interrupted()
        for day in simulate_days(simulation):
            written += _keep(simulation, store, day)
            days.append(day.date.isoformat())
            rows += n_quotes(day.columns)
            if truth:
                hidden.append((day.date, day.truth))
            if advance is not None:
                advance(1)
        path = write_truth(store.root, simulation.underlying, hidden) if truth else None
    return SimulationReport(tuple(days), written, rows, path)


def _require_room(simulation: Simulation, store: Store) -> None:
    dates = {session.date for session in sessions_of(simulation)}
    for stored in store.days(simulation.underlying):
        others = [entry.origin for entry in stored.sources if entry.origin != simulation.name]
        if stored.date in dates and others:
            raise InputError(
                f"{store.root} holds {simulation.underlying} {stored.date} from {others[0]}",
                "give another --store, or another --start",
            )


def _keep(simulation: Simulation, store: Store, day: SimulatedDay) -> bool:
    """Store one session unless it is there; return whether it was written."""
    rows, digest = n_quotes(day.columns), _digest(day.columns)
    entry = SourceEntry(
        f"{simulation.name} {day.date}", digest, FORMAT, simulation.name, rows, rows
    )
    if store.has_day(simulation.underlying, day.date):
        stored = store.manifest(simulation.underlying, day.date)
        if [source.sha256 for source in stored.sources] == [digest]:
            return False
        raise InputError(
            f"{store.root} holds another {simulation.underlying} {day.date} of the same settings",
            "another version simulated it; give another --store",
        )
    priced = day_writer.price(simulation.underlying, day.date, day.columns)
    day_writer.store_day(store, priced, [entry])
    return True


def _digest(columns: Mapping[str, AnyArray]) -> str:
    digest = hashlib.sha256()
    for name, values in columns.items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values).view(np.uint8).data)
    return digest.hexdigest()
