"""Putting a store right after a power cut, or after somebody's hand in it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from optiq.errors import DamagedError
from optiq.market import chain_file
from optiq.market.day_summary import summarise
from optiq.market.manifest import DayPlace, SpotRecord, load
from optiq.market.store import Store

REBUILT = "manifest rebuilt from the day's file: where its rows came from is not known"


def repair_store(store: Store) -> list[str]:
    """Finish interrupted writes and rebuild manifests; return what was done, a line each."""
    with store.lock():
        done = [
            f"{place.underlying} {place.date}: finished a write that was cut short"
            for place in store.finish_interrupted()
        ]
        for path in sorted(store.root.glob("chain/underlying=*/date=*/part.parquet")):
            line = _mend(store, _place_of(store.root, path))
            done += [line] if line else []
    return done


def _place_of(root: Path, path: Path) -> DayPlace:
    date = dt.date.fromisoformat(path.parent.name.removeprefix("date="))
    return DayPlace(root, path.parent.parent.name.removeprefix("underlying="), date)


def _mend(store: Store, place: DayPlace) -> str:
    """Return what was done about one day; nothing where file and manifest agree."""
    what = f"{place.underlying} {place.date}"
    try:
        file = chain_file.open_chain(place.chain)
    except DamagedError as damage:
        return f"{what}: beyond repair, {damage}; {damage.hint}"
    if file is None or _manifest_id(place) == file.content_id:
        return ""
    if not file.content_id:
        return f"{what}: not a file of this store; delete its folder and ingest the day again"
    columns = file.read_all()
    identity = chain_file.content_id(place.underlying, place.date, columns)
    if identity != file.content_id:
        return f"{what}: its content is not what was written; delete its folder and ingest again"
    rebuilt = summarise(place.underlying, place.date, columns, SpotRecord())
    store.remanifest(replace(rebuilt, content_id=identity, notes=(REBUILT,)))
    return f"{what}: {REBUILT}"


def _manifest_id(place: DayPlace) -> str | None:
    """Return the content id that a day's manifest names, None where no manifest can be read."""
    try:
        manifest = load(place.manifest)
    except DamagedError:
        return None
    return None if manifest is None else manifest.content_id
